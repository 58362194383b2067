"""The streams of a leg besides sound: what the engine tells of them, and who was asked about them."""

from typing import TYPE_CHECKING

from media.api import EndpointId, StreamReport
from pbx.passed_stream import AllPassed, Key
from pbx.quality import add_other

if TYPE_CHECKING:
    from pbx.leg import Leg
    from pbx.services import Services

Asked = tuple[int, frozenset[Key]]  # which leg, for which streams


class OtherStreams:
    """One per leg, which is given to each method: an object that knows its owner outlives it."""

    __slots__ = ("_declined", "_kinds", "_reports", "_services")

    def __init__(self, services: "Services") -> None:
        self._services = services
        self._kinds: dict[EndpointId, str] = {}
        self._reports: list[StreamReport] = []
        self._declined: Asked | None = None

    def register(self, leg: "Leg") -> None:
        """What the engine tells of them is for this leg."""
        for each in leg.media.passing:
            self._services.legs[each.endpoint], self._kinds[each.endpoint] = leg, each.key[0]

    def expect(self, leg: "Leg") -> None:
        """Make room for those that the party offers and that can still be agreed on; to be created."""
        if leg.is_answered or not leg.has_early_media:
            leg.media.expect(self._services.new_id)
            self.register(leg)

    def want(self, leg: "Leg", passing: AllPassed, *, with_sound: bool) -> None:
        """Make room for those that another party wants; to be created, then offered."""
        leg.media.want(passing, self._services.new_id, with_sound=with_sound)
        self.register(leg)

    def forget(self, leg: "Leg") -> None:
        """Those that were never agreed on are not wanted any more."""
        leg.media.keep_agreed()
        if not leg.is_ended:
            self._services.submit(*leg.media.configuring())

    # --- who was asked ------------------------------------------------------------------------------------------

    def concern(self, leg: "Leg", peer: "Leg", *, with_sound: bool) -> bool:
        """Whether the peer is to be asked: the party offers others than the peer takes part in. What the peer has
        declined before goes without saying, unless there is nothing else to agree on."""
        wanted = leg.media.offered.keys()
        is_other = wanted != peer.media.accepted.keys() or with_sound == peer.media.is_silent
        return is_other and not (with_sound and self._declined == (peer.id, frozenset(wanted)))

    def note_outcome(self, leg: "Leg", peer: "Leg") -> None:
        """The peer was asked."""
        media = leg.media
        if peer.media.accepted.keys() != media.offered.keys():
            self._declined = (peer.id, frozenset(media.offered))

    # --- what was measured --------------------------------------------------------------------------------------

    def reported(self, leg: "Leg", report: StreamReport) -> bool:
        """Whether the last words of an endpoint are of one of these."""
        if report.endpoint not in self._kinds:
            return False
        leg.media.ending -= {report.endpoint}
        self._reports.append(report)
        return True

    def add_to(self, quality: dict[str, float]) -> None:
        for report in self._reports:
            add_other(quality, self._kinds[report.endpoint], report)

    def close(self) -> None:
        """Nothing more is expected of them."""
        for endpoint in self._kinds:
            self._services.legs.pop(endpoint, None)
