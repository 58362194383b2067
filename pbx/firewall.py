"""Bans and networks in the kernel (nftables): what may not reach a port is dropped before anybody wakes up.

A table `zvon` of our own holds sets whose elements go by themselves, and a chain of the networks of the office;
nothing else of the machine's rules is touched, and the table goes with the server. By the program `nft`, for a ban is
rare: what fails is said, and the server goes on without, since `pbx.border` does the same for SIP and the web.

Of the networks the kernel decides about SSH, ping and the web; about phones only where a network is named: providers,
which come before the network for all others (SEC-3), are known to the server alone.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

import structlog

from conf.fields import PortRange
from conf.networks import NetworkRule
from frozen import dataclass

log = structlog.get_logger("security")

TABLE = "inet zvon"
_PHONES = frozenset(("sip", "webrtc"))
_PING = "meta l4proto { icmp, ipv6-icmp } @th,0,8 { 8, 128 }"  # echo request of either


@dataclass(frozen=True, slots=True)
class Ports:
    """Where services are reached, by the settings."""

    sip: tuple[int, ...]
    webrtc: tuple[int, ...]
    rtp: PortRange
    web: int | None
    ssh: int

    @property
    def matches(self) -> dict[str, tuple[frozenset[str], str]]:
        """By what the packets of a service are known, and which ticks open it."""
        both, sip = "meta l4proto { tcp, udp } th dport", ", ".join(map(str, self.sip))
        found = {
            "sip": (frozenset(("sip",)), f"{both} {{ {sip} }}" if sip else ""),
            "rtp": (_PHONES, f"udp dport {self.rtp.first}-{self.rtp.last}"),
            "webrtc": (frozenset(("webrtc",)), f"tcp dport {{ {', '.join(map(str, self.webrtc))} }}"),
            "web": (frozenset(("web", "api")), f"tcp dport {self.web}"),
            "ssh": (frozenset(("ssh",)), f"tcp dport {self.ssh}"),
            "icmp": (frozenset(("icmp",)), _PING),
        }
        is_open = {"sip": self.sip, "webrtc": self.webrtc, "web": self.web}
        return {name: each for name, each in found.items() if is_open.get(name, True)}


class Firewall:
    """Made by `open`. Commands are carried out one after the other."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._commands: asyncio.Queue[str] = asyncio.Queue()
        self._worker = asyncio.ensure_future(self._work())

    @classmethod
    async def open(cls, ports: Ports) -> "Firewall | None":
        """Make the table for these ports; None where that is not allowed."""
        made = await _nft(f"add table {TABLE}\ndelete table {TABLE}\n{_table((*ports.sip, *ports.webrtc), ports.ssh)}")
        return cls(ports) if made else None

    def of(self, service: str) -> "Closed":
        """What keeps banned addresses from one service, "sip" or "ssh" (SEC-10)."""
        return Closed(service, self._commands.put_nowait)

    def apply(self, rules: Iterable[NetworkRule]) -> None:
        """These networks count from now on, in one step; `rules` in the order of the search."""
        chain = f"{TABLE} networks"
        added = (f"add rule {chain} {each}" for each in _rules(tuple(rules), self._ports))
        self._commands.put_nowait("\n".join([f"flush chain {chain}", *added]))

    async def close(self) -> None:
        """Take the table away."""
        self._worker.cancel()
        await _nft(f"delete table {TABLE}")

    async def _work(self) -> None:
        while True:
            await _nft(await self._commands.get())


class Closed:
    """An outpost of the bans of one service."""

    def __init__(self, service: str, command: Callable[[str], None]) -> None:
        self._service, self._command = service, command

    def ban(self, source: str, seconds: float) -> None:
        self._command(f"add element {_element(self._service, source, f' timeout {max(1, int(seconds))}s')}")

    def unban(self, source: str) -> None:
        self._command(f"delete element {_element(self._service, source)}")


def _table(sip: Iterable[int], ssh: int) -> str:
    where = {
        "sip": f"th dport {{ {', '.join(map(str, sorted(sip)))} }} meta l4proto {{ tcp, udp }}",
        "ssh": f"tcp dport {ssh}",
    }
    sets = (
        f"  set {service}4 {{ type ipv4_addr; flags timeout; }}\n"
        f"  set {service}6 {{ type ipv6_addr; flags interval, timeout; }}\n"
        for service in where
    )
    drops = (
        f"    {match} ip saddr @{service}4 drop\n    {match} ip6 saddr @{service}6 drop\n"
        for service, match in where.items()
    )
    return (
        f"table {TABLE} {{\n{''.join(sets)}"
        "  chain input {\n"
        "    type filter hook input priority -300; policy accept;\n"
        f"{''.join(drops)}"
        "  }\n"
        "  chain networks {\n"
        "    type filter hook input priority 0; policy accept;\n"
        "  }\n}\n"
    )


def _rules(rules: tuple[NetworkRule, ...], ports: Ports) -> Iterator[str]:
    """The chain of the networks: what goes on already, this machine, then service by service, the first match decides
    (SEC-3)."""
    if not rules:
        return
    yield "ct state established,related accept"
    yield "iif lo accept"
    for ticks, match in ports.matches.values():
        for rule in rules:
            if not (rule.is_for_all and ticks & _PHONES):
                yield f"{match} {_source(rule)} {'accept' if ticks & frozenset(rule.services) else 'drop'}"
        if not ticks & _PHONES:
            yield f"{match} drop"


def _source(rule: NetworkRule) -> str:
    family = "ip" if rule.network.version == 4 else "ip6"
    return f"meta nfproto ipv{rule.network.version}" if rule.is_for_all else f"{family} saddr {rule.network}"


def _element(service: str, source: str, timeout: str = "") -> str:
    return f"{TABLE} {service}{6 if ':' in source else 4} {{ {source}{timeout} }}"


async def _nft(script: str) -> bool:
    """Whether the kernel took it."""
    try:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec("nft", "-f", "-", stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        log.warning("the kernel keeps nobody out: there is no nft", why=error.strerror)
        return False
    _, said = await process.communicate(script.encode())
    if process.returncode:
        log.warning("the kernel keeps nobody out", why=said.decode(errors="replace").partition("\n")[0])
    return not process.returncode
