"""Calendars and rules about off-hours in `office.toml`."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator

from conf.calendar_values import DAYS, date_of, dates_of, days_of, minutes_of, span_of
from conf.fields import choice, text, text_up_to, whole_number
from conf.model import Section
from conf.office_fields import Id, IdOrNone, Name, Note, TargetOrNone

_SWITCH = re.compile(r"[0-9*#]{2,8}")


def _days(value: object) -> str:
    days_of(found := text(value))
    return found


def _hours(value: object) -> str:
    span_of(found := text(value))
    return found


def _dates(value: object) -> str:
    found = text(value)
    if not found.strip():
        raise ValueError("must not be empty")
    dates_of(found)
    return found


def _date_or_any(value: object) -> str:
    found = text(value)
    if found:
        date_of(found)
    return found


def _day_or_any(value: object) -> str:
    found = text(value)
    if found and found not in DAYS:
        raise ValueError(f'must be a day such as "sat", not "{found}"')
    return found


def _time_or_any(value: object) -> str:
    found = text(value)
    if found:
        minutes_of(found)
    return found


def _url(value: object) -> str:
    found = text_up_to(2000)(value)
    if found and (urlsplit(found).scheme not in ("http", "https") or not urlsplit(found).hostname):
        raise ValueError(f'must be an address such as "https://example.com/office.ics", not "{found}"')
    return found


def _switch(value: object) -> str:
    found = text(value)
    if found and not _SWITCH.fullmatch(found):
        raise ValueError(f'must be 2 to 8 of the keys 0-9 * #, not "{found}"')
    return found


def _external(value: object) -> str:
    found = text(value)
    if not re.fullmatch(r"[A-Za-z0-9+._*#-]{1,50}", found):
        raise ValueError(f'must be an external number of the office, not "{found}"')
    return found.removeprefix("+")  # as providers send it


Hours = Annotated[tuple[Annotated[str, PlainValidator(_hours)], ...], Field(strict=False)]
DateList = Annotated[tuple[Annotated[str, PlainValidator(_dates)], ...], Field(strict=False)]
DateOrAny = Annotated[str, PlainValidator(_date_or_any)]
DayOrAny = Annotated[str, PlainValidator(_day_or_any)]
TimeOrAny = Annotated[str, PlainValidator(_time_or_any)]
ExternalNumber = Annotated[str, PlainValidator(_external)]
ExternalNumbers = Annotated[tuple[ExternalNumber, ...], Field(strict=False)]


class CalendarSection(Section):
    """One of `[[calendars]]` (CAL-*). `password` None: the key is absent, what is stored stays."""

    id: Id
    base: Annotated[str, PlainValidator(choice("none", "ru"))] = "none"
    name: Name = ""
    note: Note = ""
    weekly: dict[Annotated[str, PlainValidator(_days)], Hours] = Field(default_factory=dict)
    open: DateList = ()
    closed: DateList = ()
    # CAL-5: article 95 of the Russian labour code.
    shortened_by: Annotated[int, PlainValidator(whole_number(0, 720))] = 60
    url: Annotated[str, PlainValidator(_url)] = ""
    caldav: bool = False
    login: Annotated[str, PlainValidator(text_up_to(255))] = ""
    password: Annotated[str | None, PlainValidator(text_up_to(255))] = Field(default=None, repr=False)
    switch: Annotated[str, PlainValidator(_switch)] = ""


class OffHoursSection(Section):
    """One of `[[off_hours]]` (CAL-7…12)."""

    id: Id
    first_date: DateOrAny = ""
    last_date: DateOrAny = ""
    first_day: DayOrAny = ""
    last_day: DayOrAny = ""
    first_time: TimeOrAny = ""
    last_time: TimeOrAny = ""
    priority: Annotated[int, PlainValidator(whole_number(0, 9999))] = 0
    numbers: ExternalNumbers = ()
    sound: IdOrNone = ""
    target: TargetOrNone = ""
    note: Note = ""
    disabled: bool = False
