"""Call history: the events of a call folded into rows (CDR-15, CDR-17).

One row per number that was tried, answered or not, reachable or not; the number that was dialled always has one. Only
people talk: an application that takes the call answers it as media, so its talk time stays zero (CDR-3).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pbx.bus import Bus
from pbx.cause import Cause, Disposition
from pbx.events import (
    BusEvent,
    CallEnded,
    CallEvent,
    CallLinked,
    CallStarted,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegId,
    LegMoved,
)
from pbx.party import Party, PartyKind
from storage.records import CdrRow

KINDS = (CallStarted, CallLinked, LegCreated, LegAnswered, LegMoved, LegEnded, CallEnded)


@dataclass(slots=True)
class _Attempt:
    """The try to reach one number: one row."""

    to: Party
    started_at: float
    sip_call_ids: list[str] = field(default_factory=list)
    answered_at: float | None = None
    answered_leg: LegId | None = None
    ended_at: float | None = None
    cause: Cause | None = None


class CallStory:
    """What is known of one call so far; `rows` once it has ended."""

    __slots__ = ("_attempts", "_caller_call_ids", "_of_leg", "_quality", "_replacing", "_started", "linkedid")

    def __init__(self, started: CallStarted) -> None:
        self._started, self.linkedid = started, started.linkedid
        self._attempts = [_Attempt(started.to, started.at)]
        self._of_leg: dict[LegId, _Attempt | None] = {}  # None: the caller's leg
        self._caller_call_ids: list[str] = []
        self._replacing: set[LegId] = set()
        self._quality: dict[LegId, dict[str, float]] = {}

    def linked(self, event: CallLinked) -> None:
        self.linkedid = event.linkedid

    def leg_created(self, event: LegCreated) -> None:
        if event.is_of_caller:
            self._of_leg[event.leg] = None
            self._caller_call_ids.append(event.sip_call_id)
            return
        attempt = self._attempt_at(event.party, event.at)
        self._of_leg[event.leg] = attempt
        if event.is_callee:
            self._replacing.add(event.leg)
        attempt.sip_call_ids.append(event.sip_call_id)

    def leg_moved(self, event: LegMoved) -> None:
        """A party of another call goes on here: as the caller, or as who was wanted, answered at that moment. One that
        comes back finds its place."""
        if event.leg in self._of_leg:
            return
        attempt = self._attempt_at(event.party, event.at) if event.is_callee else None
        self._of_leg[event.leg] = attempt
        if attempt is None:
            self._caller_call_ids.append(event.sip_call_id)
            if self._attempts[-1].to.kind is PartyKind.APPLICATION:  # who talks already is not answered once more
                self._attempts[-1].answered_at, self._attempts[-1].answered_leg = event.at, event.leg
        else:
            attempt.sip_call_ids.append(event.sip_call_id)
            attempt.answered_at, attempt.answered_leg = event.at, event.leg

    def leg_answered(self, event: LegAnswered) -> None:
        attempt = self._of_leg.get(event.leg)
        if attempt is None:  # the caller's leg: only an application answers by itself
            attempt = self._attempts[-1]
            if attempt.to.kind is not PartyKind.APPLICATION:
                return
        if attempt.answered_at is None or event.leg in self._replacing:
            attempt.answered_at, attempt.answered_leg = attempt.answered_at or event.at, event.leg

    def leg_ended(self, event: LegEnded) -> None:
        self._quality[event.leg] = dict(event.quality)
        attempt = self._of_leg.get(event.leg)
        if attempt is None or attempt.answered_leg not in (None, event.leg):
            return
        attempt.ended_at, attempt.cause = event.at, event.cause

    def rows(self, ended: CallEnded) -> tuple[CdrRow, ...]:
        """The rows of the call, in the order of the tries; the last try ends as the call does."""
        last = self._attempts[-1]
        last.cause = ended.cause
        last.ended_at = last.ended_at if last.answered_at is not None else None
        return tuple(self._row(n, attempt, ended) for n, attempt in enumerate(self._attempts, 1))

    def _attempt_at(self, party: Party, at: float) -> _Attempt:
        for attempt in self._attempts:
            if attempt.to.number == party.number:
                return attempt
        self._attempts.append(_Attempt(party, at))
        return self._attempts[-1]

    def _row(self, n: int, attempt: _Attempt, ended: CallEnded) -> CdrRow:
        started = self._started
        ended_at = max(attempt.ended_at or ended.at, attempt.answered_at or attempt.started_at, attempt.started_at)
        cause = attempt.cause or ended.cause
        return CdrRow(
            id=f"{started.call}-{n}",
            linkedid=self.linkedid,
            started_at=attempt.started_at,
            answered_at=attempt.answered_at,
            ended_at=ended_at,
            talk_seconds=_talk_seconds(attempt, ended_at),
            from_number=started.caller.number,
            from_name=started.caller.name,
            external_number=started.caller.presented,
            to_number=attempt.to.number,
            to_name=attempt.to.name,
            disposition=_disposition(attempt, cause),
            stage=started.stage or ("application" if attempt.to.kind is PartyKind.APPLICATION else "dial"),
            cause=cause.name,
            sip_call_ids=(*self._caller_call_ids, *attempt.sip_call_ids),
            quality=self._measured(attempt),
        )

    def _measured(self, attempt: _Attempt) -> dict[str, float]:
        """Figures of both sides: `from_…` of the caller's leg, `to_…` of the leg that answered."""
        found: dict[str, float] = {}
        for leg, measured in self._quality.items():
            if self._of_leg.get(leg) is None:
                found |= {f"from_{name}": value for name, value in measured.items()}
            elif leg == attempt.answered_leg:
                found |= {f"to_{name}": value for name, value in measured.items()}
        return found


_TOLD: dict[type[BusEvent], Callable[..., None]] = {
    CallLinked: CallStory.linked,
    LegCreated: CallStory.leg_created,
    LegMoved: CallStory.leg_moved,
    LegAnswered: CallStory.leg_answered,
    LegEnded: CallStory.leg_ended,
}


def _talk_seconds(attempt: _Attempt, ended_at: float) -> float:
    if attempt.answered_at is None or attempt.to.kind is PartyKind.APPLICATION:
        return 0.0
    return round(ended_at - attempt.answered_at, 3)


def _disposition(attempt: _Attempt, cause: Cause) -> Disposition:
    """Answered if it was; else what the cause says; a cause that says nothing means that nobody answered (CDR-17)."""
    if attempt.answered_at is not None:
        return Disposition.ANSWERED
    return Disposition.NOANSWER if cause.disposition is Disposition.ANSWERED else cause.disposition


def fold(events: Iterable[CallEvent]) -> tuple[CdrRow, ...]:
    """The rows of the calls that end among `events`."""
    rows: list[CdrRow] = []
    recorder = CdrRecorder(rows.append)
    for event in events:
        recorder.observe(event)
    return tuple(rows)


class CdrRecorder:
    """Watches the bus and hands the rows of each call to `append` at the moment the call ends."""

    def __init__(self, append: Callable[[CdrRow], None]) -> None:
        self._append = append
        self._stories: dict[str, CallStory] = {}

    def attach(self, bus: Bus) -> None:
        bus.subscribe(KINDS, self.observe)

    def observe(self, event: BusEvent) -> None:
        if isinstance(event, CallStarted):
            self._stories[event.call] = CallStory(event)
        elif isinstance(event, CallEnded):
            story = self._stories.pop(event.call, None)
            for row in story.rows(event) if story is not None else ():
                self._append(row)
        elif isinstance(event, KINDS) and (story := self._stories.get(event.call)) is not None:
            _TOLD[type(event)](story, event)

    def describe(self) -> dict[str, object]:
        return {"calls_in_progress": len(self._stories)}
