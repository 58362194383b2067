"""The networks that this machine is in (SEC-1), as the kernel lists them."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

ROUTES, ADDRESSES_6 = Path("/proc/net/route"), Path("/proc/net/if_inet6")
_GLOBAL = "00"


def own_networks(routes: Path = ROUTES, addresses_6: Path = ADDRESSES_6) -> list[str]:
    """In CIDR notation, each once, IPv4 first; none where the kernel does not say."""
    return list(dict.fromkeys([*_of_ipv4(_lines(routes)[1:]), *_of_ipv6(_lines(addresses_6))]))


def _of_ipv4(lines: list[str]) -> Iterator[str]:
    """Those that are reached without a gateway; numbers are written in hexadecimal, the last octet first."""
    for line in lines:
        _, network, gateway, _, _, _, _, mask, *_ = line.split()
        if int(gateway, 16) == 0 and int(mask, 16):
            first = int.from_bytes(bytes.fromhex(network)[::-1])
            yield str(IPv4Network((first, int(mask, 16).bit_count())))


def _of_ipv6(lines: list[str]) -> Iterator[str]:
    for line in lines:
        address, _, prefix, scope, _, name = line.split()
        if scope == _GLOBAL and name != "lo":
            yield str(IPv6Network((int(address, 16), int(prefix, 16)), strict=False))


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text().splitlines()
    except OSError:
        return []
