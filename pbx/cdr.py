"""Call history: the events of a call folded into rows (CDR-15, CDR-17).

One row per stage of the call and per number that was rung in it, answered or not, reachable or not; the number that was
dialled always has one. Only people answer and talk (CDR-3): a menu or a queue that takes the call does neither, and a
queue counts as answered when one of its agents answers (QUE-31). A conference, a mailbox and other applications answer
for themselves (CNF-8, VM-4).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from pbx.bus import Bus
from pbx.cause import ANSWERED_ELSEWHERE, Cause, Disposition
from pbx.events import (
    BusEvent,
    CallEnded,
    CallLinked,
    CallStarted,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegId,
    LegMoved,
    RecordingStarted,
    StageEntered,
    StageLeft,
)
from pbx.party import Party
from storage.records import CdrRow

KINDS = (
    CallStarted,
    CallLinked,
    StageEntered,
    StageLeft,
    LegCreated,
    LegAnswered,
    LegMoved,
    LegEnded,
    RecordingStarted,
    CallEnded,
)
DIAL, TRANSFER = "dial", "transfer"
_NO_LEGS: frozenset[LegId] = frozenset()
ANSWERS_ITSELF = frozenset(("application", "conference", "voicemail", "fax"))
TALKS = frozenset((DIAL, TRANSFER, "conference"))
RINGS = frozenset(("queue", "group", "short", "parking"))  # answered when somebody answers there


@dataclass(slots=True)
class _Attempt:
    """A stage of the call, or the try to reach one number in it: one row. `ring` numbers the tries."""

    to: Party
    started_at: float
    stage: str = DIAL
    ring: int = 0
    digits: str = ""
    recordings: list[str] = field(default_factory=list)
    sip_call_ids: list[str] = field(default_factory=list)
    answered_at: float | None = None
    answered_leg: LegId | None = None
    ended_at: float | None = None
    cause: Cause | None = None
    provider: str = ""
    external_number: str = ""


class CallStory:
    """What is known of one call so far; `rows` once it has ended."""

    __slots__ = (
        "_attempts",
        "_caller_call_ids",
        "_caller_is_answered",
        "_current",
        "_of_leg",
        "_quality",
        "_replacing",
        "_started",
        "_transfer",
        "linkedid",
    )

    def __init__(self, started: CallStarted) -> None:
        self._started, self.linkedid, self._transfer = started, started.linkedid, started.transfer
        self._attempts = [_Attempt(started.to, started.at)]
        self._current: _Attempt | None = None  # of the stage the call is in
        self._of_leg: dict[LegId, _Attempt | None] = {}  # None: the caller's leg
        self._caller_call_ids: list[str] = []
        self._caller_is_answered = False
        self._replacing = _NO_LEGS
        self._quality: dict[LegId, dict[str, float]] = {}

    def linked(self, event: CallLinked) -> None:
        self.linkedid = event.linkedid
        if event.is_consultation:
            self._transfer = "consultation"
            if self._attempts[0].stage == DIAL:
                self._attempts[0].stage = TRANSFER  # as a consultation by code is from its beginning (FEAT-11)

    def stage_entered(self, event: StageEntered) -> None:
        first = self._attempts[0]
        if self._current is None and len(self._attempts) == 1 and first.to.number == event.party.number:
            stage = first
        else:
            stage = _Attempt(event.party, event.at)
            self._attempts.append(stage)
        stage.stage, self._current = event.stage, stage
        if self._caller_is_answered:
            self._answered_by_stage(event.at)

    def stage_left(self, event: StageLeft) -> None:
        stage = self._current
        if stage is None:
            return
        stage.digits = event.digits
        if stage.ended_at is None:
            stage.ended_at = event.at
            stage.cause = event.cause or stage.cause

    def leg_created(self, event: LegCreated) -> None:
        if event.is_of_caller:
            self._of_leg[event.leg] = None
            self._caller_call_ids.append(event.sip_call_id)
            return
        attempt = self._attempt_at(event.party, event.at, event.attempt)
        self._of_leg[event.leg] = attempt
        if event.is_callee:
            self._replacing |= {event.leg}
        attempt.provider, attempt.external_number = event.provider, event.external_number
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
            self._caller_is_answered = True
            self._answered_by_stage(event.at)
        else:
            attempt.sip_call_ids.append(event.sip_call_id)
            attempt.answered_at, attempt.answered_leg = event.at, event.leg
            self._answered_in_stage(event.at)

    def leg_answered(self, event: LegAnswered) -> None:
        attempt = self._of_leg.get(event.leg)
        if attempt is None:
            self._caller_is_answered = True
            self._answered_by_stage(event.at)
            return
        if attempt.answered_at is None or event.leg in self._replacing:
            attempt.answered_at, attempt.answered_leg = attempt.answered_at or event.at, event.leg
        self._answered_in_stage(event.at)

    def leg_ended(self, event: LegEnded) -> None:
        self._quality[event.leg] = event.measured.quality
        attempt = self._of_leg.get(event.leg)
        if attempt is None or attempt.answered_leg not in (None, event.leg):
            return
        attempt.ended_at, attempt.cause = event.at, event.cause
        if event.cause is ANSWERED_ELSEWHERE:  # it answered too, a moment after the one who talks
            attempt.answered_at = attempt.answered_leg = None

    def recording_started(self, event: RecordingStarted) -> None:
        """It belongs to who talks now: the row that was answered last, or the stage that the call has come to."""
        if event.entry is None:
            return
        talking = [each for each in self._attempts if each.answered_at is not None and each.ended_at is None]
        (talking or [self._current or self._attempts[-1]])[-1].recordings.append(event.entry.id)

    def rows(self, ended: CallEnded) -> tuple[CdrRow, ...]:
        """The rows of the call, in the order in which they began; the last one ends as the call does."""
        last = self._attempts[-1]
        if self._current is not None and self._current.stage != DIAL:
            last = self._current
        last.cause = ended.cause
        last.ended_at = last.ended_at if last.answered_at is not None else None
        return tuple(self._row(n, attempt, ended) for n, attempt in enumerate(self._attempts, 1))

    def _answered_in_stage(self, at: float) -> None:
        """Somebody answers whom the current stage has found."""
        stage = self._current
        if stage is not None and stage.stage in RINGS and stage.answered_at is None:
            stage.answered_at = at

    def _answered_by_stage(self, at: float) -> None:
        """The caller is connected to what the call has come to."""
        stage = self._current
        if stage is not None and stage.stage in ANSWERS_ITSELF and stage.answered_at is None:
            stage.answered_at = at

    def _attempt_at(self, party: Party, at: float, ring: int = 0) -> _Attempt:
        """The row of a number that is rung: of this try, or of one that has not been told apart yet."""
        for attempt in self._attempts:
            if attempt.to.number == party.number and (not ring or attempt.ring in (0, ring)):
                attempt.ring = ring or attempt.ring
                return attempt
        self._attempts.append(_Attempt(party, at, ring=ring))
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
            external_number=started.external_number or attempt.external_number or started.caller.presented,
            provider_in=started.provider,
            provider_out=attempt.provider,
            to_number=attempt.to.number,
            to_name=attempt.to.name,
            disposition=_disposition(attempt, cause),
            stage=self._stage(attempt),
            digits=attempt.digits,
            cause=cause.name,
            sip_call_ids=(*self._caller_call_ids, *attempt.sip_call_ids),
            recording=" ".join(attempt.recordings),
            quality=self._measured(attempt),
            transfer=self._transfer,
        )

    def _stage(self, attempt: _Attempt) -> str:
        return self._started.stage if self._started.stage and attempt.stage in (DIAL, "application") else attempt.stage

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
    StageEntered: CallStory.stage_entered,
    StageLeft: CallStory.stage_left,
    LegCreated: CallStory.leg_created,
    LegMoved: CallStory.leg_moved,
    LegAnswered: CallStory.leg_answered,
    LegEnded: CallStory.leg_ended,
    RecordingStarted: CallStory.recording_started,
}


def _talk_seconds(attempt: _Attempt, ended_at: float) -> float:
    if attempt.answered_at is None or attempt.stage not in TALKS:
        return 0.0
    return round(ended_at - attempt.answered_at, 3)


def _disposition(attempt: _Attempt, cause: Cause) -> Disposition:
    """Answered if it was; else what the cause says; a cause that says nothing means that nobody answered (CDR-17)."""
    if attempt.answered_at is not None:
        return Disposition.ANSWERED
    return Disposition.NOANSWER if cause.disposition is Disposition.ANSWERED else cause.disposition


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
