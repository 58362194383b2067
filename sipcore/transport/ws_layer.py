"""WebSocket below the messages of a connection: RFC 6455 by the `websockets` library, what RFC 7118 adds by us.

Bytes in, SIP messages out, and back: no socket, no clock. Compression is not offered: SIP messages are small, and
memory for it would be held for every connection.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from sipcore.errors import DropReason
from sipcore.parse import DEFAULT_LIMITS, ParseLimits

PATHS = ("/", "/ws")
SUBPROTOCOL = Subprotocol("sip")  # RFC 7118 §4.1
ANY_ORIGIN = "*"
_SLICE = 1024  # of what came is looked at together,
_MOST_FRAMES = 48  # and may be so many frames: a SIP message has hundreds of octets
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class OriginPolicy:
    """Which web pages may connect (RFC 6455 §10.2). What is no browser sends no Origin and is let in; without a list a
    page must come from the host, whatever its port, that it connects to."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = frozenset(each.lower() for each in allowed)

    def allows(self, headers: Headers) -> bool:
        origins = headers.get_all("Origin")
        if not origins or ANY_ORIGIN in self._allowed:
            return True
        if len(origins) > 1:
            return False
        if self._allowed:
            return origins[0].lower() in self._allowed
        own = _host(f"//{headers.get_all('Host')[0]}") if headers.get_all("Host") else ""
        return own != "" and _host(origins[0]) == own


class WebSocketLayer:
    """The server's side of one connection. After `receive`, `send`, `ping` and `end`, `take` what goes on the wire."""

    def __init__(self, origins: OriginPolicy, limits: ParseLimits = DEFAULT_LIMITS) -> None:
        self._origins = origins
        self._protocol = ServerProtocol(subprotocols=[SUBPROTOCOL], max_size=limits.message_bytes)
        self._message = bytearray()
        self._is_text = self._is_fragmented = self._is_waiting = False
        self.is_over = False
        self.broken: DropReason | None = None

    @property
    def is_ready(self) -> bool:
        """Messages can be exchanged."""
        return self._protocol.state is OPEN

    @property
    def is_partial(self) -> bool:
        """The rest of a message has to come."""
        return self._is_waiting or self._is_fragmented

    def receive(self, data: bytes) -> Iterator[bytes]:
        """The SIP messages that are complete with `data`: one in each WebSocket message (RFC 7118 §5)."""
        for at in range(0, len(data), _SLICE):
            yield from self._received(data[at : at + _SLICE])
            if self.broken is not None:
                return

    def _received(self, data: bytes) -> Iterator[bytes]:
        protocol = self._protocol
        protocol.receive_data(data)
        events = protocol.events_received()
        self._is_waiting = not events
        if len(events) > _MOST_FRAMES:
            self.broken = DropReason.WS_FRAME
            self.end(CloseCode.POLICY_VIOLATION)
            return
        for event in events:
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame) and event.opcode in _DATA and (message := self._collected(event)) is not None:
                yield message
            if self.broken is not None:
                return
        if protocol.parser_exc is not None:
            self.broken = DropReason.WS_FRAME
        elif protocol.handshake_exc is not None:
            self.broken = DropReason.WS_HANDSHAKE

    def send(self, message: bytes) -> None:
        """One SIP message; text where it is text, which is what JavaScript expects."""
        if not self.is_ready:
            return
        if _is_utf8(message):
            self._protocol.send_text(message)
        else:
            self._protocol.send_binary(message)

    def ping(self) -> None:
        if self.is_ready:
            self._protocol.send_ping(b"")

    def end(self, code: CloseCode = CloseCode.GOING_AWAY) -> None:
        """Say that the connection is given up, and why."""
        self._protocol.fail(code)

    def take(self) -> bytes:
        """What has to go on the wire; after the last of it `is_over`."""
        chunks = self._protocol.data_to_send()
        if chunks and chunks[-1] == b"":
            self.is_over = True
        return b"".join(chunks)

    def _answer(self, request: Request) -> None:
        protocol = self._protocol
        if protocol.eof_sent:  # what came behind the request cannot be understood: nothing more is said
            self.broken = DropReason.WS_FRAME
        elif request.path.partition("?")[0] not in PATHS:
            self.broken = DropReason.WS_HANDSHAKE
            protocol.send_response(protocol.reject(HTTPStatus.NOT_FOUND, "SIP is spoken on / and /ws.\n"))
        elif not self._origins.allows(request.headers):
            self.broken = DropReason.WS_ORIGIN
            protocol.send_response(protocol.reject(HTTPStatus.FORBIDDEN, "Pages of this origin may not connect.\n"))
        else:
            protocol.send_response(protocol.accept(request))

    def _collected(self, frame: Frame) -> bytes | None:
        """The message that ends with this frame."""
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            if frame.fin:
                return self._checked(bytes(frame.data))
        self._message += frame.data
        self._is_fragmented = not frame.fin
        if not frame.fin:
            return None
        message = bytes(self._message)
        self._message.clear()
        return self._checked(message)

    def _checked(self, message: bytes) -> bytes | None:
        if self._is_text and not _is_utf8(message):
            self.broken = DropReason.WS_FRAME
            self.end(CloseCode.INVALID_DATA)
            return None
        return message


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
