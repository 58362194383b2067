"""`;name=value` lists of headers and URIs (RFC 3261 §7.3.1): order kept, names case-insensitive, values as sent."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import QUOTED, quote, unquote

_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]:/&$()@<>?=#|{}^]++")
_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]/:&$()]++")
_PARAM = re.compile(
    r'[ \t]*+(?:;[ \t]*+)+(?:([^\s=;,"<>]++)[ \t]*+'
    rf'(?:=[ \t]*+({QUOTED}|[^\x00-\x20\x7f;,"\ud800-\udfff]*+)[ \t]*+)?)?'
)
_SIMPLE = re.compile(r"(?:;[a-z0-9\-.+]++(?:=[A-Za-z0-9\-.!%*_+`'~\[\]:/&$()@]++)?){1,16}")
_SIMPLE_PARAM = re.compile(r";([^;=]++)=?+([^;]*+)")
_CACHED_LENGTH = 24  # flags, transports, lifetimes; tags and branches never come twice
_MOST_PARAMS = 128


@dataclass(frozen=True, slots=True)
class Params:
    """An immutable parameter list; `items` holds (lower-case name, value as sent, "" for a flag)."""

    items: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Params":
        """Parse `;a=b;c`; the empty text gives no parameters, empty parameters are skipped."""
        if not text:
            return NO_PARAMS
        if len(text) <= _CACHED_LENGTH and text[:5] != ";tag=":
            return _parse_cached(text)
        return _parse(text)

    def get(self, name: str) -> str | None:
        """The unquoted value, "" for a flag, None when absent; `name` in lower case."""
        for key, value in self.items:
            if key == name:
                return unquote(value) if value[:1] == '"' else value
        return None

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self.items)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def with_(self, name: str, value: str | int = "") -> Self:
        """The list with `name` set, in its old place or at the end; the value is quoted where it must be."""
        name = name.lower()
        raw = str(value)
        if raw and not _VALUE.fullmatch(raw):
            raw = quote(raw)
        if name in self:
            return type(self)(tuple((key, raw if key == name else old) for key, old in self.items))
        return type(self)((*self.items, (name, raw)))

    def with_quoted(self, name: str, value: str) -> Self:
        """The same with the value always in quotes, for parameters whose grammar wants a quoted-string."""
        return type(self)((*self.without(name).items, (name.lower(), quote(value))))

    def without(self, *names: str) -> Self:
        lowered = [name.lower() for name in names]
        return type(self)(tuple(item for item in self.items if item[0] not in lowered))

    def __str__(self) -> str:
        return "".join([f";{name}={value}" if value else f";{name}" for name, value in self.items])


def _parse(text: str) -> Params:
    if not _SIMPLE.fullmatch(text):
        return _parse_any(text)
    return Params(tuple(_SIMPLE_PARAM.findall(text)))


def _parse_any(text: str) -> Params:
    items: list[tuple[str, str]] = []
    at, end = 0, len(text)
    while at < end:
        match = _PARAM.match(text, at)
        if match is None:
            if text[at:].strip(" \t"):
                raise ParseError("a parameter list is malformed")
            break
        name, value = match.groups()
        if name is not None:
            if len(items) == _MOST_PARAMS:
                raise ParseError("there are too many parameters")
            items.append((_check_name(name), _clean(value or "")))
        at = match.end()
    return Params(tuple(items))


def _clean(value: str) -> str:
    """A quoted value without controls and without octets that are no text; others never hold any."""
    return value if value[:1] != '"' or value.isprintable() else quote(unquote(value))


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ParseError("a parameter name holds a character that is not allowed")
    return name.lower()


_parse_cached = lru_cache(maxsize=4096)(_parse)
NO_PARAMS = Params()
