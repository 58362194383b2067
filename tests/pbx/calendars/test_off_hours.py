"""Rules about off-hours as MikoPBX has them."""

from datetime import date

import pytest

from pbx.calendars.off_hours import in_order, is_off
from storage.records import OffHours

FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 11, 27 + each) for each in (0, 1, 2, 3))


def off(rule: OffHours, day: date, clock: str) -> bool:
    hour, minute = map(int, clock.split(":"))
    return is_off(rule, day, hour * 60 + minute)


def test_an_empty_part_is_any_and_all_parts_have_to_hold() -> None:
    assert off(OffHours("any"), FRIDAY, "12:00")
    rule = OffHours("night", first_day="fri", last_day="fri", first_time="18:00", last_time="23:59")
    assert off(rule, FRIDAY, "18:00")
    assert not off(rule, FRIDAY, "17:59")
    assert not off(rule, SATURDAY, "18:00")


@pytest.mark.row("CAL-9")
def test_two_dates_are_those_of_their_years_one_is_every_year_and_times_pass_midnight_within_their_days() -> None:
    year_exact = OffHours("party", first_date="2026-12-30", last_date="2026-12-31")
    assert off(year_exact, date(2026, 12, 31), "10:00")
    assert not off(year_exact, date(2027, 12, 31), "10:00")
    yearly = OffHours("new-year", first_date="2020-01-01")
    assert off(yearly, date(2031, 1, 1), "10:00")
    assert not off(yearly, date(2031, 1, 2), "10:00")
    night = OffHours("night", first_day="mon", last_day="fri", first_time="18:00", last_time="08:00")
    assert [off(night, FRIDAY, clock) for clock in ("00:00", "08:00", "08:01", "17:59", "18:00", "23:59")] == [
        *(True, True, False, False, True, True)
    ]
    assert not off(night, SATURDAY, "03:00")  # Friday evening does not extend to Saturday morning
    assert off(OffHours("to-the-end", first_time="22:00", last_time="23:59"), FRIDAY, "23:59")


@pytest.mark.row("CAL-10")
def test_days_of_the_week_go_over_its_end_and_a_missing_one_is_monday_or_sunday() -> None:
    weekend = OffHours("weekend", first_day="sat", last_day="mon")
    assert [off(weekend, day, "12:00") for day in (FRIDAY, SATURDAY, SUNDAY, MONDAY)] == [False, True, True, True]
    to_monday, from_saturday = OffHours("a", last_day="tue"), OffHours("b", first_day="sat")
    assert [off(to_monday, day, "12:00") for day in (SUNDAY, MONDAY)] == [False, True]
    assert [off(from_saturday, day, "12:00") for day in (SATURDAY, SUNDAY, MONDAY)] == [True, True, False]


def test_rules_are_tried_by_priority_then_by_the_date_on_which_they_begin() -> None:
    rules = [
        OffHours("c", priority=5),
        OffHours("b", first_date="2026-02-01"),
        OffHours("a", first_date="2026-01-01"),
        OffHours("z", disabled=True),
    ]
    assert [rule.id for rule in in_order(rules)] == ["a", "b", "c"]
