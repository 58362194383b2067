"""Transfer after consultation: two conversations of one phone become one without it (RFC 5589 §7).

Both parties talk as soon as the engine can let them; until then each stays with the transferor. Whatever goes wrong,
whoever is still there goes back to it, or rings there once more when it has hung up meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pbx.cause import SERVER_BUSY, Cause
from pbx.relocation import bring_together
from pbx.transfer_app import Reports, Transfer

if TYPE_CHECKING:
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.leg import Leg

Keep = Callable[["asyncio.Task[None]"], None]


class Conversation(NamedTuple):
    """One of the transferor's: its own leg, and whom it talks to."""

    mine: "Leg"
    other: "Leg"


class AttendedTransfer(Transfer):
    """`held` has who is transferred, the call's caller; `consulted` who takes it over and is a leg of the call too.
    `keep` looks after a task that outlives the app."""

    def __init__(
        self,
        pbx: "Pbx",
        held: Conversation,
        consulted: Conversation,
        reports: Reports,
        over: Callable[[], None],
        keep: Keep,
    ) -> None:
        super().__init__(pbx, held.mine, held.other, reports, over)
        self._held, self._consulted, self._keep = held, consulted, keep
        self._meeting: asyncio.Task[bool] | None = None
        self._is_joined = False

    async def run(self, call: "Call") -> Cause:
        """Join both parties; they talk until one hangs up."""
        try:
            if await self._meet():
                return await self._join(call)
            return await self._failed(call, self._consulted.other.cause or SERVER_BUSY)
        finally:
            self.settled()
            if not self._is_joined:
                self._undo()

    async def _meet(self) -> bool:
        """Whether both are there and can be put into one room."""
        transferee, target = self._held.other, self._consulted.other
        if transferee.media.worker != target.media.worker:
            self._meeting = asyncio.create_task(bring_together(transferee, target))
            if not await asyncio.shield(self._meeting):
                return False
        return not (transferee.is_ended or target.is_ended)

    async def _join(self, call: "Call") -> Cause:
        self._is_joined = True
        target = self._consulted.other
        call.announce(target, is_callee=True)
        target.stop_plays()
        return await self._talk(call, target)

    def _undo(self) -> None:
        """Who was consulted stays with the transferor, if that is still there; media that moved move back."""
        mine, target = self._consulted
        if target.bridge is not None and not target.is_ended:
            mine.call.take(target, silently=True)
        if self._meeting is not None:
            self._keep(asyncio.create_task(self._restore(self._meeting)))

    async def _restore(self, meeting: "asyncio.Task[bool]") -> None:
        await meeting
        for mine, other in (self._held, self._consulted):
            bridge = other.bridge
            if bridge is None or mine.media.worker == other.media.worker:
                continue
            if await bring_together(mine, other) and other.bridge is bridge:
                bridge.enter_again()
