"""What every number does now, told by the bus: its calls, who is at the other end, how far each has come (EXT-19).

A number rung at several devices has one line per call, as far on as its furthest device. An application (echo, …) is
busy while somebody is connected to it.
"""

from collections.abc import Callable
from enum import IntEnum

from frozen import dataclass
from pbx.bus import Bus
from pbx.events import (
    BridgeFormed,
    BusEvent,
    CalendarSwitched,
    CallEnded,
    CallId,
    CallStarted,
    Direction,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHoldChanged,
    LegId,
    LegRinging,
    StageEntered,
    StageLeft,
)
from pbx.party import Party, PartyKind


class LineState(IntEnum):
    """How far a line has come (RFC 4235 §3.7.1)."""

    TRYING = 0
    EARLY = 1
    CONFIRMED = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One call at a number: `remote` is the other end, `direction` is Zvon's view of the leg. `call_id` and `tags`
    (ours, its own) name the dialog with a phone that rings or talks (RFC 3891, RFC 3911)."""

    id: str
    state: LineState
    direction: Direction
    remote: Party
    is_held: bool = False
    call_id: str = ""
    tags: tuple[str, str] = ("", "")


class _Device:
    """One leg of a number, or an application that somebody is connected to."""

    __slots__ = ("call", "call_id", "direction", "is_held", "party", "remote", "state", "tags")

    def __init__(self, call: CallId, party: Party, direction: Direction, remote: Party, call_id: str = "") -> None:
        self.call, self.party, self.direction, self.remote = call, party, direction, remote
        self.call_id, self.tags = call_id, ("", "")
        self.state, self.is_held = LineState.TRYING, False

    @property
    def name(self) -> tuple[str, tuple[str, str]]:
        """Of the dialog with a phone: Call-ID and tags, where both are known."""
        return (self.call_id, self.tags) if self.tags[1] else ("", ("", ""))


class Presence:
    """Keeps the lines of all numbers; `changed` is called with each number whose lines are different now."""

    def __init__(self, bus: Bus, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._calls: dict[CallId, tuple[Party, Party]] = {}
        self._devices: dict[LegId | CallId, _Device] = {}
        self._of_call: dict[CallId, dict[LegId | CallId, _Device]] = {}
        self._numbers: dict[str, dict[LegId | CallId, _Device]] = {}
        handlers: dict[type[BusEvent], Callable[..., None]] = {
            CallStarted: self._call_started,
            StageEntered: self._stage_entered,
            StageLeft: self._stage_left,
            LegCreated: self._leg_created,
            LegRinging: self._leg_ringing,
            LegAnswered: self._leg_answered,
            LegHoldChanged: self._leg_hold_changed,
            LegEnded: self._leg_ended,
            BridgeFormed: self._bridge_formed,
            CallEnded: self._call_ended,
            CalendarSwitched: self._calendar_switched,
        }
        for kind, handler in handlers.items():
            bus.subscribe([kind], handler)

    def lines(self, number: str) -> list[Line]:
        """The lines of a number, oldest first; empty: idle."""
        found: dict[tuple[CallId, Direction], _Device] = {}
        for device in self._numbers.get(number, {}).values():
            key = (device.call, device.direction)
            if key not in found or device.state > found[key].state:
                found[key] = device
        return [
            Line(f"{call}-{direction.value}", each.state, direction, each.remote, each.is_held, *each.name)
            for (call, direction), each in found.items()
        ]

    def is_busy(self, number: str) -> bool:
        return number in self._numbers

    # --- what happens -----------------------------------------------------------------------------------------------

    def _call_started(self, event: CallStarted) -> None:
        self._calls[event.call] = (event.caller, event.to)

    def _stage_entered(self, event: StageEntered) -> None:
        if event.party.kind is not PartyKind.APPLICATION or event.call not in self._calls:
            return
        caller = [each for each in self._of_call.get(event.call, {}).values() if each.direction is Direction.INCOMING]
        self._enter(event.call, _Device(event.call, event.party, Direction.OUTGOING, self._calls[event.call][0]))
        for each in caller:
            self._reach(event.call, each.state)

    def _stage_left(self, event: StageLeft) -> None:
        self._leave(event.call)

    def _leg_created(self, event: LegCreated) -> None:
        caller, to = self._calls.get(event.call, (event.party, event.party))
        remote = to if event.is_of_caller else caller
        self._enter(event.leg, _Device(event.call, event.party, event.direction, remote, event.sip_call_id))

    def _leg_ringing(self, event: LegRinging) -> None:
        if event.leg in self._devices:
            self._devices[event.leg].tags = event.tags
        self._reach(event.leg, LineState.EARLY)
        for key, device in list(self._of_call.get(event.call, {}).items()):
            if device.direction is Direction.INCOMING:
                self._reach(key, LineState.EARLY)

    def _leg_answered(self, event: LegAnswered) -> None:
        device = self._devices.get(event.leg)
        if device is not None:
            device.tags = event.tags
        self._reach(event.leg, LineState.CONFIRMED)
        if device is not None and device.direction is Direction.INCOMING:
            self._reach(event.call, LineState.CONFIRMED)

    def _leg_hold_changed(self, event: LegHoldChanged) -> None:
        device = self._devices.get(event.leg)
        if device is not None and device.is_held != event.held:
            device.is_held = event.held
            self._changed(device.party.number)

    def _bridge_formed(self, event: BridgeFormed) -> None:
        """Who is really at the other end."""
        if len(event.legs) != 2:
            return
        for leg, other in (event.legs, event.legs[::-1]):
            mine, theirs = self._devices.get(leg), self._devices.get(other)
            if mine is not None and theirs is not None and mine.remote != theirs.party:
                mine.remote = theirs.party
                self._changed(mine.party.number)

    def _leg_ended(self, event: LegEnded) -> None:
        self._leave(event.leg)

    def _call_ended(self, event: CallEnded) -> None:
        self._calls.pop(event.call, None)
        self._leave(event.call)

    def _calendar_switched(self, event: CalendarSwitched) -> None:
        """The lamp of a switch is lit while it holds, as if somebody were connected to it (CAL-18)."""
        self._leave(event.calendar)
        if event.is_switched:
            switch = Party.of_application(event.number, event.calendar)
            self._enter(event.calendar, _Device(event.calendar, switch, Direction.OUTGOING, switch))
            self._reach(event.calendar, LineState.CONFIRMED)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _enter(self, key: LegId | CallId, device: _Device) -> None:
        self._devices[key] = device
        self._of_call.setdefault(device.call, {})[key] = device
        self._numbers.setdefault(device.party.number, {})[key] = device
        self._changed(device.party.number)

    def _reach(self, key: LegId | CallId, state: LineState) -> None:
        device = self._devices.get(key)
        if device is not None and device.state < state:
            device.state = state
            self._changed(device.party.number)

    def _leave(self, key: LegId | CallId) -> None:
        device = self._devices.pop(key, None)
        if device is None:
            return
        number = device.party.number
        _remove(self._numbers, number, key)
        _remove(self._of_call, device.call, key)
        self._changed(number)


def _remove(devices: dict[str, dict[LegId | CallId, _Device]], under: str, key: LegId | CallId) -> None:
    found = devices[under]
    del found[key]
    if not found:
        del devices[under]
