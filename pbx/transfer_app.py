"""What every transfer's call does: tells its outcome once, rings for who is transferred, finds the way back."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from pbx.cause import NORMAL, Cause
from pbx.dial import DialOutcome, Ringing
from pbx.media_endpoint import MediaRefused

if TYPE_CHECKING:
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.leg import Leg
    from sipcore.dialog.refer import ReferSubscription
    from storage.records import Terminal

RETURN_AFTER_S = 2.0  # FEAT-8


class Reports:
    """What the sender of a REFER is told; nothing after the final status."""

    def __init__(self, pbx: "Pbx", refer: "ReferSubscription | None") -> None:
        self._driver, self._refer, self._last = pbx.driver, refer, 0

    def tell(self, status: int) -> None:
        """The same status once."""
        refer = self._refer
        if refer is None or status == self._last:
            return
        self._last = status
        if status >= 200:
            self._refer = None
        self._driver.stack.report_refer(refer, status, self._driver.now())
        self._driver.kick()


class Transfer:
    """The app of a transfer's call. `over` is called when the outcome is known."""

    def __init__(
        self, pbx: "Pbx", transferor: "Leg", transferee: "Leg", reports: Reports, over: Callable[[], None]
    ) -> None:
        self._pbx, self._transferor, self._transferee = pbx, transferor, transferee
        self._reports, self._over = reports, over
        self._is_settled = False

    async def run(self, call: "Call") -> Cause:
        """Let whoever shall talk, talk; the cause for which it ended."""
        raise NotImplementedError

    def settled(self) -> None:
        """The transfer is over, one way or the other; without an outcome it was given up (487)."""
        self._settle(487)

    def _settle(self, status: int) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._reports.tell(status)
            self._over()

    async def _ring(self, call: "Call", terminal: "Terminal") -> DialOutcome:
        try:
            return await self._pbx.ring(call, terminal, how=Ringing(follows=False))
        except MediaRefused as refusal:
            return DialOutcome(None, Cause.of_refusal(refusal.status))

    async def _talk(self, call: "Call", target: "Leg") -> Cause:
        self._transferee.stop_plays()
        bridge = call.connect(self._transferee, target)
        self._settle(200)
        gone = await bridge.until_one_left()
        return gone.cause or NORMAL

    async def _failed(self, call: "Call", cause: Cause) -> Cause:
        """Nobody answers there: back to the transferor, who still is in the call or is rung again."""
        self._settle(cause.status)
        self._transferee.stop_plays()
        bridge = self._transferee.bridge
        if bridge is not None:
            self._transferor.call.take(self._transferee)
            bridge.hold_changed(self._transferor)
            return cause
        await asyncio.sleep(RETURN_AFTER_S)
        terminal = self._pbx.terminal(self._transferor.party.number)
        if terminal is None:
            return cause
        call.referred_by = None
        outcome = await self._ring(call, terminal)
        if outcome.answered is not None:
            return await self._talk(call, outcome.answered)
        self._transferee.stop_plays()
        await self._pbx.play_failure(call, outcome.cause)
        return cause
