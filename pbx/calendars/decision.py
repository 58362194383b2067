"""Whether a calendar is open at a moment, why, and until when: the switch before busy events before its hours."""

from collections.abc import Sequence
from datetime import date, timedelta, tzinfo

from conf.calendar_values import MINUTES_OF_DAY
from frozen import dataclass
from pbx.calendars.hours import OpeningHours
from pbx.calendars.moments import local, moments
from pbx.said import Said, say

DAYS_AHEAD = 62  # how far a change is looked for
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Busy:
    """An event of another calendar, from `start_at` up to `end_at`: closed (CAL-13)."""

    start_at: float
    end_at: float
    title: str = ""


@dataclass(frozen=True, slots=True)
class Switched:
    """Somebody has opened or closed by hand, until the next boundary (CAL-18)."""

    is_open: bool
    until_at: float


@dataclass(frozen=True, slots=True)
class Decision:
    is_open: bool
    why: Said


def decide(
    hours: OpeningHours, at: float, zone: tzinfo, busy: Sequence[Busy] = (), switched: Switched | None = None
) -> Decision:
    """What holds at a moment."""
    if switched is not None and at < switched.until_at:
        return Decision(switched.is_open, say("opened by hand" if switched.is_open else "closed by hand"))
    event = next((each for each in busy if each.start_at <= at < each.end_at), None)
    if event is not None:
        return Decision(False, say("busy by the linked calendar: {event}", event=event.title or say("an event")))
    return Decision(*hours.at(*local(at, zone)))


def next_change(hours: OpeningHours, at: float, zone: tzinfo, busy: Sequence[Busy] = ()) -> float | None:
    """When it is next open after having been closed, or the other way round, without the switch; None: not within two
    months."""
    state = decide(hours, at, zone, busy).is_open
    today, _ = local(at, zone)
    last = at + DAYS_AHEAD * 86400.0
    edges = sorted(edge for each in busy for edge in (each.start_at, each.end_at) if at < edge <= last)
    for number in range(DAYS_AHEAD):
        day = today + number * DAY
        due = [each for each in moments(day, _boundaries(hours, day), zone) if each > at]
        until = due[-1] if due else at
        due += [edge for edge in edges if edge <= until]
        edges = [edge for edge in edges if edge > until]
        for moment in sorted(due):
            if decide(hours, moment, zone, busy).is_open is not state:
                return moment
    return next((edge for edge in edges if decide(hours, edge, zone, busy).is_open is not state), None)


def _boundaries(hours: OpeningHours, day: date) -> set[int]:
    """Minutes of a date at which hours begin or end, those of the night before too; and both its midnights."""
    own = {edge for span in hours.day(day).spans for edge in (span.start, span.end) if edge <= MINUTES_OF_DAY}
    night = {span.end - MINUTES_OF_DAY for span in hours.day(day - DAY).spans if span.end > MINUTES_OF_DAY}
    return {0, MINUTES_OF_DAY} | own | night
