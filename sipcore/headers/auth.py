"""Challenges and credentials (RFC 3261 §20.7, §20.44; RFC 7616, RFC 8760)."""

import re
from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import CONTROL, QUOTED, TOKEN_CHARS, is_token, quote, readable, unquote
from sipcore.usual import pairs

_SCHEME = re.compile(rf"[ \t]*+([{TOKEN_CHARS}]++)(?:[ \t]++|$)")
_PAIR_TEXT = rf'[ \t]*+(?:[{TOKEN_CHARS}]++[ \t]*+=[ \t]*+(?:{QUOTED}|[^\x00-\x20\x7f",\ud800-\udfff]*+)[ \t]*+)?'
_PAIRS = re.compile(rf"{_PAIR_TEXT}(?:,{_PAIR_TEXT})*")
_PAIR = re.compile(rf'([{TOKEN_CHARS}]++)[ \t]*+=[ \t]*+(?:"([^"\\]*+)"|({QUOTED}|[^\x00-\x20\x7f",\ud800-\udfff]*+))')
_MOST_PAIRS = 64
_MOST_COMMAS = 1024  # also in quoted values
_NC = re.compile(r"[0-9A-Fa-f]{8}")
_CHALLENGE_NAMES = {"realm", "nonce", "algorithm", "qop", "opaque", "stale", "domain", "charset", "userhash"}
_CREDENTIAL_NAMES = {
    "username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc", "userhash",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Challenge:
    """What WWW-Authenticate and Proxy-Authenticate hold. `algorithm` is "" when absent, which means MD5.

    Another scheme than Digest is kept as text in `other`.
    """

    NAME: ClassVar[str] = "WWW-Authenticate"
    realm: str = ""
    nonce: str = ""
    algorithm: str = ""
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False
    userhash: bool = False
    charset: str = ""
    domain: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    scheme: str = "Digest"
    other: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        scheme, rest = _split_scheme(text)
        if scheme != "Digest":
            return cls(scheme=scheme, other=rest)
        values = _parse_pairs(rest)
        get = values.get
        return cls(
            realm=get("realm", ""),
            nonce=get("nonce", ""),
            algorithm=get("algorithm", ""),
            qop=tuple([word for part in get("qop", "").split(",") if is_token(word := part.strip(" \t").lower())]),
            opaque=get("opaque"),
            stale=get("stale", "").lower() == "true",
            userhash=get("userhash", "").lower() == "true",
            charset=get("charset", ""),
            domain=get("domain", ""),
            extra=_extra(values, _CHALLENGE_NAMES),
        )

    def __str__(self) -> str:
        if self.scheme != "Digest":
            return f"{self.scheme} {self.other}".rstrip()
        text = f"Digest realm={quote(self.realm)}, nonce={quote(self.nonce)}"
        if self.domain:
            text += f", domain={quote(self.domain)}"
        if self.opaque is not None:
            text += f", opaque={quote(self.opaque)}"
        if self.stale:
            text += ", stale=true"
        if self.algorithm:
            text += f", algorithm={_bare(self.algorithm)}"
        if self.qop:
            text += f', qop="{",".join(self.qop)}"'
        if self.charset:
            text += f", charset={_bare(self.charset)}"
        if self.userhash:
            text += ", userhash=true"
        return text + _print_extra(self.extra)


class WwwAuthenticate(Challenge):
    __slots__ = ()


class ProxyAuthenticate(Challenge):
    __slots__ = ()
    NAME: ClassVar[str] = "Proxy-Authenticate"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Authorization and Proxy-Authorization hold. `qop` and `nc` are "" when absent (RFC 2069 style).

    Another scheme than Digest is kept as text in `other`.
    """

    NAME: ClassVar[str] = "Authorization"
    username: str = ""
    realm: str = ""
    nonce: str = ""
    uri: str = ""
    response: str = ""
    algorithm: str = ""
    cnonce: str = ""
    opaque: str | None = None
    qop: str = ""
    nc: str = ""
    userhash: bool = False
    extra: tuple[tuple[str, str], ...] = ()
    scheme: str = "Digest"
    other: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        scheme, rest = _split_scheme(text)
        if scheme != "Digest":
            return cls(scheme=scheme, other=rest)
        values = pairs(rest) or _parse_pairs(rest)
        get = values.get
        return cls(
            get("username", ""),
            get("realm", ""),
            get("nonce", ""),
            get("uri", ""),
            get("response", ""),
            get("algorithm", ""),
            get("cnonce", ""),
            get("opaque"),
            get("qop", "").lower(),
            get("nc", ""),
            get("userhash", "").lower() == "true",
            _extra(values, _CREDENTIAL_NAMES),
        )

    @property
    def count(self) -> int | None:
        """The nonce count as a number, 0 when absent, None when it is not eight hexadecimal digits."""
        if not self.nc:
            return 0
        return int(self.nc, 16) if _NC.fullmatch(self.nc) else None

    def __str__(self) -> str:
        if self.scheme != "Digest":
            return f"{self.scheme} {self.other}".rstrip()
        text = (
            f"Digest username={quote(self.username)}, realm={quote(self.realm)}, nonce={quote(self.nonce)}, "
            f"uri={quote(self.uri)}, response={quote(self.response)}"
        )
        if self.algorithm:
            text += f", algorithm={_bare(self.algorithm)}"
        if self.cnonce:
            text += f", cnonce={quote(self.cnonce)}"
        if self.opaque is not None:
            text += f", opaque={quote(self.opaque)}"
        if self.qop:
            text += f", qop={_bare(self.qop)}, nc={_bare(self.nc)}"
        if self.userhash:
            text += ", userhash=true"
        return text + _print_extra(self.extra)


class Authorization(Credentials):
    __slots__ = ()


class ProxyAuthorization(Credentials):
    __slots__ = ()
    NAME: ClassVar[str] = "Proxy-Authorization"


def _split_scheme(text: str) -> tuple[str, str]:
    if text.startswith("Digest "):
        return "Digest", text[7:]
    match = _SCHEME.match(text)
    if match is None:
        raise ParseError("the authentication value has no scheme")
    scheme, rest = match[1], text[match.end() :].rstrip(" \t")
    if scheme.lower() == "digest":
        return "Digest", rest
    if CONTROL.search(rest):
        raise ParseError("the authentication value holds a control character")
    return scheme, readable(rest)


def _parse_pairs(text: str) -> dict[str, str]:
    if text.count(",") > _MOST_COMMAS or not _PAIRS.fullmatch(text):
        raise ParseError("the digest parameters are malformed")
    pairs = _PAIR.findall(readable(text))
    values = {name.lower(): plain or unquote(value) for name, plain, value in pairs}
    if len(values) != len(pairs) or not 0 < len(pairs) <= _MOST_PAIRS:
        raise ParseError("the digest parameters are missing, too many or given twice")
    return values


def _extra(values: dict[str, str], known: set[str]) -> tuple[tuple[str, str], ...]:
    if values.keys() <= known:
        return ()
    return tuple((name, value) for name, value in values.items() if name not in known)


def _bare(value: str) -> str:
    """Parameters that peers expect without quotes, in quotes only where the grammar leaves no choice."""
    return value if is_token(value) else quote(value)


def _print_extra(extra: tuple[tuple[str, str], ...]) -> str:
    return "".join([f", {name}={quote(value)}" for name, value in extra])
