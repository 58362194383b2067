"""Rules about when calls from outside are not taken, as MikoPBX has them (CAL-7…12). Pure."""

from collections.abc import Iterable
from datetime import date

from conf.calendar_values import DAYS, MINUTES_OF_DAY, date_of, minutes_of
from storage.records import OffHours


def in_order(rules: Iterable[OffHours]) -> list[OffHours]:
    """As they are tried: by priority, then by the date on which they begin."""
    return sorted((rule for rule in rules if not rule.disabled), key=lambda rule: (rule.priority, rule.first_date))


def is_off(rule: OffHours, day: date, minute: int) -> bool:
    """Whether date, day of the week and minute are all within the rule (CAL-8)."""
    return _has_date(rule, day) and _has_weekday(rule, day.weekday()) and _has_minute(rule, minute)


def _has_date(rule: OffHours, day: date) -> bool:
    """Both dates are those of their years; a first date alone is that day every year (CAL-9)."""
    first = date_of(rule.first_date) if rule.first_date else None
    last = date_of(rule.last_date) if rule.last_date else None
    if first is not None and last is None:
        return (day.month, day.day) == (first.month, first.day)
    return (first is None or first <= day) and (last is None or day <= last)


def _has_weekday(rule: OffHours, weekday: int) -> bool:
    """Over the end of the week too; one that is missing is Monday or Sunday (CAL-10)."""
    if not rule.first_day and not rule.last_day:
        return True
    first, last = DAYS.index(rule.first_day or "mon"), DAYS.index(rule.last_day or "sun")
    return first <= weekday <= last if first <= last else weekday >= first or weekday <= last


def _has_minute(rule: OffHours, minute: int) -> bool:
    """The last minute is within. Over midnight it is the evening and the morning of the rule's own days (CAL-9)."""
    first = minutes_of(rule.first_time) if rule.first_time else 0
    last = minutes_of(rule.last_time) if rule.last_time else MINUTES_OF_DAY - 1
    return first <= minute <= last if first <= last else minute >= first or minute <= last
