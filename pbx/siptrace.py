"""Recent SIP messages as they were before encryption and after decryption, found again by call.

Nothing is read while messages pass: a reference to the bytes is kept, and whoever asks pays for the search.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, CallLinked, CallStarted, Direction, LegCreated, LegEnded, LegId
from pbx.party import Party
from pbx.quality import Measured
from pbx.sipmask import call_id_of
from sipcore.flow import Flow
from sipcore.stack import Tap

KEPT_S = 6 * 3600.0  # the call somebody complains about in the afternoon was made in the morning
OVERHEAD_BYTES = 160  # what keeping a message costs besides its text
CALLS_KEPT = 5_000
INTERVALS_BYTES = 16 << 20  # five thousand calls of four minutes take 4 MB


class Kept(NamedTuple):
    """One message. `at` is monotonic; `inbound`: it came to us."""

    at: float
    data: bytes
    flow: Flow
    inbound: bool


class MessageRing:
    """The messages of the last hours, as many as fit into `limit_bytes`. `tap` is for `SipStack.tap`."""

    def __init__(self, limit_bytes: int, clock: Clock, *, kept_s: float = KEPT_S) -> None:
        self._limit, self._clock, self._kept_s = limit_bytes, clock, kept_s
        self._now = clock.now
        self._ring: deque[tuple[float, bytes, Flow, bool]] = deque()  # `Kept`, made of it when somebody asks
        self._bytes = 0

    def tap(self, data: bytes, flow: Flow, inbound: bool) -> None:
        """Keep one message; what is too much or too old goes."""
        now, ring = self._now(), self._ring
        ring.append((now, data, flow, inbound))
        self._bytes += len(data) + OVERHEAD_BYTES
        while self._bytes > self._limit or ring[0][0] < now - self._kept_s:
            self._bytes -= len(ring.popleft()[1]) + OVERHEAD_BYTES
            if not ring:
                break

    def find(self, call_ids: Iterable[str]) -> list[Kept]:
        """The messages that carry one of these Call-IDs, oldest first."""
        return search(self.snapshot(), call_ids)

    def snapshot(self) -> list[Kept]:
        """All that is kept, for a search that does not hold up the event loop."""
        return [Kept(*each) for each in self._ring]

    def describe(self) -> dict[str, object]:
        """Live dump: what is kept, and how far back it reaches."""
        oldest = self._ring[0][0] if self._ring else self._clock.now()
        return {
            "messages": len(self._ring),
            "bytes": self._bytes,
            "limit_bytes": self._limit,
            "reaches_back_s": round(self._clock.now() - oldest, 1),
        }


def search(messages: Sequence[Kept], call_ids: Iterable[str]) -> list[Kept]:
    """Those of `messages` whose Call-ID is one of `call_ids`."""
    wanted = {each.encode("utf-8", "surrogateescape") for each in call_ids if each}
    return [kept for kept in messages if any(each in kept.data for each in wanted) and call_id_of(kept.data) in wanted]


@dataclass(slots=True)
class LegNote:
    """A leg of a call as far as a trace needs it."""

    party: Party
    direction: Direction
    sip_call_id: str
    measured: Measured = field(default_factory=Measured)


class CallBook:
    """Which SIP dialogs a call had and how they sounded, for the live calls and the last `CALLS_KEPT`. Five-second
    records are kept up to `INTERVALS_BYTES`, those of the latest calls."""

    def __init__(self, *, calls_kept: int = CALLS_KEPT, intervals_bytes: int = INTERVALS_BYTES) -> None:
        self._calls_kept, self._intervals_most = calls_kept, intervals_bytes
        self._with_intervals: deque[LegNote] = deque()
        self._intervals_bytes = 0
        self._calls: OrderedDict[str, dict[LegId, LegNote]] = OrderedDict()
        self._of_dialog: dict[str, str] = {}
        self._conversation: dict[str, str] = {}  # of a call

    def attach(self, bus: Bus) -> None:
        bus.subscribe((CallStarted, CallLinked, LegCreated, LegEnded), self.observe)

    def observe(self, event: BusEvent) -> None:
        if isinstance(event, CallStarted | CallLinked):
            self._legs(event.call)
            self._conversation[event.call] = event.linkedid
        elif isinstance(event, LegCreated):
            self._legs(event.call)[event.leg] = LegNote(event.party, event.direction, event.sip_call_id)
            self._of_dialog[event.sip_call_id] = event.call
        elif isinstance(event, LegEnded) and (note := self._calls.get(event.call, {}).get(event.leg)) is not None:
            self._note_measured(note, event.measured)

    def _note_measured(self, note: LegNote, measured: Measured) -> None:
        note.measured = measured
        self._with_intervals.append(note)
        self._intervals_bytes += len(measured.intervals)
        while self._intervals_bytes > self._intervals_most:
            oldest = self._with_intervals.popleft()
            self._intervals_bytes -= len(oldest.measured.intervals)
            oldest.measured = replace(oldest.measured, intervals=b"")

    def find(self, wanted: str) -> tuple[str, dict[LegId, LegNote]] | None:
        """The call with that id, or the one that has a dialog with that Call-ID, with the legs of the whole
        conversation that it is a part of; None when it is not known."""
        call = self._of_dialog.get(wanted, wanted)
        if call not in self._calls:
            return None
        return call, {leg: note for each in self.parts(call) for leg, note in self._calls[each].items()}

    def parts(self, call: str) -> list[str]:
        """The calls of the conversation, in order: a transfer begins another one."""
        conversation = self._conversation.get(call, call)
        return [each for each in self._calls if self._conversation.get(each, each) == conversation]

    def correlation(self, sip_call_id: str) -> str:
        """One text for all dialogs of a call: the Call-ID of its caller; that of the dialog when there is no call."""
        legs = self._calls.get(self._of_dialog.get(sip_call_id, ""))
        return next(iter(legs.values())).sip_call_id if legs else sip_call_id

    def _legs(self, call: str) -> dict[LegId, LegNote]:
        """Those of a call; the oldest call makes room for a new one."""
        legs = self._calls.setdefault(call, {})
        if len(self._calls) > self._calls_kept:
            self._forget(*self._calls.popitem(last=False))
        return legs

    def _forget(self, call: str, legs: dict[LegId, LegNote]) -> None:
        self._conversation.pop(call, None)
        for note in legs.values():
            if self._of_dialog.get(note.sip_call_id) == call:
                del self._of_dialog[note.sip_call_id]


def joined(*taps: Tap) -> Tap | None:
    """One tap for all of them; None when there is none."""
    if len(taps) < 2:
        return taps[0] if taps else None

    def tap(data: bytes, flow: Flow, inbound: bool) -> None:
        for each in taps:
            each(data, flow, inbound)

    return tap
