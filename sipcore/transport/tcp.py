"""SIP over TCP (RFC 3261 §18, RFC 5923): connections are used in both directions, whoever opened them."""

import asyncio
import re
import socket
from collections import Counter
from collections.abc import Callable
from typing import Self, cast

from sipcore.errors import DropReason, FramingError, ParseError
from sipcore.flow import Flow
from sipcore.framing import PONG, Ping, StreamFramer
from sipcore.headers import Via
from sipcore.parse import MalformedMessage
from sipcore.transport.addresses import AdvertisedAddress, source_of
from sipcore.transport.driver import LayerDriver
from sipcore.transport.tls_layer import TlsBroken, TlsLayer
from sipcore.uri import same_host

# Precedents: Kamailio keeps an idle connection 120 s and has 10 s for a message; phones send keep-alives every 30 s.
MESSAGE_TIMEOUT_S = 10.0
FIRST_MESSAGE_TIMEOUT_S = 60.0  # who connects has something to say
IDLE_TIMEOUT_S = 3700.0  # longer than the longest registration
CONNECT_TIMEOUT_S = 5.0
HANDSHAKE_TIMEOUT_S = 10.0
PER_SOURCE = 200
SEND_BUFFER_BYTES = 1 << 20
# REG-22: the kernel finds out that a peer is gone without a word, within two minutes.
KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
ALIAS = b";alias"
_FIRST_VIA = re.compile(rb"\n(?:via|v)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
LINGER_S = 5.0  # for a peer to read what was sent before the end


def alias_via(message: bytes) -> Via | None:
    """The first Via of a request when it says `alias`."""
    found = _FIRST_VIA.search(message)
    if found is None or message.startswith(b"SIP/"):
        return None
    try:
        via = Via.parse(found[1].partition(b",")[0].decode())
    except (ParseError, UnicodeDecodeError):
        return None
    return via if "alias" in via.params else None


class TcpConnection(asyncio.Protocol):
    """One connection: the path of the flow it was made for, and of older flows to the same peer that go on over it."""

    def __init__(self, endpoint: "TcpListener", flow: Flow | None = None) -> None:
        self._endpoint = endpoint
        self._driver = endpoint.driver
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None
        self._watch_at = self._close_at = 0.0
        self._is_partial = self._is_ending = False
        self._idle_s = IDLE_TIMEOUT_S if flow is not None else FIRST_MESSAGE_TIMEOUT_S
        self._others: list[Flow] = []
        self._layer: TlsLayer | None = None
        self.flow = flow
        self.is_outgoing = flow is not None
        self.is_admitted = False
        self.alias: tuple[str, int] | None = None  # another address at which this peer is reached (RFC 5923)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes
        peer = transport.get_extra_info("peername")
        if self.flow is None and peer is not None:
            self.flow = self._endpoint.new_flow(*peer[:2])
        self.is_admitted = self.flow is not None and self._endpoint.admit(self, self.flow)
        if self.flow is None or not self.is_admitted:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(SEND_BUFFER_BYTES)
        self._driver.add_path(self.flow.id, self)
        self._layer = self._endpoint.layer(is_server=not self.is_outgoing)
        if self._layer is None:
            self._opened()
        else:
            self._flush(self._layer)
            self._wait(HANDSHAKE_TIMEOUT_S)

    def _opened(self) -> None:
        """Messages can be exchanged."""
        self._wait(self._idle_s)

    def carry(self, flow: Flow) -> None:
        """Be the path of another flow to the same peer as well."""
        self._others.append(flow)
        self._driver.add_path(flow.id, self)

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            return
        if self._layer is None:
            self._received(data)
        else:
            self._encrypted_received(data, self._layer)

    def _encrypted_received(self, data: bytes, layer: TlsLayer) -> None:
        was_ready = layer.is_ready
        try:
            plain = layer.receive(data)
        except TlsBroken as broken:
            self._driver.stack.drops[broken.reason] += 1
            self._flush(layer)  # the alert that says why
            self.close()
            return
        self._flush(layer)
        if layer.is_ready and not was_ready:
            self._opened()
        if plain:
            self._received(plain)
        if layer.is_ended:
            self.close()

    def _flush(self, layer: TlsLayer) -> None:
        data = layer.take()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _received(self, data: bytes) -> None:
        assert self.flow is not None
        has_ended = False
        try:
            for item in self._framer.feed(data):
                has_ended = True
                if isinstance(item, Ping):
                    self._write(PONG)
                else:
                    self._idle_s = IDLE_TIMEOUT_S
                    if ALIAS in item:
                        self._endpoint.alias(self, item)
                    self._driver.feed(item, self.flow)
        except FramingError as error:
            self._broken(error)
            return
        is_partial = self._framer.pending > 0
        if not is_partial:
            self._wait(self._idle_s)
        elif has_ended or not self._is_partial:
            self._wait(MESSAGE_TIMEOUT_S)
        self._is_partial = is_partial

    def _broken(self, error: FramingError) -> None:
        """The next message cannot be found any more: a last answer, then the end."""
        assert self.flow is not None
        self._driver.stack.drops[DropReason.STREAM_BROKEN] += 1
        malformed = MalformedMessage.of_head(error)
        if malformed.request:
            self._driver.stack.refuse(error.head, malformed, self.flow)
            self._driver.pump()
        self._end_softly()

    def _wait(self, seconds: float) -> None:
        """Close in so many seconds unless told otherwise; a timer that is too early is left to find out."""
        self._close_at = self._loop.time() + seconds
        if self._watch is None or self._watch_at > self._close_at:
            self._arm()

    def _arm(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch_at = self._close_at
        self._watch = self._loop.call_at(self._close_at, self._expired)

    def _expired(self) -> None:
        self._watch = None
        if self._loop.time() < self._close_at:
            self._arm()
        elif self._transport is not None and (self._is_ending or self._transport.is_closing()):
            self._transport.abort()
        elif self._layer is not None and not self._layer.is_ready:
            self._driver.stack.drops[DropReason.TLS_SLOW_HANDSHAKE] += 1
            self.close()
        else:
            self._timed_out()

    def _timed_out(self) -> None:
        """Nothing came for too long."""
        if self._is_partial:
            self._driver.stack.drops[DropReason.STREAM_SLOW] += 1
        self.close()

    def send(self, data: bytes, remote: tuple[str, int]) -> None:
        self._write(data)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self._is_ending:
            return
        if transport.get_write_buffer_size() > SEND_BUFFER_BYTES:
            self._driver.stack.drops[DropReason.STREAM_NOT_READ] += 1
            transport.abort()  # the peer does not read: better a new connection than old news
            return
        if self._layer is None:
            transport.write(data)
        else:
            self._layer.send(data)
            self._flush(self._layer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self.flow is None:
            return
        self._endpoint.forget(self, self.flow)
        if self.is_admitted:
            for flow in (self.flow, *self._others):
                self._driver.drop_path(flow)

    def _end_softly(self) -> None:
        """The peer may be sending still: a closed socket would answer that with a reset, which takes our last words
        from it. So what comes is dropped until it ends as well."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._is_ending:
            return
        if self._layer is not None:
            self._layer.end()
            self._flush(self._layer)
        self._is_ending = True
        transport.write_eof()
        self._wait(LINGER_S)

    def close(self) -> None:
        """Send what is left, for a moment at most, then end."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._layer is not None and not self._is_ending:
            self._layer.end()
            self._flush(self._layer)
        transport.close()
        if transport.get_write_buffer_size():
            self._wait(LINGER_S)


class TcpListener:
    """One listening socket, and the connections of its transport in both directions."""

    TRANSPORT = "TCP"

    def __init__(self, driver: LayerDriver, addresses: AdvertisedAddress) -> None:
        self.driver, self._addresses = driver, addresses
        self.per_source = PER_SOURCE
        self.refuses: Callable[[str], bool] | None = None  # addresses that may not connect
        self._server: asyncio.Server | None = None
        self._connections: dict[TcpConnection, Flow] = {}
        self._by_peer: dict[tuple[str, int], TcpConnection] = {}
        self._per_source: Counter[str] = Counter()
        self._opening: dict[tuple[str, int], list[tuple[Flow, bytes]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.bound: tuple[str, int] = ("", 0)

    @classmethod
    async def open(cls, driver: LayerDriver, addresses: AdvertisedAddress, host: str, port: int) -> Self:
        """Listen; OSError when that cannot be done."""
        return await cls(driver, addresses).listen(host, port)

    async def listen(self, host: str, port: int) -> Self:
        """Listen; OSError when that cannot be done."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.connection, host, port, backlog=1024)
        (listening,) = self._server.sockets
        for option in KEEP_ALIVE:
            listening.setsockopt(*option)  # accepted sockets inherit it
        self.bound = listening.getsockname()[:2]
        self.driver.set_opener(self.TRANSPORT, self.reach, is_ipv6=":" in host)
        return self

    def connection(self, flow: Flow | None = None) -> TcpConnection:
        """The protocol of a new connection; of one that we open, with its flow."""
        return TcpConnection(self, flow)

    def layer(self, *, is_server: bool) -> TlsLayer | None:
        """What is between the socket and the messages of a new connection."""
        return None

    def new_flow(self, host: str, port: int) -> Flow:
        local = self._addresses.at(self.TRANSPORT, host, self.bound)
        return Flow(self.TRANSPORT, local, (host, port), self.driver.new_id())

    def flow_to(self, host: str, port: int) -> Flow:
        """The flow of an open connection to that peer, or one that will be opened when something is sent."""
        connection = self._by_peer.get((host, port))
        return self._connections[connection] if connection is not None else self.new_flow(host, port)

    def admit(self, connection: TcpConnection, flow: Flow) -> bool:
        """False when the peer's host has too many connections already."""
        source = source_of(flow.remote[0])
        if self.refuses is not None and self.refuses(flow.remote[0]):
            return False
        if self._per_source[source] >= self.per_source:
            self.driver.stack.drops[DropReason.TOO_MANY_CONNECTIONS] += 1
            return False
        self._per_source[source] += 1
        self._connections[connection] = flow
        self._by_peer[flow.remote] = connection
        return True

    def alias(self, connection: TcpConnection, message: bytes) -> None:
        """Requests to the sent-by address of a peer that asks for it go over its connection (RFC 5923 §5). What it
        claims is believed for the very host that it is connected from, so that nobody takes another's calls."""
        flow, via = connection.flow, alias_via(message)
        if flow is None or via is None or connection.alias is not None or not same_host(via.host, flow.remote[0]):
            return
        address = (flow.remote[0], via.port or (5061 if flow.secure else 5060))
        if self._by_peer.setdefault(address, connection) is connection:
            connection.alias = address

    def forget(self, connection: TcpConnection, flow: Flow) -> None:
        """The connection is closed."""
        if self._connections.pop(connection, None) is None:
            return
        for address in (flow.remote, connection.alias):
            if address is not None and self._by_peer.get(address) is connection:
                del self._by_peer[address]
        source = source_of(flow.remote[0])
        self._per_source[source] -= 1
        if not self._per_source[source]:
            del self._per_source[source]

    def reach(self, flow: Flow, data: bytes) -> None:
        """Send on a flow whose connection is not open: over another one to the same peer, or a new one."""
        connection = self._by_peer.get(flow.remote)
        if connection is not None:
            connection.carry(flow)
            connection.send(data, flow.remote)
            return
        waiting = self._opening.get(flow.remote)
        if waiting is not None:
            waiting.append((flow, data))
            return
        self._opening[flow.remote] = [(flow, data)]
        task = asyncio.ensure_future(self._connect(flow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                transport, connection = await loop.create_connection(lambda: self.connection(flow), *flow.remote)
        except (OSError, TimeoutError):
            self._unreachable(flow)
            return
        if not connection.is_admitted:
            self._unreachable(flow)
            return
        for option in KEEP_ALIVE:
            transport.get_extra_info("socket").setsockopt(*option)
        for other, data in self._opening.pop(flow.remote):
            if other.id != flow.id and not self.driver.is_open(other):
                connection.carry(other)
            connection.send(data, flow.remote)

    def _unreachable(self, flow: Flow) -> None:
        for waiting in {other for other, _ in self._opening.pop(flow.remote)}:
            self.driver.unreachable(waiting)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        for task in self._tasks:
            task.cancel()
