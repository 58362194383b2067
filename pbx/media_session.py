"""One leg's media: its endpoint in the engine and the session descriptions that lead there (RFC 3264).

Nothing here waits or talks to the engine: descriptions come in and go out, commands are handed back to be carried out
together with others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Direction,
    EndpointCreated,
    EndpointId,
    HostPort,
    Payload,
    StreamSpec,
)
from pbx.codecs import EVENTS, Codecs
from pbx.digits import Way, offers_events, way_of
from pbx.encryption import (
    Encryption,
    after_agreement,
    before_answer,
    handshake_of,
    ice_of,
    keys_of,
    moved,
    needs_handshake,
    with_endpoint,
)
from sipcore.errors import ParseError, RemoteProtocolError
from sipcore.sdp.model import Direction as SdpDirection
from sipcore.sdp.model import RtpFormat, SessionDescription
from sipcore.sdp.negotiate import make_answer, make_offer, read_answer, revise
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.sections import LocalMedia, Negotiated
from sipcore.sdp.security import PROFILES, is_acceptable
from sipcore.sdp.write import write_sdp

_DIRECTIONS = {each: Direction(each.value) for each in SdpDirection}


@lru_cache(maxsize=4096)
def _ip_version(host: str) -> int:
    """4 or 6, 0 for what is no IP address."""
    try:
        return ip_address(host).version
    except ValueError:
        return 0


class MediaRefused(Exception):
    """The description cannot be agreed on; `status` is the response that says so, `is_unencrypted` that a codec would
    have been found but not the encryption that is needed."""

    def __init__(self, why: str, status: int = 488, *, is_unencrypted: bool = False) -> None:
        super().__init__(why)
        self.status, self.is_unencrypted = status, is_unencrypted


@dataclass(frozen=True, slots=True)
class MediaAddress:
    """`bind` is the local address of the endpoint's ports, `advertised` the one to write into descriptions."""

    bind: str
    advertised: str


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """How long a party may send nothing until it counts as gone (REG-10), 0 is for ever."""

    talking_s: float = 120.0
    held_s: float = 600.0


class MediaSession:
    """`sources` are addresses besides that of the SDP from which RTP may come: the peer's signalling address.
    Endpoints of one `group` can meet in a room; 0 is none. `dtmf` is the setting of that name of the terminal."""

    def __init__(
        self,
        endpoint: EndpointId,
        address: MediaAddress,
        sources: tuple[str, ...],
        codecs: Codecs,
        *,
        group: int = 0,
        encryption: Encryption = Encryption(),  # noqa: B008 - frozen
        silence: SilenceLimits = SilenceLimits(),
        dtmf: str = "auto",
    ) -> None:
        self.endpoint, self._address, self._sources, self.group = endpoint, address, sources, group
        self._codecs, self._silence, self._dtmf = codecs, silence, dtmf
        self._encryption, self._security = encryption, encryption.security()
        self.worker = 0
        self._local: LocalMedia | None = None
        self._sent: SessionDescription | None = None
        self._offer: SessionDescription | None = None
        self.peer_offer: SessionDescription | None = None
        self.agreed: Negotiated | None = None

    # --- the endpoint -----------------------------------------------------------------------------------------

    def creating(self) -> CreateEndpoint:
        handshake = needs_handshake(self._security, self.peer_offer)
        return CreateEndpoint(self.endpoint, self._address.bind, group=self.group, handshake=handshake)

    def created(self, reply: EndpointCreated) -> None:
        self._local = LocalMedia(self._address.advertised, reply.rtp.port, reply.rtcp_port)
        self._security = with_endpoint(self._security, self._address.advertised, self._sources, reply)
        self.worker = reply.worker

    def elsewhere(self, endpoint: EndpointId, group: int) -> "MediaSession":
        """The same session of descriptions with another endpoint, not created yet."""
        found = MediaSession(
            *(endpoint, self._address, self._sources, self._codecs),
            group=group,
            encryption=self._encryption,
            silence=self._silence,
            dtmf=self._dtmf,
        )
        found._sent, found.peer_offer, found.agreed = self._sent, self.peer_offer, self.agreed
        if self.agreed is not None:
            found._security = moved(self._security, found._security, self.agreed)
        return found

    @property
    def is_created(self) -> bool:
        return self._local is not None

    def destroying(self) -> DestroyEndpoint:
        self._local = None
        return DestroyEndpoint(self.endpoint)

    def lost(self) -> None:
        """The endpoint is gone, and its ports with it."""
        self._local = None

    def configuring(self) -> ConfigureEndpoint:
        """The engine's view of what was agreed on."""
        agreed = self.agreed
        assert agreed is not None
        rtcp = self._reachable(*agreed.rtcp) if agreed.rtcp is not None else None
        ice = ice_of(agreed.secured)
        anywhere = "::" if ":" in self._address.bind else "0.0.0.0"
        spec = StreamSpec(
            remote=self._reachable(*agreed.remote) if ice is None else HostPort(anywhere, 0),
            payloads=_payloads(agreed.send),
            sources=self._sources,
            ptime_ms=agreed.ptime_ms,
            direction=_DIRECTIONS[agreed.direction],
            rtcp=rtcp if ice is None else None,
            rtcp_mux=agreed.rtcp_mux,
            crypto=keys_of(agreed.secured),
            dtls=handshake_of(agreed.secured),
            ice=ice,
            rtcp_xr=agreed.rtcp_xr,
            silence_s=self.silence_s,
            tones=self.digit_way is Way.TONES,
        )
        return ConfigureEndpoint(self.endpoint, spec)

    def _reachable(self, host: str, port: int) -> HostPort:
        """Where a description says; where the peer signals from when it names no address of our kind (a host name, the
        other IP version): audio is likely to be there, and latching finds the rest."""
        is_ours = _ip_version(host) == _ip_version(self._address.bind)
        return HostPort(host if is_ours else self._sources[0], port)

    # --- descriptions -----------------------------------------------------------------------------------------

    def offer(self, formats: Sequence[RtpFormat]) -> bytes:
        """An offer of ours."""
        offered = make_offer(
            self._ready(),
            self._usable(formats),
            session_id=self.endpoint,
            previous=self._sent,
            direction=SdpDirection.SENDRECV,
        )
        self._offer = self._revised(offered)
        return write_sdp(self._offer)

    def take_answer(self, sdp: bytes) -> None:
        """The peer's answer to our offer; raises `MediaRefused`."""
        if self._offer is None:
            raise MediaRefused("an answer without an offer", 400)
        try:
            agreed = read_answer(self._offer, _parse(sdp), self._security)
        except RemoteProtocolError as error:
            raise MediaRefused(error.reason) from None
        if agreed is None:
            raise MediaRefused("the answer refuses the stream")
        self._has_agreed(agreed, None)
        self._sent = self._offer

    def take_refresh(self, sdp: bytes) -> None:
        """The peer's answer to our description in force, offered once more; raises `MediaRefused`."""
        self._offer = self._sent
        self.take_answer(sdp)

    def take_offer(self, sdp: bytes) -> tuple[RtpFormat, ...]:
        """The peer's offer: the formats of its first audio stream; raises `MediaRefused`."""
        self.peer_offer = _parse(sdp)
        is_unencrypted = False
        for section in self.peer_offer.media:
            if section.media != "audio" or not section.port or _codec_of(section.formats) is None:
                continue
            if is_acceptable(self._security, self.peer_offer, section):
                return section.formats
            is_unencrypted |= section.protocol.upper() in PROFILES
        why = "no stream with the encryption that is needed" if is_unencrypted else "no audio stream"
        raise MediaRefused(f"{why} in the offer", is_unencrypted=is_unencrypted)

    def answer(self, formats: Sequence[RtpFormat]) -> bytes:
        """The answer to the offer taken last: one codec out of `formats`, in our order; raises `MediaRefused`."""
        if self.peer_offer is None:
            raise MediaRefused("no offer to answer", 400)
        self._security = before_answer(self._security, self.agreed, self.peer_offer)
        found = make_answer(
            self.peer_offer, self._ready(), self._usable(formats), session_id=self.endpoint, only_first=True
        )
        if found is None:
            raise MediaRefused("no codec in common")
        self._has_agreed(found.media, self.peer_offer.media[found.media.index].attribute("mid"))
        self._sent = self._revised(found.description)
        return write_sdp(self._sent)

    def repeat(self) -> bytes:
        """Our description in force, for a message that has to carry it again."""
        return write_sdp(self._sent) if self._sent is not None else b""

    # --- what was agreed --------------------------------------------------------------------------------------

    @property
    def codec(self) -> RtpFormat | None:
        """The codec we send."""
        return _codec_of(self.agreed.send) if self.agreed is not None else None

    @property
    def digit_way(self) -> Way:
        """How the peer sends and takes digits."""
        return way_of(self._dtmf, has_events=self.agreed is not None and any(map(_is_event, self.agreed.send)))

    @property
    def offered_formats(self) -> tuple[RtpFormat, ...]:
        """What the peer offered, any codec that can be sent back to it; our own basics when it left that to us."""
        if self.peer_offer is None:
            return self._codecs.basic
        audio = (section.formats for section in self.peer_offer.media if section.media == "audio" and section.port)
        return self._codecs.usable(next(audio, ()))

    @property
    def formats_for_other_side(self) -> tuple[RtpFormat, ...]:
        """What the other side of a conversation may use so that both hear each other."""
        return self._codecs.like(self.codec)

    @property
    def is_held(self) -> bool:
        """The peer does not want to hear us."""
        return self.agreed is not None and self.agreed.is_held

    @property
    def silence_s(self) -> float:
        """How long nothing may come now, 0 is for ever: on hold longer, and from who only listens nothing has to."""
        if self.is_held:
            return self._silence.held_s
        return self._silence.talking_s if self.agreed is not None and self.agreed.direction.receives else 0.0

    def _usable(self, formats: Sequence[RtpFormat]) -> Sequence[RtpFormat]:
        """Without RFC 4733 for a party whose digits come another way, with it for one whose digits come in no other."""
        if not offers_events(self._dtmf):
            return [each for each in formats if not _is_event(each)]
        return [*formats, EVENTS[8000]] if self._dtmf == "rfc4733" and not any(map(_is_event, formats)) else formats

    def _ready(self) -> LocalMedia:
        if self._local is None:
            raise MediaRefused("no media ports", 500)
        return replace(self._local, security=self._security)

    def _has_agreed(self, agreed: Negotiated, mid: str | None) -> None:
        self.agreed = agreed
        self._security = after_agreement(self._security, agreed, mid)

    def _revised(self, new: SessionDescription) -> SessionDescription:
        return revise(self._sent, new) if self._sent is not None else new


def _parse(sdp: bytes) -> SessionDescription:
    try:
        return parse_sdp(sdp)
    except ParseError as error:
        raise MediaRefused(error.reason, error.status) from None


@lru_cache(maxsize=256)
def _payloads(formats: tuple[RtpFormat, ...]) -> tuple[Payload, ...]:
    return tuple([Payload(each.number, each.name, each.clock_rate, each.channels, each.fmtp) for each in formats])


def _is_event(each: RtpFormat) -> bool:
    return each.name.lower() == "telephone-event"


def _codec_of(formats: Sequence[RtpFormat]) -> RtpFormat | None:
    for each in formats:
        if each.is_audio:
            return each
    return None
