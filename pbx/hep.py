"""Every SIP message to a capture server such as Homer, as HEP version 3 over UDP ("HEP3 Network Protocol
Specification", revision 36).

Telling is never waited for: a datagram that the system does not take at once is lost and counted. Secrets are covered:
what came in over TLS does not leave in the clear.
"""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

from pbx.clock import Clock
from pbx.sipmask import call_id_of, masked
from sipcore.flow import Flow

_IP_FAMILY, _IP_PROTOCOL = 0x01, 0x02
_SOURCE, _TARGET = {4: 0x03, 6: 0x05}, {4: 0x04, 6: 0x06}
_SOURCE_PORT, _TARGET_PORT, _SECONDS, _MICROSECONDS = 0x07, 0x08, 0x09, 0x0A
_KIND, _AGENT, _PAYLOAD, _CORRELATION = 0x0B, 0x0C, 0x0F, 0x11
_SIP = 1
_FAMILY = {4: 2, 6: 10}  # AF_INET and AF_INET6 as the specification counts them
_PROTOCOL = {"UDP": 17}
_TCP = 6
MOST_BYTES = 65_507  # one UDP datagram over IPv4
WAITING = 10_000  # messages of one turn of the event loop


class HepMessage(NamedTuple):
    """One message on its way; `at` is wall-clock time, UTC seconds, `correlation` what the messages of a call share."""

    at: float
    transport: str
    source: tuple[str, int]
    target: tuple[str, int]
    correlation: bytes
    data: bytes


def encode(message: HepMessage, agent: int) -> bytes:
    """The packet."""
    source, target = _addresses(message.source[0], message.target[0])
    version, micros = source.version, round(message.at * 1e6)
    chunks = (
        _chunk(_IP_FAMILY, bytes((_FAMILY[version],))),
        _chunk(_IP_PROTOCOL, bytes((_PROTOCOL.get(message.transport, _TCP),))),
        _chunk(_SOURCE[version], source.packed),
        _chunk(_TARGET[version], target.packed),
        _chunk(_SOURCE_PORT, struct.pack("!H", message.source[1])),
        _chunk(_TARGET_PORT, struct.pack("!H", message.target[1])),
        _chunk(_SECONDS, struct.pack("!I", micros // 1_000_000)),
        _chunk(_MICROSECONDS, struct.pack("!I", micros % 1_000_000)),
        _chunk(_KIND, bytes((_SIP,))),
        _chunk(_AGENT, struct.pack("!I", agent)),
        _chunk(_CORRELATION, message.correlation),
        _chunk(_PAYLOAD, message.data),
    )
    body = b"".join(chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def _chunk(kind: int, value: bytes) -> bytes:
    """Vendor 0 is the specification itself; the length counts the head of six bytes."""
    return struct.pack("!HHH", 0, kind, 6 + len(value)) + value


class HepExporter:
    """Sends what `tap` is given, for `SipStack.tap`; `correlate` knows what the dialogs of one call share. Messages
    leave after the current step of the event loop, when the call of an INVITE is known."""

    def __init__(
        self, server: tuple[str, int], clock: Clock, correlate: Callable[[str], str], *, agent: int = 1
    ) -> None:
        self._server, self._clock, self._correlate, self._agent = server, clock, correlate, agent
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._waiting: list[tuple[float, bytes, Flow, bool]] = []
        self._sent = self._lost = 0

    def tap(self, data: bytes, flow: Flow, inbound: bool) -> None:
        """Take one message."""
        if len(self._waiting) >= WAITING:
            self._lost += 1
            return
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append((self._clock.wall(), data, flow, inbound))

    def flush(self) -> None:
        """Send what was taken."""
        waiting, self._waiting = self._waiting, []
        for at, data, flow, inbound in waiting:
            call_id = call_id_of(data)
            if call_id:  # keep-alives and noise are no SIP
                ends = (flow.remote, flow.local) if inbound else (flow.local, flow.remote)
                correlation = self._correlate(call_id.decode("utf-8", "surrogateescape"))
                shared = correlation.encode("utf-8", "surrogateescape")
                self._send(HepMessage(at, flow.transport, *ends, shared, masked(data)))

    def _send(self, message: HepMessage) -> None:
        if len(message.data) + len(message.correlation) + 200 > MOST_BYTES:
            self._lost += 1
            return
        try:
            self._socket.sendto(encode(message, self._agent), self._server)
            self._sent += 1
        except OSError:  # full buffer, nobody listens, no route
            self._lost += 1

    def describe(self) -> dict[str, object]:
        """Live dump: packets given to the system, messages that could not be."""
        return {"server": f"{self._server[0]}:{self._server[1]}", "sent": self._sent, "lost": self._lost}

    def close(self) -> None:
        self._socket.close()


IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _addresses(source: str, target: str) -> tuple[IpAddress, IpAddress]:
    """Both of one family; an address that is advertised by name counts as unspecified."""
    a, b = _address(source), _address(target)
    return (a, b) if a.version == b.version else (_as_v6(a), _as_v6(b))


def _address(host: str) -> IpAddress:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address(0)


def _as_v6(address: IpAddress) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
