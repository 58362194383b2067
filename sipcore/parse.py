"""One datagram, or one framed stream message, into a `Request` or a `Response` (RFC 3261 §7, §25).

Only what routing needs is decoded here; other headers are decoded by those who ask. A message that cannot be
trusted raises `MalformedMessage`, which keeps the headers read so far so that a 400 can be sent to a request.
"""

import re

from frozen import dataclass
from sipcore.errors import FramingError, ParseError
from sipcore.grammar import TOKEN
from sipcore.headers import CANONICAL, COMPACT
from sipcore.message import Facts, Headers, Message, Request, Response
from sipcore.uri import parse_uri
from sipcore.usual import read


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """Precedents: Kamailio and PJSIP take 64 KiB datagrams; phones send 20-40 headers, big offices' Via and
    Record-Route chains reach 70."""

    message_bytes: int = 65_535
    header_bytes: int = 16_384
    header_count: int = 256


DEFAULT_LIMITS = ParseLimits()

_KNOWN = {name: name.lower() for name in CANONICAL.values()} | {name: name for name in CANONICAL}
_KNOWN |= COMPACT | {s.upper(): long for s, long in COMPACT.items()}
_FOLD = re.compile(r"\r\n[ \t]++")
_SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length")
_ORDER = ("via", "from", "to", "call-id", "cseq")
_REQUIRED = frozenset(_ORDER)


class MalformedMessage(ParseError):
    """A message that must not be processed. `request` says that it was a request, `headers` what could be read."""

    def __init__(self, reason: str, status: int = 400, *, headers: Headers | None = None, request: bool = True) -> None:
        super().__init__(reason, status)
        self.headers, self.request = headers if headers is not None else Headers(), request

    @classmethod
    def of_head(cls, error: FramingError) -> "MalformedMessage":
        """What can still be read of a stream message whose end cannot be found."""
        start, *lines = error.head.decode("utf-8", "surrogateescape").split("\r\n")
        fields: list[tuple[str, str]] = []
        for line in lines:
            try:
                fields += _fields([line], DEFAULT_LIMITS, request=True)
            except MalformedMessage:
                continue
        return cls(error.reason, error.status, headers=Headers(fields), request=not start.startswith("SIP/"))


def parse_message(data: bytes, limits: ParseLimits = DEFAULT_LIMITS) -> Request | Response:
    """Decode a whole message. For a datagram bytes beyond Content-Length are dropped (RFC 3261 §18.3); in a stream
    Content-Length is required and exact, which the framer has seen to. Line ends before a message mean nothing
    (§7.5)."""
    if len(data) <= limits.message_bytes:
        facts = read(data, limits.header_bytes, limits.header_count)
        if facts is not None and (message := _of_facts(facts)) is not None:
            return message
    return parse_any(data, limits)


def _of_facts(facts: Facts) -> Request | Response | None:
    """None when the Request-URI is none: `parse_any` says what is wrong with it."""
    first, second, fields, index, body, sent, tags = facts
    headers = Headers(fields, index)
    if isinstance(first, int):
        return Response(first, second, headers, body, sent, tags)
    try:
        uri = parse_uri(second)
    except ParseError:
        return None
    return Request(first, uri, headers, body, sent, tags)


def parse_any(data: bytes, limits: ParseLimits = DEFAULT_LIMITS) -> Request | Response:
    """`parse_message` for every form that the grammar allows."""
    if data[:1] == b"\r":
        data = data.lstrip(b"\r\n")
    if len(data) > limits.message_bytes:
        raise MalformedMessage("message too large", 513)
    head, body = _split_body(data, limits)
    text = _unfold(head.decode("utf-8", "surrogateescape"))
    start, *lines = text.split("\r\n")
    request = not start.startswith(("SIP/", "sip/"))
    fields = _fields(lines, limits, request=request)
    if _has_stray_line_ends(text, len(lines)):
        clean = [field for field in fields if "\n" not in field[1] and "\r" not in field[1]]
        raise MalformedMessage("a line end inside a line", headers=Headers(clean), request=request)
    headers = Headers(fields)
    message = _request(start, headers) if request else _response(start, headers)
    _check(message, body)
    return message


def read_headers(head: bytes) -> Headers:
    """The header fields of a part of a body (RFC 2046 §5.1), which has no start line; raises `ParseError`."""
    text = _unfold(head.decode("utf-8", "surrogateescape"))
    lines = text.split("\r\n")
    if _has_stray_line_ends(text, len(lines) - 1):
        raise ParseError("a line end inside a line")
    return Headers(_fields(lines, DEFAULT_LIMITS, request=True))


def _has_stray_line_ends(text: str, most: int) -> bool:
    return text.count("\n") != most or text.count("\r") != most


def _split_body(data: bytes, limits: ParseLimits) -> tuple[bytes, bytes]:
    end = data.find(b"\r\n\r\n", 0, limits.header_bytes + 4)
    if end >= 0:
        return data[:end], data[end + 4 :]
    if b"\r\n\r\n" not in data:
        if len(data) > limits.header_bytes:
            raise MalformedMessage("headers too large", 513)
        return data.rstrip(b"\r\n"), b""
    raise MalformedMessage("headers too large", 513)


def _unfold(text: str) -> str:
    """Join continuation lines (RFC 3261 §7.3.1)."""
    return _FOLD.sub(" ", text) if "\r\n " in text or "\r\n\t" in text else text


def _fields(lines: list[str], limits: ParseLimits, *, request: bool) -> list[tuple[str, str]]:
    if len(lines) > limits.header_count:
        raise MalformedMessage("too many headers", 400, request=request)
    fields: list[tuple[str, str]] = []
    known = _KNOWN
    for line in lines:
        name, colon, value = line.partition(":")
        key = known.get(name)
        if key is None:
            name = name.rstrip(" \t")
            if not colon or not TOKEN.fullmatch(name):
                raise MalformedMessage("malformed header line", headers=Headers(fields), request=request)
            lower = name.lower()
            key = COMPACT.get(lower, lower)
        fields.append((key, value.strip(" \t")))
    return fields


def _request(start: str, headers: Headers) -> Request:
    method, _, rest = start.partition(" ")
    uri_text, _, version = rest.rpartition(" ")
    if version != "SIP/2.0":
        if version.upper() == "SIP/2.0":  # the version is case-insensitive, SIP/2.0 is what is sent
            version = "SIP/2.0"
        elif version[:4].upper() == "SIP/":
            raise MalformedMessage(f"version {version[:12]} is not spoken here", 505, headers=headers)
        else:
            raise MalformedMessage("malformed request line", headers=headers)
    if not TOKEN.fullmatch(method) or not uri_text or " " in uri_text or "\t" in uri_text:
        raise MalformedMessage("malformed request line", headers=headers)
    try:
        uri = parse_uri(uri_text)
    except ParseError as error:
        raise MalformedMessage(f"Request-URI: {error.reason}", error.status, headers=headers) from None
    return Request(method, uri, headers)


def _response(start: str, headers: Headers) -> Response:
    version, _, rest = start.partition(" ")
    code, _, reason = rest.partition(" ")
    if (
        version.upper() != "SIP/2.0"
        or len(code) != 3
        or not code.isascii()
        or not code.isdigit()
        or code[0] not in "123456"
    ):
        raise MalformedMessage("malformed status line", headers=headers, request=False)
    return Response(int(code), reason, headers)


def _check(message: Request | Response, body: bytes) -> None:
    """What must hold before anybody may act on the message (RFC 3261 §8.1.1, §18.3)."""
    headers = message.headers
    request = isinstance(message, Request)
    try:
        _check_fields(message, request=request)
        message.body = _body(headers.get("content-length"), body)
    except MalformedMessage:
        raise
    except ParseError as error:
        raise MalformedMessage(error.reason, error.status, headers=headers, request=request) from None


def _check_fields(message: Message, *, request: bool) -> None:
    index = message.headers.index()
    if not index.keys() >= _REQUIRED:
        missing = next(name for name in _ORDER if name not in index)
        raise ParseError(f"no {CANONICAL[missing]} header")
    if len(index) < len(message.headers):
        _check_single(message.headers)
    if not index["call-id"]:
        raise ParseError("empty Call-ID")
    _ = message.via, message.from_, message.to
    cseq = message.cseq
    if request and isinstance(message, Request) and cseq.method != message.method:
        raise ParseError("CSeq names another method")


def _check_single(headers: Headers) -> None:
    for name in _SINGLE:
        if len(headers.raw(name)) > 1:
            raise ParseError(f"more than one {CANONICAL[name]} header")


def _body(length_text: str | None, body: bytes) -> bytes:
    if length_text is None:
        return body
    if not length_text.isascii() or not length_text.isdigit() or len(length_text) > 9:
        raise ParseError("malformed Content-Length")
    length = int(length_text)
    if length > len(body):
        raise ParseError("Content-Length beyond the end of the message")
    return body[:length] if length < len(body) else body
