"""Backups as a resource: made, listed, fetched, removed (CFG-6). Administrators only, for they hold passwords."""

import asyncio
from secrets import token_hex
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response
from starlette.responses import FileResponse

from pbx.control.backups import (
    BACKUP_PARTS,
    BackupView,
    GetBackups,
    GetRestore,
    MakeBackup,
    RemoveBackup,
    RestoreBackup,
    RestoreView,
    SendBackup,
    TakeBackup,
)
from pbx.control.messages import ControlError
from web.answers import answer, refused
from web.body import record_of, saved
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore
from web.edit import tell
from web.limits import MAX_BACKUP
from web.times import with_moments

router = APIRouter(tags=["backups"])
Name = Annotated[str, Path(max_length=100)]
MAKING_S = 7200.0
PARTS = {"type": "array", "items": {"enum": list(BACKUP_PARTS)}, "minItems": 1}
BACKUP = thing(name="string", made_at="string", size="integer", zvon="string", parts=PARTS)

STATES = {"enum": ["none", "running", "done", "failed"]}
RESTORE = thing(name="string", state=STATES, percent="integer", told=many({"type": "string"}), error="string")


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    parts: tuple[str, ...] = BACKUP_PARTS


@router.get("/backups", responses=gives(many(BACKUP)))
async def read(who: Caller, core: TheCore) -> Response:
    """The newest first."""
    who.check("backups", "read")
    return answer([_backup(each) for each in await core.ask(GetBackups(), list[BackupView])])


@router.post(
    "/backups",
    status_code=201,
    responses=gives(BACKUP, 201, "Made."),
    openapi_extra=takes({"type": "object", "properties": {"parts": PARTS}, "additionalProperties": False}),
)
async def create(request: Request, who: Caller, core: TheCore) -> Response:
    """One more, of all parts or some."""
    who.check("backups", "write")
    parts = (await record_of(request, Wanted)).parts
    if not parts or not set(parts) <= set(BACKUP_PARTS):
        raise refused(422, f"must be some of {', '.join(BACKUP_PARTS)}", "parts")
    made = _backup(await core.ask(MakeBackup(parts), BackupView, MAKING_S))
    await tell(core, who, "create", f"backups/{made['name']}", None, made)
    return answer(made, status=201)


@router.get(
    "/backups/{name}/file",
    response_class=FileResponse,
    responses={200: {"description": "The file.", "content": {"application/x-tar": {}}}},
)
async def fetch(who: Caller, core: TheCore, name: Name) -> Response:
    who.check("backups", "write")  # it holds what nobody may read otherwise
    for each in await core.ask(GetBackups(), list[BackupView]):
        if each.name == name:
            await tell(core, who, "fetch", f"backups/{name}")
            return FileResponse(each.path, media_type="application/x-tar", filename=name)
    raise refused(404, f'there is no backup "{name}"')


@router.delete("/backups/{name}", responses=gives({"type": "null"}))
async def delete(who: Caller, core: TheCore, name: Name) -> Response:
    who.check("backups", "write")
    if not await core.ask(RemoveBackup(name), bool):
        raise refused(404, f'there is no backup "{name}"')
    await tell(core, who, "delete", f"backups/{name}")
    return answer(None)


@router.post(
    "/backups:upload",
    status_code=201,
    responses=gives(BACKUP, 201, "Taken."),
    openapi_extra=takes({"type": "string", "format": "binary"}, "application/x-tar"),
)
async def upload(request: Request, who: Caller, core: TheCore) -> Response:
    """The body is a backup, of this machine or another one."""
    who.check("backups", "write")
    file = core.data.absolute() / "uploads" / token_hex(12)
    await saved(request, file, MAX_BACKUP)
    try:
        taken = _backup(await core.ask(TakeBackup(str(file)), BackupView, MAKING_S))
    except ControlError as error:
        raise refused(422, str(error).replace(str(file), "the file")) from None
    finally:
        await asyncio.to_thread(file.unlink, missing_ok=True)
    await tell(core, who, "upload", f"backups/{taken['name']}", None, taken)
    return answer(taken, status=201)


@router.post("/backups/{name}:send", responses=gives(thing(address="string")))
async def send(who: Caller, core: TheCore, name: Name) -> Response:
    """Copy it to the place that `[backup.away]` of zvon.toml names; the answer says where it is there."""
    who.check("backups", "write")
    address = await core.ask(SendBackup(name), str, MAKING_S)
    await tell(core, who, "send", f"backups/{name}", None, {"address": address})
    return answer({"address": address})


@router.post(
    "/backups/{name}:restore",
    status_code=202,
    responses=gives(RESTORE, 202, "Begun."),
    openapi_extra=takes({"type": "object", "properties": {"parts": PARTS}, "additionalProperties": False}),
)
async def restore(request: Request, who: Caller, core: TheCore, name: Name) -> Response:
    """Put it back, all of it or some parts; `GET /restore` says how far it is. Then the server starts again."""
    who.check("backups", "write")
    parts = (await record_of(request, Wanted)).parts
    view = await core.ask(RestoreBackup(name, () if parts == BACKUP_PARTS else parts), RestoreView)
    await tell(core, who, "restore", f"backups/{name}", None, {"parts": parts})
    return answer(msgspec.to_builtins(view), status=202)


@router.get("/restore", responses=gives(RESTORE))
async def restored(who: Caller, core: TheCore) -> Response:
    """How far the last one is, since the server started."""
    who.check("backups", "read")
    return answer(msgspec.to_builtins(await core.ask(GetRestore(), RestoreView)))


def _backup(view: BackupView) -> dict[str, Any]:
    found = with_moments(msgspec.to_builtins(view))
    del found["path"]
    return found
