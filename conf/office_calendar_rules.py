"""Rules of `office.toml` about calendars: hours that are named once, calendars that exist, rules that do something."""

from collections.abc import Iterator

from conf.calendar_values import DAYS, days_of
from conf.errors import KeyPath, Problem
from conf.office_values import Values, entries, table_of, texts, texts_of


def problems_of_calendars(values: Values) -> Iterator[Problem]:
    known = {calendar for _, calendar in texts(values, "calendars", "id")}
    for section in ("terminals", "external_numbers", "lost_call_alarms"):
        for path, calendar in texts(values, section, "calendar"):
            if calendar not in known:
                yield Problem(path, f'there is no calendar "{calendar}"')
    for path, calendar in texts_of(table_of(values, "outbound"), ("outbound",), "off_hours_calendar"):
        if calendar not in known:
            yield Problem(path, f'there is no calendar "{calendar}"')
    for path, entry in entries(values, "calendars"):
        yield from _named_twice(path, entry)
        if not any(entry.get(key) for key in ("weekly", "open", "url")) and entry.get("base") != "ru":
            yield Problem(path, 'it would never be open: give weekly, open, url or base = "ru"')
    for path, entry in entries(values, "off_hours"):
        if bool(entry.get("target")) == bool(entry.get("sound")):
            yield Problem(path, "a rule needs a target or a sound, and not both")


def _named_twice(path: KeyPath, calendar: Values) -> Iterator[Problem]:
    """A day may stand alone beside the several days that have it, but not among several twice."""
    found: dict[int, str] = {}
    for key in table_of(calendar, "weekly"):
        try:
            days = days_of(key)
        except ValueError:
            continue
        for day in days if len(days) > 1 else ():
            if day in found:
                yield Problem((*path, "weekly", key), f'"{DAYS[day]}" is already in "{found[day]}"')
                break
            found[day] = key
