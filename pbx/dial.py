"""One attempt to reach a party: every contact rings, the first answer wins, the others are told so (RFC 3326).

What the caller hears meanwhile follows the first contact that rings or sends early media. When nobody answers, the
outcome is the best of the refusals: declined ends it for all phones, busy says more than silence.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pbx.cause import ANSWERED_ELSEWHERE, BUSY, DECLINED, NO_ANSWER, NOT_ACCEPTABLE, UNAVAILABLE, Cause
from pbx.leg import Leg, LegState

if TYPE_CHECKING:
    from pbx.call import Call

RING_CAP_S = 600.0  # FWD-4
_BEST_FIRST = (DECLINED, BUSY, NO_ANSWER, NOT_ACCEPTABLE)  # a 6xx before all others: RFC 3261 §16.7 step 6


@dataclass(frozen=True, slots=True)
class DialOutcome:
    """`answered` is the leg that won, or None and `cause` says why nobody did; `redirected` is the leg whose phone
    sends the call on. `refusals`: what became of each number that did not answer."""

    answered: Leg | None
    cause: Cause
    redirected: Leg | None = None
    refusals: Mapping[str, Cause] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Ringing:
    """How terminals are rung, `ring_s` seconds at most. `ignores_limit`: also those that have as many calls as they may
    (EXT-8). `follows`: a phone may send the call on (FWD-11). `label` stands before the caller's name on the phones
    (QUE-4). `on_ringing` is called in place of letting the caller hear that it rings."""

    ring_s: float = RING_CAP_S
    ignores_limit: bool = False
    follows: bool = True
    label: str = ""
    on_ringing: Callable[[], None] | None = None


PLAINLY = Ringing()


class Attempt:
    """Watches the legs that ring together. A caller who is answered already is played a ringing tone, unless
    `on_ringing` is called instead. With several numbers (`is_shared`) each refuses for itself only."""

    def __init__(
        self,
        call: "Call",
        legs: Sequence[Leg],
        on_ringing: Callable[[], None] | None = None,
        *,
        to_come: int = 0,
        is_shared: bool = False,
    ) -> None:
        self._call, self._legs, self._on_ringing = call, list(legs), on_ringing
        self._is_shared = is_shared
        self._to_come = to_come  # phones that are being woken
        self._plays = False
        self._early: Leg | None = None
        self._decided: asyncio.Future[Leg | None] = asyncio.get_running_loop().create_future()
        for leg in legs:
            leg.watch = self._changed

    def enter(self, leg: Leg) -> None:
        """A phone that was not rung is about to answer instead of those that are."""
        self._legs.append(leg)
        leg.watch = self._changed

    def has_come(self, *legs: Leg) -> None:
        """A phone has been woken and rings now; without a leg, it did not wake."""
        self._to_come -= 1
        for leg in legs:
            self.enter(leg)
            self._changed(leg)
        if not legs and not self._decided.done() and self._nobody_left():
            self._decided.set_result(None)

    def _nobody_left(self) -> bool:
        return not self._to_come and all(each.is_ended for each in self._legs)

    async def outcome(self, ring_s: float = RING_CAP_S) -> DialOutcome:
        """Wait for the first answer, the last refusal, or the end of the ringing time."""
        self._call.attempt = self
        timer = asyncio.get_running_loop().call_later(ring_s, self._rung_out)
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
                self._call.caller.stop_plays()
            for leg in self._legs:
                leg.watch = None
        cause = best_cause([leg.cause for leg in self._legs if leg.cause is not None])
        refusals = {leg.party.number: leg.cause for leg in self._legs if leg.cause is not None}
        self._give_up(cause if winner is None else ANSWERED_ELSEWHERE, winner)
        redirected = next((leg for leg in self._legs if leg.redirect is not None), None) if winner is None else None
        return DialOutcome(winner, cause if redirected is None else redirected.cause or cause, redirected, refusals)

    def _rung_out(self) -> None:
        """The ringing time is over."""
        if not self._decided.done():
            self._decided.set_result(None)
            self._give_up(NO_ANSWER, None)

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
        if self._on_ringing is not None:
            self._on_ringing()
            return
        caller = self._call.caller
        if leg.has_early_media and self._early is None:
            self._early = leg
            caller.ring(like=leg.media.codec, early_media=True)
            self._call.connect(caller, leg)
        elif caller.is_answered and self._early is None and not self._plays:
            self._plays = True
            caller.start_play(self._call.services.sound.tones.ringback)
        else:
            caller.ring()

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
