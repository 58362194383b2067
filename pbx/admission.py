"""Who is asking: a trusted address, a terminal with its password, or nobody yet (RFC 3261 §22, RFC 8760).

Nobody learns here whether an account exists: whoever does not prove to be a terminal gets a challenge, the same for
the known and the unknown, for a wrong password and a foreign realm. Who has proved it, but comes from where the
account's network filter lets nobody in, is refused without one (AMB-26). Sources that guess are slowed down one by one.
"""

import secrets
from collections.abc import Sequence
from itertools import count
from typing import Protocol

from frozen import dataclass
from pbx.account_failures import AccountFailures
from pbx.border import NOT_FROM_THERE, NUMBER_FOR_LOGIN, UNKNOWN_ACCOUNT, UNKNOWN_NUMBER, WRONG_PASSWORD, Border
from pbx.clock import Clock
from pbx.directory import Directory
from pbx.guard import GuessingGuard
from pbx.location import BROWSERS
from pbx.source import Sources
from pbx.source_rate import SourceRate
from sipcore.auth.digest import ALGORITHMS, ha1, verify
from sipcore.auth.nonce import NonceCounts, NonceMaker, NonceVerdict
from sipcore.build import Extra
from sipcore.errors import ParseError
from sipcore.flow import Flow
from sipcore.headers import Authorization
from sipcore.message import Request
from sipcore.transport.addresses import source_of
from sipcore.uri import SipUri, same_host
from storage.records import Provider, Terminal

_TRANSPORTS = {
    "any": ("UDP", "TCP", "TLS", "WS", "WSS"),
    "udp": ("UDP",),
    "tcp": ("TCP",),
    "tls": ("TLS",),
    "ws": ("WS", "WSS"),
}


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request is `terminal`'s, which may be the device of a provider (`Directory.provider_behind`). `by_address`:
    its source is trusted, and believed about whom it speaks for."""

    terminal: Terminal
    by_address: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """Answer with `status` and the headers `extra`. `challenge`: a 401 that needs no memory."""

    status: int
    extra: Extra = ()
    challenge: bool = False


_NOT_HEARD = Denied(403)
_SLOW_DOWN = Denied(503, (("Retry-After", "1"),))


class Lines(Protocol):
    """What admission knows of providers."""

    def is_line(self, source: str) -> bool:
        """Whether a provider's server is there."""

    def accounts_of(self, request: Request, source: str) -> tuple[Provider, ...]:
        """The accounts that a request from that address may be for, the likely one first."""


class Admission:
    """Judges requests by source address and credentials. `directory` is replaced when the office changes; `offered` are
    the algorithms of a challenge, the preferred one first (RFC 8760 §2.4); `source_rate`: SEC-9, 0 = any."""

    def __init__(
        self,
        directory: Directory,
        nonce_key: bytes,
        clock: Clock,
        offered: Sequence[str] = ("SHA-256", "MD5"),
        *,
        source_rate: int = 0,
        sources: Sources | None = None,
    ) -> None:
        self.sources = sources or Sources()
        self.lines: Lines | None = None
        self._offered = tuple(offered)
        self.directory, self._clock = directory, clock
        self._nonces = NonceMaker(nonce_key)
        self._salts = count(secrets.randbits(32))  # another each time is enough: the nonce is signed
        self._counts = NonceCounts()
        self.guard = GuessingGuard()
        self.rate = SourceRate(source_rate)
        self.border: Border | None = None
        self.failures = AccountFailures()
        self._nobody = {algorithm: ha1(secrets.token_hex(8), "", "", algorithm) for algorithm in ALGORITHMS}

    def check(self, request: Request, flow: Flow) -> Admitted | Denied:
        """Decide on one request; only the terminal named by the result may be acted for."""
        edge, flow = flow, self.sources.of(request, flow)
        source = flow.remote[0]
        if flow is not edge:
            self.rate.proved(edge.remote[0])  # it speaks for many
            if self.border is not None and self.border.refuses(source, flow.transport):
                return _NOT_HEARD
        trusted = self._trusted(source, request) if self.directory.trusts(source) else None
        if trusted is not None and self._reachable(trusted, flow):
            self.rate.proved(source)
            return Admitted(trusted, by_address=True)
        credentials = self._credentials(request)
        if credentials is None:
            return self._challenge()
        now, guesser = self._clock.now(), source_of(source)
        if not self.guard.may_try(guesser, now, credentials.username):
            return _SLOW_DOWN
        terminal = self._proven(credentials, request)
        if terminal is None or not self._reachable(terminal, flow, credentials.username):
            self.guard.failed(guesser, now, credentials.username)
            self._failed(source, terminal, credentials.username)
            is_known = terminal is not None and not self.directory.may_use(terminal, source)
            return _NOT_HEARD if is_known else self._challenge()  # AMB-26
        self.guard.succeeded(guesser, now, credentials.username)
        self.rate.proved(source)
        if not self._is_fresh(credentials):
            return self._challenge(stale=True)
        return Admitted(terminal)

    def _failed(self, source: str, proven: Terminal | None, account: str) -> None:
        """What is counted against the source (SEC-12) and told of the account (EXT-23)."""
        known, named = self.directory.account(account), self.directory.terminal(account)
        reason = NOT_FROM_THERE if proven else WRONG_PASSWORD if known is not None else UNKNOWN_ACCOUNT
        if known is not None:
            self.failures.failed(known.number, source, reason, self._clock.wall())
        elif named is not None:
            self.failures.failed(named.number, source, NUMBER_FOR_LOGIN, self._clock.wall())
        if self.border is not None:
            self.border.failed(source, reason)

    def takes_guests(self, source: str) -> bool:
        """Whether people without an account may call from that address (REG-17): not from where a phone of the office
        is, which has to say who it is."""
        return self.directory.office.inbound.guests and not self.rate.is_proven(source)

    def is_guest(self, request: Request, flow: Flow) -> bool:
        """Whether an INVITE that is not admitted is of somebody who does not belong here: it has no credentials, and
        its From is at another host than the one that is called. That says nothing about which accounts there are."""
        if "authorization" in request.headers or not self.takes_guests(self.sources.of(request, flow).remote[0]):
            return False
        by, to = request.from_.uri, request.uri
        if not isinstance(by, SipUri) or not isinstance(to, SipUri):
            return False
        return not (same_host(by.host, to.host) or same_host(by.host, self.directory.realm))

    def sought(self, number: str, source: str) -> None:
        """Somebody who does not say who it is calls a number: one that nobody has is a way out (SEC-12)."""
        is_known = number in self.directory.numbers or self.rate.is_proven(source)
        if self.border is not None and not is_known:
            self.border.failed(source, UNKNOWN_NUMBER)

    def accounts_of(self, request: Request, flow: Flow) -> tuple[Provider, ...]:
        """The accounts at providers that an INVITE is for, the likely one first: none when it comes from elsewhere, a
        terminal trusts that address, or it has credentials of an account here, which go first (REG-16)."""
        source = self.sources.of(request, flow).remote[0]
        if self.lines is None or self.directory.trusts(source):
            return ()
        found = self.lines.accounts_of(request, source)
        credentials = self._credentials(request) if found else None
        if credentials is not None and self.directory.account(credentials.username) is not None:
            return ()
        if found:
            self.rate.proved(source)
        return found

    def _trusted(self, source: str, request: Request) -> Terminal | None:
        uri = request.from_.uri
        return self.directory.trusted(source, uri.user or "" if isinstance(uri, SipUri) else "")

    def _credentials(self, request: Request) -> Authorization | None:
        """The credentials meant for us: those of our realm."""
        try:
            found = request.headers.all(Authorization)
        except ParseError:
            return None
        for credentials in found:
            if credentials.scheme == "Digest" and credentials.realm == self.directory.realm:
                return credentials
        return None

    def _proven(self, credentials: Authorization, request: Request) -> Terminal | None:
        """The account whose password was used. An unknown one costs the same time as a wrong password."""
        terminal = self.directory.account(credentials.username)
        algorithm = (credentials.algorithm or "MD5").upper().removesuffix("-SESS")
        if algorithm not in ALGORITHMS:
            return None
        if terminal is None or not terminal.password:
            verify(credentials, self._nobody[algorithm], request.method, request.body)
            return None
        secret = self.directory.secret(terminal, credentials.username, algorithm)
        return terminal if verify(credentials, secret, request.method, request.body) else None

    def _is_fresh(self, credentials: Authorization) -> bool:
        """A nonce of ours, not too old, its count not used before (RFC 7616 §5.12)."""
        wall = self._clock.wall()
        if self._nonces.check(credentials.nonce, wall) is not NonceVerdict.FRESH:
            return False
        used = credentials.count
        return used is not None and self._counts.accept(credentials.nonce, used, wall)

    def _reachable(self, terminal: Terminal, flow: Flow, login: str = "") -> bool:
        """Network filter and transport of the account allow this path (EXT-10, EXT-11), and so does the user name."""
        if self.directory.is_twin(login) and flow.transport not in BROWSERS:
            return False
        return flow.transport in _TRANSPORTS[terminal.transport] and self.directory.may_use(terminal, flow.remote[0])

    def lines_for_stranger(self, source: str) -> str | None:
        """The challenge for a request without credentials from that address, as lines of a response; None when the
        address is one that has to be looked at more closely."""
        is_line = self.lines is not None and self.lines.is_line(source)
        if is_line or self.sources.is_edge(source) or self.directory.trusts(source):
            return None
        return "".join([f"WWW-Authenticate: {each}\r\n" for each in self._challenges("")])

    def _challenge(self, *, stale: bool = False) -> Denied:
        extra = tuple([("WWW-Authenticate", each) for each in self._challenges(", stale=true" if stale else "")])
        return Denied(401, extra, challenge=True)

    def _challenges(self, tail: str) -> list[str]:
        nonce, realm = self._nonces.make(self._clock.wall(), f"{next(self._salts):x}"), self.directory.realm
        return [
            f'Digest realm="{realm}", nonce="{nonce}"{tail}, algorithm={algorithm}, qop="auth"'
            for algorithm in self._offered
        ]
