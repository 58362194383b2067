"""SIP over TCP on loopback sockets: segments, pings, broken framing, slow and silent peers, limits, reconnecting.

Time is virtual where waiting is the point; the same basic exchange runs on real loops as well.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sipcore.build import response_to
from sipcore.errors import DropReason
from sipcore.events import RequestArrived, ResponseArrived, StackEvent
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.stack import SipStack, StackConfig
from sipcore.transport import tcp
from sipcore.transport.addresses import AdvertisedAddress, source_of
from sipcore.transport.driver import SipDriver
from sipcore.transport.tcp import TcpListener
from tests.support.ids import CountingIds
from tests.support.stranger import text

FIRST = text(branch="z9hG4bK-1", call_id="one").encode()
SECOND = text(branch="z9hG4bK-2", call_id="two").encode()
STATUS = b"SIP/2.0 200 OK\r\n"


class Office:
    """A driver with a TCP listener that answers every request with 200."""

    def __init__(self) -> None:
        self.told: list[StackEvent] = []
        self.driver = SipDriver(SipStack(StackConfig(), CountingIds()), self._handle)
        self.listener = TcpListener(self.driver, AdvertisedAddress())

    def _handle(self, event: StackEvent) -> None:
        self.told.append(event)
        if isinstance(event, RequestArrived):
            self.driver.stack.respond(event.key, response_to(event.request, 200, to_tag="t"), self.driver.now())

    def ask(self, host: str, port: int) -> None:
        """Send an OPTIONS of ours to a peer."""
        request = parse_message(text(call_id=f"ours{len(self.told)}").encode())
        assert isinstance(request, Request)
        request.headers.remove("via")
        flow = self.listener.flow_to(host, port)
        self.driver.stack.send(request, flow, self.driver.now(), user="me")
        self.driver.kick()

    def outcomes(self) -> list[int]:
        return [event.status for event in self.told if isinstance(event, ResponseArrived)]


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    made = Office()
    made.listener = await TcpListener.open(made.driver, AdvertisedAddress(), "127.0.0.1", 0)
    try:
        yield made
    finally:
        made.listener.close()
        await made.driver.close()
        await turns()


class Peer:
    """A plain TCP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def receive(self, size: int = 65536) -> bytes:
        return await asyncio.wait_for(self.reader.read(size), 5.0)

    async def until_closed(self) -> bytes:
        return await self.reader.read(-1)

    async def close(self) -> None:
        self.writer.close()
        await turns()


async def connect(made: Office, local: str = "127.0.0.1") -> Peer:
    return Peer(*await asyncio.open_connection(*made.listener.bound, local_addr=(local, 0)))


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def wait_for(condition: Callable[[], object], limit_s: float = 5.0) -> None:
    """Until the condition holds, in steps of 10 ms."""
    for _ in range(int(limit_s / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    assert condition()


async def exchange() -> None:
    async with office() as made:
        peer = await connect(made)
        peer.send(FIRST)
        assert (await peer.receive()).startswith(STATUS)
        peer.send(b"\r\n\r\n")
        assert await peer.receive() == b"\r\n"
        peer.send(SECOND[:100])
        await asyncio.sleep(0.01)
        peer.send(SECOND[100:] + FIRST.replace(b"z9hG4bK-1", b"z9hG4bK-3").replace(b"one", b"three"))
        await wait_for(lambda: len(made.told) == 3)
        await peer.close()
        await wait_for(lambda: not made.listener._connections)


@pytest.mark.real_loop
async def test_a_conversation_on_a_real_loop() -> None:
    await exchange()


@pytest.mark.real_loop("uvloop")
async def test_a_conversation_on_uvloop() -> None:
    await exchange()


async def test_a_conversation_in_virtual_time() -> None:
    await exchange()


async def test_two_messages_in_one_segment_are_both_answered() -> None:
    async with office() as made:
        peer = await connect(made)
        peer.send(FIRST + SECOND)
        await turns()
        assert (await peer.receive()).count(STATUS) == 2
        await peer.close()


async def test_a_message_may_come_byte_by_byte() -> None:
    async with office() as made:
        peer = await connect(made)
        for byte in FIRST:
            peer.send(bytes([byte]))
            await asyncio.sleep(0.001)
        assert (await peer.receive()).startswith(STATUS)
        await peer.close()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (FIRST.replace(b"Content-Length: 0\r\n", b""), b"SIP/2.0 400 "),
        (FIRST.replace(b"Content-Length: 0", b"Content-Length: x"), b"SIP/2.0 400 "),
        (FIRST.replace(b"Content-Length: 0", b"Content-Length: 999999"), b"SIP/2.0 513 "),
        (b"X: " + b"y" * 20_000, b""),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b""),
        (b"SIP/2.0 200 OK\r\n" + FIRST.split(b"\r\n", 1)[1].replace(b"Content-Length: 0\r\n", b""), b""),
    ],
)
async def test_broken_framing_is_answered_if_it_was_a_request_then_the_connection_is_closed(
    data: bytes, status: bytes
) -> None:
    async with office() as made:
        peer = await connect(made)
        peer.send(data)
        answer = await peer.until_closed()
        assert answer.startswith(status)
        assert bool(answer) == bool(status)
        assert made.driver.now() - 1000.0 < 1.0
        await peer.close()


async def test_a_sender_too_slow_for_one_message_is_closed() -> None:
    async with office() as made:
        peer = await connect(made)
        begun = made.driver.now()
        peer.send(FIRST + SECOND[:10])

        async def drip() -> None:
            for byte in SECOND[10:]:
                await asyncio.sleep(1.0)
                peer.send(bytes([byte]))

        dripping = asyncio.create_task(drip())
        await peer.until_closed()
        assert made.driver.now() - begun == pytest.approx(tcp.MESSAGE_TIMEOUT_S, abs=0.1)
        assert made.driver.stack.drops[DropReason.STREAM_SLOW] == 1
        dripping.cancel()
        await peer.close()


async def test_who_sends_message_after_message_is_not_slow() -> None:
    async with office() as made:
        peer = await connect(made)
        for number in range(8):  # each segment ends one message and begins the next
            data = text(branch=f"z9hG4bK-{number}", call_id=f"c{number}").encode()
            peer.send(data[50:] + text(branch=f"z9hG4bK-{number + 1}").encode()[:50] if number else data + data[:50])
            await asyncio.sleep(tcp.MESSAGE_TIMEOUT_S - 1.0)
        assert made.listener._connections
        await peer.close()


@pytest.mark.virtual_limit(20_000)
async def test_an_idle_connection_is_kept_longer_than_a_registration_lasts() -> None:
    async with office() as made:
        peer = await connect(made)
        peer.send(FIRST)
        await peer.receive()
        peer.send(b"\r\n")  # half a ping is no slow message
        await asyncio.sleep(3600.0)
        assert made.listener._connections
        peer.send(b"\r\n")
        assert await peer.receive() == b"\r\n"
        last = made.driver.now()
        await peer.until_closed()
        assert made.driver.now() - last == pytest.approx(tcp.IDLE_TIMEOUT_S, abs=0.1)
        assert not made.driver.stack.drops
        await peer.close()


async def test_who_has_nothing_to_say_does_not_hold_a_connection() -> None:
    async with office() as made:
        begun = made.driver.now()
        peer = await connect(made)
        assert await peer.until_closed() == b""
        assert made.driver.now() - begun == pytest.approx(tcp.FIRST_MESSAGE_TIMEOUT_S, abs=0.1)
        await peer.close()


async def options_of_accepted() -> None:
    async with office() as made:
        peer = await connect(made)
        await wait_for(lambda: made.listener._connections)
        (connection,) = made.listener._connections
        assert connection._transport is not None
        accepted = connection._transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        await peer.close()
        await wait_for(lambda: not made.listener._connections)


@pytest.mark.row("REG-22")
@pytest.mark.real_loop
async def test_the_kernel_watches_over_silent_peers() -> None:
    await options_of_accepted()


@pytest.mark.real_loop("uvloop")
async def test_the_kernel_watches_over_silent_peers_on_uvloop() -> None:
    await options_of_accepted()


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_who_is_behind_an_address(host: str, source: str) -> None:
    assert source_of(host) == source


async def test_one_address_may_not_hold_all_connections() -> None:
    async with office() as made:
        made.listener.per_source = 3
        peers = [await connect(made, "127.0.0.2") for _ in range(4)]
        await turns()
        other = await connect(made, "127.0.0.3")
        await turns()
        assert made.listener._per_source == {"127.0.0.2": 3, "127.0.0.3": 1}
        assert made.driver.stack.drops[DropReason.TOO_MANY_CONNECTIONS] == 1
        other.send(FIRST)
        assert (await other.receive()).startswith(STATUS)
        await peers[0].close()
        again = await connect(made, "127.0.0.2")
        again.send(SECOND)
        assert (await again.receive()).startswith(STATUS)
        for peer in (*peers, other, again):
            await peer.close()
        assert made.listener._per_source == {}


async def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "SEND_BUFFER_BYTES", 10_000)
    async with office() as made:
        peer = await connect(made)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await turns()
        (connection,) = made.listener._connections
        for _ in range(2000):
            connection.send(b"x" * 8000, ("", 0))
            await asyncio.sleep(0)
            if not made.listener._connections:
                break
        assert not made.listener._connections
        assert made.driver.stack.drops[DropReason.STREAM_NOT_READ] == 1
        await peer.close()


@asynccontextmanager
async def answering_peer(answer: Callable[[bytes], bytes]) -> AsyncIterator[tuple[str, int, list[bytes]]]:
    """A TCP server that answers each segment."""
    seen: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while data := await reader.read(65536):
            seen.append(data)
            writer.write(answer(data))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield host, port, seen
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await turns()


def ok(data: bytes) -> bytes:
    """200 to each request of a segment."""
    requests = [parse_message(part + b"\r\n\r\n") for part in data.split(b"\r\n\r\n") if part]
    return b"".join([bytes(response_to(each, 200, to_tag="p")) for each in requests if isinstance(each, Request)])


async def in_reach_of_a_peer(check: Callable[[Office, str, int, list[bytes]], Awaitable[None]]) -> None:
    async with answering_peer(ok) as (host, port, seen), office() as made:
        await check(made, host, port, seen)


async def options_of_opened() -> None:
    async def check(made: Office, host: str, port: int, _: list[bytes]) -> None:
        made.ask(host, port)
        await wait_for(made.outcomes)
        (connection,) = made.listener._connections
        assert connection._transport is not None
        opened = connection._transport.get_extra_info("socket")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60

    await in_reach_of_a_peer(check)


@pytest.mark.row("REG-22")
@pytest.mark.real_loop
async def test_the_kernel_watches_over_the_servers_that_we_connect_to() -> None:
    await options_of_opened()


@pytest.mark.real_loop("uvloop")
async def test_the_kernel_watches_over_the_servers_that_we_connect_to_on_uvloop() -> None:
    await options_of_opened()


async def test_a_connection_is_opened_for_what_is_sent_and_used_again() -> None:
    async def check(made: Office, host: str, port: int, seen: list[bytes]) -> None:
        for count in (1, 2):
            made.ask(host, port)
            await wait_for(lambda count=count: len(made.outcomes()) == count)  # type: ignore[misc]
        assert made.outcomes() == [200, 200]
        assert len(made.listener._connections) == 1

    await in_reach_of_a_peer(check)


async def test_what_is_sent_while_the_connection_is_being_opened_follows_in_order() -> None:
    async def check(made: Office, host: str, port: int, seen: list[bytes]) -> None:
        for _ in range(3):
            made.ask(host, port)
        await wait_for(lambda: len(made.outcomes()) == 3)
        assert made.outcomes() == [200, 200, 200]
        assert len(made.listener._connections) == 1
        assert [b"branch=z9hG4bKw0-%d" % number in b"".join(seen) for number in (1, 2, 3)] == [True] * 3

    await in_reach_of_a_peer(check)


async def test_a_closed_flow_is_opened_again() -> None:
    async def check(made: Office, host: str, port: int, seen: list[bytes]) -> None:
        made.ask(host, port)
        await wait_for(lambda: made.outcomes() == [200])
        (connection,) = made.listener._connections
        flow = connection.flow
        assert flow is not None
        connection.close()
        await turns()
        assert not made.driver.is_open(flow)
        made.driver.stack._send(FIRST, flow)
        made.driver.pump()
        await wait_for(lambda: any(b"call-id: one" in data.lower() for data in seen))
        assert made.driver.is_open(flow)

    await in_reach_of_a_peer(check)


async def test_what_waits_on_an_opened_connection_fails_when_it_is_lost() -> None:
    async with answering_peer(lambda _: b"") as (host, port, seen), office() as made:
        for _ in range(2):
            made.ask(host, port)
        await wait_for(lambda: seen)
        (connection,) = made.listener._connections
        connection.close()
        await wait_for(lambda: len(made.outcomes()) == 2)
        assert made.outcomes() == [503, 503]
        assert made.driver.now() - 1000.0 < 5.0


async def test_a_peer_that_cannot_be_reached_fails_all_that_waits() -> None:
    async with answering_peer(ok) as (host, port, _):
        pass
    async with office() as made:
        for _ in range(2):
            made.ask(host, port)
        await wait_for(lambda: len(made.outcomes()) == 2)
        assert made.outcomes() == [503, 503]
        assert made.listener._opening == {}


async def test_a_port_in_use_is_an_os_error() -> None:
    async with office() as made:
        with pytest.raises(OSError, match="in use"):
            await TcpListener.open(made.driver, AdvertisedAddress(), *made.listener.bound)


# --- connections used in the other direction as well (RFC 5923) ------------------------------------------------------


def with_via(via: str) -> bytes:
    return text(via=f"SIP/2.0/TCP {via};branch=z9hG4bK-{via}", call_id=f"c{via}").encode()


@pytest.mark.parametrize(
    ("via", "port"), [("127.0.0.7:5070;alias", 5070), ("127.0.0.7;alias", 5060), ("127.0.0.7:5070;rport;alias", 5070)]
)
async def test_a_peer_that_asks_for_it_is_called_at_its_own_address_over_its_connection(via: str, port: int) -> None:
    async with office() as made:
        peer = await connect(made, "127.0.0.7")
        peer.send(with_via(via))
        await peer.receive()
        made.ask("127.0.0.7", port)
        data = await peer.receive()
        assert data.startswith(b"OPTIONS sip:")
        assert b";rport;alias" in data
        await peer.close()
        assert made.listener._by_peer == {}


@pytest.mark.parametrize(
    "via", ["127.0.0.8:5070;alias", "pbx.test:5070;alias", "127.0.0.7:5070", "127.0.0.7:5070;alias2"]
)
async def test_nobody_is_believed_to_be_another_host(via: str) -> None:
    async with office() as made:
        peer = await connect(made, "127.0.0.7")
        peer.send(with_via(via))
        await peer.receive()
        assert len(made.listener._by_peer) == 1
        await peer.close()


async def test_the_first_connection_keeps_an_address_and_a_connection_has_one_at_most() -> None:
    async with office() as made:
        first, second = await connect(made, "127.0.0.7"), await connect(made, "127.0.0.7")
        first.send(with_via("127.0.0.7:5070;alias"))
        await first.receive()
        first.send(with_via("127.0.0.7:5071;alias"))
        await first.receive()
        second.send(with_via("127.0.0.7:5070;alias").replace(b"Call-ID: c", b"Call-ID: d"))
        await second.receive()
        assert ("127.0.0.7", 5071) not in made.listener._by_peer
        made.ask("127.0.0.7", 5070)
        assert (await first.receive()).startswith(b"OPTIONS sip:")
        await first.close()
        assert ("127.0.0.7", 5070) not in made.listener._by_peer
        await second.close()
