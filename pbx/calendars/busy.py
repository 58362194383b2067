"""Busy times out of iCalendar text (RFC 5545), recurring events included (CAL-13)."""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from xml.etree import ElementTree

from pbx.calendars.decision import Busy

BEHIND = timedelta(days=2)
AHEAD = timedelta(days=400)
MOST_EVENTS = 20_000
_TOO_OFTEN = re.compile(r"FREQ=(SECONDLY|MINUTELY|HOURLY)", re.IGNORECASE)
_DAV_DATA = "{urn:ietf:params:xml:ns:caldav}calendar-data"


def busy_of(texts: Iterable[str], now_at: float, zone: tzinfo) -> tuple[Busy, ...]:
    """Everything that blocks time (not transparent, not cancelled) from two days ago on to beyond a year, by its start.
    Whole days, and times without a zone, are those of `zone`. Raises `ValueError` with a sentence."""
    from icalendar import Calendar as ICalendar  # late: few calendars need it
    from recurring_ical_events import of as occurrences_of  # type: ignore[import-untyped]

    now = datetime.fromtimestamp(now_at, zone)
    found: list[Busy] = []
    for text in texts:
        if _TOO_OFTEN.search(text.replace("\r\n ", "").replace("\n ", "")):
            raise ValueError("an event repeats every hour or more often, which is no calendar of days off")
        try:
            events = occurrences_of(ICalendar.from_ical(text)).between(now - BEHIND, now + AHEAD)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            raise ValueError(f"it is no iCalendar: {error}") from None
        found += [_busy(event, zone) for event in events if _blocks(event)]
        if len(found) > MOST_EVENTS:
            raise ValueError(f"it has more than {MOST_EVENTS} events within a year")
    return tuple(sorted(found, key=lambda each: each.start_at))


def calendars_of(multistatus: bytes) -> list[str]:
    """The iCalendar texts in the answer of a CalDAV server (RFC 4791 §7.8). Raises `ValueError`."""
    try:
        root = ElementTree.fromstring(multistatus)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no answer of a CalDAV server: {error}") from None
    return [each.text for each in root.iter(_DAV_DATA) if each.text]


def _blocks(event: object) -> bool:
    values = event if hasattr(event, "get") else {}
    status, transparency = str(values.get("STATUS", "")).upper(), str(values.get("TRANSP", "")).upper()
    return status != "CANCELLED" and transparency != "TRANSPARENT"


def _busy(event: object, zone: tzinfo) -> Busy:
    start, end = event.start, event.end  # type: ignore[attr-defined]
    return Busy(_at(start, zone), _at(end, zone), str(event.get("SUMMARY", ""))[:100])  # type: ignore[attr-defined]


def _at(moment: date | datetime, zone: tzinfo) -> float:
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), zone).timestamp()
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp()
