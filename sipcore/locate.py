"""Where a request goes: from a URI and DNS answers to an ordered list of targets (RFC 3263 §4, RFC 2782).

A planner, not a program: `locate` is given the answers that are known so far and returns either the questions that are
still open or the targets. It is called again with their answers; an address as a literal asks nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_address

from frozen import dataclass
from sipcore.uri import SipUri

DEFAULT_PORT, SECURE_PORT = 5060, 5061  # RFC 3261 §19.1.2
MOST_TARGETS = 32  # whoever runs the zone decides how long its lists are
DEAD_S = 60.0
_MOST_RECORDS = 64
_MOST_DEAD = 1000
_NAPTR_TRANSPORTS = {"sip+d2u": "UDP", "sip+d2t": "TCP", "sips+d2t": "TLS", "sip+d2w": "WS", "sips+d2w": "WSS"}
_SRV_LABELS = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp", "WS": "_sip._ws", "WSS": "_sips._wss"}
_SECURE_FORM = {"TCP": "TLS", "WS": "WSS"}


class Kind(StrEnum):
    """Types of DNS records."""

    NAPTR = "NAPTR"
    SRV = "SRV"
    A = "A"
    AAAA = "AAAA"


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask DNS; `name` in lower case without a dot at its end."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Naptr:
    """RFC 3403 §4.1."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
"""A NAPTR or SRV record, or the address of an A or AAAA record."""
Answers = Mapping[Question, Sequence[Record]]


@dataclass(frozen=True, slots=True)
class NextHop:
    """What has to be found: a host, with what its URI says of port and transport (`None`: nothing)."""

    host: str
    port: int | None = None
    transport: str | None = None
    secure: bool = False

    @classmethod
    def of(cls, uri: SipUri) -> "NextHop":
        """The target of a URI: `maddr` goes before the host (RFC 3263 §4)."""
        transport = uri.transport.upper() if uri.transport else None
        return cls(uri.params.get("maddr") or uri.host, uri.port, transport, uri.secure)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send; `name` is the name that was asked for, which a certificate has to show (RFC 5922 §4)."""

    transport: str
    host: str
    port: int
    name: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """These answers are missing."""

    questions: tuple[Question, ...]


def locate(
    hop: NextHop,
    answers: Answers,
    *,
    transports: Sequence[str],
    families: Sequence[Kind] = (Kind.A, Kind.AAAA),
    fraction: Callable[[], float],
) -> tuple[Target, ...] | Wanted:
    """The targets in the order to try them, at most `MOST_TARGETS`, or what has to be asked first.

    `transports` are those we can use, the preferred one first, `families` the record types of addresses that we can
    reach. `fraction` gives numbers in [0, 1) for the choice by weight.
    """
    search = _Search(answers, families, fraction)
    usable = [each for each in transports if not hop.secure or each in ("TLS", "WSS")]
    found = tuple(dict.fromkeys(_targets(hop, search, usable)))
    return Wanted(tuple(search.missing)) if search.missing else found[:MOST_TARGETS]


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


# --- §4.1, §4.2 ---------------------------------------------------------------------------------------------------


def _targets(hop: NextHop, search: "_Search", usable: Sequence[str]) -> list[Target]:
    given = _SECURE_FORM.get(hop.transport or "", hop.transport) if hop.secure else hop.transport
    default = "TLS" if hop.secure else "UDP"
    if is_address(hop.host) or hop.port is not None:
        transport = given or (default if default in usable or hop.secure else _first(usable))
        if transport not in usable:
            return []
        return search.addresses(transport, hop.host, hop.port or _port_of(transport), hop.host)
    if given is not None:
        return search.service(given, hop.host) if given in usable else []
    return _by_naptr(hop, search, usable) or _by_srv(hop, search, usable, default)


def _by_naptr(hop: NextHop, search: "_Search", usable: Sequence[str]) -> list[Target]:
    """§4.1: the records of services that we can use, by order and preference; the host says what it prefers."""
    records = [each for each in search.ask(Kind.NAPTR, hop.host) if isinstance(each, Naptr)]
    found: list[Target] = []
    for record in sorted(records, key=lambda each: (each.order, each.preference)):
        transport = _NAPTR_TRANSPORTS.get(record.service.lower())
        if transport is not None and transport in usable and record.flags.lower() == "s":
            found += search.servers(transport, record.replacement, hop.host)
    return found


def _by_srv(hop: NextHop, search: "_Search", usable: Sequence[str], default: str) -> list[Target]:
    """§4.1: SRV of every transport that we can use; without any, the addresses of the host at the default port."""
    found = [each for transport in usable for each in search.servers(transport, _srv_name(transport, hop.host))]
    if found or search.missing:
        return found
    transport = default if default in usable else _first(usable)
    return search.addresses(transport, hop.host, _port_of(transport), hop.host) if transport in usable else []


class _Search:
    """Looks answers up, and notes those that are missing."""

    def __init__(self, answers: Answers, families: Sequence[Kind], fraction: Callable[[], float]) -> None:
        self._answers, self._families, self._fraction = answers, families, fraction
        self.missing: dict[Question, None] = {}

    def ask(self, kind: Kind, name: str) -> Sequence[Record]:
        question = Question(kind, name.lower().rstrip("."))
        found = self._answers.get(question)
        if found is None:
            self.missing[question] = None
            return ()
        return found[:_MOST_RECORDS]

    def service(self, transport: str, host: str) -> list[Target]:
        """§4.2: SRV of one transport, else the addresses at its default port."""
        found = self.servers(transport, _srv_name(transport, host))
        return found if found or self.missing else self.addresses(transport, host, _port_of(transport), host)

    def servers(self, transport: str, srv_name: str, host: str = "") -> list[Target]:
        """The servers of an SRV name; a target of "." says that there is no such service (RFC 2782)."""
        records = [each for each in self.ask(Kind.SRV, srv_name) if isinstance(each, Srv) and each.target.rstrip(".")]
        name = host or srv_name.split(".", 2)[-1]
        ordered = by_weight(records, self._fraction)
        return [each for srv in ordered for each in self.addresses(transport, srv.target, srv.port, name)]

    def addresses(self, transport: str, host: str, port: int, name: str) -> list[Target]:
        if is_address(host):
            return [Target(transport, host, port, name)]
        found = [each for kind in self._families for each in self.ask(kind, host)]
        return [Target(transport, each, port, name) for each in found if isinstance(each, str)]


def by_weight(records: Sequence[Srv], fraction: Callable[[], float]) -> list[Srv]:
    """RFC 2782: lower priorities first; within one, drawn one after the other with chances by weight."""
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        left = sorted((each for each in records if each.priority == priority), key=lambda each: each.weight)
        while left:
            ordered.append(left.pop(_drawn(left, fraction())))
    return ordered


def _drawn(records: Sequence[Srv], fraction: float) -> int:
    """The index of the record at which the running sum of weights reaches a random share of the total."""
    wanted = round(fraction * sum(record.weight for record in records))
    running = 0
    for index, record in enumerate(records):
        running += record.weight
        if running >= wanted:
            return index
    return len(records) - 1


def _srv_name(transport: str, host: str) -> str:
    return f"{_SRV_LABELS[transport]}.{host}"


def _port_of(transport: str) -> int:
    return SECURE_PORT if transport in ("TLS", "WSS") else DEFAULT_PORT


def _first(usable: Sequence[str]) -> str:
    return usable[0] if usable else ""


# --- §4.3 -----------------------------------------------------------------------------------------------------------


class DeadTargets:
    """Targets that did not answer lately: they are tried last until their time is over (RFC 3263 §4.3)."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str, int], float] = {}

    def note(self, transport: str, host: str, port: int, now: float, for_s: float = DEAD_S) -> None:
        """Nothing came from there, or a 503; what answers again is forgotten by `forget`."""
        if len(self._until) >= _MOST_DEAD:
            self._until = {key: until for key, until in self._until.items() if until > now}
        if len(self._until) < _MOST_DEAD:
            self._until[transport, host, port] = now + for_s

    def forget(self, transport: str, host: str, port: int) -> None:
        self._until.pop((transport, host, port), None)

    def ordered(self, targets: Sequence[Target], now: float) -> tuple[Target, ...]:
        """The living ones first, each group in its order."""
        if not self._until:
            return tuple(targets)
        return tuple(sorted(targets, key=lambda each: self._is_dead(each, now)))

    def _is_dead(self, target: Target, now: float) -> bool:
        return self._until.get((target.transport, target.host, target.port), now) > now
