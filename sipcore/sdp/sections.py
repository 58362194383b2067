"""What descriptions of streams of every kind have in common: their sides, their m= lines and places (RFC 3264)."""

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from types import MappingProxyType

from frozen import dataclass
from sipcore.sdp.model import Attributes, Direction, MediaSection, RtpFormat, SessionDescription
from sipcore.sdp.security import Secured, Security

NO_OTHERS: Mapping[int, MediaSection] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Our side of the stream: where we want RTP (`rtcp_port` None: port + 1) and what we are ready for."""

    host: str
    port: int
    rtcp_port: int | None = None
    rtcp_mux: bool = False
    ptime_ms: int = 20
    security: Security = field(default_factory=Security)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The stream as agreed: `send` in the peer's payload numbers, `receive` in those that we announced.

    `rtcp` is None for the port after `remote`. `index` is the m= line. Formats are in order of preference. `rtcp_xr`:
    the peer asks for VoIP Metrics (RFC 3611 §5).
    """

    index: int
    remote: tuple[str, int]
    send: tuple[RtpFormat, ...]
    receive: tuple[RtpFormat, ...]
    direction: Direction
    ptime_ms: int
    rtcp: tuple[str, int] | None = None
    rtcp_mux: bool = False
    secured: Secured | None = None
    rtcp_xr: bool = False

    @property
    def is_held(self) -> bool:
        """Whether the peer does not want to hear us now."""
        return not self.direction.sends


def agreed_direction(
    peer: SessionDescription, section: MediaSection, wanted: Direction, secured: Secured | None = None
) -> Direction:
    """With ICE an unspecified address says only that the candidates are still to come (RFC 8840 §4.1.1)."""
    with_ice = secured is not None and secured.theirs is not None
    theirs = peer.direction_of(section) if with_ice else peer.effective_direction(section)
    return Direction.of(sends=wanted.sends and theirs.receives, receives=wanted.receives and theirs.sends)


def rtcp_of(description: SessionDescription, section: MediaSection) -> tuple[str, int] | None:
    stated = section.rtcp
    return stated and (stated[0] or description.address_of(section), stated[1])


def refused(section: MediaSection) -> MediaSection:
    mid = tuple([each for each in section.attributes if each[0] == "mid"])
    return MediaSection(section.media, 0, section.protocol, section.payloads or ("0",), "", mid)


def in_place(
    offered: MediaSection | None, previous: SessionDescription | None, others: Mapping[int, MediaSection]
) -> tuple[MediaSection, ...]:
    """Places are kept for ever; one that is off may be used again (RFC 3264 §8.1)."""
    media = list(map(refused, previous.media)) if previous is not None else []
    if offered is not None:
        index = _place_of(offered, previous)
        media[index:] = [offered, *media[index + 1 :]]
    for at, section in sorted(others.items()):
        media[at:] = [section, *media[at + 1 :]]
    return tuple(media)


def _place_of(offered: MediaSection, previous: SessionDescription | None) -> int:
    """The one in use, else one that was, else the next."""
    before = previous.media if previous is not None else ()
    alike = [at for at, each in enumerate(before) if each.media == offered.media]
    return next((at for at in alike if before[at].port), alike[0] if alike else len(before))


@lru_cache(maxsize=1024)
def rtp_codecs(formats: tuple[RtpFormat, ...]) -> tuple[tuple[str, ...], Attributes]:
    """Payload types, and the attributes that say what they are."""
    attributes: list[tuple[str, str]] = []
    for each in formats:
        attributes.append(("rtpmap", _rtpmap(each)))
        if each.fmtp:
            attributes.append(("fmtp", f"{each.number} {each.fmtp}"))
    return tuple([str(each.number) for each in formats]), tuple(attributes)


def _rtpmap(each: RtpFormat) -> str:
    channels = f"/{each.channels}" if each.channels != 1 else ""
    return f"{each.number} {each.name}/{each.clock_rate}{channels}"


def rtcp_attributes(local: LocalMedia, rtcp_mux: bool) -> Attributes:
    if rtcp_mux:
        return (("rtcp-mux", ""),)
    if local.rtcp_port is not None and local.rtcp_port != local.port + 1:
        return (("rtcp", str(local.rtcp_port)),)
    return ()
