"""The body of a message: one part or several (RFC 3261 §7.4, RFC 2046 §5.1), and the session description in it.

What else comes with the description is passed over, unless it is said to be required (RFC 5621 §4).
"""

from collections.abc import Iterable
from typing import Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.headers import ContentType
from sipcore.message import Headers, Request, Response
from sipcore.params import Params
from sipcore.parse import read_headers

SDP = "application/sdp"
MIXED = "multipart/mixed"
ACCEPTED = (("Accept", f"{SDP}, {MIXED}"), ("Accept-Encoding", "identity"))
"""What a 415 says of bodies that may describe a session (RFC 3261 §21.4.13)."""

_MOST_PARTS = 16
_MOST_DEPTH = 3
_LONGEST_BOUNDARY = 70
_PLAIN = frozenset(("", "identity", "binary", "8bit", "7bit"))


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `content_type` as sent; `disposition` in lower case, "" when not said; `handling` is `required`,
    `optional` or "" (RFC 3204 §5); `id` without its brackets (RFC 2392 §2); `encoding` (RFC 3261 §20.12) and
    `transfer_encoding` (RFC 2045 §6) as sent, "" for none."""

    content_type: str
    body: bytes
    disposition: str = ""
    handling: str = ""
    id: str = ""
    encoding: str = ""
    transfer_encoding: str = ""

    @classmethod
    def of(cls, headers: Headers, body: bytes, default: str) -> Self:
        """The part that these headers stand before; a type that is not said is `default`."""
        disposition, separator, rest = (headers.get("content-disposition") or "").partition(";")
        return cls(
            headers.get("content-type") or default,
            body,
            disposition.strip(" \t").lower(),
            (_params(separator + rest).get("handling") or "").lower(),
            (headers.get("content-id") or "").strip(" \t<>"),
            (headers.get("content-encoding") or "").strip(" \t"),
            (headers.get("content-transfer-encoding") or "").strip(" \t"),
        )

    @property
    def kind(self) -> str:
        """The media type without parameters, in lower case."""
        return self.content_type.partition(";")[0].strip(" \t").lower()

    @property
    def is_encoded(self) -> bool:
        """The body does not stand there as it is."""
        return not {self.encoding.lower(), self.transfer_encoding.lower()} <= _PLAIN

    @property
    def is_session(self) -> bool:
        """It describes the session; descriptions of anything else (RFC 3959) are not ours."""
        return self.kind == SDP and self.disposition in ("", "session") and not self.is_encoded


def parts_of(message: Request | Response) -> tuple[Part, ...]:
    """The parts of a body, those inside of others as well; a body without a type counts as a session description.
    Raises `ParseError`."""
    return tuple(_parts(Part.of(message.headers, message.body, SDP), _MOST_DEPTH)) if message.body else ()


def session_of(message: Request | Response) -> bytes:
    """The session description, b"" when there is none that could be read."""
    if not message.body or _is_plain(message):
        return message.body
    try:
        return next((each.body for each in parts_of(message) if each.is_session), b"")
    except ParseError:
        return b""


def read_session(request: Request) -> bytes:
    """The same for who may refuse the request: raises `ParseError`, with status 415 for what must be understood and is
    not (RFC 3261 §8.2.3)."""
    if not request.body or _is_plain(request):
        return request.body
    parts = parts_of(request)
    found = next((each for each in parts if each.is_session), None)
    for each in parts:
        if not each.is_session and each.handling != "optional" and (found is None or each.handling == "required"):
            raise ParseError("a part of the body is not understood", 415)
    return found.body if found is not None else b""


def joined(parts: Iterable[Part], boundary: str) -> bytes:
    """Several parts as one body; `boundary` is a token that stands in none of them."""
    text = b""
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {part.content_type}\r\n"
        head += f"Content-ID: <{part.id}>\r\n" if part.id else ""
        head += f"Content-Encoding: {part.encoding}\r\n" if part.encoding else ""
        head += f"Content-Transfer-Encoding: {part.transfer_encoding}\r\n" if part.transfer_encoding else ""
        if part.disposition:
            handling = f";handling={part.handling}" if part.handling else ""
            head += f"Content-Disposition: {part.disposition}{handling}\r\n"
        text += f"{head}\r\n".encode("utf-8", "surrogateescape") + part.body + b"\r\n"
    return text + f"--{boundary}--\r\n".encode()


def _is_plain(message: Request | Response) -> bool:
    """A description and nothing else, as nearly always."""
    headers = message.headers
    if "content-encoding" in headers or "content-disposition" in headers:
        return False
    return message.content_type in (SDP, "")


def _parts(part: Part, depth: int) -> Iterable[Part]:
    if not part.kind.startswith("multipart/") or part.is_encoded:
        yield part
        return
    if not depth:
        raise ParseError("the body is nested too deeply")
    boundary = ContentType.parse(part.content_type).params.get("boundary") or ""
    for headers, body in _split(part.body, boundary.encode("utf-8", "surrogateescape")):
        yield from _parts(Part.of(headers, body, "text/plain"), depth - 1)


def _split(body: bytes, boundary: bytes) -> Iterable[tuple[Headers, bytes]]:
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise ParseError("the boundary of the parts is missing or too long")
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS + 1)
    for piece in pieces:
        if piece[:2] == b"--":
            return
        padding, end, content = piece.partition(b"\r\n")
        if not end or padding.strip(b" \t"):
            raise ParseError("a boundary of the parts is malformed")
        if content[:2] == b"\r\n":
            yield Headers(), content[2:]
        else:
            head, _, inside = content.partition(b"\r\n\r\n")
            yield read_headers(head), inside
    raise ParseError("the parts of the body do not end")


def _params(text: str) -> Params:
    try:
        return Params.parse(text)
    except ParseError:
        return Params()
