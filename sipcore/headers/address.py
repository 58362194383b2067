"""Headers that hold a name-addr: From, To, Contact, Route and their relatives (RFC 3261 §20.10, §25.1)."""

import re
from functools import lru_cache
from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import CONTROL, QUOTED, parse_number, quote, readable, unquote
from sipcore.params import NO_PARAMS, Params
from sipcore.uri import OtherUri, SipUri, Uri, parse_uri

_NAME_ADDR = re.compile(rf'[ \t]*+(?:({QUOTED})|([^"<>,;]*+))[ \t]*+<[ \t]*+([^<> \t]++)[ \t]*+>[ \t]*+(;.*+)?')
_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_INDEX = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,40}")
_STAR = OtherUri("*", "*")
MAX_EXPIRES_S = 2**32 - 1
_MALFORMED_EXPIRES_S = 3600
_CACHED_LENGTH = 256


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A URI with an optional display name and header parameters."""

    NAME: ClassVar[str] = "From"
    uri: Uri
    display: str = ""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _NAME_ADDR.fullmatch(text)
        if match is None:
            return cls._parse_addr_spec(text)
        quoted, words, uri, params = match.groups()
        if quoted is not None:
            display = unquote(quoted)
        elif words:
            display = _check_words(words.rstrip(" \t"))
        else:
            display = ""
        return cls(parse_uri(uri), display, Params.parse(params) if params else NO_PARAMS)

    @classmethod
    def _parse_addr_spec(cls, text: str) -> Self:
        """Without brackets every parameter belongs to the header, and `?` and `,` are not allowed (§20)."""
        text = text.strip(" \t")
        spec, separator, params = text.partition(";")
        if not spec or "<" in text or "," in spec or "?" in spec:
            raise ParseError(f"the {cls.NAME} value is no address")
        return cls(parse_uri(spec.rstrip(" \t")), "", Params.parse(separator + params))

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")

    @property
    def sip_uri(self) -> SipUri | None:
        """The URI when it is a sip or sips URI."""
        return self.uri if isinstance(self.uri, SipUri) else None

    def __str__(self) -> str:
        if self.display:
            return f"{quote(self.display)} <{self.uri}>{self.params}"
        return f"<{self.uri}>{self.params}"


class From(NameAddr):
    __slots__ = ()


class To(NameAddr):
    __slots__ = ()
    NAME: ClassVar[str] = "To"


class Contact(NameAddr):
    """One contact, or `Contact.STAR`, the `*` that removes every binding."""

    __slots__ = ()
    NAME: ClassVar[str] = "Contact"
    STAR: ClassVar["Contact"]

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls._cached(text) if len(text) <= _CACHED_LENGTH else cls._parse(text)

    @classmethod
    @lru_cache(maxsize=8192)
    def _cached(cls, text: str) -> Self:
        """A phone registers the same Contact again and again."""
        return cls._parse(text)

    @classmethod
    def _parse(cls, text: str) -> Self:
        if text.strip(" \t") == "*":
            return cls(_STAR)
        return super().parse(text)

    @property
    def is_star(self) -> bool:
        return self.uri is _STAR

    @property
    def q(self) -> float:
        """The preference, 0 to 1; 1 when absent or malformed."""
        value = self.params.get("q")
        return float(value) if value and _Q.fullmatch(value) else 1.0

    @property
    def expires(self) -> int | None:
        """The lifetime in seconds; a malformed one counts as 3600 (§20.10), a huge one as 2**32 - 1."""
        value = self.params.get("expires")
        if value is None:
            return None
        if not value or not (value.isascii() and value.isdigit()):
            return _MALFORMED_EXPIRES_S
        digits = value if len(value) < 10 else value.lstrip("0")[:11]
        return min(int(digits or "0"), MAX_EXPIRES_S)

    @property
    def instance(self) -> str | None:
        """The +sip.instance parameter without its quotes and brackets (RFC 5626 §4.1)."""
        value = self.params.get("+sip.instance")
        return value.strip("<>") or None if value else None

    @property
    def reg_id(self) -> int | None:
        """The reg-id parameter; None when absent or malformed (RFC 5626 §4.2)."""
        value = self.params.get("reg-id")
        try:
            return parse_number(value, "reg-id", 2**31 - 1) if value else None
        except ParseError:
            return None

    def __str__(self) -> str:
        return "*" if self.is_star else NameAddr.__str__(self)


Contact.STAR = Contact(_STAR)


class _RouteLike(NameAddr):
    __slots__ = ()

    @property
    def loose(self) -> bool:
        """Whether the URI asks for loose routing (`lr`)."""
        return isinstance(self.uri, SipUri) and "lr" in self.uri.params


class Route(_RouteLike):
    __slots__ = ()
    NAME: ClassVar[str] = "Route"


class RecordRoute(_RouteLike):
    __slots__ = ()
    NAME: ClassVar[str] = "Record-Route"


class Path(_RouteLike):
    """RFC 3327."""

    __slots__ = ()
    NAME: ClassVar[str] = "Path"


class ReferTo(NameAddr):
    """RFC 3515."""

    __slots__ = ()
    NAME: ClassVar[str] = "Refer-To"


class ReferredBy(NameAddr):
    """RFC 3892."""

    __slots__ = ()
    NAME: ClassVar[str] = "Referred-By"


class PAssertedIdentity(NameAddr):
    """RFC 3325."""

    __slots__ = ()
    NAME: ClassVar[str] = "P-Asserted-Identity"


class PPreferredIdentity(NameAddr):
    """RFC 3325."""

    __slots__ = ()
    NAME: ClassVar[str] = "P-Preferred-Identity"


class RemotePartyId(NameAddr):
    """draft-ietf-sip-privacy-04."""

    __slots__ = ()
    NAME: ClassVar[str] = "Remote-Party-ID"


class Diversion(NameAddr):
    """RFC 5806."""

    __slots__ = ()
    NAME: ClassVar[str] = "Diversion"


class HistoryInfo(NameAddr):
    """RFC 7044: one address that a request was sent to; `index` says where it stands in the tree of them."""

    __slots__ = ()
    NAME: ClassVar[str] = "History-Info"

    @property
    def index(self) -> str:
        """Such as `1.2.1`; "1" when absent or malformed."""
        value = self.params.get("index") or ""
        return value if _INDEX.fullmatch(value) else "1"


def _check_words(words: str) -> str:
    """An unquoted display name: tokens by the grammar, any text without controls in the field."""
    if CONTROL.search(words):
        raise ParseError("the display name holds a control character")
    return readable(words)
