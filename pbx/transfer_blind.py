"""Transfer without consultation (RFC 5589 §6), or to somebody who has not answered yet (§7.6)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from media.api import LeaveRoom
from pbx.apps import RING_PEOPLE, run_stages
from pbx.cause import CANCELLED, NOT_FOUND, Cause
from pbx.events import BusEvent, LegAnswered, LegRinging, StageEntered
from pbx.media_endpoint import MediaRefused
from pbx.transfer_app import Reports, Transfer

if TYPE_CHECKING:
    from pbx.api import App
    from pbx.call import Call
    from pbx.core import Pbx
    from pbx.leg import Leg


class BlindTransfer(Transfer):
    """Lets the app of the target control the transferee, who is the call's caller. `instead_of`: a call of the
    transferor to the same target; it is given up first, so that the target is free."""

    def __init__(
        self,
        pbx: "Pbx",
        transferor: "Leg",
        transferee: "Leg",
        reports: Reports,
        over: Callable[[], None],
        *,
        app: "App | None",
        instead_of: "Call | None" = None,
    ) -> None:
        super().__init__(pbx, transferor, transferee, reports, over)
        self._app, self._instead_of = app, instead_of

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
        """The target's own rules hold (FWD-10); when nobody answers in the end the transferee goes back (FWD-15)."""
        if self._app is None:
            return await self._failed(call, NOT_FOUND)
        kinds = (StageEntered, LegRinging, LegAnswered)
        detach = self._pbx.bus.subscribe(kinds, lambda event: self._happened(call, event))
        try:
            cause = await run_stages(call, call.to, self._app, self._pbx)
        except MediaRefused as refusal:
            cause = Cause.of_refusal(refusal.status)
        finally:
            detach()
        return cause if self._is_settled else await self._failed(call, cause)

    def _happened(self, call: "Call", event: BusEvent) -> None:
        """Somebody rings, or answers; a menu, a queue, a conference takes the call at once."""
        if getattr(event, "call", "") != call.id:
            return
        match event:
            case LegRinging():
                self._reports.tell(180)
            case LegAnswered():
                self._transferee.stop_plays()  # music of a phone that never said that it rings
                self._settle(200)
            case StageEntered() if event.stage not in RING_PEOPLE and not self._is_settled:
                self._settle(200)
                self._part()

    def _part(self) -> None:
        """The transferee and the transferor do not hear each other any more."""
        if self._transferee.bridge is not None:
            self._transferee.bridge.lost(self._transferee)
        self._pbx.services.submit(LeaveRoom(self._transferee.media.endpoint))
        self._transferee.stop_plays()
