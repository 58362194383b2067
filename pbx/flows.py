"""Several flows of one phone (RFC 5626 §6, §7): one rings, the next one is tried where the first does not work."""

from collections.abc import Callable

from pbx.events import LegId
from pbx.leg import Leg, LegState
from pbx.location import FLOW_FAILED, Target
from sipcore.events import SessionEnded


class FlowFailover:
    """Remembers what is left to try for legs that nobody has answered yet; `lost` is told of a flow that an edge has
    no longer."""

    def __init__(self, lost: Callable[[str, Target], None]) -> None:
        self._lost = lost
        self._tried: dict[LegId, list[Target]] = {}

    def begin(self, leg: Leg, target: Target) -> None:
        """The leg rings at `target`."""
        self._tried[leg.id] = [target, *target.others]

    def next(self, leg: Leg, event: SessionEnded) -> Target | None:
        """Where to try again after the session of the leg ended; None when that was its last word."""
        left = self._tried.pop(leg.id, None)
        if left is None:
            return None
        status = event.status
        if status == FLOW_FAILED:
            self._lost(leg.party.number, left[0])
        silent = event.response is None and status in (408, 503)
        if leg.state is not LegState.NEW or not (silent or status == FLOW_FAILED):
            return None
        rest = left[1:]
        if not rest:
            return None
        self._tried[leg.id] = rest
        return rest[0]
