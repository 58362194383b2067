"""Bans in the kernel (nftables): packets of banned addresses to the SIP ports are dropped before anybody wakes up.

A table `zvon` of our own holds two sets whose elements go by themselves; nothing else of the machine's rules is
touched, and the table goes with the server. By the program `nft`, for a ban is rare: what fails is said, and the server
goes on without, since `pbx.border` drops the same.
"""

import asyncio
from collections.abc import Iterable

import structlog

log = structlog.get_logger("security")

TABLE = "inet zvon"


class Firewall:
    """Made by `open`. Commands are carried out one after the other."""

    def __init__(self) -> None:
        self._commands: asyncio.Queue[str] = asyncio.Queue()
        self._worker = asyncio.ensure_future(self._work())

    @classmethod
    async def open(cls, ports: Iterable[int]) -> "Firewall | None":
        """Make the table for the SIP ports; None where that is not allowed."""
        made = await _nft(f"add table {TABLE}\ndelete table {TABLE}\n{_table(sorted(ports))}")
        return cls() if made else None

    def ban(self, source: str, seconds: float) -> None:
        self._commands.put_nowait(f"add element {_element(source, f' timeout {max(1, int(seconds))}s')}")

    def unban(self, source: str) -> None:
        self._commands.put_nowait(f"delete element {_element(source)}")

    async def close(self) -> None:
        """Take the table away."""
        self._worker.cancel()
        await _nft(f"delete table {TABLE}")

    async def _work(self) -> None:
        while True:
            await _nft(await self._commands.get())


def _table(ports: Iterable[int]) -> str:
    where = f"th dport {{ {', '.join(map(str, ports))} }} meta l4proto {{ tcp, udp }}"
    return (
        f"table {TABLE} {{\n"
        "  set banned4 { type ipv4_addr; flags timeout; }\n"
        "  set banned6 { type ipv6_addr; flags interval, timeout; }\n"
        "  chain input {\n"
        "    type filter hook input priority -300; policy accept;\n"
        f"    {where} ip saddr @banned4 drop\n"
        f"    {where} ip6 saddr @banned6 drop\n"
        "  }\n}\n"
    )


def _element(source: str, timeout: str = "") -> str:
    return f"{TABLE} {'banned6' if ':' in source else 'banned4'} {{ {source}{timeout} }}"


async def _nft(script: str) -> bool:
    """Whether the kernel took it."""
    try:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec("nft", "-f", "-", stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        log.warning("bans are not in the kernel: there is no nft", why=error.strerror)
        return False
    _, said = await process.communicate(script.encode())
    if process.returncode:
        log.warning("bans are not in the kernel", why=said.decode(errors="replace").partition("\n")[0])
    return not process.returncode
