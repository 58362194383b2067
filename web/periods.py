"""Periods by name, by the clock of the office (CDR-10)."""

import datetime as dt
from typing import Literal
from zoneinfo import ZoneInfo

Period = Literal["today", "yesterday", "week", "30days", "month"]
DAY = dt.timedelta(days=1)
DAYS = {"today": 1, "week": 7, "30days": 30}  # up to the end of today


def bounds(period: Period, at: float, timezone: str) -> tuple[float, float]:
    """From when and up to when, in UTC seconds; `at` is now. "week" is the last seven days, "month" that of the
    calendar."""
    zone = ZoneInfo(timezone)
    today = dt.datetime.fromtimestamp(at, zone).date()
    last = today if period == "yesterday" else today + DAY
    first = today.replace(day=1) if period == "month" else last - DAYS.get(period, 1) * DAY
    begin, end = (dt.datetime.combine(day, dt.time(), zone) for day in (first, last))
    return begin.timestamp(), end.timestamp()
