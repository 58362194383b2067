"""SIP over TCP (RFC 3261 §18, RFC 5923): connections are used in both directions, whoever opened them."""

import asyncio
from collections import Counter
from typing import cast

from sipcore.errors import FramingError
from sipcore.flow import Flow
from sipcore.framing import PONG, Ping, StreamFramer
from sipcore.parse import MalformedMessage
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import SipDriver

# Precedents: Kamailio keeps an idle connection 120 s and has 10 s for a message; phones send keep-alives every 30 s.
MESSAGE_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 3700.0  # longer than the longest registration
CONNECT_TIMEOUT_S = 5.0
PER_SOURCE = 200
SEND_BUFFER_BYTES = 1 << 20


class TcpConnection(asyncio.Protocol):
    """One connection: a path, and a flow of its own."""

    def __init__(self, endpoint: "TcpListener") -> None:
        self._endpoint = endpoint
        self._driver = endpoint.driver
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.flow: Flow | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes
        host, port = transport.get_extra_info("peername")[:2]
        self.flow = self._endpoint.new_flow(host, port)
        if not self._endpoint.admit(self, host):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(SEND_BUFFER_BYTES)
        self._driver.add_path(self.flow.id, self)
        self._wait(IDLE_TIMEOUT_S)

    def data_received(self, data: bytes) -> None:
        assert self.flow is not None
        try:
            for item in self._framer.feed(data):
                if isinstance(item, Ping):
                    self._write(PONG)
                else:
                    self._driver.feed(item, self.flow)
        except FramingError as error:
            self._broken(error)
            return
        self._wait(MESSAGE_TIMEOUT_S if self._framer.pending else IDLE_TIMEOUT_S)

    def _broken(self, error: FramingError) -> None:
        """The next message cannot be found any more: a last answer, then the end."""
        assert self.flow is not None
        stack = self._driver.stack
        stack.refuse(error.head, MalformedMessage.of_head(error), self.flow)
        self._driver.pump()
        self.close()

    def _wait(self, seconds: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_later(seconds, self.close)

    def send(self, data: bytes, remote: tuple[str, int]) -> None:
        self._write(data)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > SEND_BUFFER_BYTES:
            transport.abort()  # the peer does not read: better a new connection than old news
            return
        transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._endpoint.forget(self)
        if self.flow is not None:
            self._driver.drop_path(self.flow)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class TcpListener:
    """One listening socket, and the connections of its transport in both directions."""

    TRANSPORT = "TCP"

    def __init__(self, driver: SipDriver, addresses: AdvertisedAddress) -> None:
        self.driver, self._addresses = driver, addresses
        self._server: asyncio.Server | None = None
        self._connections: set[TcpConnection] = set()
        self._per_source: Counter[str] = Counter()
        self._opening: dict[tuple[str, int], list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.bound: tuple[str, int] = ("", 0)

    @classmethod
    async def open(cls, driver: SipDriver, addresses: AdvertisedAddress, host: str, port: int) -> "TcpListener":
        """Listen; OSError when that cannot be done."""
        listener = cls(driver, addresses)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: TcpConnection(listener), host, port, backlog=1024)
        listener._server = server
        listener.bound = server.sockets[0].getsockname()[:2]
        driver.set_opener(cls.TRANSPORT, listener.reach)
        return listener

    def new_flow(self, host: str, port: int) -> Flow:
        local = (self._addresses.towards(host, self.bound[0]), self.bound[1])
        return Flow(self.TRANSPORT, local, (host, port), self.driver.new_id())

    def flow_to(self, host: str, port: int) -> Flow:
        """The flow of an open connection to that peer, or one that will be opened when something is sent."""
        for connection in self._connections:
            if connection.flow is not None and connection.flow.remote == (host, port):
                return connection.flow
        return self.new_flow(host, port)

    def admit(self, connection: TcpConnection, host: str) -> bool:
        """False when `host` has too many connections already."""
        self._connections.add(connection)
        self._per_source[host] += 1
        return self._per_source[host] <= PER_SOURCE

    def forget(self, connection: TcpConnection) -> None:
        if connection in self._connections and connection.flow is not None:
            self._connections.discard(connection)
            host = connection.flow.remote[0]
            self._per_source[host] -= 1
            if not self._per_source[host]:
                del self._per_source[host]

    def reach(self, flow: Flow, data: bytes) -> None:
        """Send on a flow whose connection is not open: over another one to the same peer, or a new one."""
        for connection in self._connections:
            if connection.flow is not None and connection.flow.remote == flow.remote:
                connection.send(data, flow.remote)
                return
        waiting = self._opening.get(flow.remote)
        if waiting is not None:
            waiting.append(data)
            return
        self._opening[flow.remote] = [data]
        task = asyncio.ensure_future(self._connect(flow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(lambda: TcpConnection(self), *flow.remote)
        except (OSError, TimeoutError):
            self._opening.pop(flow.remote, None)
            self.driver.unreachable(flow)
            return
        for data in self._opening.pop(flow.remote, ()):
            connection.send(data, flow.remote)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        for task in self._tasks:
            task.cancel()
