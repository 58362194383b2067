"""A consultation: who talks to somebody asks another one while the first hears music (FEAT-5, FEAT-6).

It is a call of its own, whose caller is the one who asks; its place in the conversation is kept meanwhile. When it
hangs up, the two others talk, as after a transfer by REFER with Replaces; or, if nobody has answered yet, the target
rings for the one who waits. When the target hangs up or does not answer, both talk again as before.
"""

import asyncio
from typing import TYPE_CHECKING

from pbx.apps import App, run_stages
from pbx.cause import NO_ANSWER, NORMAL, Cause
from pbx.party import Party
from pbx.transfer_attended import Conversation

if TYPE_CHECKING:
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.leg import Leg


class Consultation:
    """The app of a consultation's call. `held` are both parties of the conversation, `mine` is who asks."""

    def __init__(self, pbx: "Pbx", held: Conversation, target: Party, app: App, limit_s: float) -> None:
        assert held.mine.bridge is not None
        self._pbx, self._held, self._target, self._app = pbx, held, target, app
        self._limit_s = limit_s
        self._home, self._home_call = held.mine.bridge, held.mine.call

    def begin(self, call: "Call") -> None:
        """The conversation pauses, the call takes who asks."""
        self._home.lend(self._held.mine)
        call.transferred = "attended"
        call.begin(self._held.mine.party, stage="transfer")
        call.link(call.linkedid, is_consultation=True)
        call.take(self._held.mine)

    async def run(self, call: "Call") -> Cause:
        stages = asyncio.ensure_future(run_stages(call, self._target, self._app, self._pbx))
        cause = NORMAL
        try:
            await asyncio.wait([stages], timeout=self._limit_s)
            if not stages.done() and self._who_answered(call) is None:
                cause = NO_ANSWER
            else:
                cause = await stages
            return cause
        except asyncio.CancelledError:
            self._hand_over(call)
            raise
        finally:
            await _ended(stages)
            self._return(call)

    def _who_answered(self, call: "Call") -> "Leg | None":
        """Whom `mine` talks to in the consultation."""
        found = [leg for leg in call.talk or () if leg is not self._held.mine and leg.is_answered]
        return found[0] if found else None

    def _hand_over(self, call: "Call") -> None:
        """Who asked has hung up: the transfer takes place."""
        mine, other = self._held
        if not mine.is_ended or other.is_ended or self._home.has_ended:
            return
        target = self._who_answered(call)
        if target is not None:
            self._pbx.transfers.join(self._held, Conversation(mine, target))
        else:
            self._pbx.transfers.send(mine, other, self._target.number, instead_of=call)
        self._home.lost(mine)

    def _return(self, call: "Call") -> None:
        """Back to the conversation, if both are still there."""
        mine, other = self._held
        if mine.is_ended or mine.call is not call or other.is_ended or self._home.has_ended:
            self._home.lost(mine)
            return
        if mine.bridge is not None:
            mine.bridge.lost(mine)
        mine.stop_plays()
        self._home_call.take(mine, silently=True)
        self._home.take_back(mine)


async def _ended(stages: "asyncio.Task[Cause]") -> None:
    stages.cancel()
    await asyncio.wait([stages])
