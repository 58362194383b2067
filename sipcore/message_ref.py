"""What `sipcore/message.pyx` does, in plain Python: ordered raw headers, decoded when asked.

A header is kept as (lower-case long name, value text). What a message is mostly asked for (top Via, tags, CSeq,
Call-ID) has a property that decodes once. Headers built by us may hold header objects as well as text.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar, Protocol, TypeVar

from sipcore.errors import ParseError
from sipcore.grammar import split_list
from sipcore.headers import CANONICAL, COMPACT, LIST_HEADERS, Contact, CSeq, From, Route, To, Via
from sipcore.uri import OtherUri, SipUri, TelUri
from sipcore.usual import write

Uri = SipUri | TelUri | OtherUri


class Header(Protocol):
    """What every header value class offers."""

    NAME: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> "Header": ...


H = TypeVar("H", bound=Header)


# The same values come again and again inside a dialog, a registration, a transaction.
_CACHED_LENGTH = 256
_from_cached = lru_cache(maxsize=2048)(From.parse)
_to_cached = lru_cache(maxsize=2048)(To.parse)
_via_cached = lru_cache(maxsize=2048)(Via.parse)


def _from(text: str) -> From:
    return _from_cached(text) if len(text) <= _CACHED_LENGTH else From.parse(text)


def _to(text: str) -> To:
    return _to_cached(text) if len(text) <= _CACHED_LENGTH else To.parse(text)


def _via(text: str) -> Via:
    return _via_cached(text) if len(text) <= _CACHED_LENGTH else Via.parse(text)


def _top_via(text: str) -> Via:
    """The first of several values on one line; all of them must be readable."""
    values = [_via(value) for value in split_list(text)]
    if not values:
        raise ParseError("the Via is empty")
    return values[0]


def long_name(name: str) -> str:
    """The lower-case long form of a header name as written: `v` and `VIA` are `via`."""
    lower = name.lower()
    return COMPACT.get(lower, lower)


OUTLINE = ("via", "from", "to", "call-id", "cseq")


def printed_name(name: str) -> str:
    return CANONICAL.get(name) or name.title()


class Headers:
    """Ordered header fields. Lists may be spread over lines or commas; `values` sees through both (RFC 3261 §7.3.1)."""

    __slots__ = ("_decoded", "_first", "_items")

    def __init__(self, items: Iterable[tuple[str, str]] = (), first: dict[str, str] | None = None) -> None:
        """`first` is what `index` will return, when that is known."""
        self._items: list[tuple[str, str]] = items if isinstance(items, list) else list(items)
        self._first = first
        self._decoded: dict[type, tuple[object, ...]] | None = None

    def _changed(self) -> None:
        self._decoded = self._first = None

    @property
    def items(self) -> list[tuple[str, str]]:
        """Name and text of every field, in order; not to be changed."""
        return self._items

    def index(self) -> dict[str, str]:
        """Name to text of its first field; not to be changed."""
        first = self._first
        if first is None:
            first = self._first = dict(reversed(self._items))
        return first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        return name in self.index()

    def get(self, name: str) -> str | None:
        """Text of the first field called `name` (lower case, long form)."""
        return self.index().get(name)

    def raw(self, name: str) -> list[str]:
        """Texts of every field line of that name, in order, commas untouched."""
        return [value for key, value in self._items if key == name]

    def values(self, name: str) -> list[str]:
        """Every value: list headers are split at commas."""
        lines = self.raw(name)
        if name in LIST_HEADERS:
            return [part for line in lines for part in (split_list(line) if "," in line else (line,))]
        return lines

    def first(self, kind: type[H]) -> H | None:
        """The first value, decoded; raises ParseError when it is malformed."""
        found = self.all(kind)
        return found[0] if found else None

    def all(self, kind: type[H]) -> tuple[H, ...]:
        """All values, decoded once; raises ParseError when one is malformed."""
        cache = self._decoded
        if cache is None:
            cache = self._decoded = {}
        found = cache.get(kind)
        if found is None:
            name = kind.NAME.lower()
            parse = kind.parse
            found = cache[kind] = tuple([parse(text) for text in self.values(name)]) if name in self.index() else ()
        return found  # type: ignore[return-value]

    def add(self, name: str, value: object, *, top: bool = False) -> None:
        """Append a field (`top`: put it before all others)."""
        self._changed()
        self._items.insert(0 if top else len(self._items), (long_name(name), str(value)))

    def set(self, name: str, value: object) -> None:
        """Replace every field of that name by one, at the place of the first; append when there was none."""
        key, text = long_name(name), str(value)
        self._changed()
        for i, (have, _) in enumerate(self._items):
            if have == key:
                rest = [item for item in self._items[i + 1 :] if item[0] != key]
                self._items[i:] = [(key, text), *rest]
                return
        self._items.append((key, text))

    def set_top_value(self, name: str, value: str) -> None:
        """Replace the first value of a list header, leaving the others of its line and the later lines."""
        self._decoded = None
        for i, (key, text) in enumerate(self._items):
            if key == name:
                new = ", ".join([value, *split_list(text)[1:]]) if "," in text else value
                self._items[i] = (key, new)
                if self._first is not None:
                    self._first[key] = new
                return

    def remove(self, name: str) -> None:
        self._changed()
        self._items = [item for item in self._items if item[0] != name]

    def settle(self) -> None:
        """Forget what was decoded and looked up."""
        self._changed()

    def copy(self) -> "Headers":
        return Headers(list(self._items))

    def lines(self) -> str:
        """The fields as printed, each ended by CRLF; Content-Length is left to whoever knows the body."""
        return "".join(
            [
                f"{CANONICAL.get(key) or key.title()}: {value}\r\n"
                for key, value in self._items
                if key != "content-length"
            ]
        )


Sent = tuple[str, str, str, str | None]
Tags = tuple[str | None, str | None]
Facts = tuple[str | int, str, list[tuple[str, str]], dict[str, str], bytes, Sent, Tags]


class Message:
    """What requests and responses share. Header values are decoded when somebody asks; `sent` and `tags` are what the
    reader of the usual form has found on its way."""

    __slots__ = ("_cseq", "_from", "_sent", "_tags", "_to", "_via", "body", "headers")

    def __init__(self, headers: Headers, body: bytes = b"", sent: Sent | None = None, tags: Tags | None = None) -> None:
        self.headers, self.body = headers, body
        self._sent, self._tags = sent, tags
        self._via: Via | None = None
        self._from: From | None = None
        self._to: To | None = None
        self._cseq: CSeq | None = None

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            text = self._required("via")
            self._via = _top_via(text) if "," in text else _via(text)
        return self._via

    @property
    def sent(self) -> Sent:
        """Host, port (text, "" when absent), branch ("") and rport (None) of the topmost Via as it came."""
        if self._sent is None:
            via = self.via
            self._sent = (via.host, str(via.port or ""), via.branch or "", via.rport)
        return self._sent

    @property
    def branch(self) -> str:
        """Of the topmost Via; "" when absent."""
        return self.sent[2]

    @property
    def from_tag(self) -> str | None:
        return self._tags[0] if self._tags is not None else self.from_.tag

    @property
    def to_tag(self) -> str | None:
        return self._tags[1] if self._tags is not None else self.to.tag

    @property
    def from_(self) -> From:
        if self._from is None:
            self._from = _from(self._required("from"))
        return self._from

    @property
    def to(self) -> To:
        if self._to is None:
            self._to = _to(self._required("to"))
        return self._to

    @property
    def cseq(self) -> CSeq:
        if self._cseq is None:
            self._cseq = CSeq.parse(self._required("cseq"))
        return self._cseq

    @property
    def call_id(self) -> str:
        return self._required("call-id")

    @property
    def contact(self) -> Contact | None:
        """The first Contact, or None."""
        return self.headers.first(Contact)

    @property
    def content_type(self) -> str:
        """Media type of the body without parameters, lower case; empty when there is none."""
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()

    def settle(self) -> None:
        """Forget what was decoded: the message is kept for long and seldom asked."""
        self.headers.settle()
        self._via = self._from = self._to = self._cseq = None

    def _required(self, name: str) -> str:
        value = self.headers.index().get(name)
        if value is None:
            raise ParseError(f"no {printed_name(name)} header")
        return value

    def _encode(self, start_line: str) -> bytes:
        data = write(start_line, self.headers.items, self.body)
        if data is not None:
            return data
        head = f"{start_line}\r\n{self.headers.lines()}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode("utf-8", "surrogateescape") + self.body


class Request(Message):
    """RFC 3261 §7.1. `uri` is the Request-URI."""

    __slots__ = ("method", "uri")

    def __init__(
        self,
        method: str,
        uri: Uri,
        headers: Headers,
        body: bytes = b"",
        sent: Sent | None = None,
        tags: Tags | None = None,
    ) -> None:
        super().__init__(headers, body, sent, tags)
        self.method, self.uri = method, uri

    def note_source(self, host: str, port: int) -> None:
        """Write where the request came from into its top Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
        text = self._required("via")
        if text.endswith(";rport") and "," not in text and "received" not in text.lower():
            # What most phones send; as text it costs a tenth.
            self.headers.set_top_value("via", f"{text}={port};received={host}")
            self._via = None
            return
        via = self.via.with_source(host, port)
        if via is not self._via:
            self.replace_via(via)

    def replace_via(self, via: Via) -> None:
        """Put `via` in the place of the top one."""
        self.headers.set_top_value("via", str(via))
        self._via = via

    def routes(self) -> tuple[Route, ...]:
        return self.headers.all(Route)

    def outline(self) -> "Request":
        """As much of it as is needed to know it again: the fields of `OUTLINE`, no body."""
        kept = [item for item in self.headers.items if item[0] in OUTLINE]
        return Request(self.method, self.uri, Headers(kept), b"", self._sent, self._tags)

    def __bytes__(self) -> bytes:
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"


class Response(Message):
    """RFC 3261 §7.2."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str,
        headers: Headers,
        body: bytes = b"",
        sent: Sent | None = None,
        tags: Tags | None = None,
    ) -> None:
        super().__init__(headers, body, sent, tags)
        self.status, self.reason = status, reason

    def __bytes__(self) -> bytes:
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"
