"""Answers to challenges of our own requests (RFC 3261 §22, RFC 7616, RFC 8760).

What a server challenged with is remembered by realm, so that later requests carry credentials at once, each with the
next nonce count; a nonce that the server changes (`stale`, `nextnonce`, or a new challenge for an old nonce) is taken
over. A password that was refused for a fresh nonce is wrong, and is not tried again.
"""

from collections.abc import Sequence
from dataclasses import field, replace

from frozen import dataclass
from sipcore.auth.digest import answer, choose
from sipcore.errors import ParseError
from sipcore.headers import ProxyAuthenticate, WwwAuthenticate
from sipcore.headers.auth import Authorization, Challenge, Credentials, ProxyAuthorization
from sipcore.ids import IdSource
from sipcore.message import Request, Response

MOST_REALMS = 8
MOST_CHALLENGES = 4  # to one request: a server that changes its nonce each time would keep us for ever
_KINDS: dict[int, tuple[type[Challenge], type[Credentials]]] = {
    401: (WwwAuthenticate, Authorization),
    407: (ProxyAuthenticate, ProxyAuthorization),
}
_Key = tuple[type[Challenge], str]


@dataclass(frozen=True, slots=True)
class Account:
    """A login for one realm, or for every realm that has none of its own. The password stays out of `repr`."""

    username: str
    password: str = field(repr=False)
    realm: str = ""


@dataclass(slots=True)
class _Known:
    """A challenge and how often its nonce was used."""

    challenge: Challenge
    count: int = 0


class DigestClient:
    """The credentials of one account at one server, for any number of requests."""

    def __init__(self, accounts: Sequence[Account], ids: IdSource) -> None:
        self._accounts, self._ids = {each.realm: each for each in accounts}, ids
        self._known: dict[_Key, _Known] = {}

    def authorize(self, request: Request) -> None:
        """Add credentials for every realm that challenged us before."""
        for known in self._known.values():
            account = self._account(known.challenge.realm)
            if account is not None:
                known.count += 1
                request.headers.add(*self._header(request, known, account))

    def challenged(self, request: Request, response: Response) -> str:
        """Take in the challenges of a 401 or 407 to `request`: empty when it is worth asking again, else a sentence
        that says why not."""
        why = "the challenge cannot be read"
        is_worth_it = False
        for realm, challenges in self._by_realm(response).items():
            refusal = self._take(request, realm, challenges)
            why = refusal or why
            is_worth_it = is_worth_it or not refusal
        return "" if is_worth_it else why

    def learn(self, response: Response) -> None:
        """A nonce for the next request, where the server gave one (RFC 7616 §3.5)."""
        for name, kind in (("authentication-info", WwwAuthenticate), ("proxy-authentication-info", ProxyAuthenticate)):
            following = _next_nonce(response.headers.get(name))
            mine = [known for key, known in self._known.items() if key[0] is kind]
            if following and len(mine) == 1:
                mine[0].challenge, mine[0].count = replace(mine[0].challenge, nonce=following), 0

    def _by_realm(self, response: Response) -> dict[str, list[Challenge]]:
        kind, _ = _KINDS[response.status]
        found: dict[str, list[Challenge]] = {}
        for text in response.headers.raw(kind.NAME.lower()):
            try:
                challenge = kind.parse(text)
            except ParseError:
                continue
            if challenge.realm in found or len(found) < MOST_REALMS:
                found.setdefault(challenge.realm, []).append(challenge)
        return found

    def _take(self, request: Request, realm: str, challenges: Sequence[Challenge]) -> str:
        """Remember the best challenge of a realm; a sentence when there is nothing to answer it with."""
        best = choose(challenges)
        if best is None:
            return "no algorithm that both sides know proves the password"
        if self._account(realm) is None:
            return f'there is no login for the realm "{realm}"'
        key = (type(best), realm)
        known = self._known.get(key)
        if known is not None and known.count == 1 and not best.stale and _carries(request, known.challenge):
            del self._known[key]
            return "the login or the password is wrong"
        if known is None or known.challenge != best:
            self._known[key] = _Known(best)
        while len(self._known) > MOST_REALMS:
            del self._known[next(iter(self._known))]
        return ""

    def _account(self, realm: str) -> Account | None:
        return self._accounts.get(realm) or self._accounts.get("")

    def _header(self, request: Request, known: _Known, account: Account) -> tuple[str, Credentials]:
        made = answer(
            known.challenge,
            account.username,
            account.password,
            request.method,
            str(request.uri),
            self._ids.tag(),
            known.count,
            request.body,
        )
        return made.NAME, made


def _carries(request: Request, challenge: Challenge) -> bool:
    """Whether the request had credentials for this very nonce."""
    _, kind = next(pair for pair in _KINDS.values() if pair[0] is type(challenge))
    return any(each.realm == challenge.realm and each.nonce == challenge.nonce for each in request.headers.all(kind))


def _next_nonce(text: str | None) -> str:
    if not text:
        return ""
    try:
        return dict(Challenge.parse(f"Digest {text}").extra).get("nextnonce", "")
    except ParseError:
        return ""
