from collections.abc import Iterable, Iterator
from typing import ClassVar, Protocol, TypeVar

from sipcore.headers import Contact, CSeq, From, Route, To, Via
from sipcore.uri import OtherUri, SipUri, TelUri

Uri = SipUri | TelUri | OtherUri
Sent = tuple[str, str, str, str | None]
Tags = tuple[str | None, str | None]
Facts = tuple[str | int, str, list[tuple[str, str]], dict[str, str], bytes, Sent, Tags]

class Header(Protocol):
    """What every header value class offers."""

    NAME: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Header: ...

H = TypeVar("H", bound=Header)

def long_name(name: str) -> str:
    """The lower-case long form of a header name as written: `v` and `VIA` are `via`."""

def printed_name(name: str) -> str: ...

class Headers:
    """Ordered header fields. Lists may be spread over lines or commas; `values` sees through both (RFC 3261 §7.3.1)."""

    def __init__(self, items: Iterable[tuple[str, str]] = (), first: dict[str, str] | None = None) -> None:
        """`first` is what `index` will return, when that is known."""

    @property
    def items(self) -> list[tuple[str, str]]:
        """Name and text of every field, in order; not to be changed."""

    def index(self) -> dict[str, str]:
        """Name to text of its first field; not to be changed."""

    def __iter__(self) -> Iterator[tuple[str, str]]: ...
    def __len__(self) -> int: ...
    def __contains__(self, name: str) -> bool: ...
    def get(self, name: str) -> str | None:
        """Text of the first field called `name` (lower case, long form)."""

    def raw(self, name: str) -> list[str]:
        """Texts of every field line of that name, in order, commas untouched."""

    def values(self, name: str) -> list[str]:
        """Every value: list headers are split at commas."""

    def first(self, kind: type[H]) -> H | None:
        """The first value, decoded; raises ParseError when it is malformed."""

    def all(self, kind: type[H]) -> tuple[H, ...]:
        """All values, decoded once; raises ParseError when one is malformed."""

    def add(self, name: str, value: object, *, top: bool = False) -> None:
        """Append a field (`top`: put it before all others)."""

    def set(self, name: str, value: object) -> None:
        """Replace every field of that name by one, at the place of the first; append when there was none."""

    def set_top_value(self, name: str, value: str) -> None:
        """Replace the first value of a list header, leaving the others of its line and the later lines."""

    def remove(self, name: str) -> None: ...
    def settle(self) -> None:
        """Forget what was decoded and looked up."""

    def copy(self) -> Headers: ...
    def lines(self) -> str:
        """The fields as printed, each ended by CRLF; Content-Length is left to whoever knows the body."""

class Message:
    """What requests and responses share. Header values are decoded when somebody asks; `sent` and `tags` are what the
    reader of the usual form has found on its way."""

    headers: Headers
    body: bytes

    def __init__(
        self, headers: Headers, body: bytes = b"", sent: Sent | None = None, tags: Tags | None = None
    ) -> None: ...
    @property
    def via(self) -> Via:
        """The topmost Via."""

    @property
    def sent(self) -> Sent:
        """Host, port (text, "" when absent), branch ("") and rport (None) of the topmost Via as it came."""

    @property
    def branch(self) -> str:
        """Of the topmost Via; "" when absent."""

    @property
    def from_tag(self) -> str | None: ...
    @property
    def to_tag(self) -> str | None: ...
    @property
    def from_(self) -> From: ...
    @property
    def to(self) -> To: ...
    @property
    def cseq(self) -> CSeq: ...
    @property
    def call_id(self) -> str: ...
    @property
    def contact(self) -> Contact | None:
        """The first Contact, or None."""

    @property
    def content_type(self) -> str:
        """Media type of the body without parameters, lower case; empty when there is none."""

    def settle(self) -> None:
        """Forget what was decoded: the message is kept for long and seldom asked."""

class Request(Message):
    """RFC 3261 §7.1. `uri` is the Request-URI."""

    method: str
    uri: Uri

    def __init__(
        self,
        method: str,
        uri: Uri,
        headers: Headers,
        body: bytes = b"",
        sent: Sent | None = None,
        tags: Tags | None = None,
    ) -> None: ...
    def note_source(self, host: str, port: int) -> None:
        """Write where the request came from into its top Via (RFC 3261 §18.2.1, RFC 3581 §4)."""

    def replace_via(self, via: Via) -> None:
        """Put `via` in the place of the top one."""

    def routes(self) -> tuple[Route, ...]: ...
    def outline(self) -> Request:
        """As much of it as is needed to know it again: Via, From, To, Call-ID and CSeq, no body."""

    def __bytes__(self) -> bytes: ...

class Response(Message):
    """RFC 3261 §7.2."""

    status: int
    reason: str

    def __init__(
        self,
        status: int,
        reason: str,
        headers: Headers,
        body: bytes = b"",
        sent: Sent | None = None,
        tags: Tags | None = None,
    ) -> None: ...
    def __bytes__(self) -> bytes: ...
