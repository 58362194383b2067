"""A stream of a leg that is passed on to the other party as it is: pictures, text, fax (T.38)."""

from collections.abc import Mapping
from dataclasses import replace

from media.api import ConfigureEndpoint, CreateEndpoint, EndpointId, Passes
from pbx.encryption import before_answer, needs_handshake
from pbx.media_endpoint import MediaEndpoint, Surroundings
from sipcore.sdp.model import MediaSection, SessionDescription
from sipcore.sdp.passing import Passed, accepted_by, answer_passed, offer_passed, passed_in, read_passed

Key = tuple[str, int]  # kind of media, and which of that kind: what two parties call the same stream
AllPassed = Mapping[Key, Passed]


class PassedStream(MediaEndpoint):
    """`index` is the place of its m= line, `theirs` what the party says of it, `ours` what we do. `asked`: the offer of
    the party in which it came up, None when it is ours."""

    __slots__ = ("_asked", "index", "key", "ours", "passes", "theirs")

    def __init__(
        self,
        endpoint: EndpointId,
        around: Surroundings,
        key: Key,
        index: int,
        *,
        is_rtp: bool,
        asked: SessionDescription | None = None,
    ) -> None:
        super().__init__(endpoint, around)
        self.passes = Passes.RTP if is_rtp else Passes.DATAGRAMS
        self.key, self.index = key, index
        self.theirs: Passed | None = None
        self.ours: Passed | None = None
        self._asked = asked
        self.security = replace(self.security, mid=str(index), track=key[0])

    @property
    def is_rtp(self) -> bool:
        return self.passes is Passes.RTP

    def creating(self, beside: EndpointId) -> CreateEndpoint:
        """`beside`: the sound of the same party."""
        section = self._asked.media[self.index] if self._asked is not None else None
        is_by_handshake = self.is_rtp and needs_handshake(self.security, self._asked, section)
        return self.wish(handshake=is_by_handshake, beside=beside)

    def offer(self, wanted: Passed | None = None) -> MediaSection | None:
        """What another party wants, as an offer of ours, or what we have said before; raises `MediaRefused`."""
        self.ours = wanted or self.ours
        return offer_passed(self.ours, self.ready()) if self.ours is not None else None

    def answer(self, offer: SessionDescription, accepted: Passed) -> MediaSection | None:
        """Our answer with what the other party has accepted; None when nothing is left of it."""
        self.security = before_answer(self.security, self.agreed, offer)
        found = answer_passed(offer, self.index, accepted, self.ready())
        if found is None:
            return None
        section, agreed = found
        self.theirs = passed_in(offer, offer.media[self.index], self.security)
        self.ours = replace(accepted, formats=agreed.receive)
        self.has_agreed(agreed, offer.media[self.index].attribute("mid"))
        return section

    def take_answer(self, asked: SessionDescription, answer: SessionDescription) -> bool:
        """Whether the peer takes part in our stream; raises RemoteProtocolError."""
        agreed = read_passed(asked, answer, self.index, self.security)
        self.theirs = passed_in(answer, answer.media[self.index], self.security)
        if agreed is None or self.theirs is None:
            return False
        self.has_agreed(agreed, None)
        return True

    @property
    def accepted(self) -> Passed | None:
        """What the party takes, for the answer to the other one."""
        return accepted_by(self.agreed, self.theirs) if self.agreed is not None and self.theirs is not None else None

    def configuring(self) -> ConfigureEndpoint:
        return self.configured(feedback=self.theirs.asks if self.theirs is not None else ())
