"""Networks that are named: to which of them an address belongs, and what counts as one source."""

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from conf.fields import Network
from frozen import dataclass


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """`sip`: phones there may reach us, `web`: browsers and other programs may (SEC-2); `never_block`: nobody there is
    banned (SEC-5)."""

    network: Network
    sip: bool = True
    never_block: bool = False
    web: bool = True


class NetworkRules:
    """Rules in any order, `all` in that of the search: the one of the smallest network that has an address decides."""

    def __init__(self, rules: Iterable[NetworkRule] = ()) -> None:
        self.all = tuple(sorted(rules, key=lambda rule: rule.network.prefixlen, reverse=True))
        self.of = lru_cache(maxsize=4096)(self._find)

    def let_web_in(self, source: str) -> bool:
        """Whether an address may reach the web; of those that no network names only this machine."""
        if not self.all or is_here(source):
            return True
        rule = self.of(source)
        return rule is not None and rule.web

    def _find(self, source: str) -> NetworkRule | None:
        address = address_of(source)
        if address is None:
            return None
        return next((rule for rule in self.all if has(rule.network, address)), None)


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
