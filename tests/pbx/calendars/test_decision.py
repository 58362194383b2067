"""When a calendar is open: against a table of a whole year, and against the clock on the wall, minute by minute."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pbx.calendars.decision import Busy, Switched, decide, next_change
from pbx.calendars.hours import OpeningHours
from pbx.calendars.production import Production
from storage.records import Calendar
from tests.pbx.calendars.test_production import PRINTED, days

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
LOOKED_AT = [0, *(hour * 60 + at for hour in (9, 10, 12, 13, 14, 16, 17, 18) for at in (-1, 0)), 1439]
WEEK = {"mon-fri": ("09:00-13:00", "14:00-18:00"), "sat": ("10:00-14:00",), "fri": ("09:00-13:00", "14:00-17:00")}


def opening(base: str = "none", production: Path | None = None, **keys: object) -> OpeningHours:
    calendar = Calendar("office-hours", base, **({"weekly": WEEK} | keys))  # type: ignore[arg-type]
    return OpeningHours(calendar, Production(production))


def at(text: str, zone: ZoneInfo = MOSCOW, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def is_open(hours: OpeningHours, text: str, zone: ZoneInfo = MOSCOW) -> bool:
    return decide(hours, at(text, zone), zone).is_open


@pytest.mark.row("CAL-2")
@pytest.mark.row("CAL-3")
@pytest.mark.row("CAL-5")
@pytest.mark.parametrize("year", PRINTED)
def test_a_year_of_decisions_is_that_of_an_independent_table(year: int) -> None:
    hours = opening("ru", open=("2026-12-31 10:00-12:00",), closed=("*-07-01", "2026-08-03/2026-08-07"))
    off, worked, short = (days(year, text) for text in PRINTED[year][:3])
    holidays = {date(year, 1, day) for day in range(1, 9)} | days(year, "02-23 03-08 05-01 05-09 06-12 11-04")
    day = date(year, 1, 1)
    while day.year == year:
        expected = [(9 * 60, 13 * 60), (14 * 60, 17 * 60 if day.weekday() == 4 else 18 * 60)]
        if day.weekday() == 5 and day not in worked:
            expected = [(10 * 60, 14 * 60)]
        if day.weekday() == 6 or day in off or day in holidays:
            expected = []
        if day in worked and day.weekday() == 5 and day == date(2024, 4, 27):
            expected = [(9 * 60, 13 * 60), (14 * 60, 18 * 60)]  # for Monday 29 April
        if day in short:
            expected = [expected[0], (14 * 60, min(expected[1][1], 18 * 60) - 60)]
        if day in (date(2024, 11, 2), date(2024, 12, 28), date(2025, 11, 1)):  # for a Tuesday and two Mondays
            expected = [(9 * 60, 13 * 60), (14 * 60, 18 * 60 - (60 if day in short else 0))]
        if (day.month, day.day) == (7, 1) or date(2026, 8, 3) <= day <= date(2026, 8, 7):
            expected = []
        if day == date(2026, 12, 31):
            expected = [(10 * 60, 12 * 60)]
        midnight = at(day.isoformat())
        for minute in LOOKED_AT:
            wanted = any(start <= minute < end for start, end in expected)
            assert decide(hours, midnight + minute * 60, MOSCOW).is_open is wanted, (day, minute)
        day += timedelta(days=1)


def test_a_dated_exception_stands_before_a_yearly_one_and_both_before_the_state() -> None:
    hours = opening("ru", open=("2026-01-05", "*-05-01 11:00-12:00"), closed=("*-01-05", "*-03-10"))
    assert is_open(hours, "2026-01-05T10:00")
    assert not is_open(hours, "2027-01-05T10:00")
    assert is_open(hours, "2026-05-01T11:30")
    assert not is_open(hours, "2026-05-01T12:30")
    assert not is_open(hours, "2026-03-10T10:00")


def test_hours_that_are_closed_are_cut_out_of_the_day() -> None:
    hours = opening(closed=("2026-12-25 12:00-24:00", "2026-12-24 10:00-11:00"))
    assert [is_open(hours, f"2026-12-25T{clock}") for clock in ("11:59", "12:00", "14:30")] == [True, False, False]
    assert [is_open(hours, f"2026-12-24T{clock}") for clock in ("09:59", "10:30", "11:00")] == [True, False, True]


@pytest.mark.row("CAL-6")
def test_own_hours_have_breaks_exceptions_yearly_dates_and_nights_that_belong_to_their_first_day() -> None:
    hours = opening(
        weekly={"mon-fri": ("09:00-13:00", "14:00-18:00", "22:00-06:00")}, open=("2026-12-26",), closed=("*-01-01",)
    )
    assert [is_open(hours, f"2026-12-02T{clock}") for clock in ("08:59", "09:00", "13:00", "14:00", "18:00")] == [
        *(False, True, False, True, False)
    ]
    assert is_open(hours, "2026-12-05T05:59")  # the night of Friday (AMB-33)
    assert not is_open(hours, "2026-12-05T06:00")
    assert not is_open(hours, "2026-12-06T23:00")
    assert is_open(hours, "2026-12-26T10:00")  # a Saturday with the hours of a day of the week
    assert not is_open(hours, "2027-01-01T10:00")
    assert is_open(hours, "2027-01-01T05:00")  # the night of 31 December


def test_a_day_named_alone_stands_before_one_among_several() -> None:
    assert is_open(opening(), "2026-11-26T17:30")
    assert not is_open(opening(), "2026-11-27T17:30")


def test_a_calendar_on_the_state_without_hours_has_those_of_an_office() -> None:
    hours = opening("ru", weekly={})
    assert [is_open(hours, f"2026-11-27T{clock}") for clock in ("08:59", "09:00", "17:59", "18:00")] == [
        *(False, True, True, False)
    ]


@pytest.mark.parametrize("zone", [BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe"), MOSCOW])
def test_the_clock_on_the_wall_decides_also_when_it_is_changed(zone: ZoneInfo) -> None:
    hours = opening(weekly={"sat": ("20:00-02:30",), "sun": ("01:45-03:10", "23:30-00:30")})
    wall = {5: [(20 * 60, 24 * 60)], 6: [(0, 150), (105, 190), (23 * 60 + 30, 24 * 60)], 0: [(0, 30)]}
    for month, first in ((3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31)):
        moment = int(datetime(2026, month, first, 12, tzinfo=UTC).timestamp())
        change = next_change(hours, moment, zone)
        before = decide(hours, moment, zone).is_open
        for now in range(moment, moment + 40 * 3600, 600):
            shown = datetime.fromtimestamp(now, zone)
            minute = shown.hour * 60 + shown.minute
            wanted = any(start <= minute < end for start, end in wall.get(shown.weekday(), ()))
            assert decide(hours, now, zone).is_open is wanted, shown
            if wanted is not before:
                assert change == now, shown
                before, change = wanted, next_change(hours, now, zone)


def test_the_next_change_is_beyond_days_off() -> None:
    hours = opening("ru", weekly={})
    assert next_change(hours, at("2026-12-30T19:00"), MOSCOW) == at("2027-01-11T09:00")
    assert next_change(hours, at("2026-11-27T10:00"), MOSCOW) == at("2026-11-27T18:00")
    assert next_change(opening(weekly={}, open=("2026-12-01",)), at("2026-12-03T10:00"), MOSCOW) is None


def test_busy_events_close_and_what_is_switched_stands_before_all() -> None:
    hours, now = opening(), at("2026-11-26T10:00")
    event = Busy(now - 60, now + 60, "Party")
    assert str(decide(hours, now, MOSCOW, [event]).why) == "busy by the linked calendar: Party"
    assert next_change(hours, now, MOSCOW, [event]) == now + 60
    assert next_change(hours, now, MOSCOW, [Busy(now + 120, now + 240)]) == now + 120
    opened = Switched(is_open=True, until_at=now + 30)
    assert decide(hours, now, MOSCOW, [event], opened).is_open
    assert not decide(hours, now + 30, MOSCOW, [event], opened).is_open


def test_a_decision_says_why() -> None:
    hours = opening("ru", closed=("*-03-10",), open=("2026-12-26",))
    said = {
        text: str(decide(hours, at(f"2026-{text}"), MOSCOW).why)
        for text in ("11-26T10:00", "11-26T13:30", "03-10T10:00", "01-09T10:00", "04-30T16:59", "12-26T10:00")
    }
    assert said == {
        "11-26T10:00": "hours of thu, 09:00-13:00",
        "11-26T13:30": "hours of thu",
        "03-10T10:00": "closed *-03-10",
        "01-09T10:00": "day off by the production calendar, moved from 2026-01-03",
        "04-30T16:59": "shortened by the production calendar, 14:00-17:00",
        "12-26T10:00": "open 2026-12-26, 09:00-13:00",
    }
