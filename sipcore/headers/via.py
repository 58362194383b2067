"""Via, with the received and rport rules of RFC 3261 §18.2 and RFC 3581."""

import re
from functools import lru_cache
from typing import ClassVar, Self

from frozen import dataclass
from sipcore.errors import ParseError
from sipcore.grammar import HOST, TOKEN_CHARS
from sipcore.params import NO_PARAMS, Params
from sipcore.uri import host_of, port_of, same_host

MAGIC_COOKIE = "z9hG4bK"
_LWS = r"[ \t]*+"
_SENT = re.compile(
    rf"{_LWS}SIP{_LWS}/{_LWS}2\.0{_LWS}/{_LWS}([{TOKEN_CHARS}]++)[ \t]++"
    rf"({HOST}){_LWS}(?::{_LWS}([0-9]{{1,5}}+){_LWS})?",
    re.IGNORECASE,
)
_CACHED_LENGTH = 96


@dataclass(frozen=True, slots=True)
class Via:
    """One hop: transport in upper case, sent-by, parameters."""

    NAME: ClassVar[str] = "Via"
    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Self:
        sent, separator, params = text.partition(";")
        transport, host, port = _parse_sent_cached(sent) if len(sent) <= _CACHED_LENGTH else _parse_sent(sent)
        return cls(transport, host, port, Params.parse(separator + params))

    @property
    def branch(self) -> str | None:
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The source address that the next hop saw, an IPv6 one without brackets."""
        value = self.params.get("received")
        return value.strip("[]") if value else None

    @property
    def rport(self) -> str | None:
        """None when absent, "" when asked for, the port as digits when filled in (RFC 3581)."""
        return self.params.get("rport")

    @property
    def sent_by(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def with_source(self, host: str, port: int) -> Self:
        """The Via of a request that came from `host`:`port`: received and rport filled in (RFC 3581 §4).

        `received` is set when the sent-by differs from the source, and always when rport was asked for; one that
        the client wrote itself is dropped.
        """
        rport = self.params.get("rport")
        is_source = same_host(self.host, host)
        if rport is None and is_source and "received" not in self.params:
            return self
        kept = [item for item in self.params.items if item[0] not in ("rport", "received")]
        if rport is not None or not is_source:
            kept.append(("received", host))
        if rport is not None:
            kept.append(("rport", str(port)))
        return type(self)(self.transport, self.host, self.port, Params(tuple(kept)))

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{self.params}"


def _parse_sent(text: str) -> tuple[str, str, int | None]:
    match = _SENT.fullmatch(text)
    if match is None:
        raise ParseError("the Via is malformed")
    return match[1].upper(), host_of(match[2]), port_of(match[3])


_parse_sent_cached = lru_cache(maxsize=4096)(_parse_sent)
