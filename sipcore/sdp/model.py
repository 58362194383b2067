"""Session descriptions as data (RFC 8866), with the attributes that calls need read on demand."""

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from frozen import dataclass

Attributes = tuple[tuple[str, str], ...]
"""(name, value) in order; "" is the value of a flag."""

_SECRETS = frozenset(("crypto", "ice-pwd"))
_UNSPECIFIED = ("0.0.0.0", "::")
_CACHED_ATTRIBUTES = 64


class Direction(StrEnum):
    """Seen from whoever wrote the description (RFC 3264 §5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return "send" in self

    @property
    def receives(self) -> bool:
        return "recv" in self

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> "Direction":
        return _BY_FLAGS[sends, receives]

    @property
    def reverse(self) -> "Direction":
        """The same stream seen from the other side."""
        return Direction.of(sends=self.receives, receives=self.sends)


_BY_FLAGS = {(direction.sends, direction.receives): direction for direction in Direction}
_DIRECTIONS = {direction.value: direction for direction in Direction}


class RtpFormat(NamedTuple):
    """One RTP payload type: number, encoding name, clock rate (RFC 8866 §6.6); `fmtp` is its parameter text. A tuple:
    what a call agrees on is looked up by it many times."""

    number: int
    name: str
    clock_rate: int = 8000
    channels: int = 1
    fmtp: str = ""

    @property
    def encoding(self) -> tuple[str, int, int]:
        """What two formats must have in common to be the same encoding."""
        return self.name.lower(), self.clock_rate, self.channels

    @property
    def is_audio(self) -> bool:
        """Whether this is a codec and no companion such as DTMF events or comfort noise."""
        return self.name.lower() not in ("telephone-event", "cn", "red")


_STATIC_AUDIO = (
    (0, "PCMU", 8000, 1), (3, "GSM", 8000, 1), (4, "G723", 8000, 1), (5, "DVI4", 8000, 1), (6, "DVI4", 16000, 1),
    (7, "LPC", 8000, 1), (8, "PCMA", 8000, 1), (9, "G722", 8000, 1), (10, "L16", 44100, 2), (11, "L16", 44100, 1),
    (12, "QCELP", 8000, 1), (13, "CN", 8000, 1), (14, "MPA", 90000, 1), (15, "G728", 8000, 1),
    (16, "DVI4", 11025, 1), (17, "DVI4", 22050, 1), (18, "G729", 8000, 1),
)  # fmt: skip
_STATIC_VIDEO = ((25, "CelB"), (26, "JPEG"), (28, "nv"), (31, "H261"), (32, "MPV"), (33, "MP2T"), (34, "H263"))
STATIC_FORMATS: dict[int, RtpFormat] = {row[0]: RtpFormat(*row) for row in _STATIC_AUDIO}
STATIC_FORMATS |= {number: RtpFormat(number, name, 90000) for number, name in _STATIC_VIDEO}
"""Payload types that need no rtpmap (RFC 3551 §6)."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line: `session_id` and `version` tell one revision of a description from another."""

    session_id: str
    version: int
    address: str
    username: str = "-"


@dataclass(frozen=True, slots=True)
class MediaSection:
    """An m= line and what belongs to it. `address` is "" when the session's one applies."""

    media: str
    port: int
    protocol: str
    payloads: tuple[str, ...]
    address: str = ""
    attributes: Attributes = ()
    bandwidth: tuple[str, ...] = ()
    port_count: int = 1

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of that name, "" for a flag, None when absent."""
        return first_attribute(self.attributes, name)

    @property
    def direction(self) -> Direction | None:
        """The direction stated in this section itself; `SessionDescription.direction_of` knows the default."""
        return direction_in(self.attributes)

    @property
    def ptime_ms(self) -> int | None:
        return _milliseconds(self.attribute("ptime"))

    @property
    def maxptime_ms(self) -> int | None:
        return _milliseconds(self.attribute("maxptime"))

    @property
    def rtcp_mux(self) -> bool:
        return ("rtcp-mux", "") in self.attributes

    @property
    def rtcp(self) -> tuple[str, int] | None:
        """The a=rtcp address and port (RFC 3605), the address "" when it is that of the media; None when absent."""
        words = (self.attribute("rtcp") or "").split()
        if not words or not _is_port(words[0]):
            return None
        return (words[3] if len(words) >= 4 else ""), int(words[0])

    @property
    def is_rtp(self) -> bool:
        return self.protocol.upper().startswith(("RTP/", "UDP/TLS/RTP/"))

    @property
    def formats(self) -> tuple[RtpFormat, ...]:
        """The payload types in order of preference; those that nothing describes are left out."""
        if not self.is_rtp:
            return ()
        if len(self.attributes) > _CACHED_ATTRIBUTES or len(self.payloads) > _CACHED_ATTRIBUTES:
            return _formats(self.payloads, self.attributes)
        if has_secrets(self.attributes):
            return _formats(self.payloads, self.attributes)
        return _formats_cached(self.payloads, self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description. `address` is the session's c= line, "" when each section has its own."""

    origin: Origin
    media: tuple[MediaSection, ...] = ()
    address: str = ""
    name: str = "-"
    attributes: Attributes = ()
    bandwidth: tuple[str, ...] = ()
    times: tuple[str, ...] = ("0 0",)

    def address_of(self, section: MediaSection) -> str:
        """Where the section's media goes: its own c= line, else the session's."""
        return section.address or self.address

    def direction_of(self, section: MediaSection) -> Direction:
        """The stated direction, with the session's as the default, sendrecv without either (RFC 8866 §6.7)."""
        return section.direction or direction_in(self.attributes) or Direction.SENDRECV

    def effective_direction(self, section: MediaSection) -> Direction:
        """`direction_of`, but an unspecified address (hold of RFC 2543, RFC 3264 §8.4) receives nothing."""
        direction = self.direction_of(section)
        if self.address_of(section) in _UNSPECIFIED:
            return Direction.of(sends=direction.sends, receives=False)
        return direction


def has_secrets(attributes: Attributes) -> bool:
    """Keys of one call: nothing that a memory of what others have said should hold."""
    return not _SECRETS.isdisjoint(dict(attributes))


def first_attribute(attributes: Attributes, name: str) -> str | None:
    for key, value in attributes:
        if key == name:
            return value
    return None


def direction_in(attributes: Attributes) -> Direction | None:
    for name, _ in attributes:
        if name in _DIRECTIONS:
            return _DIRECTIONS[name]
    return None


def _is_port(text: str) -> bool:
    return len(text) <= 5 and text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _milliseconds(text: str | None) -> int | None:
    """Whole milliseconds; fractions (`a=ptime:7.5`) are cut off, nonsense is None."""
    whole = (text or "").strip().partition(".")[0]
    if not whole or len(whole) > 5 or not (whole.isascii() and whole.isdigit()):
        return None
    return int(whole) or None


def _by_payload(attributes: Attributes, name: str) -> dict[str, str]:
    pairs = [value.partition(" ") for key, value in attributes if key == name]
    return {payload: rest.strip() for payload, _, rest in pairs}


def _formats(payloads: tuple[str, ...], attributes: Attributes) -> tuple[RtpFormat, ...]:
    maps, fmtps = _by_payload(attributes, "rtpmap"), _by_payload(attributes, "fmtp")
    found = [_format(each, maps.get(each), fmtps.get(each, "")) for each in payloads]
    return tuple([each for each in found if each is not None])


_formats_cached = lru_cache(maxsize=1024)(_formats)  # a phone offers the same in each call


@lru_cache(maxsize=2048)
def _format(payload: str, mapped: str | None, fmtp: str) -> RtpFormat | None:
    """One payload type of an m= line; None when nothing or nonsense describes it."""
    if not _is_small(payload, 3) and payload != "0":
        return None
    number = int(payload)
    if mapped is not None:
        return _read_map(number, mapped, fmtp) if number < 128 else None
    static = STATIC_FORMATS.get(number)
    return static._replace(fmtp=fmtp) if static and fmtp else static


def _read_map(number: int, text: str, fmtp: str) -> RtpFormat | None:
    """`opus/48000/2`; None when it is malformed."""
    name, _, rest = text.partition("/")
    clock_rate, _, channels = rest.partition("/")
    channels = channels or "1"
    if not name or not _is_small(clock_rate, 7) or not _is_small(channels, 2):
        return None
    return RtpFormat(number, name, int(clock_rate), int(channels), fmtp)


def _is_small(text: str, most_digits: int) -> bool:
    return 0 < len(text) <= most_digits and text.isascii() and text.isdigit() and int(text) > 0
