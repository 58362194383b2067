"""Backups as a resource: made, listed, fetched, removed (CFG-6). Administrators only, for they hold passwords."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response
from starlette.responses import FileResponse

from pbx.control.messages import BACKUP_PARTS, BackupView, GetBackups, MakeBackup, RemoveBackup
from web.answers import answer, refused
from web.body import record_of
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore
from web.edit import tell
from web.times import with_moments

router = APIRouter(tags=["backups"])
Name = Annotated[str, Path(max_length=100)]
MAKING_S = 7200.0
PARTS = {"type": "array", "items": {"enum": list(BACKUP_PARTS)}, "minItems": 1}
BACKUP = thing(name="string", made_at="string", size="integer", zvon="string", parts=PARTS)


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


def _backup(view: BackupView) -> dict[str, Any]:
    found = with_moments(msgspec.to_builtins(view))
    del found["path"]
    return found
