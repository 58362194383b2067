"""Networks that are named: to which of them an address belongs, what may be reached from there, and what counts as one
source."""

import socket
from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from conf.fields import Network
from frozen import dataclass
from storage.records import SERVICES, NetworkFilter


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """As `NetworkFilter`; `services`: what may be reached from there."""

    network: Network
    services: Collection[str] = frozenset(("sip", "web", "icmp"))
    priority: int = 0
    never_block: bool = False

    @classmethod
    def of(cls, named: NetworkFilter) -> "NetworkRule":
        services = frozenset(each for each in SERVICES if getattr(named, each))
        return cls(ip_network(named.network), services, named.priority, named.never_block)

    @property
    def is_for_all(self) -> bool:
        """0.0.0.0/0 or ::/0."""
        return not self.network.prefixlen


class NetworkRules:
    """`all` in the order of the search (SEC-3), the first that has an address decides: by priority, then the smallest
    network; what stands for all the others comes last. Without rules everybody may reach everything."""

    def __init__(self, rules: Iterable[NetworkRule] = ()) -> None:
        self.all = tuple(sorted(rules, key=lambda rule: (rule.is_for_all, rule.priority, -rule.network.prefixlen)))
        self.of = lru_cache(maxsize=4096)(self._find)

    def let_in(self, source: str, service: str) -> bool:
        """Whether an address may reach a service; of those that no network names only this machine."""
        if not self.all or is_here(source):
            return True
        rule = self.of(source)
        return rule is not None and service in rule.services

    def _find(self, source: str) -> NetworkRule | None:
        address = address_of(source)
        if address is None:
            return None
        return next((rule for rule in self.all if has(rule.network, address)), None)


def is_id(text: str) -> bool:
    """It is the id of a network, not an address or addresses."""
    return ":" not in text and "/" not in text and any(each.isalpha() for each in text)


def network_of(text: str, named: Iterable[NetworkFilter]) -> Network | None:
    """The addresses that an account is limited to: written there, or by the id of a network; None: there is none."""
    if not is_id(text):
        return ip_network(text, strict=False)
    return next((ip_network(each.network) for each in named if each.id == text), None)


def address_of(source: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address written as IPv6 is the former."""
    try:
        found = ip_address(source.partition("%")[0].strip("[]"))
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def is_here(source: str) -> bool:
    """It is this machine."""
    address = address_of(source)
    return address is not None and address.is_loopback


def is_within(source: str, network: Network | None) -> bool:
    """None: there is no such network."""
    address = address_of(source)
    return network is not None and address is not None and has(network, address)


def has(network: Network, address: IPv4Address | IPv6Address) -> bool:
    return address.version == network.version and address in network


@lru_cache(maxsize=4096)
def source_key(source: str) -> str:
    """What counts as one source: an IPv4 address (mapped ones too), the /64 of an IPv6 address."""
    if ":" not in source:
        return source
    try:
        packed = socket.inet_pton(socket.AF_INET6, source.partition("%")[0].strip("[]"))
    except OSError:
        return source
    if packed[:12] == bytes(10) + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8)) + "/64"
