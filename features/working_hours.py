"""The hours of a terminal (CAL-17), and the switch of a calendar (CAL-18)."""

from typing import ClassVar

from features.announcement import confirm
from pbx.api import App, AppContext, Arrived, Call, Cause, Inquiry, Office, PartyKind, Terminal, say


def heeds_calendar(call: Call | Inquiry, terminal: Terminal) -> bool:
    """Whether the terminal's calendar counts for this call: for one from outside, and where it wants so for any."""
    caller = call.calling
    is_colleague = caller.kind is PartyKind.TERMINAL and not caller.presented
    return bool(terminal.calendar) and (terminal.calendar_internal or not is_colleague)


def is_off_duty(call: Call | Inquiry, ctx: AppContext, terminal: Terminal) -> bool:
    """Whether the call comes outside the hours of the terminal."""
    return heeds_calendar(call, terminal) and not ctx.calendars.decide(terminal.calendar, call.moment).is_open


class CalendarSwitch:
    """The app behind the switch of a calendar: opens what is closed and closes what is open until the next boundary;
    the second time its hours hold again."""

    name: ClassVar[str] = "calendar switch"
    stage: ClassVar[str] = "application"

    def __init__(self, calendar: str) -> None:
        self._calendar = calendar

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        calendars = ctx.calendars
        was = calendars.state(self._calendar)
        now = calendars.switch(self._calendar, None if was.is_switched else not was.decision.is_open)
        language = call.caller.party.language
        prompt = "calendar-open" if now.decision.is_open else "calendar-closed"
        return await confirm(call, ctx, ctx.prompts.say(prompt, language=language))

    def explain(self, asked: Inquiry, ctx: AppContext) -> Arrived:
        state = ctx.calendars.state(self._calendar)
        asked.tried("switched by hand", matched=state.is_switched, why=state.decision.why)
        return Arrived((asked.at.number,), say("switches the calendar {calendar}", calendar=self._calendar))


def claim_switch(office: Office, number: str) -> App | None:
    """The app of a number that is the switch of a calendar."""
    found = next((each.id for each in office.calendars if each.switch and each.switch == number), None)
    return None if found is None else CalendarSwitch(found)
