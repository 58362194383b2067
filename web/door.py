"""Who is at the door: access tokens, API keys, and the limits of trying."""

import secrets
import time
from base64 import b64decode
from typing import Annotated

import jwt
from fastapi import Depends, Query
from starlette.requests import HTTPConnection

from conf.networks import is_here, is_within, network_of
from storage.records import Office, User
from web.accounts import KEY_MARK, Account, Accounts, ApiKey, Session
from web.answers import Refused, refused
from web.border import Border
from web.core import Core
from web.limits import LOGINS, REFRESHES, Attempts
from web.rights import Principal, principal_of

TOKEN_S = 900  # API-3: a quarter of an hour
LINK_S = 3600
ALGORITHM = "HS256"
COOKIE = "zvon_refresh"
WRONG_SIGN_IN, WENT_ON = "wrong sign-in", "sign-in after too many"
WRONG_KEY, KEY_FROM_ELSEWHERE = "unknown API key", "API key not allowed from there"
_SIGNING = ("signing", "tokens")
LOCAL = "this machine"
# What browsers and proxies add, and programs of this machine do not.
_BROUGHT = ("forwarded", "x-forwarded-for", "x-real-ip", "via", "origin", "referer", "sec-fetch-site", "cookie")


class Door:
    """Lets in whoever shows a token or a key that counts now."""

    def __init__(self, core: Core, accounts: Accounts, border: Border, signing_key: str, *, trusts_local: bool) -> None:
        self._core, self.accounts, self.border, self._key = core, accounts, border, signing_key
        self._trusts_local = trusts_local
        self.logins, self.refreshes = Attempts(LOGINS), Attempts(REFRESHES)

    @classmethod
    async def open(cls, core: Core, accounts: Accounts, border: Border, *, trusts_local: bool = False) -> "Door":
        """With the signing key that all web processes of this server share."""
        found = await core.recall(*_SIGNING, str)
        if found is None:
            found = secrets.token_hex(32)
            await core.remember(*_SIGNING, found)
        return cls(core, accounts, border, found, trusts_local=trusts_local)

    def token_for(self, session: Session) -> str:
        now = int(time.time())
        claims = {"sub": session.login, "sid": session.id, "iat": now, "exp": now + TOKEN_S}
        return jwt.encode(claims, self._key, ALGORITHM)

    def link_to(self, what: str) -> tuple[str, int]:
        """A token for one thing alone, and how long it lasts in seconds."""
        return jwt.encode({"sub": what, "exp": int(time.time()) + LINK_S}, self._key, ALGORITHM), LINK_S

    def check_link(self, token: str, what: str) -> None:
        """Raises `Refused` (401) unless the token is for that thing."""
        try:
            claims = jwt.decode(token, self._key, [ALGORITHM], options={"require": ["exp", "sub"]})
        except jwt.InvalidTokenError:
            claims = {}
        if claims.get("sub") != what or "sid" in claims:
            raise _stranger("the link does not count (any more): ask for another one")

    async def check_logins(self, address: str) -> None:
        """Raises `Refused` (429) when too many sign-ins have failed; who goes on all the same is counted (SEC-15)."""
        try:
            self.logins.check(address)
        except Refused:
            await self.suspect(address, WENT_ON)
            raise

    async def guessed(self, address: str) -> None:
        """A password or a code was wrong."""
        self.logins.count(address)
        await self.suspect(address, WRONG_SIGN_IN)

    async def suspect(self, address: str, reason: str) -> None:
        """The server counts it, as it does failures of phones: too many are a ban."""
        await self.border.count(address, reason)

    def local(self, connection: HTTPConnection) -> Principal | None:
        """A program of this machine that shows nothing, where such are let in: no page in a browser, which may be
        anybody's, and nothing that a proxy brings."""
        if not self._trusts_local or any(name in connection.headers for name in _BROUGHT):
            return None
        address, host = address_of(connection), connection.url.hostname or ""
        if not is_here(address) or not (host == "localhost" or is_here(host)):
            return None
        return Principal(LOCAL, "administrator", address=address)

    async def enter(self, authorization: str, address: str) -> Principal:
        """Who shows these credentials; raises `Refused` (401)."""
        kind, _, shown = authorization.partition(" ")
        if kind.casefold() != "bearer" or not shown:
            raise _stranger("sign in first, or show an API key: Authorization: Bearer …")
        if shown.startswith(KEY_MARK):
            key = await self.accounts.key_of(shown)
            if key is None:  # no sign-in that failed: wrong passwords must not lock out keys
                await self.suspect(address, WRONG_KEY)
                raise _stranger("there is no such API key")
            return await self._by_key(key, address)
        return await self._by_token(shown, address)

    async def _by_key(self, key: ApiKey, address: str) -> Principal:
        office = (await self._core.snapshot()).office
        if key.network and not is_within(address, network_of(key.network, office.networks)):
            await self.suspect(address, KEY_FROM_ELSEWHERE)
            raise refused(403, f"this API key may not be used from {address}")
        user = _user(key.user, office)
        return principal_of(f"key {key.name}", user, office, rights=key.rights, address=address)

    async def _by_token(self, token: str, address: str) -> Principal:
        try:
            claims = jwt.decode(token, self._key, [ALGORITHM], options={"require": ["exp", "sub", "sid"]})
        except jwt.InvalidTokenError:
            raise _stranger("the token does not count (any more): sign in again") from None
        session = await self.accounts.session(str(claims["sid"]))
        account = await self.accounts.find(str(claims["sub"])) if session is not None else None
        if session is None or account is None or account.disabled:
            raise _stranger("the session is over: sign in again")
        return await self.principal(account, session.id, address)

    async def principal(self, account: Account, session: str, address: str) -> Principal:
        office = (await self._core.snapshot()).office
        user = _user(account.user, office)
        return principal_of(
            account.login, user, office, address=address, session=session, must_change=account.must_change
        )


def _user(id: str, office: Office) -> User | None:
    """The person of the office; an account of somebody who has left it is nobody's."""
    if not id:
        return None
    user = next((each for each in office.users if each.id == id), None)
    if user is None:
        raise _stranger(f'there is no user "{id}" in the office any more')
    return user


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client is not None else ""


async def door_of(connection: HTTPConnection) -> Door:  # a plain function would be called in a thread
    door: Door = connection.app.state.door
    return door


async def core_of(connection: HTTPConnection) -> Core:
    core: Core = connection.app.state.core
    return core


async def entered(connection: HTTPConnection) -> Principal:
    """Who asks; the rights are a matter of the endpoint."""
    door = await door_of(connection)
    shown = connection.headers.get("authorization", "")
    found = (door.local(connection) if not shown else None) or await door.enter(shown, address_of(connection))
    connection.state.principal = found
    return found


async def entered_by_phone(connection: HTTPConnection) -> Principal:
    """The same for devices that know users and passwords only: the password is an API key. Of endpoints that change
    nothing, for browsers repeat such credentials by themselves."""
    kind, _, shown = connection.headers.get("authorization", "").partition(" ")
    if kind.casefold() != "basic":
        return await entered(connection)
    try:
        key = b64decode(shown, validate=True).decode().partition(":")[2]
    except ValueError:
        key = ""
    return await (await door_of(connection)).enter(
        f"Bearer {key}" if key.startswith(KEY_MARK) else "", address_of(connection)
    )


Caller = Annotated[Principal, Depends(entered)]
TheCore = Annotated[Core, Depends(core_of)]


async def of_employee(
    who: Caller,
    core: TheCore,
    employee: Annotated[str, Query(max_length=64, description="Of this person alone: the id of a user.")] = "",
) -> Principal:
    return who.narrowed(employee, (await core.snapshot()).office) if employee else who


Looker = Annotated[Principal, Depends(of_employee)]  # whoever looks at all that is seen, or at one person's
TheDoor = Annotated[Door, Depends(door_of)]


def _stranger(text: str) -> Refused:
    return Refused(401, ("", text), headers={"WWW-Authenticate": "Bearer"})
