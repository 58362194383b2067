"""One attempt to reach a party: every contact rings, the first answer wins, the others are told so (RFC 3326).

What the caller hears meanwhile follows the first contact that rings or sends early media. When nobody answers, the
outcome is the best of the refusals: declined ends it for all phones, busy says more than silence.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from frozen import dataclass
from media.api import PlaySource
from pbx.cause import ANSWERED_ELSEWHERE, BUSY, DECLINED, NO_ANSWER, NOT_ACCEPTABLE, UNAVAILABLE, Cause
from pbx.leg import Leg, LegState
from pbx.party import Party
from pbx.routing import WayOut

if TYPE_CHECKING:
    from pbx.call import Call

RING_CAP_S = 600.0  # FWD-4
_BEST_FIRST = (DECLINED, BUSY, NO_ANSWER, NOT_ACCEPTABLE)  # a 6xx before all others: RFC 3261 §16.7 step 6


@dataclass(frozen=True, slots=True)
class DialOutcome:
    """`answered` is the leg that won, or None and `cause` says why nobody did; `sent_on_to` is the number of the office
    that a phone sends the call on to. `has_rung`: at least one phone. `refusals`: what became of each number that did
    not answer."""

    answered: Leg | None
    cause: Cause
    sent_on_to: str = ""
    has_rung: bool = field(default=False, compare=False)
    redirected: Leg | None = field(default=None, compare=False)
    refusals: Mapping[str, Cause] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class OutsideMember:
    """Somebody outside who is rung together with others, by the first of the ways over which it rings; it has answered
    when `takes` says so of who is there: it may be a mailbox (QUE-5)."""

    party: Party
    ways: Sequence[WayOut]
    takes: Callable[[Leg], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Ringing:
    """How terminals are rung, `ring_s` seconds at most. `ignores_limit`: also those that have as many calls as they may
    (EXT-8). `follows`: a phone may send the call on (FWD-11). `label` stands before the caller's name on the phones
    (QUE-4). `hears` is what the caller hears in place of ringing (RBT-1), one after the other, each when the one before
    has ended or cannot be played. `on_ringing` is called in place of letting the caller hear anything. `outside`: who
    is rung besides; then a phone decides for itself only."""

    ring_s: float = RING_CAP_S
    ignores_limit: bool = False
    follows: bool = True
    label: str = ""
    hears: tuple[PlaySource, ...] = ()
    on_ringing: Callable[[], None] | None = None
    outside: tuple[OutsideMember, ...] = ()


PLAINLY = Ringing()


class Attempt:
    """Watches the legs that ring together. A caller who is answered already is played a ringing tone, unless `how` has
    something else. With several numbers (`is_shared`) each refuses for itself only."""

    def __init__(
        self,
        call: "Call",
        legs: Sequence[Leg],
        how: Ringing = PLAINLY,
        *,
        to_come: int = 0,
        is_shared: bool = False,
    ) -> None:
        self._call, self._legs, self._how = call, list(legs), how
        self._is_shared = is_shared
        self._to_come = to_come  # phones that are being woken, people outside who are being dialled
        self._is_late = False  # the ringing time is over
        self._plays = False
        self._early: Leg | None = None
        self._decided: asyncio.Future[Leg | None] = asyncio.get_running_loop().create_future()
        for leg in legs:
            leg.watch = self._changed

    @property
    def ringing(self) -> list[Leg]:
        """The phones that ring; none once somebody has answered."""
        return [] if self._decided.done() else [leg for leg in self._legs if leg.state is LegState.RINGING]

    def enter(self, leg: Leg) -> None:
        """A phone that was not rung answers instead of those that are, now or soon."""
        self._legs.append(leg)
        leg.watch = self._changed
        if leg.is_answered:
            self._changed(leg)

    def has_come(self, *legs: Leg) -> None:
        """A phone has been woken and rings now; without a leg, it did not wake."""
        self._to_come -= 1
        for leg in legs:
            self.enter(leg)
            self._changed(leg)
        if not legs and not self._decided.done() and self._nobody_left():
            self._decided.set_result(None)

    def _nobody_left(self) -> bool:
        return (self._is_late or not self._to_come) and all(each.is_ended for each in self._legs)

    async def outcome(self) -> DialOutcome:
        """Wait for the first answer, the last refusal, or the end of the ringing time."""
        self._call.attempt = self
        timer = asyncio.get_running_loop().call_later(self._how.ring_s, self._rung_out)
        try:
            for leg in self._legs:
                self._changed(leg)
            winner = await self._decided
        except asyncio.CancelledError:
            self._give_up((self._call.caller.cause if self._call.has_caller else None) or NO_ANSWER, None)
            raise
        finally:
            timer.cancel()
            self._call.attempt = None
            if self._plays:
                self._plays = False
                self._call.caller.stop_plays()
            for leg in self._legs:
                leg.watch = None
        cause = best_cause([leg.cause for leg in self._legs if leg.cause is not None])
        refusals = {leg.party.number: leg.cause for leg in self._legs if leg.cause is not None}
        self._give_up(cause if winner is None else ANSWERED_ELSEWHERE, winner)
        redirected = next((leg for leg in self._legs if leg.redirect is not None), None) if winner is None else None
        has_rung = any(leg.has_rung for leg in self._legs)
        cause = cause if redirected is None else redirected.cause or cause
        return DialOutcome(winner, cause, has_rung=has_rung, redirected=redirected, refusals=refusals)

    def _rung_out(self) -> None:
        """The ringing time is over. Who has been asked whether to take the call may still say so."""
        if self._decided.done():
            return
        self._is_late = True
        if not any(leg.is_asked for leg in self._legs):
            self._decided.set_result(None)
        for leg in self._legs:
            if not leg.is_asked:
                leg.hangup(NO_ANSWER)

    def _changed(self, leg: Leg) -> None:
        if self._decided.done():
            return
        if leg.is_answered:
            self._decided.set_result(leg)
        elif leg.is_ended:
            decides = not self._is_shared and (leg.cause == DECLINED or leg.redirect is not None)
            if decides or self._nobody_left():
                self._decided.set_result(None)
        elif leg.state is LegState.RINGING:
            self._caller_hears(leg)

    def _caller_hears(self, leg: Leg) -> None:
        if self._how.on_ringing is not None:
            self._how.on_ringing()
            return
        caller = self._call.caller
        if self._how.hears:
            caller.ring(like=leg.media.codec, early_media=True)
            if caller.is_answered or caller.has_early_media:
                self._play(self._how.hears)
        elif leg.has_early_media and self._early is None:
            self._early = leg
            self._call.connect(caller, leg)
            caller.ring(like=leg.media.codec, early_media=True)
        elif caller.is_answered and self._early is None:
            self._play(())
        else:
            caller.ring()

    def _play(self, sources: Sequence[PlaySource]) -> None:
        """Let the caller hear the sources, the ringing tone at last."""
        if not self._plays:
            self._plays = True
            self._play_next([*sources, self._call.services.sound.tones.ringback])

    def _play_next(self, sources: Sequence[PlaySource]) -> None:
        if self._plays and sources and not self._call.caller.is_ended:
            playing = self._call.caller.start_play(sources[0])
            playing.add_done_callback(lambda done: self._play_ended(done, sources[1:]))

    def _play_ended(self, done: "asyncio.Future[str]", rest: Sequence[PlaySource]) -> None:
        if not done.cancelled() and done.result() != "stopped":
            self._play_next(rest)

    def _give_up(self, cause: Cause, winner: Leg | None) -> None:
        """Stop what still rings; the early media of a leg that lost ends with it."""
        for leg in self._legs:
            if leg is not winner:
                leg.hangup(cause)


def best_cause(causes: Sequence[Cause]) -> Cause:
    """Of several refusals the one that tells the caller most."""
    for wanted in _BEST_FIRST:
        if wanted in causes:
            return wanted
    return causes[0] if causes else UNAVAILABLE
