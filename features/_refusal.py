"""Why a terminal need not be rung at all, before its phones are asked."""

from collections.abc import Iterator

from features.do_not_disturb import wants_no_calls
from features.working_hours import heeds_calendar
from pbx.api import BUSY, UNAVAILABLE, AppContext, Cause, Inquiry, Said, Terminal, say


def refusal_of(ctx: AppContext, terminal: Terminal, moment: float) -> Cause | None:
    """Why it is not rung for a group; None when it is."""
    return next((cause for _, cause, _ in _checks(ctx, terminal, moment) if cause is not None), None)


def is_away(ctx: AppContext, terminal: Terminal, moment: float) -> bool:
    """Whether whoever owns it takes no calls now, whatever its phones could do: off duty, or not to be disturbed."""
    is_off = bool(terminal.calendar) and not ctx.calendars.decide(terminal.calendar, moment).is_open
    return is_off or wants_no_calls(ctx, terminal)


def explain_refusal(asked: Inquiry, ctx: AppContext, terminal: Terminal) -> Cause | None:
    """The same, each rule written down up to the one that holds."""
    for rule, cause, why in _checks(ctx, terminal, asked.moment, heeds_calendar=heeds_calendar(asked, terminal)):
        asked.tried(rule, matched=cause is not None, why=why)
        if cause is not None:
            return cause
    return None


def _checks(
    ctx: AppContext, terminal: Terminal, moment: float, *, heeds_calendar: bool = True
) -> Iterator[tuple[str, Cause | None, Said]]:
    """Each rule, the cause if it holds, and what it looked at."""
    if terminal.calendar:
        hours = ctx.calendars.decide(terminal.calendar, moment)
        cause = UNAVAILABLE if heeds_calendar and not hours.is_open else None
        known = say("{calendar}: {why}", calendar=terminal.calendar, why=hours.why)
        left_aside = say("{why}, left aside for calls of colleagues", why=known)
        yield "calendar", cause, known if heeds_calendar else left_aside
    is_on = wants_no_calls(ctx, terminal)
    yield "do not disturb", BUSY if is_on else None, say("switched on") if is_on else say("switched off")
    calls, most = ctx.calls_at(terminal.number), terminal.max_calls
    taken = say("takes part in {calls} of {most} calls", calls=calls, most=most)
    yield "max_calls", BUSY if calls >= most else None, taken
    phones = ctx.phones(terminal)
    there = say("{phones}", phones=", ".join(phones)) if phones else say("none is registered and answers")
    yield "no phone", None if phones else UNAVAILABLE, there
