"""How days, hours and dates of calendars are written, and what they mean."""

import re
from datetime import date

from frozen import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 1440

_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARLY = re.compile(r"\*-([0-9]{2})-([0-9]{2})")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Minutes of a day, `end` excluded; beyond 1440 it runs into the next day (AMB-33)."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


@dataclass(frozen=True, slots=True)
class Dates:
    """An exception: the days from `first` to `last` of their years, or the same day of every year where `month` is
    given; `spans` are hours, none means the whole day."""

    first: date = date.min
    last: date = date.min
    month: int = 0
    day: int = 0
    spans: tuple[Span, ...] = ()

    @property
    def is_yearly(self) -> bool:
        return self.month > 0

    def has(self, day: date) -> bool:
        return (day.month, day.day) == (self.month, self.day) if self.is_yearly else self.first <= day <= self.last


def minutes_of(text: str) -> int:
    """Minutes since midnight of "09:00"; 24:00 is the end of the day. Raises `ValueError`."""
    found = _TIME.fullmatch(text)
    minutes = int(found[1]) * 60 + int(found[2]) if found else MINUTES_OF_DAY + 1
    if minutes > MINUTES_OF_DAY:
        raise ValueError(f'must be a time such as "09:00", not "{text}"')
    return minutes


def span_of(text: str) -> Span:
    """Hours such as "09:00-18:00"; an end before the start is on the next day, 23:59 is the end of the day. Raises
    `ValueError`."""
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f'must be hours such as "09:00-18:00", not "{text}"')
    start, end = minutes_of(first), minutes_of(last)
    if start in (end, MINUTES_OF_DAY):
        raise ValueError(f'"{text}" is no time at all; a whole day is "00:00-24:00"')
    if end == MINUTES_OF_DAY - 1:
        end = MINUTES_OF_DAY
    return Span(start, end if end > start else end + MINUTES_OF_DAY)


def days_of(text: str) -> tuple[int, ...]:
    """Days of the week, Monday is 0: "sat", "mon-fri", or "sat-mon" over the end of the week. Raises `ValueError`."""
    first, dash, last = text.partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise ValueError(f'must be a day such as "sat" or days such as "mon-fri", not "{text}"')
    start, end = DAYS.index(first), DAYS.index(last or first)
    return tuple(day % 7 for day in range(start, end + 1 if end >= start else end + 8))


def dates_of(text: str) -> Dates:
    """An exception: "2026-12-31", "2026-07-01/2026-07-14" or "*-01-01", each with hours after it or without. Raises
    `ValueError`."""
    when, *hours = text.split()
    spans = tuple(map(span_of, hours))
    yearly = _YEARLY.fullmatch(when)
    if yearly:
        _day_of(f"2028-{yearly[1]}-{yearly[2]}", when)  # a leap year: 29 February is a day of some years
        return Dates(month=int(yearly[1]), day=int(yearly[2]), spans=spans)
    first, slash, last = when.partition("/")
    found = Dates(_day_of(first, when), _day_of(last if slash else first, when), spans=spans)
    if found.last < found.first:
        raise ValueError(f'"{when}" ends before it begins')
    return found


def date_of(text: str) -> date:
    """A date such as "2026-12-31". Raises `ValueError`."""
    return _day_of(text, text, '"2026-12-31"')


def _day_of(text: str, whole: str, example: str = '"2026-12-31" or "*-01-01"') -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f'must be a date such as {example}, not "{whole}"')


def _clock(minutes: int) -> str:
    minutes = minutes if minutes <= MINUTES_OF_DAY else minutes - MINUTES_OF_DAY
    return f"{minutes // 60:02}:{minutes % 60:02}"
