"""One stream of a leg: its endpoint in the engine, from the wish for ports to its end, and how it is encrypted."""

from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address

from frozen import dataclass
from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Direction,
    EndpointCreated,
    EndpointId,
    HostPort,
    Passes,
    Payload,
    StreamSpec,
)
from pbx.encryption import Encryption, after_agreement, handshake_of, ice_of, keys_of, with_endpoint
from sipcore.sdp.model import Direction as SdpDirection
from sipcore.sdp.model import RtpFormat
from sipcore.sdp.sections import LocalMedia, Negotiated

_DIRECTIONS = {each: Direction(each.value) for each in SdpDirection}


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
class Surroundings:
    """What all streams of a leg have in common. `sources` are addresses besides that of the SDP from which packets may
    come: the peer's signalling address. Endpoints of one `group` can meet; 0 is none."""

    address: MediaAddress
    sources: tuple[str, ...]
    group: int = 0
    encryption: Encryption = Encryption()


class MediaEndpoint:
    """`agreed` is what both sides say of the stream, None before they have spoken."""

    __slots__ = ("_local", "agreed", "around", "endpoint", "security", "worker")

    passes = Passes.NOTHING

    def __init__(self, endpoint: EndpointId, around: Surroundings) -> None:
        self.endpoint, self.around = endpoint, around
        self.security = around.encryption.security()
        self.worker = 0
        self.agreed: Negotiated | None = None
        self._local: LocalMedia | None = None

    @property
    def is_created(self) -> bool:
        return self._local is not None

    def wish(self, *, handshake: bool, beside: EndpointId = 0) -> CreateEndpoint:
        """The command that makes it. `handshake`: its keys are agreed on by DTLS."""
        around = self.around
        return CreateEndpoint(
            self.endpoint, around.address.bind, None, around.group, handshake, passes=self.passes, beside=beside
        )

    def made(self, reply: EndpointCreated) -> None:
        advertised = self.around.address.advertised
        self.security = with_endpoint(self.security, advertised, self.around.sources, reply)
        self._local = LocalMedia(advertised, reply.rtp.port, reply.rtcp_port, security=self.security)
        self.worker = reply.worker

    def end(self) -> DestroyEndpoint:
        self._local = None
        return DestroyEndpoint(self.endpoint)

    def gone(self) -> None:
        """The endpoint does not exist any more, and its ports with it."""
        self._local = None

    def ready(self) -> LocalMedia:
        """Our side for descriptions; raises `MediaRefused`."""
        if self._local is None:
            raise MediaRefused("no media ports", 500)
        if self._local.security is not self.security:
            self._local = replace(self._local, security=self.security)
        return self._local

    def has_agreed(self, agreed: Negotiated, mid: str | None) -> None:
        """`mid`: the name of the m= line in the peer's offer."""
        self.agreed = agreed
        self.security = after_agreement(self.security, agreed, mid)

    def configured(
        self,
        *,
        silence_s: float = 0.0,
        tones: bool = False,
        keeps_digits: bool = False,
        feedback: tuple[str, ...] = (),
    ) -> ConfigureEndpoint:
        """The engine's view of what was agreed on."""
        agreed = self.agreed
        assert agreed is not None
        rtcp = self._reachable(*agreed.rtcp) if agreed.rtcp is not None else None
        ice = ice_of(agreed.secured)
        anywhere = "::" if ":" in self.around.address.bind else "0.0.0.0"
        spec = StreamSpec(
            remote=self._reachable(*agreed.remote) if ice is None else HostPort(anywhere, 0),
            payloads=payloads_of(agreed.send),
            sources=self.around.sources,
            ptime_ms=agreed.ptime_ms,
            direction=_DIRECTIONS[agreed.direction],
            rtcp=rtcp if ice is None else None,
            rtcp_mux=agreed.rtcp_mux,
            crypto=keys_of(agreed.secured),
            dtls=handshake_of(agreed.secured),
            ice=ice,
            rtcp_xr=agreed.rtcp_xr,
            silence_s=silence_s,
            tones=tones,
            keeps_digits=keeps_digits,
            feedback=feedback,
        )
        return ConfigureEndpoint(self.endpoint, spec)

    def _reachable(self, host: str, port: int) -> HostPort:
        """Where a description says; where the peer signals from when it names no address of our kind (a host name, the
        other IP version): audio is likely to be there, and latching finds the rest."""
        is_ours = _ip_version(host) == _ip_version(self.around.address.bind)
        return HostPort(host if is_ours else self.around.sources[0], port)


@lru_cache(maxsize=4096)
def _ip_version(host: str) -> int:
    """4 or 6, 0 for what is no IP address."""
    try:
        return ip_address(host).version
    except ValueError:
        return 0


@lru_cache(maxsize=256)
def payloads_of(formats: tuple[RtpFormat, ...]) -> tuple[Payload, ...]:
    """As the engine has them."""
    return tuple([Payload(each.number, each.name, each.clock_rate, each.channels, each.fmtp) for each in formats])
