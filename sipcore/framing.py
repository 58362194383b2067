"""A byte stream into SIP messages (RFC 3261 §18.3, RFC 5626 §3.5.1).

Partial input is a value, not an error: feed bytes, take what is complete. What comes out is either a whole message
(still bytes), a `Ping` to be answered with a pong, or nothing yet. A stream whose framing is broken cannot be
trusted again: `FramingError`, after which the connection has to be closed.
"""

import re
from collections.abc import Iterator

from sipcore.errors import FramingError
from sipcore.parse import DEFAULT_LIMITS, ParseLimits

PONG = b"\r\n"
_LINE_ENDS = re.compile(rb"(?:\r\n)+")


class Ping:
    """A double CRLF keep-alive (RFC 5626 §4.4.1)."""


PING = Ping()


class StreamFramer:
    """Cuts one connection's bytes into messages."""

    def __init__(self, limits: ParseLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0
        self._total = 0  # length of the message whose head is complete; 0 while its end is not known

    def feed(self, data: bytes) -> Iterator[bytes | Ping]:
        """Everything that is complete now; raises FramingError at the first point that cannot be framed."""
        self._buffer += data
        while (item := self._next()) is not None:
            yield item

    @property
    def pending(self) -> int:
        """Bytes of an incomplete message; half a ping is none."""
        size = len(self._buffer)
        return 0 if size < 4 and b"\r\n\r".startswith(self._buffer) else size

    def _next(self) -> bytes | Ping | None:
        buffer = self._buffer
        if buffer[:2] == b"\r\n":
            return self._blank_lines()
        total = self._total or self._length()
        if not total or len(buffer) < total:
            return None
        message = bytes(buffer[:total])
        del buffer[:total]
        self._scanned = self._total = 0
        return message

    def _length(self) -> int:
        """Length of the first message in the buffer, 0 while its head is incomplete. Each byte is looked at once."""
        buffer, limits = self._buffer, self._limits
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0 or end > limits.header_bytes:
            self._scanned = len(buffer)
            if len(buffer) > limits.header_bytes:
                raise FramingError("headers too large", 513, bytes(buffer[: limits.header_bytes]))
            return 0
        self._total = end + 4 + self._content_length(bytes(buffer[:end]))
        if self._total > limits.message_bytes:
            raise FramingError("message too large", 513, bytes(buffer[: end + 4]))
        return self._total

    def _blank_lines(self) -> Ping | None:
        """CRLFCRLF between messages is a ping, several at once are one; a lone CRLF is nothing (RFC 3261 §7.5)."""
        buffer = self._buffer
        if buffer[:4] == b"\r\n\r\n":
            run = _LINE_ENDS.match(buffer)
            assert run is not None
            del buffer[: run.end() // 4 * 4]
            return PING
        if len(buffer) == 2 or bytes(buffer[2:4]) == b"\r":
            return None  # could become a ping
        del buffer[:2]
        return self._next()  # type: ignore[return-value]

    def _content_length(self, head: bytes) -> int:
        lengths = set()
        for line in head.split(b"\r\n")[1:]:
            name, colon, value = line.partition(b":")
            if colon and name.strip().lower() in (b"content-length", b"l"):
                lengths.add(value.strip())
        if not lengths:
            raise FramingError("a stream message needs Content-Length", 400, head)
        text = lengths.pop()
        if lengths or not text.isdigit() or len(text) > 9:
            raise FramingError("malformed Content-Length", 400, head)
        return int(text)
