"""SIP over UDP (RFC 3261 §18)."""

import asyncio
import socket
import sys
from collections import deque
from typing import Protocol

from sipcore.flow import Flow
from sipcore.stun import binding_response
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.datagrams import Datagrams
from sipcore.transport.driver import LayerDriver

_BUFFER_BYTES = 4 << 20  # a burst of INVITEs waits here, not in a retransmission
_FLOWS_KEPT = 100_000
_UNSENT_KEPT = 10_000  # datagrams that wait for room in the system; more would only come too late
_SO_MEMINFO = 55  # Linux; its first number is the memory of what waits to be received
_TEXT = b"\x04"  # RFC 7983 §7: what begins below is STUN
_DATAGRAM_BYTES = 1280  # of that memory for a SIP request without a body; 2,304 for one with a long one


class Carrier(Protocol):
    """The datagrams of a socket (`datagrams.pyi`)."""

    def receive(self) -> list[tuple[bytes, tuple[str, int]]]: ...

    def send(self, data: bytes, remote: tuple[str, int]) -> bool: ...


class UdpListener:
    """One bound socket. Flows are cached per peer, so that a datagram costs one look-up."""

    def __init__(self, driver: LayerDriver, addresses: AdvertisedAddress, sock: socket.socket) -> None:
        self._driver, self._addresses = driver, addresses
        self._socket: socket.socket | None = sock
        self._datagrams: Carrier = Datagrams(sock.fileno())
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[tuple[bytes, tuple[str, int]]] = deque()
        self._flows: dict[tuple[str, int], Flow] = {}
        self.id = driver.new_id()
        self.bound: tuple[str, int] = sock.getsockname()[:2]
        driver.add_path(self.id, self)
        self._loop.add_reader(sock, self._readable)

    @classmethod
    async def open(cls, driver: LayerDriver, addresses: AdvertisedAddress, host: str, port: int) -> "UdpListener":
        """Bind; OSError when that cannot be done."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if ":" in host:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            sock.setblocking(False)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return cls(driver, addresses, sock)

    def _readable(self) -> None:
        """As many datagrams as one system call gives; the loop calls again while there are more. ICMP errors name no
        datagram; timers find out (RFC 3261 §18.4 is met by them)."""
        for data, remote in self._datagrams.receive():
            if data[:1] < _TEXT and self._is_stun(data, remote):
                continue
            flow = self._flows.get(remote)
            if flow is None:
                flow = self.flow_to(*remote)
            self._driver.feed(data, flow)
            if self._socket is None:
                return  # closed meanwhile

    def _is_stun(self, data: bytes, remote: tuple[str, int]) -> bool:
        """A keep-alive that has been answered (RFC 5626 §4.4.2)."""
        answer = binding_response(data, *remote)
        if answer is None:
            return False
        self._driver.stack.counts["stun"] += 1
        self.send(answer, remote)
        return True

    def flow_to(self, host: str, port: int) -> Flow:
        """The flow between this socket and a peer."""
        if len(self._flows) >= _FLOWS_KEPT:
            self._flows.clear()
        local = self._addresses.at("UDP", host, self.bound)
        flow = self._flows[host, port] = Flow("UDP", local, (host, port), self.id)
        return flow

    def readdress(self) -> None:
        """What we tell peers may be another address from now on."""
        self._flows.clear()

    def waiting(self) -> float:
        """About how many datagrams wait in the receive queue; 0 where the system does not tell."""
        if self._socket is None:
            return 0.0
        try:
            found = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4)
        except OSError:
            return 0.0
        return int.from_bytes(found, sys.byteorder) / _DATAGRAM_BYTES

    def send(self, data: bytes, remote: tuple[str, int]) -> None:
        if self._socket is None:
            return
        if self._unsent:
            if len(self._unsent) < _UNSENT_KEPT:
                self._unsent.append((data, remote))
        elif not self._datagrams.send(data, remote):
            self._unsent.append((data, remote))
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        """The system has room again."""
        while self._unsent and self._datagrams.send(*self._unsent[0]):
            self._unsent.popleft()
        if not self._unsent and self._socket is not None:
            self._loop.remove_writer(self._socket)

    def close(self) -> None:
        if self._socket is None:
            return
        self._loop.remove_reader(self._socket)
        if self._unsent:
            self._loop.remove_writer(self._socket)
            self._unsent.clear()
        self._socket.close()
        self._socket = None
