"""Signing in and out, the own password and second factor, sessions (API-3, SEC-15)."""

import secrets
from dataclasses import replace
from typing import Annotated

import msgspec
import pyotp
from fastapi import APIRouter, Cookie, Path, Request, Response

from conf.passwords import weakness
from web.accounts import REMEMBERED_S, Account, Session
from web.answers import answer, refused
from web.body import record_of
from web.describe import gives, many, takes, thing
from web.door import COOKIE, TOKEN_S, Caller, Door, TheCore, TheDoor, address_of
from web.edit import tell
from web.rights import Principal

router = APIRouter(tags=["auth"])
PATH, COOKIE_PATH = "/api/v3/auth", "/api/v3"
TEXT = {"type": "string"}
TOKEN = thing(access_token="string", expires_in="integer", must_change_password="boolean")
GONE = gives({"type": "null"})


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    login: str
    password: str
    code: str = ""
    remember: bool = False


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    old: str
    new: str


class Code(msgspec.Struct, forbid_unknown_fields=True):
    code: str


class OnlyPassword(msgspec.Struct, forbid_unknown_fields=True):
    password: str


@router.post(
    f"{PATH}:login",
    responses=gives(TOKEN),
    openapi_extra=takes({**thing(login="string", password="string"), "additionalProperties": False} | {
        "properties": {"login": TEXT, "password": TEXT, "code": TEXT, "remember": {"type": "boolean"}}
    }) | {"security": []},
)  # fmt: skip
async def login(request: Request, core: TheCore, door: TheDoor) -> Response:
    """A token for a quarter of an hour, and a cookie that brings the next one. `code`: of the second factor."""
    given, address = await record_of(request, SignIn), address_of(request)
    await door.check_logins(address)
    account = await door.accounts.find(given.login)
    fits = await door.accounts.passwords.fits(account, given.password)
    if account is None or account.disabled or not fits:
        await door.guessed(address)
        await core.audit(given.login[:100], address, "refused", "auth/login")
        raise refused(401, "login or password is wrong")
    if account.totp and not await door.accounts.takes_code(account, given.code):
        if given.code:
            await door.guessed(address)
        raise refused(401, "the code of the second factor is " + ("wrong" if given.code else "missing"), "code")
    door.logins.forget(address)
    agent = request.headers.get("user-agent", "")
    session, token = await door.accounts.sign_in(account.login, remember=given.remember, address=address, agent=agent)
    await core.audit(account.login, address, "sign in", "auth/login")
    return _signed_in(request, door, account, session, token)


@router.post(f"{PATH}:refresh", responses=gives(TOKEN), openapi_extra={"security": []})
async def refresh(
    request: Request, door: TheDoor, zvon_refresh: Annotated[str, Cookie(max_length=200)] = ""
) -> Response:
    """The next token, by the cookie; the cookie changes as well."""
    address = address_of(request)
    door.refreshes.check(address)
    door.refreshes.count(address)
    id, _, token = zvon_refresh.partition(".")
    found = await door.accounts.refresh(id, token) if token else None
    account = await door.accounts.find(found[0].login) if found is not None else None
    if found is None or account is None or account.disabled:
        raise refused(401, "the session is over: sign in again")
    return _signed_in(request, door, account, *found)


@router.post(f"{PATH}:logout", responses=GONE)
async def logout(who: Caller, core: TheCore, door: TheDoor) -> Response:
    """The session ends, its tokens count no more."""
    if who.session:
        await door.accounts.end(who.session)
        await core.audit(who.name, who.address, "sign out", "auth/login")
    gone = answer(None)
    gone.delete_cookie(COOKIE, path=COOKIE_PATH)
    return gone


@router.get(
    "/api/v3/me",
    responses=gives(thing(login="string", role="string", user="string", numbers={}, must_change_password="boolean")),
)
async def me(who: Caller) -> Response:
    """Who is signed in; `numbers`: those that are seen, null: all."""
    return answer(
        {
            "login": who.name,
            "role": who.role,
            "user": who.user,
            "numbers": None if who.numbers is None else sorted(who.numbers),
            "rights": dict(who.rights),
            "must_change_password": who.must_change,
        }
    )


@router.post(
    f"{PATH}:changePassword",
    responses=GONE,
    openapi_extra=takes({**thing(old="string", new="string"), "additionalProperties": False}),
)
async def change_password(request: Request, who: Caller, core: TheCore, door: TheDoor) -> Response:
    """The own password; all other sessions of the account end."""
    given = await record_of(request, PasswordChange)
    account = await _confirmed(who, door, given.old)
    if why := weakness(given.new):
        raise refused(422, why, "new")
    if given.new == given.old:
        raise refused(422, "the new password is the old one", "new")
    fresh = replace(account, password=await door.accounts.passwords.hash(given.new), must_change=False)
    await door.accounts.put(fresh)
    await door.accounts.sign_out(account.login, but=who.session)
    await tell(core, who, "change password", f"accounts/{account.login}")
    return answer(None)


@router.post(f"{PATH}/totp:begin", responses=gives(thing(secret="string", uri="string")))
async def begin_totp(who: Caller, core: TheCore, door: TheDoor) -> Response:
    """A secret for an authenticator; it counts from the first code on that is confirmed."""
    account = await _own(who, door)
    if account.totp:
        raise refused(409, "there is a second factor already: remove it first")
    secret = pyotp.random_base32()
    await core.remember("pending totp", account.login, secret)
    name = (await core.snapshot()).office.name or "Zvon"
    return answer({"secret": secret, "uri": pyotp.TOTP(secret, name=account.login, issuer=name).provisioning_uri()})


@router.post(f"{PATH}/totp:confirm", responses=GONE, openapi_extra=takes(thing(code="string")))
async def confirm_totp(request: Request, who: Caller, core: TheCore, door: TheDoor) -> Response:
    given, account = await record_of(request, Code), await _own(who, door)
    secret = await core.recall("pending totp", account.login, str)
    if secret is None:
        raise refused(409, "begin with totp:begin")
    await door.check_logins(who.address)
    if not await door.accounts.takes_code(replace(account, totp=secret), given.code):
        await door.guessed(who.address)
        raise refused(422, "the code is wrong", "code")
    await core.remember("pending totp", account.login, None)
    await tell(core, who, "add second factor", f"accounts/{account.login}")
    return answer(None)


@router.post(f"{PATH}/totp:remove", responses=GONE, openapi_extra=takes(thing(password="string")))
async def remove_totp(request: Request, who: Caller, core: TheCore, door: TheDoor) -> Response:
    account = await _confirmed(who, door, (await record_of(request, OnlyPassword)).password)
    await door.accounts.put(replace(account, totp="", totp_step=0))
    await tell(core, who, "remove second factor", f"accounts/{account.login}")
    return answer(None)


@router.get(f"{PATH}/sessions", responses=gives(many({"type": "object"})))
async def sessions(who: Caller, door: TheDoor) -> Response:
    """The own sessions."""
    found = (await door.accounts.sessions()).values()
    return answer([_session(each, who) for each in found if each.login == who.name and who.session])


@router.delete(f"{PATH}/sessions/{{id}}", responses=GONE)
async def end_session(who: Caller, core: TheCore, door: TheDoor, id: Annotated[str, Path(max_length=100)]) -> Response:
    session = await door.accounts.session(id)
    if session is None or session.login != who.name or not who.session:
        raise refused(404, f'you have no session "{id}"')
    await door.accounts.end(id)
    await tell(core, who, "end session", f"accounts/{who.name}")
    return answer(None)


def _signed_in(request: Request, door: Door, account: Account, session: Session, token: str) -> Response:
    found = answer(
        {
            "access_token": door.token_for(session),
            "expires_in": TOKEN_S,
            "must_change_password": account.must_change,
        }
    )
    found.set_cookie(
        COOKIE,
        f"{session.id}.{token}",
        max_age=int(REMEMBERED_S) if session.remembered else None,
        path=COOKIE_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return found


async def _own(who: Principal, door: Door) -> Account:
    account = await door.accounts.find(who.name) if who.session else None
    if account is None:
        raise refused(403, "an API key has no password and no second factor")
    return account


async def _confirmed(who: Principal, door: Door, password: str) -> Account:
    """The own account, once its password has been said again."""
    account = await _own(who, door)
    await door.check_logins(who.address)
    if not await door.accounts.passwords.fits(account, password):
        await door.guessed(who.address)
        raise refused(403, "the password is wrong")
    return account


def _session(session: Session, who: Principal) -> dict[str, object]:
    return {
        "id": session.id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "address": session.address,
        "agent": session.agent,
        "is_this": secrets.compare_digest(session.id, who.session),
    }
