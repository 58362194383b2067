"""What the control thread knows about one endpoint, and the checks of what others ask of it."""

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from media.api import EndpointId, Passes, Payload, PlayId, RoomId, SendDigits, SrtpKeys, StreamSpec
from media.engine.ciphers import Ciphers
from media.engine.shard import Handle
from media.engine.strategy import NO_PAYLOADS, Profile, profile_of
from media.rtp.telephone_event import SYMBOLS
from media.srtp.suites import SUITES

if TYPE_CHECKING:
    from media.engine.hearing import Hearing
    from media.engine.plays import Loading
    from media.engine.speaking import Speaking
    from media.engine.voicing import Voicing

MAX_PAYLOADS = 16
MAX_SOURCES = 8
MAX_DIGITS = 64
PLAYED_HZ = 16000  # prompts and tones are no more than wideband
SENDS, RECEIVES, MUX, SECURED, PINNED, REACHABLE, EXTENDED, KEEPS_DIGITS = 1, 2, 4, 8, 16, 32, 64, 128


class Refusal(Exception):
    """The command cannot be carried out; the message is a sentence."""


@dataclass(slots=True, eq=False)
class Stream:
    """One endpoint from `CreateEndpoint` to `DestroyEndpoint`; `loading` is the play whose file is being read, `plays`
    are all that have not ended, `sends` is the payload type of what its peer sends when that is not the preferred one.
    `speaking`, `voicing` and `hearing` are what the engine was told of it. `dialled` are digits that are to be played
    as tones: events, their duration and gap in ms."""

    endpoint: EndpointId
    host: str
    handle: Handle
    spec: StreamSpec | None = None
    profile: Profile | None = None
    room: RoomId | None = None
    loading: "Loading | None" = None
    plays: set[PlayId] = field(default_factory=set)
    sends: int | None = None
    most_hz: int = PLAYED_HZ
    speaking: "Speaking | None" = None
    voicing: "Voicing | None" = None
    digits_waiting: int = 0
    hearing: "Hearing | None" = None
    dialled: deque[tuple[bytes, int, int]] = field(default_factory=deque)
    is_gone: bool = False
    passes: Passes = Passes.NOTHING
    partner: "Stream | None" = None
    keys: Ciphers = field(default_factory=Ciphers)

    @property
    def sent(self) -> Payload | None:
        """What its peer sends, as far as it can be decoded."""
        if self.profile is None:
            return None
        return next((each for each in self.profile.payloads if each.number == self.sends), self.profile.spoken)

    @property
    def codec(self) -> str:
        """Name of the preferred encoding, for sentences."""
        return self.spec.payloads[0].name if self.spec else "nothing"


@lru_cache(maxsize=4096)
def ip_version(host: str) -> int:
    """4 or 6, 0 for what is no IP address."""
    try:
        return ip_address(host).version
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def is_unspecified(host: str) -> bool:
    """0.0.0.0 as in the old way to hold a call (RFC 2543 appendix B.5)."""
    return ip_address(host).is_unspecified


def check_keys(keys: SrtpKeys) -> None:
    suite = SUITES.get(keys.suite)
    if suite is None:
        raise Refusal(f"{keys.suite} is no SRTP crypto suite that is known here.")
    if len(keys.send) != suite.length or len(keys.receive) != suite.length:
        raise Refusal(f"Keys of {keys.suite} have {suite.length} bytes, salt included.")


def check_address(host: str) -> None:
    if not ip_version(host):
        raise Refusal(f"{host} is not an IP address.")


def check_spec(spec: StreamSpec, host: str, passes: Passes = Passes.NOTHING) -> Profile:
    """What follows from the payloads; raises `Refusal` for what the engine cannot do."""
    rtcp = spec.rtcp or spec.remote
    check_addresses(host, spec.remote.host, rtcp.host, spec.sources)
    for port in (spec.remote.port, rtcp.port):
        if not 0 <= port <= 65535:
            raise Refusal(f"{port} is not a port.")
    if not 10 <= spec.ptime_ms <= 200:
        raise Refusal(f"A packet time of {spec.ptime_ms} ms is not between 10 and 200 ms.")
    if spec.crypto:
        check_keys(spec.crypto)
    for candidate in spec.ice.candidates if spec.ice else ():
        check_address(candidate.host)
    if passes is Passes.DATAGRAMS and not spec.payloads:
        return NO_PAYLOADS
    return check_payloads(spec.payloads)


@lru_cache(maxsize=4096)
def check_addresses(local: str, remote: str, rtcp: str, sources: tuple[str, ...]) -> None:
    version = ip_version(local)
    for address in (remote, rtcp, *sources):
        if ip_version(address) != version:
            check_address(address)
            raise Refusal(f"{address} and the local address {local} are of different IP versions.")
    if len(permitted(remote, sources)) > MAX_SOURCES:
        raise Refusal(f"A stream has at most {MAX_SOURCES} permitted source addresses.")


@lru_cache(maxsize=1024)
def check_payloads(payloads: tuple[Payload, ...]) -> Profile:
    if not 1 <= len(payloads) <= MAX_PAYLOADS:
        raise Refusal(f"A stream has between 1 and {MAX_PAYLOADS} payload types, not {len(payloads)}.")
    for payload in payloads:
        if not 0 <= payload.number <= 127:
            raise Refusal(f"{payload.number} is not a payload type.")
        if not 1000 <= payload.clock_rate <= 192_000:
            raise Refusal(f"{payload.name} cannot have a clock rate of {payload.clock_rate} Hz.")
    return profile_of(payloads)


@lru_cache(maxsize=4096)
def permitted(remote: str, sources: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses from which a source may be learned."""
    return tuple(dict.fromkeys(host for host in (remote, *sources) if not is_unspecified(host)))


def rtcp_target(spec: StreamSpec) -> tuple[str, int]:
    """Port 0: nowhere."""
    if spec.rtcp:
        return spec.rtcp.host, spec.rtcp.port
    return spec.remote.host, spec.remote.port + 1 if 0 < spec.remote.port < 65535 else 0


def flags(spec: StreamSpec) -> int:
    reachable = spec.ice is not None or (spec.remote.port != 0 and not is_unspecified(spec.remote.host))
    found = (
        (SENDS, spec.direction.sends and reachable),
        (RECEIVES, spec.direction.receives),
        (MUX, spec.rtcp_mux),
        (SECURED, spec.crypto or spec.dtls),
        (PINNED, spec.ice),
        (REACHABLE, reachable),
        (EXTENDED, spec.rtcp_xr),
        (KEEPS_DIGITS, spec.keeps_digits),
    )
    return sum(flag for flag, is_set in found if is_set)


def is_other_sound(was: StreamSpec, spec: StreamSpec) -> bool:
    """Whether those in the same room may have to hear it otherwise than before, though it speaks the same."""
    return (was.ptime_ms, was.tones, was.keeps_digits) != (spec.ptime_ms, spec.tones, spec.keeps_digits)


def takes(spec: StreamSpec) -> int:
    """What the peer can be asked for, as the engine thread has it."""
    return sum(flag for flag, name in ((1, "pli"), (2, "fir"), (4, "nack")) if name in spec.feedback)


def check_digits(command: SendDigits, waiting: int) -> bytes:
    """The RFC 4733 event codes of the digits; raises `Refusal`."""
    unknown = next((digit for digit in command.digits.upper() if digit not in SYMBOLS), None)
    if unknown is not None or not command.digits:
        raise Refusal(f"{command.digits!r} are not digits: 0-9, *, # and A-D can be sent.")
    if waiting + len(command.digits) > MAX_DIGITS:
        raise Refusal(f"At most {MAX_DIGITS} digits can wait to be sent; {waiting} are waiting already.")
    if not 40 <= command.duration_ms <= 8000 or not 20 <= command.gap_ms <= 60_000:
        raise Refusal("A digit lasts 40 to 8000 ms, the gap behind it 20 to 60000 ms.")
    return bytes(SYMBOLS.index(digit) for digit in command.digits.upper())
