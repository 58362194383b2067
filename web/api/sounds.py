"""The sound library beyond its entries, which are a list of the office: files in and out, who uses what (SND-*)."""

import asyncio
from pathlib import Path as FilePath
from secrets import token_hex
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import FileResponse

from pbx.control.sounds import AddSound, GetSounds, RestoreSounds, SoundView
from web.answers import answer, refused
from web.body import record_of, saved
from web.core import Core
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore, TheDoor, entered
from web.edit import tell

router = APIRouter(tags=["sounds"])
TAKING_S = 500.0  # an hour of sound takes a minute
Id = Annotated[str, Path(max_length=64)]
Wanted = Annotated[str, Query(max_length=64)]
SOUND = thing(
    **dict.fromkeys(("id", "name", "note", "problem"), "string"),
    music="boolean",
    seconds="number",
    size="integer",
    used_by=many({"type": "string"}),
)
FILE = {"type": "string", "format": "binary"}


class Spoken(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    text: str
    language: str = ""
    name: str = ""
    note: str = ""
    replace: bool = False


@router.get("/sounds:library", responses=gives(many(SOUND)))
async def library(who: Caller, core: TheCore) -> Response:
    """Every sound with how long and large it is, each place that uses it, and why it cannot be played."""
    who.check("sounds", "read")
    return answer([_sound(each) for each in await core.ask(GetSounds(), list[SoundView], TAKING_S)])


@router.post(
    "/sounds:upload",
    status_code=201,
    responses=gives(SOUND, 201, "Taken."),
    openapi_extra=takes(FILE, "application/octet-stream"),
)
async def upload(
    request: Request,
    who: Caller,
    core: TheCore,
    id: Wanted,
    name: Annotated[str, Query(max_length=200)] = "",
    note: Annotated[str, Query(max_length=500)] = "",
    music: bool = False,
    replace: bool = False,
) -> Response:
    """The body is a sound file, as WAV, MP3 or what a browser records. It becomes a WAV file as telephones want it.
    `replace`: a sound of this id gets another content."""
    who.check("sounds", "write")
    file = core.data.absolute() / "uploads" / token_hex(12)
    await saved(request, file)
    try:
        asked = AddSound(id, str(file), "the file", name=name, note=note, music=music, replaces=replace, by=who.name)
        made = _sound(await core.ask(asked, SoundView, TAKING_S))
    finally:
        await asyncio.to_thread(file.unlink, missing_ok=True)
    await tell(core, who, "upload", f"sounds/{id}", None, made)
    return answer(made, status=201)


@router.post(
    "/sounds:say",
    status_code=201,
    responses=gives(SOUND, 201, "Made."),
    openapi_extra=takes(
        {
            "type": "object",
            "properties": {
                **{key: {"type": "string"} for key in ("id", "text", "language", "name", "note")},
                "replace": {"type": "boolean"},
            },
            "required": ["id", "text"],
            "additionalProperties": False,
        }
    ),
)
async def say(request: Request, who: Caller, core: TheCore) -> Response:
    """A sound of a text, by the speech synthesisers of the system."""
    who.check("sounds", "write")
    wanted = await record_of(request, Spoken)
    if not wanted.text.strip():
        raise refused(422, "there is nothing to say", "text")
    asked = AddSound(
        wanted.id,
        text=wanted.text,
        language=wanted.language,
        name=wanted.name,
        note=wanted.note,
        replaces=wanted.replace,
        by=who.name,
    )
    made = _sound(await core.ask(asked, SoundView, TAKING_S))
    await tell(core, who, "say", f"sounds/{wanted.id}", None, made)
    return answer(made, status=201)


@router.post("/sounds:restoreDefaults", responses=gives(many({"type": "string"})))
async def restore(who: Caller, core: TheCore) -> Response:
    """The tunes that came with the installation are in music on hold again; the ids of those that were not."""
    who.check("sounds", "write")
    restored = await core.ask(RestoreSounds(who.name), list[str])
    await tell(core, who, "restore", "sounds", None, restored)
    return answer(restored)


@router.post("/sounds/{id}:link", responses=gives(thing(url="string", expires_in="integer")))
async def link(who: Caller, core: TheCore, door: TheDoor, id: Id) -> Response:
    """An address of the audio that needs no sign-in, for an hour."""
    who.check("sounds", "read")
    await _known(core, id)
    token, lasts_s = door.link_to(f"sounds/{id}")
    return answer({"url": f"/api/v3/sounds/{id}/audio?token={token}", "expires_in": lasts_s})


@router.head("/sounds/{id}/audio", include_in_schema=False)
@router.get(
    "/sounds/{id}/audio",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole file.", "content": {"audio/wav": {}}},
        206: {"description": "A part of it (Range).", "content": {"audio/wav": {}}},
        416: {"description": "The file has no such part."},
    },
)
async def audio(
    request: Request, core: TheCore, door: TheDoor, id: Id, token: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """The file, by parts where `Range` asks for some. `token`: of `:link`."""
    if token:
        door.check_link(token, f"sounds/{id}")
    else:
        who = await entered(request)
        who.check("sounds", "read")
    found = await _known(core, id)
    if found.problem:
        raise refused(409, found.problem)
    file = FilePath(found.path)
    return FileResponse(file, filename=f"{id}{file.suffix}")


async def _known(core: Core, id: str) -> SoundView:
    found = await core.ask(GetSounds(id), list[SoundView], TAKING_S)
    if not found:
        raise refused(404, f'there is no sound "{id}"')
    return found[0]


def _sound(view: SoundView) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(view)
    del found["path"]
    return found
