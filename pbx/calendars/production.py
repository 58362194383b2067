"""The Russian production calendar: days off, moved and shortened days of a year (CAL-2…5).

A year comes from a file that people may edit, in the common JSON form of xmlcalendar.ru, else from the library
`holidays`, which knows the moves of each year by decree. The library has no shortened days: they follow from article 95
of the labour code. A year that nobody knows yet has Monday to Friday and the holidays by law.
"""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from enum import Enum
from functools import lru_cache
from pathlib import Path

import structlog

from frozen import dataclass

log = structlog.get_logger("calendar")

# Article 112 of the labour code: month → days.
BY_LAW = {1: range(1, 9), 2: (23,), 3: (8,), 5: (1, 9), 6: (12,), 11: (4,)}
SATURDAY = 5
FIRST_BUNDLED = 2013  # since then the holidays by law are those of today
DAY = timedelta(days=1)


class DayKind(Enum):
    """What the state says of a day beyond the days of the week."""

    ORDINARY = "ordinary"
    OFF = "off"
    WORKING = "working"  # a Saturday or Sunday
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class ProductionYear:
    """`off`: every day on which nobody works, weekends too; `moves`: a weekend day that is worked → the day that is off
    instead, or a holiday on a weekend → the day to which it went. `is_known`: not by law alone."""

    year: int
    off: frozenset[date]
    short: frozenset[date] = frozenset()
    moves: tuple[tuple[date, date], ...] = ()
    is_known: bool = True

    def kind(self, day: date) -> DayKind:
        is_weekend = day.weekday() >= SATURDAY
        if is_holiday(day) or (not is_weekend and day in self.off):
            return DayKind.OFF
        if day in self.short:
            return DayKind.SHORT
        return DayKind.WORKING if is_weekend and day not in self.off else DayKind.ORDINARY

    def weekday_of(self, day: date) -> int | None:
        """Whose hours a working weekend has: of the day that is off instead; None when nobody says."""
        return next((other.weekday() for worked, other in self.moves if worked == day), None)

    def moved_from(self, day: date) -> date | None:
        """The day for which this one is off."""
        return next((worked for worked, other in self.moves if other == day), None)


def is_holiday(day: date) -> bool:
    """By law, in every year."""
    return day.day in BY_LAW.get(day.month, ())


def by_law(year: int) -> ProductionYear:
    """What is certain of every year."""
    return ProductionYear(year, frozenset(day for day in _days(year) if _is_off_by_law(day)), is_known=False)


def bundled(year: int) -> ProductionYear:
    """A year of the library, by law alone where it does not know it."""
    from holidays.countries.russia import Russia  # late: it takes a sixth of a second

    known = Russia(years=year)  # type: ignore[no-untyped-call]
    decreed = known.special_public_holidays.get(year)
    if year < FIRST_BUNDLED or decreed is None:
        return by_law(year)
    rows = decreed if isinstance(decreed[0], tuple) else (decreed,)
    moves = tuple((date(year, row[2], row[3]), date(year, row[0], row[1])) for row in rows)
    worked = {worked for worked, _ in moves if not is_holiday(worked)}
    off = frozenset(day for day in _days(year) if (_is_weekend(day) or day in known) and day not in worked)
    return ProductionYear(year, off, _shortened(year, off, moves), moves)


def of_feed(values: object, year: int) -> ProductionYear:
    """A year in the form of xmlcalendar.ru: lists of days where `N` is off, `N+` off by a move, `N*` shortened. Raises
    `ValueError` with a sentence."""
    try:
        if not isinstance(values, Mapping):
            raise TypeError("no object")
        if int(values["year"]) != year:
            raise ValueError(f"the file is of the year {values['year']}, not {year}")
        off, short = set[date](), set[date]()
        for month in values["months"]:
            for text in filter(None, str(month["days"]).replace(" ", "").split(",")):
                day = date(year, int(month["month"]), int(text.rstrip("+*")))
                (short if text.endswith("*") else off).add(day)
        moves = tuple(
            (_of_feed(each["from"], year), _of_feed(each["to"], year)) for each in values.get("transitions", ())
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it has not the form of a production calendar ({type(error).__name__}: {error})") from None
    if len({day.month for day in off}) < 12:
        raise ValueError("not every month of it has days off")
    return ProductionYear(year, frozenset(off), frozenset(short), moves)


class Production:
    """Years as they are needed. `folder` has files `2027.json` that people edit, before those that were fetched,
    `2027.fetched.json`."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._years: dict[int, ProductionYear] = {}

    def year(self, year: int) -> ProductionYear:
        found = self._years.get(year)
        if found is None:
            found = self._years[year] = self._read(year)
            if not found.is_known:
                log.warning(
                    "nobody knows the production calendar of that year: only holidays by law are off", year=year
                )
        return found

    def kind(self, day: date) -> DayKind:
        return self.year(day.year).kind(day)

    def reread(self) -> None:
        """Files may have changed."""
        self._years.clear()

    def _read(self, year: int) -> ProductionYear:
        for name in (f"{year}.json", f"{year}.fetched.json"):
            found = None if self._folder is None else _from_file(self._folder / name, year)
            if found is not None:
                return found
        return _bundled(year)


@lru_cache(maxsize=64)
def _bundled(year: int) -> ProductionYear:
    return bundled(year)


def _from_file(file: Path, year: int) -> ProductionYear | None:
    try:
        return of_feed(json.loads(file.read_bytes()), year)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.error("a production calendar cannot be read", file=str(file), why=str(error))
        return None


def _shortened(year: int, off: frozenset[date], moves: tuple[tuple[date, date], ...]) -> frozenset[date]:
    """Article 95: the working day before a holiday; a weekend that is worked in place of such a day is as short."""
    before = {day for day in _days(year) if is_holiday(day + DAY) and not is_holiday(day)}
    worked = {day for day, other in moves if day not in off and other in before}
    return frozenset({day for day in before if day not in off} | worked)


def _days(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + number * DAY for number in range((date(year + 1, 1, 1) - first).days)]


def _is_weekend(day: date) -> bool:
    return day.weekday() >= SATURDAY


def _is_off_by_law(day: date) -> bool:
    return _is_weekend(day) or is_holiday(day)


def _of_feed(text: str, year: int) -> date:
    month, _, day = str(text).partition(".")
    return date(year, int(month), int(day))
