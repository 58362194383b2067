"""Headers of one number or one short value (RFC 3261 §20)."""

import re
from functools import lru_cache
from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import CONTROL, QUOTED, TOKEN_CHARS, parse_number, quote, readable, unquote
from sipcore.headers.address import MAX_EXPIRES_S
from sipcore.params import NO_PARAMS, Params

_RETRY_AFTER = re.compile(r"[ \t]*+([0-9]++)[ \t]*+(?:\(([^()]*+)\)[ \t]*+)?(;.*+)?")
_WARNING = re.compile(rf"[ \t]*+([0-9]{{3}}+)[ \t]++([^ \t\"]++)[ \t]++({QUOTED})[ \t]*+")
_TIMESTAMP = re.compile(r"[ \t]*+([0-9]{1,15}+(?:\.[0-9]{0,9}+)?)(?:[ \t]++([0-9]{0,9}+(?:\.[0-9]{0,9}+)?))?[ \t]*+")
_MEDIA_TYPE = re.compile(rf"[ \t]*+([{TOKEN_CHARS}]++)[ \t]*+/[ \t]*+([{TOKEN_CHARS}]++)[ \t]*+")
_CACHED_LENGTH = 96
MAX_LENGTH = 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Number:
    """One decimal number, limited by `MOST`."""

    NAME: ClassVar[str] = ""
    MOST: ClassVar[int] = MAX_EXPIRES_S
    value: int

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(parse_number(text.strip(" \t"), f"the {cls.NAME}", cls.MOST))

    def __str__(self) -> str:
        return str(self.value)


class MaxForwards(_Number):
    """Hops left, 0 to 255."""

    __slots__ = ()
    NAME: ClassVar[str] = "Max-Forwards"
    MOST: ClassVar[int] = 255


class Expires(_Number):
    """Seconds; a value beyond 2**32 - 1 counts as that (RFC 4475 §3.1.2.4)."""

    __slots__ = ()
    NAME: ClassVar[str] = "Expires"

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(min(parse_number(text.strip(" \t"), "the Expires", 10**20), MAX_EXPIRES_S))


class MinExpires(_Number):
    __slots__ = ()
    NAME: ClassVar[str] = "Min-Expires"


class ContentLength(_Number):
    """Octets of the body."""

    __slots__ = ()
    NAME: ClassVar[str] = "Content-Length"
    MOST: ClassVar[int] = MAX_LENGTH


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Seconds, with a comment and parameters such as `duration`."""

    NAME: ClassVar[str] = "Retry-After"
    value: int
    comment: str = ""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _RETRY_AFTER.fullmatch(text)
        if match is None or CONTROL.search(match[2] or ""):
            raise ParseError("the Retry-After is malformed")
        seconds = parse_number(match[1], "the Retry-After", MAX_EXPIRES_S)
        return cls(seconds, readable(match[2] or ""), Params.parse(match[3] or ""))

    def __str__(self) -> str:
        comment = f" ({self.comment})" if self.comment else ""
        return f"{self.value}{comment}{self.params}"


@dataclass(frozen=True, slots=True)
class Warning:
    """A three digit code, who warns, and a text (§20.43)."""

    NAME: ClassVar[str] = "Warning"
    code: int
    agent: str
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _WARNING.fullmatch(text)
        if match is None or CONTROL.search(match[2]):
            raise ParseError("the Warning is malformed")
        return cls(int(match[1]), readable(match[2]), unquote(match[3]))

    def __str__(self) -> str:
        return f"{self.code:03d} {self.agent} {quote(self.text)}"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The sender's clock and how long the answerer took, both as sent (§20.38)."""

    NAME: ClassVar[str] = "Timestamp"
    value: str
    delay: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _TIMESTAMP.fullmatch(text)
        if match is None:
            raise ParseError("the Timestamp is malformed")
        return cls(match[1], match[2] or "")

    def __str__(self) -> str:
        return f"{self.value} {self.delay}".rstrip()


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case with its parameters."""

    NAME: ClassVar[str] = "Content-Type"
    media_type: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> "ContentType":
        return _parse_type_cached(text) if len(text) <= _CACHED_LENGTH else _parse_type(text)

    def __str__(self) -> str:
        return f"{self.media_type}{self.params}"


def _parse_type(text: str) -> ContentType:
    head, separator, rest = text.partition(";")
    match = _MEDIA_TYPE.fullmatch(head)
    if match is None:
        raise ParseError("the Content-Type is malformed")
    return ContentType(f"{match[1]}/{match[2]}".lower(), Params.parse(separator + rest))


_parse_type_cached = lru_cache(maxsize=256)(_parse_type)
