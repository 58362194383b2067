"""Who may sign in: accounts with a password and a second factor, API keys, sessions (API-3, API-4).

Passwords are kept as Argon2 hashes, keys and refresh tokens as SHA-256 of what is long and random anyway. All of it is
remembered by the running server, so any number of web processes see the same.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from pyotp.utils import strings_equal

from conf.passwords import generate_password
from web.core import Beside, Core

ACCOUNTS, KEYS, SESSIONS = "accounts", "api keys", "sessions"
ADMINISTRATOR = "admin"
KEY_MARK = "zvk_"  # begins every API key, so that it is told from a token and found in logs and repositories
SESSION_S, REMEMBERED_S = 12 * 3600.0, 30 * 86400.0
SEEN_EVERY_S = 60.0  # how exactly the last use of a key or a session is known
TOTP_STEP_S = 30


@dataclass(frozen=True, slots=True)
class Account:
    """`user`: the id of a person of the office, whose role and scope count; "" is an administrator. `must_change`: the
    password was given by somebody else. `totp_step`: the last code that was used."""

    login: str
    password: str = field(repr=False)
    user: str = ""
    must_change: bool = False
    disabled: bool = False
    totp: str = field(default="", repr=False)
    totp_step: int = 0
    created_at: float = 0.0
    signed_in_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`rights`: resource → "read" or "write"; empty is everything. `network`: from where it may be used, "" anywhere.
    `user`: whose numbers it sees, "" all."""

    id: str
    name: str
    hash: str = field(repr=False)
    suffix: str
    rights: dict[str, str] = field(default_factory=dict)
    network: str = ""
    user: str = ""
    created_at: float = 0.0
    used_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """`refresh`: the hash of the token that prolongs it, which changes each time."""

    id: str
    login: str
    refresh: str = field(repr=False)
    remembered: bool
    address: str
    agent: str
    created_at: float
    expires_at: float


class Passwords:
    """Argon2 with the second parameters of RFC 9106 §4; each check takes a thread some 100 ms."""

    def __init__(self, hasher: PasswordHasher | None = None, beside: Beside = asyncio.to_thread) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)
        self._beside = beside
        self._nobody = self._hasher.hash(secrets.token_hex(8))

    async def hash(self, password: str) -> str:
        hash: str = await self._beside(self._hasher.hash, password)
        return hash

    async def fits(self, account: Account | None, password: str) -> bool:
        """Whether it is the password; as slow where there is no such account."""
        fits: bool = await self._beside(self._fits, account.password if account else self._nobody, password)
        return fits

    def _fits(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except VerificationError:
            return False


class Accounts:
    """Accounts, keys and sessions of one server."""

    def __init__(self, core: Core, passwords: Passwords) -> None:
        self._core, self.passwords = core, passwords

    async def first(self) -> str:
        """Make the first administrator where there is no account; its one-time password, else ""."""
        if await self._core.remembered(ACCOUNTS, Account):
            return ""
        password = generate_password()
        hash = await self.passwords.hash(password)
        await self.put(Account(ADMINISTRATOR, hash, must_change=True, created_at=time.time()))
        return password

    async def all(self) -> Mapping[str, Account]:
        return await self._core.remembered(ACCOUNTS, Account)

    async def find(self, login: str) -> Account | None:
        return await self._core.recall(ACCOUNTS, login, Account)

    async def put(self, account: Account) -> None:
        await self._core.remember(ACCOUNTS, account.login, account)

    async def reset_password(self, account: Account, password: str) -> Account:
        """Store it with a one-time password instead of the one that was; its sessions end."""
        fresh = replace(account, password=await self.passwords.hash(password), must_change=True)
        await self.put(fresh)
        await self.sign_out(account.login)
        return fresh

    async def remove(self, login: str) -> None:
        await self._core.remember(ACCOUNTS, login, None)
        await self.sign_out(login)

    # --- second factor ----------------------------------------------------------------------------------------------

    async def takes_code(self, account: Account, code: str) -> bool:
        """Whether it is the code of this moment or of one beside it, and was not used before (RFC 6238 §5.2)."""
        totp, now = pyotp.TOTP(account.totp), time.time()
        for shift in (-1, 0, 1):
            step = int(now // TOTP_STEP_S) + shift
            if step > account.totp_step and strings_equal(totp.at(int(now) + shift * TOTP_STEP_S), code):
                await self.put(replace(account, totp_step=step))
                return True
        return False

    # --- sessions -----------------------------------------------------------------------------------------------

    async def sign_in(self, login: str, *, remember: bool, address: str, agent: str) -> tuple[Session, str]:
        """A new session and its refresh token."""
        now, token = time.time(), secrets.token_urlsafe(32)
        session = Session(
            secrets.token_urlsafe(12), login, hashed(token), remember, address, agent[:200], now, now + _lasts(remember)
        )
        await self._core.remember(SESSIONS, session.id, session)
        return session, token

    async def session(self, id: str) -> Session | None:
        found = await self._core.recall(SESSIONS, id, Session)
        return found if found is not None and found.expires_at > time.time() else None

    async def refresh(self, id: str, token: str) -> tuple[Session, str] | None:
        """The session goes on with another token. One that was used before ends it: somebody else has it, too."""
        session = await self.session(id)
        if session is None:
            return None
        if not secrets.compare_digest(session.refresh, hashed(token)):
            await self.end(id)
            return None
        fresh = secrets.token_urlsafe(32)
        session = replace(session, refresh=hashed(fresh), expires_at=time.time() + _lasts(session.remembered))
        await self._core.remember(SESSIONS, id, session)
        return session, fresh

    async def sessions(self) -> Mapping[str, Session]:
        """Those that are alive; the others are forgotten on the way."""
        found = await self._core.remembered(SESSIONS, Session)
        for id in [id for id, session in found.items() if session.expires_at <= time.time()]:
            await self.end(id)
            del found[id]
        return found

    async def end(self, id: str) -> None:
        await self._core.remember(SESSIONS, id, None)

    async def sign_out(self, login: str, but: str = "") -> None:
        """End all sessions of an account except one."""
        for id, session in (await self.sessions()).items():
            if session.login == login and id != but:
                await self.end(id)

    # --- keys ---------------------------------------------------------------------------------------------------

    async def keys(self) -> Mapping[str, ApiKey]:
        return await self._core.remembered(KEYS, ApiKey)

    async def put_key(self, key: ApiKey) -> None:
        await self._core.remember(KEYS, key.id, key)

    async def remove_key(self, id: str) -> None:
        await self._core.remember(KEYS, id, None)

    async def key_of(self, text: str) -> ApiKey | None:
        """The key that a client has shown."""
        id, _, secret = text.removeprefix(KEY_MARK).partition("_")
        key = await self._core.recall(KEYS, id, ApiKey)
        if key is None or not secrets.compare_digest(key.hash, hashed(secret)):
            return None
        if time.time() - key.used_at >= SEEN_EVERY_S:
            await self.put_key(replace(key, used_at=time.time()))
        return key


def new_key(name: str, rights: dict[str, str], network: str, user: str) -> tuple[ApiKey, str]:
    """A key, and its text, which is shown once."""
    id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    key = ApiKey(id, name, hashed(secret), secret[-4:], rights, network, user, time.time())
    return key, f"{KEY_MARK}{id}_{secret}"


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _lasts(remembered: bool) -> float:
    return REMEMBERED_S if remembered else SESSION_S
