"""How one endpoint talks to its peer: addresses, payload types, keys. Part of the media surface (`media/api.py`)."""

from dataclasses import field
from enum import StrEnum

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class HostPort:
    """An IP address (never a host name) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Passes(StrEnum):
    """What of an endpoint goes over to another as it comes: NOTHING is that of sound. RTP: pictures and text, in our
    numbering, with what their receiver asks of their sender. DATAGRAMS: any, as UDPTL."""

    NOTHING = "nothing"
    RTP = "rtp"
    DATAGRAMS = "datagrams"


class Direction(StrEnum):
    """Media direction seen from Zvon (RFC 3264 §5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)


@dataclass(frozen=True, slots=True)
class Payload:
    """One RTP payload type as negotiated: `number` is the dynamic or static type, `name` the encoding (RFC 3551)."""

    number: int
    name: str
    clock_rate: int = 8000
    channels: int = 1
    fmtp: str = ""


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt of each direction under one crypto suite (RFC 4568 §6.1). Never shown, never logged."""

    suite: str
    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DtlsPeer:
    """Keys come from a handshake on the media path (RFC 5764). The peer's certificate has one of `fingerprints`
    (hash, digits); `is_client`: we begin."""

    fingerprints: tuple[tuple[str, str], ...]
    is_client: bool


@dataclass(frozen=True, slots=True)
class IceSpec:
    """ICE (RFC 8445): the credentials of both sides. A lite agent lets the peer find the way; a full one checks
    `candidates` of the peer by itself, and takes the decision when it `is_controlling`. Packets go where a way was
    found."""

    ufrag: str
    password: str = field(repr=False)
    peer_ufrag: str
    peer_password: str = field(repr=False)
    is_full: bool = False
    is_controlling: bool = False
    candidates: tuple[HostPort, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """How one endpoint talks to its peer.

    `remote` is where the SDP says that RTP goes. Until a source is learned, audio is sent there only. `sources` are
    the only IP addresses from which a source may be learned: the address of the SDP and that of the signalling.
    `payloads`: what may arrive and leave, our preferred audio encoding first; `telephone-event` is among them when
    it was negotiated (RFC 4733). `rtcp` is where RTCP goes, None for port + 1 of `remote`.
    `tones`: its digits are pairs of tones in the audio, both ways; others with tones hear them, nobody else does.
    `keeps_digits`: what it presses is told, and reaches nobody by itself.
    `feedback`: what a sender of pictures can be asked for: "pli", "fir", "nack". `rtcp_xr`: the peer wants VoIP Metrics
    (RFC 3611). `silence_s`: what `MediaSilent` tells of, 0 nothing.
    With `crypto` or `dtls` nothing goes in or out in clear. With `ice` the address of `remote` does not matter.
    """

    remote: HostPort
    payloads: tuple[Payload, ...]
    sources: tuple[str, ...] = ()
    ptime_ms: int = 20
    direction: Direction = Direction.SENDRECV
    rtcp: HostPort | None = None
    rtcp_mux: bool = False
    crypto: SrtpKeys | None = None
    dtls: DtlsPeer | None = None
    ice: IceSpec | None = None
    rtcp_xr: bool = False
    silence_s: float = 0.0
    tones: bool = False
    keeps_digits: bool = False
    feedback: tuple[str, ...] = ()
