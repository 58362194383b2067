"""What happened lately, numbered: for whoever follows a stream of events, from any of them on.

The log keeps the events of the bus as they are and says them in plain words only where somebody reads; a call that
nobody watches costs an append for each event.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import islice
from typing import Any

from pbx.bus import Bus
from pbx.control.desk import EventView, Followed, FollowEvents
from pbx.control.messages import ControlError
from pbx.events import (
    AgentBreak,
    BackupFailed,
    BridgeEnded,
    BridgeFormed,
    BusEvent,
    CallEnded,
    CallLinked,
    CallMissed,
    CallsLost,
    CallStarted,
    DiskShort,
    FaxReceived,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHoldChanged,
    LegMoved,
    LegRinging,
    MessagesChanged,
    MissedCallClosed,
    OfficeChanged,
    OutsideRefused,
    ProviderChanged,
    RecordingEnded,
    RecordingFailed,
    RegistrationChange,
    RegistrationChanged,
    RosterChanged,
    StageEntered,
    StageLeft,
    VoiceMessageLeft,
)
from pbx.party import Party

KEPT = 10_000  # events: some minutes of a busy server
BATCH = 500

Said = Callable[[Any], dict[str, object]]
# A tuple: a union would be made anew for every event of every call.
_OF_A_PARTY = (StageEntered, LegCreated, LegMoved)


class EventLog:
    """The last events of the bus in their order; `run` names the life of this process, in which they are numbered."""

    def __init__(self, bus: Bus, kept: int = KEPT) -> None:
        self.run = secrets.token_hex(8)
        self.last = 0
        self._events: deque[tuple[int, BusEvent, frozenset[str]]] = deque(maxlen=kept)
        self._calls: dict[str, _Concerned] = {}
        self._readers: set[EventReader] = set()
        bus.subscribe(_KINDS, self._observe)

    def follow(self, request: FollowEvents) -> "EventReader":
        """A reader from the request's moment on."""
        is_known = request.after >= 0 and request.run == self.run and request.after <= self.last
        after = request.after if is_known else self.last
        is_gap = request.after >= 0 and (not is_known or after < self.last - len(self._events))
        reader = EventReader(self, Followed(self.run, after, is_gap))
        self._readers.add(reader)
        return reader

    def after(self, seq: int) -> Sequence[EventView]:
        """The next events behind `seq`; raises `ControlError` when they are not kept any more."""
        missing = self.last - seq
        if missing > len(self._events):
            raise ControlError("events were lost: this reader is slower than they come")
        begin = len(self._events) - missing
        return [_view(*each) for each in islice(self._events, begin, begin + BATCH)]

    def forget(self, reader: "EventReader") -> None:
        self._readers.discard(reader)

    def describe(self) -> dict[str, object]:
        return {"events": self.last, "kept": len(self._events), "readers": len(self._readers)}

    def _observe(self, event: BusEvent) -> None:
        if isinstance(event, RegistrationChanged) and event.change is RegistrationChange.REFRESHED:
            return  # nothing is different from before
        self.last += 1
        self._events.append((self.last, event, self._concerned(event)))
        for reader in self._readers:
            reader.wake()

    def _concerned(self, event: BusEvent) -> frozenset[str]:
        """The numbers whose event it is: for one of a call all that took part in it so far."""
        if isinstance(event, RecordingEnded) and event.entry is not None:
            return frozenset((event.entry.from_number, event.entry.to_number))
        call = getattr(event, "call", None)
        if call is None:
            return _only(getattr(event, "number", ""))
        if isinstance(event, CallStarted):
            self._calls[call] = _Concerned((event.caller.number, event.to.number))
        if (concerned := self._calls.get(call)) is None:
            return frozenset()
        if isinstance(event, _OF_A_PARTY):
            concerned.add(event.party.number)
        elif isinstance(event, CallEnded):
            del self._calls[call]
        return concerned.numbers


@lru_cache(maxsize=2048)
def _only(number: str) -> frozenset[str]:
    """The same for all events of a number: a set of one takes more room than the event."""
    return frozenset((number,)) if number else frozenset()


@lru_cache(maxsize=2048)
def _same(numbers: frozenset[str]) -> frozenset[str]:
    """One set for all calls between the same numbers."""
    return numbers


class _Concerned:
    __slots__ = ("numbers",)

    def __init__(self, numbers: tuple[str, ...]) -> None:
        self.numbers = _same(frozenset(filter(None, numbers)))

    def add(self, number: str) -> None:
        if number and number not in self.numbers:
            self.numbers = _same(self.numbers | {number})


class EventReader:
    """One who follows; `next` waits for what comes."""

    def __init__(self, log: EventLog, start: Followed) -> None:
        self.start = start
        self._log, self._seq = log, start.after if not start.is_gap else log.last
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    async def next(self) -> Sequence[EventView]:
        while self._seq == self._log.last:
            self._news.clear()
            await self._news.wait()
        found = self._log.after(self._seq)
        self._seq = found[-1].seq
        return found

    def close(self) -> None:
        self._log.forget(self)


def _view(seq: int, event: BusEvent, numbers: frozenset[str]) -> EventView:
    kind, said = _SAID[type(event)]
    return EventView(seq, event.at, kind, tuple(sorted(numbers)), said(event))


def _party(party: Party, prefix: str = "") -> dict[str, object]:
    return {f"{prefix}number": party.number, f"{prefix}name": party.name}


def _leg(event: Any) -> dict[str, object]:
    return {"call": event.call, "leg": event.leg}


def _started(event: CallStarted) -> dict[str, object]:
    return {"call": event.call, "linkedid": event.linkedid, **_party(event.caller, "from_"), **_party(event.to, "to_")}


def _stage(event: StageEntered) -> dict[str, object]:
    return {"call": event.call, "stage": event.stage, **_party(event.party)}


def _leg_created(event: LegCreated) -> dict[str, object]:
    return {**_leg(event), "direction": str(event.direction), **_party(event.party)}


def _roster(event: RosterChanged) -> dict[str, object]:
    return {
        "number": event.number,
        "members": [_party(each.party) for each in event.members],
        "muted": [each.party.number for each in event.members if each.is_muted],
    }


def _recording(event: RecordingEnded) -> dict[str, object]:
    entry = event.entry
    found: dict[str, object] = {"call": event.call, "seconds": event.seconds, "reason": event.reason}
    return found | ({"id": entry.id, "linkedid": entry.linkedid} if entry is not None else {"id": ""})


def _message(event: VoiceMessageLeft) -> dict[str, object]:
    message = event.message
    return {"call": event.call, "id": message.id, "mailbox": message.mailbox, "from_number": message.from_number}


def _missed(event: CallMissed | MissedCallClosed) -> dict[str, object]:
    return asdict(event.missed)


_SAID: Mapping[type[BusEvent], tuple[str, Said]] = {
    CallStarted: ("call_started", _started),
    CallLinked: ("call_linked", lambda event: {"call": event.call, "linkedid": event.linkedid}),
    StageEntered: ("stage_entered", _stage),
    StageLeft: ("stage_left", lambda event: {"call": event.call, "cause": event.cause.name if event.cause else ""}),
    LegCreated: ("leg_created", _leg_created),
    LegRinging: ("leg_ringing", _leg),
    LegAnswered: ("leg_answered", _leg),
    LegMoved: ("leg_moved", lambda event: {**_leg(event), **_party(event.party)}),
    LegHoldChanged: ("leg_hold_changed", lambda event: {**_leg(event), "held": event.held}),
    LegEnded: ("leg_ended", lambda event: {**_leg(event), "cause": event.cause.name}),
    BridgeFormed: ("bridge_formed", lambda event: {"call": event.call, "legs": list(event.legs)}),
    BridgeEnded: ("bridge_ended", lambda event: {"call": event.call}),
    CallEnded: ("call_ended", lambda event: {"call": event.call, "cause": event.cause.name}),
    RosterChanged: ("conference_changed", _roster),
    RecordingEnded: ("recording_ready", _recording),
    RegistrationChanged: (
        "registration_changed",
        lambda event: {"number": event.number, "contact": event.contact, "change": str(event.change)},
    ),
    MessagesChanged: ("messages_changed", lambda event: {"number": event.number}),
    VoiceMessageLeft: ("voice_message_left", _message),
    FaxReceived: (
        "fax_received",
        lambda event: {
            "call": event.call,
            "number": event.number,
            "from_number": event.from_number,
            "pages": event.pages,
            "station": event.station,
            "problem": event.problem,
        },
    ),
    ProviderChanged: (
        "provider_changed",
        lambda event: {"provider": event.provider, "state": event.state, "error": event.error},
    ),
    AgentBreak: ("agent_break", lambda event: {"number": event.number, "is_over": event.is_over}),
    CallMissed: ("call_missed", _missed),
    MissedCallClosed: ("missed_call_closed", _missed),
    CallsLost: (
        "calls_lost",
        lambda event: {"alarm": event.alarm, "number": event.number, "calls": event.calls, "minutes": event.minutes},
    ),
    BackupFailed: ("backup_failed", lambda event: {"why": event.why}),
    RecordingFailed: ("recording_failed", lambda event: {"call": event.call, "why": event.why}),
    OutsideRefused: (
        "outside_limited",
        lambda event: {
            "call": event.call,
            "who": event.who,
            "number": event.number,
            "why": str(event.why),
            "action": event.action,
        },
    ),
    DiskShort: ("disk_short", lambda event: {"free_mb": event.free_mb}),
    OfficeChanged: ("office_changed", lambda event: {"revision": event.revision, "by": event.by}),
}
_KINDS = tuple(_SAID)
