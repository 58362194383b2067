"""Recordings of conversations and messages (API-7): each sees the own part."""

from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import FileResponse

from pbx.control.desk import GetRecording
from pbx.control.messages import ExportRecording, GetRecordings, RecordingFileView
from storage.ports import RecordingQuery
from storage.records import StoredRecording
from web.answers import answer, refused
from web.core import Core
from web.describe import gives, many, thing
from web.door import Caller, Looker, TheCore, TheDoor, entered
from web.edit import tell
from web.rights import Principal
from web.times import Moment, seconds_of, with_moments

router = APIRouter()
PAGE = 500
CONVERSION_S = 600.0  # an hour of conversation takes a minute
Limit = Annotated[int, Query(ge=1, le=1000)]
Id = Annotated[str, Path(max_length=300)]
RECORDING = thing(id="string", linkedid="string", started_at="string", seconds="number", state="string")


@router.get("/recordings", tags=["recordings"], responses=gives(many(RECORDING)))
async def recordings(
    who: Looker,
    core: TheCore,
    linkedid: Annotated[str, Query(max_length=64)] = "",
    start: Annotated[Moment, Query(alias="from")] = "",
    end: Annotated[Moment, Query(alias="to")] = "",
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:
    """Recordings of conversations and messages, newest first."""
    who.check("recordings", "read")
    query = RecordingQuery(linkedid, "", seconds_of(start, "from"), seconds_of(end, "to"), limit, offset)
    found = await _recordings(core, who, query)
    return answer([_recording(each) for each in found])


@router.get("/recordings/{id}", tags=["recordings"], responses=gives(RECORDING))
async def recording(who: Caller, core: TheCore, id: Id) -> Response:
    who.check("recordings", "read")
    return answer(_recording(await _seen(core, who, id)))


@router.post("/recordings/{id}:link", tags=["recordings"], responses=gives(thing(url="string", expires_in="integer")))
async def link(who: Caller, core: TheCore, door: TheDoor, id: Id) -> Response:
    """An address of the audio that needs no sign-in, for an hour."""
    who.check("recordings", "read")
    await _seen(core, who, id)
    token, lasts_s = door.link_to(f"recordings/{id}")
    return answer({"url": f"/api/v3/recordings/{id}/audio?token={token}", "expires_in": lasts_s})


@router.head("/recordings/{id}/audio", include_in_schema=False)
@router.get(
    "/recordings/{id}/audio",
    tags=["recordings"],
    response_class=FileResponse,
    responses={
        200: {"description": "The whole file.", "content": {"audio/mpeg": {}}},
        206: {"description": "A part of it (Range).", "content": {"audio/mpeg": {}}},
        416: {"description": "The file has no such part."},
    },
)
async def audio(
    request: Request, core: TheCore, door: TheDoor, id: Id, token: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """The audio as MP3, by parts where `Range` asks for some. `token`: of `:link`."""
    if token:
        door.check_link(token, f"recordings/{id}")
        found = await _of_id(core, id)
    else:
        who = await entered(request)
        who.check("recordings", "read")
        found = await _seen(core, who, id)
        await tell(core, who, "listen", f"recordings/{id}")
    if found is None:
        raise refused(404, f'there is no recording "{id}"')
    file = await core.ask(ExportRecording(found.id), RecordingFileView, CONVERSION_S)
    return FileResponse(FilePath(file.path), media_type="audio/mpeg", filename=file.name)


async def _recordings(core: Core, who: Principal, query: RecordingQuery) -> list[StoredRecording]:
    if who.numbers is None:
        return await core.ask(GetRecordings(query), list[StoredRecording])
    found: list[StoredRecording] = []
    for begin in range(0, 10**9, PAGE):
        page = await core.ask(GetRecordings(replace(query, limit=PAGE, offset=begin)), list[StoredRecording])
        found += [each for each in page if _sees(who, each)]
        if len(page) < PAGE or len(found) >= query.offset + query.limit:
            break
    return found[query.offset : query.offset + query.limit]


def _sees(who: Principal, recording: StoredRecording) -> bool:
    return who.sees(recording.from_number, recording.to_number)


async def _seen(core: Core, who: Principal, id: str) -> StoredRecording:
    found = await _of_id(core, id)
    if found is None or not _sees(who, found):
        raise refused(404, f'there is no recording "{id}"')
    return found


async def _of_id(core: Core, id: str) -> StoredRecording | None:
    """An id is a path, whose slashes are ~ in addresses."""
    return await core.ask(GetRecording(id.replace("~", "/")), StoredRecording | None)  # type: ignore[arg-type]


def _recording(recording: StoredRecording) -> dict[str, Any]:
    return with_moments(msgspec.to_builtins(recording) | {"id": recording.id.replace("/", "~")})
