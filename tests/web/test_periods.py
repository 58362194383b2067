"""Periods of the history by name."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from storage.records import Office
from tests.support.api import api, data_of, errors_of
from tests.support.builders import terminal
from tests.web.test_live_api import row
from web.periods import Period, bounds

MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("today", "2026-03-01", "2026-03-02"),
        ("yesterday", "2026-02-28", "2026-03-01"),
        ("week", "2026-02-23", "2026-03-02"),
        ("30days", "2026-01-31", "2026-03-02"),
        ("month", "2026-03-01", "2026-03-02"),
    ],
)
def test_a_period_is_one_of_the_office_s_own_days(period: Period, first: str, last: str) -> None:
    at = dt.datetime(2026, 3, 1, 0, 30, tzinfo=MOSCOW).timestamp()  # still February in UTC
    expected = tuple(dt.datetime.fromisoformat(day).replace(tzinfo=MOSCOW).timestamp() for day in (first, last))
    assert bounds(period, at, "Europe/Moscow") == expected


def test_days_of_23_and_25_hours_are_whole() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        noon = dt.datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=berlin)
        begin, end = bounds("today", noon.timestamp(), "Europe/Berlin")
        assert (end - begin) / 3600 == hours


async def test_the_history_of_a_period_is_found_by_its_name(tmp_path: Path) -> None:
    async with api(tmp_path, Office("Test", timezone="Europe/Moscow", terminals=(terminal("201"),))) as found:
        now = found.server.clock.wall()
        today, _ = bounds("today", now, "Europe/Moscow")
        ages = {"now-1": now, "late-1": today - 60, "old-1": now - 8 * 86_400, "older-1": now - 40 * 86_400}
        for id, at in ages.items():
            found.server._storage.cdrs.append(row(id, at, "201", "202"))

        async def ids(query: str) -> set[str]:
            return {each["id"] for each in data_of(await found.client.get(f"/history?{query}"))}

        assert await ids("period=today") == {"now-1"}
        assert await ids("period=yesterday") == {"late-1"}
        assert await ids("period=week") == {"now-1", "late-1"}
        assert await ids("period=30days") == {"now-1", "late-1", "old-1"}
        assert "not both" in errors_of(await found.client.get("/history?period=today&from=2026-01-01"), 422)["period"]
        assert (await found.client.get("/history?period=century")).status_code == 422
