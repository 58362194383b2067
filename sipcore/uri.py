"""SIP, SIPS and tel URIs: parse, print, compare (RFC 3261 §19.1, RFC 3966, RFC 5954)."""

import re
from dataclasses import field
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from sys import intern
from typing import ClassVar

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import HOST, escape_header, escape_password, escape_user, unescape
from sipcore.params import NO_PARAMS, Params

_ESCAPED = r"%[0-9A-Fa-f]{2}"
_SIP = re.compile(
    r"(sips?):"
    rf"(?:((?:[^\x00-\x20\x7f-\x9f\ud800-\udfff@:<>\"%]++|{_ESCAPED})+)"
    rf"(?::((?:[^\x00-\x20\x7f-\x9f\ud800-\udfff@:<>\"%]++|{_ESCAPED})*))?@)?"
    rf"({HOST})(?::([0-9]{{1,5}}+))?"
    rf"((?:;(?:[^\x00-\x20\x7f-\x9f\ud800-\udfff;?<>\",%]++|{_ESCAPED})*)*)"
    rf"(?:\?((?:[^\x00-\x20\x7f-\x9f\ud800-\udfff<>\",%]++|{_ESCAPED})+))?",
    re.IGNORECASE,
)
_SIMPLE = re.compile(  # what nearly all URIs look like; three times as fast as the full grammar
    r"(sips?):(?:([A-Za-z0-9\-_.!~*'()&=+$]++)@)?([A-Za-z0-9.\-_]++)(?::([0-9]{1,5}+))?"
    r"((?:;[A-Za-z0-9\-_.!~*'()=\[\]/:&+$]++)*)"
)
_TEL = re.compile(r"tel:([0-9A-Fa-f*#+\-.()]++)((?:;[^\x00-\x20\x7f-\x9f\ud800-\udfff;?<>\",]*+)*)", re.IGNORECASE)
_OTHER = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):([^\x00-\x20\x7f-\x9f\ud800-\udfff<>\"]++)")
_SEPARATORS = str.maketrans("", "", "-.()")
_MUST_MATCH = ("user", "ttl", "method", "maddr", "transport")
_CACHED_LENGTH = 160
LONGEST = 8192


@dataclass(frozen=True, slots=True)
class SipUri:
    """A sip or sips URI. `user` is readable text (escapes undone, see `unescape`), an IPv6 host has no brackets."""

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    params: Params = NO_PARAMS
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = field(default=None, repr=False)
    _text: str = field(default="", init=False, repr=False, compare=False)  # as printed, once it was

    @classmethod
    def parse(cls, text: str) -> "SipUri":
        return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)

    @property
    def secure(self) -> bool:
        return self.scheme == "sips"

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case, None when absent."""
        value = self.params.get("transport")
        return value.lower() if value else None

    def aor(self) -> "SipUri":
        """The address-of-record: scheme, user and lower-case host only (RFC 3261 §10.3 step 5)."""
        return SipUri(self.scheme, self.user, self.host.lower())

    def equivalent(self, other: object) -> bool:
        """Whether both URIs name the same resource by RFC 3261 §19.1.4."""
        return (
            isinstance(other, SipUri)
            and self.scheme == other.scheme
            and self.user == other.user
            and self.password == other.password
            and self.port == other.port
            and _host_key(self.host) == _host_key(other.host)
            and _same_params(self.params, other.params)
            and _header_key(self.headers) == _header_key(other.headers)
        )

    def __str__(self) -> str:
        text = self._text
        if not text:
            text = self._printed()
            object.__setattr__(self, "_text", text)
        return text

    def _printed(self) -> str:
        text = f"[{self.host}]" if ":" in self.host else self.host
        if self.user is not None:
            text = f"{self._userinfo()}@{text}"
        if self.port is not None:
            text = f"{text}:{self.port}"
        text = f"{self.scheme}:{text}{self.params}" if self.params.items else f"{self.scheme}:{text}"
        return f"{text}?{_print_headers(self.headers)}" if self.headers else text

    def _userinfo(self) -> str:
        user = escape_user(self.user or "")
        return user if self.password is None else f"{user}:{escape_password(self.password)}"


@dataclass(frozen=True, slots=True)
class TelUri:
    """A tel URI (RFC 3966); `number` keeps its visual separators."""

    scheme: ClassVar[str] = "tel"
    number: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> "TelUri":
        match = _TEL.fullmatch(text)
        if match is None:
            raise ParseError("the tel URI is malformed")
        return cls(match[1], Params.parse(match[2]))

    @property
    def digits(self) -> str:
        """The number without visual separators."""
        return self.number.translate(_SEPARATORS)

    def equivalent(self, other: object) -> bool:
        return (
            isinstance(other, TelUri)
            and self.digits.lower() == other.digits.lower()
            and _sorted_params(self.params) == _sorted_params(other.params)
        )

    def __str__(self) -> str:
        return f"tel:{self.number}{self.params}"


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI of a scheme that we do not speak: well-formed, so 416 and not 400."""

    scheme: str
    text: str

    def equivalent(self, other: object) -> bool:
        return self == other

    def __str__(self) -> str:
        return f"{self.scheme}:{self.text}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Any URI; only text that is no URI at all, or a broken sip, sips or tel URI, raises ParseError."""
    if text[:4] == "sip:":
        return SipUri.parse(text)
    if len(text) > LONGEST:
        raise ParseError("the URI is too long", 414)
    head = text[:5].lower()
    if head.startswith(("sip:", "sips:")):
        return SipUri.parse(text)
    if head.startswith("tel:"):
        return TelUri.parse(text)
    match = _OTHER.fullmatch(text)
    if match is None:
        raise ParseError("the URI is malformed")
    return OtherUri(match[1].lower(), match[2])


def host_of(text: str) -> str:
    """A host as `HOST` matched it: the brackets of an IPv6 reference are checked and taken off. The grammar of RFC 3261
    allows a third colon before an embedded IPv4 address; RFC 5118 §4.10 asks to bear it."""
    if text[0] != "[":
        return text
    host = text[1:-1].replace(":::", "::") if "." in text else text[1:-1]
    try:
        IPv6Address(host)
    except AddressValueError as error:
        raise ParseError("the IPv6 address is malformed") from error
    return host


def same_host(one: str, other: str) -> bool:
    """Whether two hosts, without brackets, are the same, however an IPv6 address is written (RFC 5118 §4.1)."""
    return one == other or _host_key(one) == _host_key(other)


def port_of(text: str | None) -> int | None:
    """A port as digits; None when absent."""
    if text is None:
        return None
    port = int(text)
    if not 0 < port < 65536:
        raise ParseError("the port is not between 1 and 65535")
    return port


def _parse(text: str) -> SipUri:
    if len(text) > LONGEST:
        raise ParseError("the URI is too long", 414)
    if simple := _SIMPLE.fullmatch(text):
        scheme, user, host, port, params = simple.groups()  # interned: many phones have the same
        return SipUri(intern(scheme), user and intern(user), intern(host), port_of(port), Params.parse(params))
    match = _SIP.fullmatch(text)
    if match is None:
        raise ParseError("the SIP URI is malformed")
    scheme, user, password, host, port, params, headers = match.groups()
    return SipUri(
        scheme.lower(),
        unescape(user) if user else user,
        host_of(host),
        port_of(port),
        Params.parse(params),
        _parse_headers(headers) if headers else (),
        unescape(password) if password else password,
    )


_parse_cached = lru_cache(maxsize=8192)(_parse)


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in text.split("&"):
        name, separator, value = item.partition("=")
        if not name or not separator:
            raise ParseError("the headers of the URI are malformed")
        pairs.append((unescape(name), unescape(value)))
    return tuple(pairs)


def _print_headers(headers: tuple[tuple[str, str], ...]) -> str:
    return "&".join([f"{escape_header(name)}={escape_header(value)}" for name, value in headers])


def _host_key(host: str) -> str:
    if ":" not in host:
        return host.lower()
    try:
        return IPv6Address(host).compressed
    except AddressValueError:
        return host.lower()


def _same_params(mine: Params, theirs: Params) -> bool:
    if mine.items == theirs.items:
        return True
    ours, others = dict(mine.items), dict(theirs.items)
    return all(_same_param(name, ours.get(name), others.get(name)) for name in {*ours, *others})


def _same_param(name: str, mine: str | None, theirs: str | None) -> bool:
    if mine is None or theirs is None:
        return name not in _MUST_MATCH
    return mine == theirs or unescape(mine).lower() == unescape(theirs).lower()


def _header_key(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in headers)


def _sorted_params(params: Params) -> list[tuple[str, str]]:
    return sorted((name, unescape(value).lower()) for name, value in params.items)
