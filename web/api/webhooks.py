"""Webhooks as a resource: administrators only."""

import secrets
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Path, Request, Response
from starlette.requests import HTTPConnection

from web.answers import answer, refused
from web.body import record_of
from web.core import Core
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore
from web.edit import tell
from web.hooks import AREA, POSITIONS, Position, Webhook, Webhooks
from web.times import utc

router = APIRouter(tags=["webhooks"])
Id = Annotated[str, Path(max_length=100)]
TEXT, KINDS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
HOOK = thing(id="string", url="string", kinds=KINDS, disabled="boolean", failures="integer", error="string")
PART = {"type": "object", "properties": {"url": TEXT, "kinds": KINDS, "disabled": {"type": "boolean"}}}


class NewHook(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    kinds: tuple[str, ...] = ()


class HookPart(msgspec.Struct, forbid_unknown_fields=True):
    url: str | None = None
    kinds: tuple[str, ...] | None = None
    disabled: bool | None = None


@router.get("/webhooks", responses=gives(many(HOOK)))
async def read(who: Caller, core: TheCore) -> Response:
    who.check("webhooks", "read")
    positions = await core.remembered(POSITIONS, Position)
    hooks = (await core.remembered(AREA, Webhook)).values()
    return answer([_hook(each, positions.get(each.id)) for each in hooks])


@router.post(
    "/webhooks",
    status_code=201,
    responses=gives(thing(id="string", secret="string"), 201, "Created."),
    openapi_extra=takes(PART | {"required": ["url"]}),
)
async def create(request: Request, who: Caller, core: TheCore) -> Response:
    """Events are posted to `url` as `{"run", "is_gap", "events": […]}`. `secret` is shown here only; the header
    `Zvon-Signature: t=…,v1=…` is the HMAC-SHA256 of `t.body` with it."""
    who.check("webhooks", "write")
    given = await record_of(request, NewHook)
    _check_url(given.url)
    hook = Webhook(secrets.token_hex(6), given.url, secrets.token_urlsafe(32), given.kinds)
    await _hooks(request).begin(hook)
    await core.remember(AREA, hook.id, hook)
    await _hooks(request).refresh()
    await tell(core, who, "create", f"webhooks/{hook.id}", None, _hook(hook, None))
    return answer({"id": hook.id, "secret": hook.secret}, status=201)


@router.patch("/webhooks/{id}", responses=gives(HOOK), openapi_extra=takes(PART))
async def change(request: Request, who: Caller, core: TheCore, id: Id) -> Response:
    who.check("webhooks", "write")
    given, before = await record_of(request, HookPart), await _found(core, id)
    parts: dict[str, Any] = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not None}
    if given.url is not None:
        _check_url(given.url)
    hook = replace(before, **parts)
    await core.remember(AREA, id, hook)
    await _hooks(request).refresh()
    await tell(core, who, "change", f"webhooks/{id}", _hook(before, None), _hook(hook, None))
    return answer(_hook(hook, await core.recall(POSITIONS, id, Position)))


@router.delete("/webhooks/{id}", responses=gives({"type": "null"}))
async def delete(request: Request, who: Caller, core: TheCore, id: Id) -> Response:
    who.check("webhooks", "write")
    before = await _found(core, id)
    await core.remember(AREA, id, None)
    await core.remember(POSITIONS, id, None)
    await _hooks(request).refresh()
    await tell(core, who, "delete", f"webhooks/{id}", _hook(before, None))
    return answer(None)


async def _found(core: Core, id: str) -> Webhook:
    found = await core.recall(AREA, id, Webhook)
    if found is None:
        raise refused(404, f'there is no webhook "{id}"')
    return found


def _hooks(connection: HTTPConnection) -> Webhooks:
    hooks: Webhooks = connection.app.state.hooks
    return hooks


def _hook(hook: Webhook, position: Position | None) -> dict[str, Any]:
    at = position or Position()
    return {
        "id": hook.id,
        "url": hook.url,
        "kinds": list(hook.kinds),
        "disabled": hook.disabled,
        "failures": at.failures,
        "error": at.error,
        "posted_at": utc(at.posted_at) if at.posted_at else None,
    }


def _check_url(url: str) -> None:
    try:
        found = urlsplit(url)
        is_right = found.scheme in ("http", "https") and bool(found.hostname) and url.isascii() and url.isprintable()
        is_right = is_right and (found.port is None or found.port > 0)
    except ValueError:
        is_right = False
    if not is_right or len(url) > 1000:
        raise refused(422, "must be an address such as https://crm.example.com/zvon", "url")
