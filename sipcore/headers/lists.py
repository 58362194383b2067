"""Headers that are lists of words: Allow, Supported, Require, Unsupported, Accept and their like."""

from functools import lru_cache
from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import CONTROL, TOKEN, readable, split_list

_CACHED_LENGTH = 256
_MOST_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class TokenList:
    """All the tokens of one header line, in order, as sent."""

    NAME: ClassVar[str] = "Supported"
    tokens: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(_parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text))

    def __contains__(self, token: object) -> bool:
        return token in self.tokens

    def __str__(self) -> str:
        return ", ".join(self.tokens)


class Allow(TokenList):
    """Methods, case-sensitive."""

    __slots__ = ()
    NAME: ClassVar[str] = "Allow"


class Supported(TokenList):
    __slots__ = ()


class Require(TokenList):
    __slots__ = ()
    NAME: ClassVar[str] = "Require"


class ProxyRequire(TokenList):
    __slots__ = ()
    NAME: ClassVar[str] = "Proxy-Require"


class Unsupported(TokenList):
    __slots__ = ()
    NAME: ClassVar[str] = "Unsupported"


class AllowEvents(TokenList):
    """RFC 6665 §8.2.2."""

    __slots__ = ()
    NAME: ClassVar[str] = "Allow-Events"


@dataclass(frozen=True, slots=True)
class Accept:
    """Media ranges with their parameters, as sent. An empty Accept means that no body is wanted (§20.1)."""

    NAME: ClassVar[str] = "Accept"
    tokens: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        if CONTROL.search(text):
            raise ParseError("the Accept value holds a control character")
        return cls(tuple(split_list(readable(text))))

    def allows(self, media_type: str) -> bool:
        """Whether `type/subtype` is covered by one of the ranges."""
        wanted = media_type.lower()
        ranges = {token.partition(";")[0].strip(" \t").lower() for token in self.tokens}
        return not ranges.isdisjoint((wanted, "*/*", f"{wanted.partition('/')[0]}/*"))

    def __str__(self) -> str:
        return ", ".join(self.tokens)


def _parse(text: str) -> tuple[str, ...]:
    if text.count(",") > _MOST_TOKENS:
        raise ParseError("the list is too long")
    tokens = tuple([token for part in text.split(",") if (token := part.strip(" \t"))])
    if not all(map(TOKEN.fullmatch, tokens)):
        raise ParseError("the list holds something that is no token")
    return tokens


_parse_cached = lru_cache(maxsize=1024)(_parse)
