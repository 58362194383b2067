"""Accounts that may sign in, and API keys: administrators only."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response

from conf.networks import network_of
from conf.passwords import generate_password
from storage.records import Office
from web.accounts import Account, ApiKey, new_key
from web.answers import answer, refused
from web.body import record_of
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore, TheDoor
from web.edit import tell

router = APIRouter()
Key = Annotated[str, Path(max_length=100)]
GONE = gives({"type": "null"})
LOGIN = re.compile(r"[A-Za-z0-9._@-]{1,64}")
TEXT, RIGHTS = {"type": "string"}, {"type": "object", "additionalProperties": {"enum": ["read", "write"]}}
ACCOUNT = thing(login="string", user="string", disabled="boolean", has_second_factor="boolean", created_at="number")
API_KEY = thing(id="string", name="string", suffix="string", rights=RIGHTS, network="string", user="string")


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    login: str
    user: str = ""


class AccountPart(msgspec.Struct, forbid_unknown_fields=True):
    user: str | None = None
    disabled: bool | None = None
    reset_password: bool = False
    remove_second_factor: bool = False


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rights: dict[str, str] = {}
    network: str = ""
    user: str = ""


@router.get("/accounts", tags=["accounts"], responses=gives(many(ACCOUNT)))
async def read_accounts(who: Caller, door: TheDoor) -> Response:
    who.check("accounts", "read")
    return answer([_account(each) for each in (await door.accounts.all()).values()])


@router.post(
    "/accounts",
    tags=["accounts"],
    status_code=201,
    responses=gives(thing(login="string", password="string"), 201, "Created."),
    openapi_extra=takes({"type": "object", "properties": {"login": TEXT, "user": TEXT}, "required": ["login"]}),
)
async def create_account(request: Request, who: Caller, core: TheCore, door: TheDoor) -> Response:
    """With a one-time password, which is shown here only. `user`: a person of the office, "": an administrator."""
    who.check("accounts", "write")
    given = await record_of(request, NewAccount)
    if not LOGIN.fullmatch(given.login):
        raise refused(422, "must be 1 to 64 letters A-Z a-z, digits or . _ @ -", "login")
    _check_user(given.user, (await core.snapshot()).office)
    if await door.accounts.find(given.login) is not None:
        raise refused(409, f'there is an account "{given.login}" already', "login")
    password = generate_password()
    hash = await door.accounts.passwords.hash(password)
    account = Account(given.login, hash, given.user, must_change=True, created_at=time.time())
    await door.accounts.put(account)
    await tell(core, who, "create", f"accounts/{given.login}", None, _account(account))
    return answer({"login": given.login, "password": password}, status=201)


@router.patch(
    "/accounts/{login}",
    tags=["accounts"],
    responses=gives(ACCOUNT | {"properties": ACCOUNT["properties"] | {"password": TEXT}}),
    openapi_extra=takes(
        {
            "type": "object",
            "properties": {
                "user": TEXT,
                "disabled": {"type": "boolean"},
                "reset_password": {"type": "boolean"},
                "remove_second_factor": {"type": "boolean"},
            },
        }
    ),
)
async def change_account(request: Request, who: Caller, core: TheCore, door: TheDoor, login: Key) -> Response:
    """`reset_password`: the answer shows a new one-time password."""
    who.check("accounts", "write")
    given = await record_of(request, AccountPart)
    before = await door.accounts.find(login)
    if before is None:
        raise refused(404, f'there is no account "{login}"')
    account, shown = before, {}
    if given.user is not None:
        _check_user(given.user, (await core.snapshot()).office)
        account = replace(account, user=given.user)
    if given.disabled is not None:
        if given.disabled and login == who.name:
            raise refused(409, "this is your own account", "disabled")
        account = replace(account, disabled=given.disabled)
    if given.remove_second_factor:
        account = replace(account, totp="", totp_step=0)
    if given.reset_password:
        shown = {"password": generate_password()}
        account = await door.accounts.reset_password(account, shown["password"])
    else:
        await door.accounts.put(account)
    if account.disabled:
        await door.accounts.sign_out(login)
    action = "reset password" if given.reset_password else "change"
    await tell(core, who, action, f"accounts/{login}", _account(before), _account(account))
    return answer(_account(account) | shown)


@router.delete("/accounts/{login}", tags=["accounts"], responses=GONE)
async def delete_account(who: Caller, core: TheCore, door: TheDoor, login: Key) -> Response:
    who.check("accounts", "write")
    before = await door.accounts.find(login)
    if before is None:
        raise refused(404, f'there is no account "{login}"')
    if login == who.name:
        raise refused(409, "this is your own account")
    await door.accounts.remove(login)
    await tell(core, who, "delete", f"accounts/{login}", _account(before))
    return answer(None)


@router.get("/api_keys", tags=["api_keys"], responses=gives(many(API_KEY)))
async def read_keys(who: Caller, door: TheDoor) -> Response:
    who.check("api_keys", "read")
    return answer([_key(each) for each in (await door.accounts.keys()).values()])


@router.post(
    "/api_keys",
    tags=["api_keys"],
    status_code=201,
    responses=gives(thing(id="string", key="string"), 201, "Created."),
    openapi_extra=takes(
        {
            "type": "object",
            "properties": {"name": TEXT, "rights": RIGHTS, "network": TEXT, "user": TEXT},
            "required": ["name"],
        }
    ),
)
async def create_key(request: Request, who: Caller, core: TheCore, door: TheDoor) -> Response:
    """`key` is shown here only. `rights`: resource → read or write, none: everything. `network`: CIDR, or the id of
    a network."""
    who.check("api_keys", "write")
    given = await record_of(request, NewKey)
    if not 1 <= len(given.name.strip()) <= 100 or not given.name.isprintable():
        raise refused(422, "must be 1 to 100 characters", "name")
    if wrong := [name for name, way in given.rights.items() if way not in ("read", "write")]:
        raise refused(422, 'must be "read" or "write"', f"rights.{wrong[0]}")
    office = (await core.snapshot()).office
    _check_network(given.network, office)
    _check_user(given.user, office)
    key, text = new_key(given.name, given.rights, given.network, given.user)
    await door.accounts.put_key(key)
    await tell(core, who, "create", f"api_keys/{key.id}", None, _key(key))
    return answer({"id": key.id, "key": text}, status=201)


@router.delete("/api_keys/{id}", tags=["api_keys"], responses=GONE)
async def delete_key(who: Caller, core: TheCore, door: TheDoor, id: Key) -> Response:
    who.check("api_keys", "write")
    before = (await door.accounts.keys()).get(id)
    if before is None:
        raise refused(404, f'there is no API key "{id}"')
    await door.accounts.remove_key(id)
    await tell(core, who, "delete", f"api_keys/{id}", _key(before))
    return answer(None)


def _account(account: Account) -> dict[str, object]:
    return {
        "login": account.login,
        "user": account.user,
        "disabled": account.disabled,
        "must_change_password": account.must_change,
        "has_second_factor": bool(account.totp),
        "created_at": account.created_at,
    }


def _key(key: ApiKey) -> Mapping[str, object]:
    found: dict[str, object] = msgspec.to_builtins(key)
    del found["hash"]
    return found


def _check_user(user: str, office: Office) -> None:
    if user and all(each.id != user for each in office.users):
        raise refused(422, f'there is no user "{user}"', "user")


def _check_network(network: str, office: Office) -> None:
    try:
        is_known = not network or network_of(network, office.networks) is not None
    except ValueError:
        raise refused(422, f'must be a network such as 192.168.0.0/24, not "{network}"', "network") from None
    if not is_known:
        raise refused(422, f'there is no network "{network}"', "network")
