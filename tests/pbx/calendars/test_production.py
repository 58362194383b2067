"""The Russian production calendar against the tables that the government printed."""

import json
from datetime import date
from pathlib import Path

import pytest

from pbx.calendars.production import DayKind, Production, bundled, by_law, of_feed

# As the decrees and the printed calendars have them: days off beyond weekends, worked weekends, shortened days.
PRINTED = {
    2024: (
        "01-01 01-02 01-03 01-04 01-05 01-08 02-23 03-08 04-29 04-30 05-01 05-09 05-10 06-12 11-04 12-30 12-31",
        "04-27 11-02 12-28",
        "02-22 03-07 05-08 06-11 11-02",
        248,
    ),
    2025: (
        "01-01 01-02 01-03 01-06 01-07 01-08 05-01 05-02 05-08 05-09 06-12 06-13 11-03 11-04 12-31",
        "11-01",
        "03-07 04-30 06-11 11-01",
        247,
    ),
    2026: (
        "01-01 01-02 01-05 01-06 01-07 01-08 01-09 02-23 03-09 05-01 05-11 06-12 11-04 12-31",
        "",
        "04-30 05-08 06-11 11-03",
        247,
    ),
}


def days(year: int, text: str) -> set[date]:
    return {date.fromisoformat(f"{year}-{each}") for each in text.split()}


def every_day(year: int) -> list[date]:
    first = date(year, 1, 1).toordinal()
    return [date.fromordinal(each) for each in range(first, date(year + 1, 1, 1).toordinal())]


@pytest.mark.parametrize("year", PRINTED)
def test_a_year_is_as_it_was_printed(year: int) -> None:
    off, worked, short, working_days = PRINTED[year]
    known = bundled(year)
    weekdays_off = {day for day in every_day(year) if day.weekday() < 5 and day in known.off}
    assert weekdays_off == days(year, off)
    assert {day for day in every_day(year) if day.weekday() >= 5 and day not in known.off} == days(year, worked)
    assert known.short == days(year, short)
    assert sum(day not in known.off for day in every_day(year)) == working_days


def test_a_year_that_nobody_knows_has_the_holidays_by_law_alone_and_a_warning() -> None:
    known = bundled(2099)
    assert known == by_law(2099)
    assert not known.is_known
    off = {(day.month, day.day) for day in every_day(2099) if day.weekday() < 5 and day in known.off}
    holidays = {*((1, day) for day in range(1, 9)), (2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4)}
    assert off <= holidays
    assert known.short == frozenset()


FEED = {
    "year": 2031,
    "months": [
        {"month": month, "days": "1,2+,3*" if month == 1 else "4,5" if month != 2 else "1,2,22*"}
        for month in range(1, 13)
    ],
    "transitions": [{"from": "01.04", "to": "01.02"}],
}


def test_a_file_of_the_common_form_stands_before_what_is_bundled(tmp_path: Path) -> None:
    (tmp_path / "2031.json").write_text(json.dumps(FEED))
    production = Production(tmp_path)
    year = production.year(2031)
    assert year.is_known
    assert (date(2031, 1, 2) in year.off, year.short) == (True, frozenset({date(2031, 1, 3), date(2031, 2, 22)}))
    assert production.kind(date(2031, 2, 22)) is DayKind.SHORT  # a Saturday that is worked
    assert production.kind(date(2031, 1, 11)) is DayKind.WORKING  # a Saturday that the file does not name
    assert year.moved_from(date(2031, 1, 2)) == date(2031, 1, 4)


def test_a_file_that_was_fetched_stands_behind_one_that_somebody_edited(tmp_path: Path) -> None:
    edited = {**FEED, "transitions": []}
    (tmp_path / "2031.fetched.json").write_text(json.dumps(FEED))
    production = Production(tmp_path)
    assert production.year(2031).moves
    (tmp_path / "2031.json").write_text(json.dumps(edited))
    production.reread()
    assert not production.year(2031).moves


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"year": 2030}', '{"year": 2031, "months": 7}', '{"year": 2031, "months": [{"days": "x"}]}',
     '{"year": 2031, "months": [{"month": 1, "days": "40"}]}', '{"year": 2031, "months": []}'],
)  # fmt: skip
def test_a_file_that_is_none_leaves_what_is_bundled(tmp_path: Path, text: str) -> None:
    (tmp_path / "2031.json").write_text(text)
    assert Production(tmp_path).year(2031) == by_law(2031)


def test_a_feed_of_another_year_is_refused() -> None:
    with pytest.raises(ValueError, match="of the year 2031, not 2030"):
        of_feed(FEED, 2030)
