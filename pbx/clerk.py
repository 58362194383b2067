"""Answers requests about what surrounds the calls (`pbx.control.clerk`)."""

from pbx.bans import Ban, Bans
from pbx.calendars.keeper import Calendars, CalendarState
from pbx.clock import Clock
from pbx.control.clerk import (
    BanView,
    CalendarView,
    ClerkRequest,
    GetBans,
    GetCalendars,
    RemoveBan,
    SwitchCalendar,
)
from pbx.control.messages import ControlError


class Clerk:
    """Of a whole server."""

    def __init__(self, calendars: Calendars, bans: Bans, clock: Clock) -> None:
        self._calendars, self._bans, self._clock = calendars, bans, clock

    async def answer(self, request: ClerkRequest) -> object:
        """Raises `ControlError` with a sentence."""
        match request:
            case GetCalendars():
                return [_calendar_view(each) for each in self._calendars.states()]
            case SwitchCalendar(id, to):
                return self._switch(id, None if to == "hours" else to == "open")

            case GetBans(search):
                now = self._clock.wall()
                views = [_ban_view(ban, now) for ban in self._bans.table()]
                return [view for view in views if search in view.source or search in " ".join(view.reasons)]
            case RemoveBan(source):
                if not self._bans.remove(source):
                    raise ControlError(f"{source} is not banned; `zvon bans list` shows who is")
                return True

    def _switch(self, id: str, is_open: bool | None) -> CalendarView:
        try:
            return _calendar_view(self._calendars.switch(id, is_open))
        except KeyError:
            known = ", ".join(each.calendar.id for each in self._calendars.states()) or "none"
            raise ControlError(f"there is no calendar {id}; those of the office: {known}") from None


def _ban_view(ban: Ban, now: float) -> BanView:
    return BanView(ban.source, ban.since_at, ban.until_at, ban.until_at > now, dict(ban.reasons))


def _calendar_view(state: CalendarState) -> CalendarView:
    of, decision = state.calendar, state.decision
    return CalendarView(
        of.id, of.name, of.base, decision.is_open, decision.why, state.until_at, state.is_switched, state.error
    )
