"""SIP over WebSocket on loopback sockets: the handshake and whom it lets in, frames good and bad, silent peers."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipcore.errors import DropReason
from sipcore.parse import DEFAULT_LIMITS
from sipcore.transport import websocket
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.tcp import HANDSHAKE_TIMEOUT_S, MESSAGE_TIMEOUT_S
from sipcore.transport.tls_layer import TlsIdentity
from sipcore.transport.websocket import WsListener, WssListener
from sipcore.transport.ws_layer import OriginPolicy
from tests.sipcore.test_transport_tcp import FIRST, SECOND, STATUS, Office, turns, wait_for
from tests.sipcore.test_transport_tls import files, pairs, trusting

__all__ = ["files", "pairs"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 §1.3, with its answer
MASK = b"\x37\xfa\x21\x3d"
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"


class WsOffice(Office):
    """The office of the TCP tests behind WebSocket."""

    def __init__(self, allowed: tuple[str, ...] = (), identity: TlsIdentity | None = None) -> None:
        super().__init__()
        addresses, origins = AdvertisedAddress(), OriginPolicy(allowed)
        if identity is None:
            self.listener = WsListener(self.driver, addresses, origins)
        else:
            self.listener = WssListener(self.driver, addresses, origins, identity)

    def dropped(self, reason: DropReason) -> int:
        return self.driver.stack.drops[reason]


@asynccontextmanager
async def office(*allowed: str, identity: TlsIdentity | None = None) -> AsyncIterator[WsOffice]:
    made = WsOffice(allowed, identity)
    await made.listener.listen("127.0.0.1", 0)
    try:
        yield made
    finally:
        made.listener.close()
        await made.driver.close()
        await turns()


def hello(path: str = "/ws", **headers: str | None) -> bytes:
    """The handshake of a browser; `Name=None` leaves a header out."""
    fields: dict[str, str | None] = {
        "Host": "pbx.test:8088",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "sip",
        "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    }
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def frame(data: bytes, opcode: int = TEXT, *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """One frame as RFC 6455 §5.2 draws it."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit, size = (0x80 if masked else 0), len(data)
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not masked:
        return head + data
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))


class Browser:
    """The client's side, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def shake_hands(self, request: bytes = b"") -> bytes:
        self.send(request or hello())
        return await self.reader.readuntil(b"\r\n\r\n")

    async def receive(self) -> tuple[int, bytes]:
        """Opcode and data of the next frame; frames of a server are whole and not masked."""
        first, size = await self.reader.readexactly(2)
        assert first & 0xF0 == 0x80
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        return first & 0x0F, await self.reader.readexactly(size)

    async def expect_close(self, code: int) -> None:
        opcode, data = await self.receive()
        assert (opcode, int.from_bytes(data[:2], "big")) == (CLOSE, code), data
        assert await self.reader.read(-1) == b""

    async def close(self) -> None:
        self.writer.close()
        await turns()


async def connect(made: Office) -> Browser:
    browser = Browser(*await asyncio.open_connection(*made.listener.bound))
    assert (await browser.shake_hands()).startswith(b"HTTP/1.1 101 ")
    return browser


async def converse(browser: Browser, made: Office, transport: str) -> None:
    answer = await browser.shake_hands()
    assert ACCEPT in answer
    assert b"Sec-WebSocket-Protocol: sip\r\n" in answer
    assert b"Extensions" not in answer
    browser.send(frame(FIRST) + frame(SECOND, BINARY))
    for _ in range(2):
        opcode, data = await browser.receive()
        assert (opcode, data[: len(STATUS)]) == (TEXT, STATUS)
    assert made.told[0].flow.transport == transport  # type: ignore[union-attr]
    browser.send(frame(b"\r\n\r\n"))
    assert await browser.receive() == (TEXT, b"\r\n")
    browser.send(frame(b"mark", PING))
    assert await browser.receive() == (PONG, b"mark")
    browser.send(frame(struct.pack("!H", 1000), CLOSE))
    await browser.expect_close(1000)
    await browser.close()
    await wait_for(lambda: not made.listener._connections)
    assert not made.driver.stack.drops


async def talk() -> None:
    async with office() as made:
        await converse(Browser(*await asyncio.open_connection(*made.listener.bound)), made, "WS")


@pytest.mark.real_loop
async def test_a_conversation_on_a_real_loop() -> None:
    await talk()


@pytest.mark.real_loop("uvloop")
async def test_a_conversation_on_uvloop() -> None:
    await talk()


async def test_a_conversation_in_virtual_time() -> None:
    await talk()


@pytest.mark.real_loop
async def test_a_conversation_over_tls(files: tuple[Path, Path]) -> None:
    async with office(identity=TlsIdentity(*files)) as made:
        opened = await asyncio.open_connection(
            *made.listener.bound, ssl=trusting(files[0]), server_hostname="127.0.0.1"
        )
        browser = Browser(*opened)
        await converse(browser, made, "WSS")
        assert made.told[0].flow.secure  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["/", "/ws", "/ws?token=1"])
async def test_both_paths_are_served(path: str) -> None:
    async with office() as made:
        browser = Browser(*await asyncio.open_connection(*made.listener.bound))
        assert (await browser.shake_hands(hello(path))).startswith(b"HTTP/1.1 101 ")
        await browser.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (hello("/other"), b"404"),
        (hello(Sec_WebSocket_Protocol="chat"), b"400"),
        (hello(Sec_WebSocket_Protocol=None), b"400"),
        (hello(Sec_WebSocket_Version="8"), b"400"),
        (hello(Sec_WebSocket_Key=None), b"400"),
        (hello(Sec_WebSocket_Key="short"), b"400"),
        (hello(Upgrade=None, Connection="close"), b"426"),
        (hello(Upgrade="h2c"), b"426"),
        (hello().replace(b"GET", b"POST"), b"405"),
        (hello().replace(b"HTTP/1.1", b"HTTP/1.0"), b""),
        (hello(X="x" * 9000), b"431"),
        (hello(**{f"X{n}": "x" for n in range(130)}), b"431"),
        (hello("/" + "x" * 9000), b"414"),
        (FIRST, b""),
        (b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", b""),
    ],
)
async def test_what_is_no_handshake_is_answered_closed_and_counted(request_: bytes, status: bytes) -> None:
    async with office() as made:
        browser = Browser(*await asyncio.open_connection(*made.listener.bound))
        browser.send(request_)
        answer = await browser.reader.read(-1)
        assert answer.startswith(b"HTTP/1.1 " + status if status else (b"", b"HTTP/1.1 505")), answer
        assert made.dropped(DropReason.WS_HANDSHAKE) == 1
        assert made.told == []
        await browser.close()


@pytest.mark.parametrize(
    ("allowed", "origin", "accepted"),
    [
        ((), None, True),
        ((), "http://pbx.test", True),
        ((), "https://PBX.test:8443", True),
        ((), "https://pbx.test.evil.example", False),
        ((), "https://evil.example", False),
        ((), "null", False),
        ((), "http://[", False),
        ((), "", False),
        (("*",), "https://evil.example", True),
        (("null",), "null", True),
        (("https://phone.example",), "https://Phone.example", True),
        (("https://phone.example",), "http://phone.example", False),
        (("https://phone.example",), "http://pbx.test", False),
        (("https://phone.example",), None, True),
    ],
)
async def test_pages_of_other_hosts_are_kept_out(allowed: tuple[str, ...], origin: str | None, accepted: bool) -> None:
    async with office(*allowed) as made:
        browser = Browser(*await asyncio.open_connection(*made.listener.bound))
        answer = await browser.shake_hands(hello(Origin=origin))
        assert answer.startswith(b"HTTP/1.1 101 " if accepted else b"HTTP/1.1 403 ")
        assert made.dropped(DropReason.WS_ORIGIN) == (not accepted)
        await browser.close()


async def test_two_origins_or_no_host_are_no_page_of_ours() -> None:
    for request in (hello(Origin="http://pbx.test\r\nOrigin: http://pbx.test"), hello(Host=None, Origin="http://a")):
        async with office() as made:
            browser = Browser(*await asyncio.open_connection(*made.listener.bound))
            assert (await browser.shake_hands(request)).startswith(b"HTTP/1.1 403 ")
            await browser.close()


async def test_a_message_may_come_in_fragments_with_a_ping_between_them() -> None:
    async with office() as made:
        browser = await connect(made)
        browser.send(frame(FIRST[:50], fin=False) + frame(b"", 0, fin=False))
        browser.send(frame(b"", PING) + frame(FIRST[50:], 0))
        assert await browser.receive() == (PONG, b"")
        assert (await browser.receive())[1].startswith(STATUS)
        await browser.close()


async def test_a_message_may_come_byte_by_byte() -> None:
    async with office() as made:
        browser = Browser(*await asyncio.open_connection(*made.listener.bound))
        for byte in hello() + frame(FIRST):
            browser.send(bytes([byte]))
            await asyncio.sleep(0.001)
        await browser.reader.readuntil(b"\r\n\r\n")
        assert (await browser.receive())[1].startswith(STATUS)
        await browser.close()


async def test_a_message_that_is_no_text_is_answered_in_a_binary_frame() -> None:
    async with office() as made:
        browser = await connect(made)
        browser.send(frame(FIRST.replace(b"K-1;", b"K-1;x=\xff;").replace(b"Call-ID: one", b"Call-ID: \xff"), BINARY))
        opcode, data = await browser.receive()
        assert opcode == BINARY
        assert b"\xff" in data
        await browser.close()


TOO_MUCH = DEFAULT_LIMITS.message_bytes + 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(FIRST, masked=False), 1002),
        (frame(FIRST, rsv=4), 1002),
        (frame(FIRST, opcode=3), 1002),
        (frame(FIRST, opcode=0), 1002),
        (frame(FIRST, fin=False) + frame(FIRST), 1002),
        (frame(b"x" * 126, PING), 1002),
        (frame(b"", PING, fin=False), 1002),
        (frame(b"x", CLOSE), 1002),
        (frame(b"caf\xe9"), 1007),
        (frame(b"x" * TOO_MUCH), 1009),
        (frame(b"x" * 40_000, fin=False) + frame(b"x" * 40_000, 0), 1009),
        (struct.pack("!BBQ", 0x81, 0xFF, 1 << 62) + b"mask", 1009),
    ],
)
async def test_a_broken_frame_ends_the_connection_with_its_code(data: bytes, code: int) -> None:
    async with office() as made:
        browser = await connect(made)
        browser.send(data)
        await browser.expect_close(code)
        assert made.dropped(DropReason.WS_FRAME) == 1
        assert made.told == []
        await browser.close()


@pytest.mark.parametrize("data", [frame(b"rubbish"), frame(b""), frame(b"\r\n"), frame(b"SIP/2.0 200 OK\r\n\r\n")])
async def test_rubbish_in_a_good_frame_harms_nobody(data: bytes) -> None:
    async with office() as made:
        browser = await connect(made)
        browser.send(data + frame(FIRST))
        assert (await browser.receive())[1].startswith(STATUS)
        await browser.close()


@pytest.mark.parametrize("first", [b"", b"GET /ws HTTP/1.1\r\n"])
async def test_a_handshake_that_does_not_end_is_given_up(first: bytes) -> None:
    async with office() as made:
        begun = made.driver.now()
        browser = Browser(*await asyncio.open_connection(*made.listener.bound))
        browser.send(first)
        assert await browser.reader.read(-1) == b""
        assert made.driver.now() - begun == pytest.approx(HANDSHAKE_TIMEOUT_S, abs=0.1)
        assert made.dropped(DropReason.WS_SILENT) == 1
        await browser.close()


@pytest.mark.parametrize("first", [frame(FIRST)[:40], frame(FIRST[:40], fin=False)])
async def test_a_slow_message_is_given_up(first: bytes) -> None:
    async with office() as made:
        browser = await connect(made)
        begun = made.driver.now()
        browser.send(first)
        await asyncio.sleep(5)
        browser.send(frame(b"", 0, fin=False) if len(first) > 40 else b"x")
        await browser.expect_close(1001)
        assert made.driver.now() - begun == pytest.approx(MESSAGE_TIMEOUT_S, abs=0.1)
        await browser.close()


@pytest.mark.row("REG-22")
async def test_a_silent_browser_is_pinged_and_one_that_answers_is_kept() -> None:
    async with office() as made:
        browser = await connect(made)
        begun = made.driver.now()
        for _ in range(3):
            assert await browser.receive() == (PING, b"")
            browser.send(frame(b"", PONG))
        assert made.driver.now() - begun == pytest.approx(3 * websocket.PING_AFTER_S, abs=0.1)
        assert await browser.receive() == (PING, b"")
        await browser.expect_close(1001)
        assert made.dropped(DropReason.WS_SILENT) == 1
        assert not made.listener._connections
        await browser.close()


async def test_a_browser_cannot_be_called_back() -> None:
    async with office() as made:
        browser = await connect(made)
        browser.send(frame(FIRST))
        await browser.receive()
        flow = made.told[0].flow  # type: ignore[union-attr]
        await browser.close()
        await wait_for(lambda: not made.listener._connections)
        made.ask(*flow.remote)
        await wait_for(lambda: made.outcomes() == [503])


async def test_requests_of_ours_go_over_the_open_connection() -> None:
    async with office() as made:
        browser = await connect(made)
        browser.send(frame(FIRST))
        await browser.receive()
        made.ask(*made.told[0].flow.remote)  # type: ignore[union-attr]
        _, data = await browser.receive()
        assert data.startswith(b"OPTIONS sip:")
        assert b"Via: SIP/2.0/WS 127.0.0.1:" in data
        await browser.close()


async def test_the_end_of_the_server_is_told() -> None:
    async with office() as made:
        browser = await connect(made)
        made.listener.close()
        await browser.expect_close(1001)
        await browser.close()
