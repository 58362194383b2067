"""Transfer without consultation (RFC 5589 §6), or to somebody who has not answered yet (§7.6)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from media.api import LeaveRoom
from pbx.apps import run_stages
from pbx.cause import CANCELLED, NOT_FOUND, Cause
from pbx.transfer_app import Reports, Transfer

if TYPE_CHECKING:
    from pbx.apps import App
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.leg import Leg
    from storage.records import Terminal


class BlindTransfer(Transfer):
    """Rings the target for the transferee, who is the call's caller. `instead_of`: a call of the transferor to the
    same target; it is given up first, so that the target is free."""

    def __init__(
        self,
        pbx: "Pbx",
        transferor: "Leg",
        transferee: "Leg",
        reports: Reports,
        over: Callable[[], None],
        *,
        number: str,
        app: "App | None",
        instead_of: "Call | None" = None,
    ) -> None:
        super().__init__(pbx, transferor, transferee, reports, over)
        self._number, self._app, self._instead_of = number, app, instead_of

    async def run(self, call: "Call") -> Cause:
        """Reach the target, then let both talk."""
        try:
            if self._instead_of is not None:
                self._instead_of.end(CANCELLED)
                await self._instead_of.wait()
            return await self._reach(call)
        finally:
            self.settled()

    async def _reach(self, call: "Call") -> Cause:
        terminal = self._pbx.terminal(self._number)
        if terminal is not None:
            return await self._to_terminal(call, terminal)
        if self._app is not None:
            return await self._to_application(call, self._app)
        return await self._failed(call, NOT_FOUND)

    async def _to_terminal(self, call: "Call", terminal: "Terminal") -> Cause:
        outcome = await self._ring(call, terminal)
        if outcome.answered is None:
            return await self._failed(call, outcome.cause)
        return await self._talk(call, outcome.answered)

    async def _to_application(self, call: "Call", app: "App") -> Cause:
        self._settle(200)
        if self._transferee.bridge is not None:
            self._transferee.bridge.lost(self._transferee)
        self._pbx.services.submit(LeaveRoom(self._transferee.media.endpoint))
        self._transferee.stop_plays()
        return await run_stages(call, call.to, app, self._pbx)
