"""Answers requests about what surrounds the calls (`pbx.control.clerk`)."""

from collections.abc import Callable, Sequence

from pbx.account_failures import AccountFailure, AccountFailures
from pbx.bans import Ban
from pbx.border import Border
from pbx.calendars.keeper import Calendars, CalendarState
from pbx.clock import Clock
from pbx.control.clerk import (
    AccountFailureView,
    BanView,
    CalendarView,
    CallBack,
    ClearFailures,
    ClerkRequest,
    CloseMissed,
    CountFailure,
    DeviceView,
    GetBans,
    GetCalendars,
    GetDevices,
    GetFailures,
    GetMissed,
    GetNetworks,
    GetReport,
    NetworkView,
    RemoveBan,
    SwitchCalendar,
    WatchBorder,
)
from pbx.control.messages import ControlError, Originate
from pbx.device_history import DeviceHistory, DeviceSession
from pbx.history_desk import HistoryDesk
from pbx.missed import MissedCalls
from pbx.originate import Originator
from pbx.own_networks import own_networks
from pbx.reports.reporter import Reporter
from pbx.web_border import WebBorder
from storage.records import SERVICES, MissedCall, NetworkFilter, Office

EVERYWHERE = ("0.0.0.0/0", "::/0")


class Clerk:
    """Of a whole server."""

    def __init__(
        self,
        calendars: Calendars,
        office: Callable[[], Office],
        border: Border,
        web_border: WebBorder,
        failures: AccountFailures,
        devices: DeviceHistory,
        clock: Clock,
        missed: MissedCalls,
        originator: Originator,
        reporter: Reporter,
        history: HistoryDesk,
    ) -> None:
        self._calendars, self._border, self._clock = calendars, border, clock
        self._office, self._web_border = office, web_border
        self._failures, self._devices = failures, devices
        self._missed, self._originator, self._reporter, self._history = missed, originator, reporter, history

    async def answer(self, request: ClerkRequest) -> object:
        """Raises `ControlError` with a sentence."""
        match request:
            case GetCalendars():
                return [_calendar_view(each) for each in self._calendars.states()]
            case SwitchCalendar(id, to):
                return self._switch(id, None if to == "hours" else to == "open")
            case GetMissed(open_only):
                return self._missed.all(open_only=open_only)
            case CallBack(id, from_number):
                return self._originator.originate(Originate(from_number, self._known(id).number))
            case CloseMissed(id):
                self._known(id)
                return self._missed.close(id) or self._known(id)
            case GetReport():
                return await self._reporter.report(request)
            case GetBans(search):
                now = self._clock.wall()
                views = [_ban_view(ban, now) for ban in self._border.table()]
                return [view for view in views if search in view.source or search in " ".join(view.reasons)]
            case RemoveBan(source):
                if not self._border.let_in(source):
                    raise ControlError(f"{source} is not banned; `zvon bans list` shows who is")
                return True
            case WatchBorder():
                return await self._web_border.view(request)
            case GetNetworks():
                return network_views(self._office().networks, own_networks())
            case CountFailure(source, reason):
                return self._border.failed_web(source, reason)
            case GetFailures(number):
                return [_failure_view(each) for each in self._failures.table(number)]
            case GetDevices(number):
                return [_device_view(each) for each in self._devices.sessions(number)]
            case ClearFailures(number):
                if not self._failures.clear(number):
                    raise ControlError(f"no sign-in of {number} has failed; `zvon failures list` shows those that have")
                return True
            case _:
                return await self._history.answer(request)

    def _known(self, id: str) -> MissedCall:
        found = self._missed.get(id)
        if found is None:
            raise ControlError(f"there is no missed call {id}; `zvon missed list` shows them")
        return found

    def _switch(self, id: str, is_open: bool | None) -> CalendarView:
        try:
            return _calendar_view(self._calendars.switch(id, is_open))
        except KeyError:
            known = ", ".join(each.calendar.id for each in self._calendars.states()) or "none"
            raise ControlError(f"there is no calendar {id}; those of the office: {known}") from None


def network_views(named: Sequence[NetworkFilter], own: Sequence[str]) -> list[NetworkView]:
    """Those of the office, and what can always be chosen and is not there yet."""
    rows = [
        NetworkView(
            *(each.network, "office", each.id, each.name, each.priority),
            tuple(service for service in SERVICES if getattr(each, service)),
        )
        for each in sorted(named, key=lambda each: each.priority)
    ]
    ready = [
        *(NetworkView(network, "own") for network in own),
        *(NetworkView(network, "all") for network in EVERYWHERE),
    ]
    taken = {each.network for each in named}
    return rows + [each for each in ready if each.network not in taken]


def _ban_view(ban: Ban, now: float) -> BanView:
    return BanView(ban.source, ban.since_at, ban.until_at, ban.until_at > now, dict(ban.reasons), ban.service)


def _failure_view(failure: AccountFailure) -> AccountFailureView:
    of = failure
    return AccountFailureView(of.number, of.source, of.count, of.reason, of.first_at, of.last_at)


def _device_view(of: DeviceSession) -> DeviceView:
    return DeviceView(of.number, of.contact, of.host, of.port, of.user_agent, of.latency_ms, of.since_at, of.until_at)


def _calendar_view(state: CalendarState) -> CalendarView:
    of, decision = state.calendar, state.decision
    return CalendarView(
        of.id, of.name, of.base, decision.is_open, str(decision.why), state.until_at, state.is_switched, state.error
    )
