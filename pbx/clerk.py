"""Answers requests about the business behind the calls (`pbx.control.clerk`)."""

from pbx.calendars.keeper import Calendars, CalendarState
from pbx.control.clerk import CalendarView, ClerkRequest, GetCalendars, SwitchCalendar
from pbx.control.messages import ControlError


class Clerk:
    """Of a whole server."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars

    async def answer(self, request: ClerkRequest) -> object:
        """Raises `ControlError` with a sentence."""
        match request:
            case GetCalendars():
                return [_calendar_view(each) for each in self._calendars.states()]
            case SwitchCalendar(id, to):
                return self._switch(id, None if to == "hours" else to == "open")

    def _switch(self, id: str, is_open: bool | None) -> CalendarView:
        try:
            return _calendar_view(self._calendars.switch(id, is_open))
        except KeyError:
            known = ", ".join(each.calendar.id for each in self._calendars.states()) or "none"
            raise ControlError(f"there is no calendar {id}; those of the office: {known}") from None


def _calendar_view(state: CalendarState) -> CalendarView:
    of, decision = state.calendar, state.decision
    return CalendarView(
        of.id, of.name, of.base, decision.is_open, decision.why, state.until_at, state.is_switched, state.error
    )
