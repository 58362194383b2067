"""Call history (API-7, CDR-8…22): each sees the own part."""

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal
from zipfile import ZIP_STORED, ZipFile

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from pbx.control.history import ConversationView, ForgetHistory, Forgotten, GetConversations, GetRow
from pbx.control.messages import ControlError, ExportRecording, GetHistory, RecordingFileView
from pbx.control.sheets import FORMATS, Sheet, conversations_sheet, history_sheet, numbered, sheet_bytes
from storage.ports import HistoryQuery
from storage.records import CdrRow
from web.answers import answer, refused
from web.api.recordings import CONVERSION_S
from web.body import record_of
from web.core import Core
from web.describe import gives, many, takes, thing
from web.door import Caller, TheCore
from web.edit import tell
from web.history_filters import KeptFilter, Wanted
from web.rights import Principal
from web.times import with_moments

router = APIRouter(tags=["history"])
PAGE, MOST_EXPORTED, MOST_ZIPPED = 1000, 100_000, 500
FILTERS, ZIP = "history filters", "application/zip"
MOST_FILTERS = 50
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=100_000)]
Id = Annotated[str, Path(max_length=300)]
Name = Annotated[str, Path(max_length=100)]
WithRecordings = Annotated[bool, Query(description="Their recordings as well.")]
LINE = thing(linkedid="string", started_at="string", ended_at="string", from_number="string", to_number="string")
ROW = thing(id="string", linkedid="string", started_at="string", from_number="string", to_number="string")
CONVERSATION = LINE | {"properties": LINE["properties"] | {"story": many(ROW)}}
GONE = thing(rows="integer", recordings="integer")
KEPT = thing(name="string", filter={"type": "object"})


@router.get("/history", responses=gives(many(LINE)))
async def history(
    who: Caller,
    core: TheCore,
    query: Wanted,
    limit: Limit = 50,
    offset: Offset = 0,
    grouped: Annotated[bool, Query(description="Whole conversations instead of rows.")] = False,
) -> Response:
    """Rows of call history, newest first, or whole conversations; times in UTC. `number` at either end; two numbers:
    talks between them."""
    who.check("history", "read")
    query = replace(query, limit=limit, offset=offset)
    if grouped:
        return answer([_conversation(each) for each in await core.ask(GetConversations(query), list[ConversationView])])
    return answer([_row(each) for each in await _rows(core, who, query)])


@router.get(
    "/history:export",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {kind: {} for kind in (*FORMATS.values(), ZIP)}}},
)
async def export(
    who: Caller,
    core: TheCore,
    query: Wanted,
    format: Literal["csv", "xlsx", "pdf", "zip"] = "xlsx",
    grouped: bool = False,
) -> Response:
    """What the filters find, as a file; `zip`: its recordings as MP3."""
    who.check("history", "read")
    if format == "zip":
        return await _zip(core, who, query)
    content = await asyncio.to_thread(sheet_bytes, await _sheet(core, who, query, grouped=grouped), format)
    return Response(content, media_type=FORMATS[format], headers=_as_file(f"history.{format}"))


@router.get("/history/{id}", responses=gives(ROW))
async def row(who: Caller, core: TheCore, id: Id) -> Response:
    who.check("history", "read")
    return answer(_row(await _seen(core, who, id)))


@router.delete("/history/{id}", responses=gives(GONE))
async def delete_row(who: Caller, core: TheCore, id: Id, recordings: WithRecordings = False) -> Response:
    """One row of a conversation, for good."""
    who.check("history", "write")
    _check_deletes(who)
    found = await _seen(core, who, id)
    return await _forget(core, who, ForgetHistory(id=id, with_recordings=recordings), f"history/{id}", [found])


@router.get("/conversations/{linkedid}", responses=gives(CONVERSATION))
async def conversation(who: Caller, core: TheCore, linkedid: Id) -> Response:
    """The whole story of a conversation: its line, and its rows in the order in which they began (CDR-6)."""
    who.check("history", "read")
    rows = await _story(core, who, linkedid)
    (view,) = await core.ask(GetConversations(HistoryQuery(linkedid=linkedid)), list[ConversationView])
    return answer(_conversation(view) | {"story": [_row(each) for each in rows]})


@router.delete("/conversations/{linkedid}", responses=gives(GONE))
async def delete_conversation(who: Caller, core: TheCore, linkedid: Id, recordings: WithRecordings = False) -> Response:
    """All rows of a conversation, for good."""
    who.check("history", "write")
    _check_deletes(who)
    rows = await _story(core, who, linkedid)
    asked = ForgetHistory(linkedid=linkedid, with_recordings=recordings)
    return await _forget(core, who, asked, f"conversations/{linkedid}", rows)


# --- filters that somebody keeps ------------------------------------------------------------------------------------


@router.get("/me/history_filters", responses=gives(many(KEPT)))
async def kept_filters(who: Caller, core: TheCore) -> Response:
    """The own ones, by name."""
    who.check("history", "read")
    found = await core.recall(FILTERS, who.name, dict[str, KeptFilter]) or {}
    return answer([{"name": name, "filter": _given(each)} for name, each in sorted(found.items())])


@router.put("/me/history_filters/{name}", responses=gives(KEPT), openapi_extra=takes({"type": "object"}))
async def keep_filter(request: Request, who: Caller, core: TheCore, name: Name) -> Response:
    """Keep parameters of `/history` under a name."""
    who.check("history", "read")
    given = await record_of(request, KeptFilter)
    found = await core.recall(FILTERS, who.name, dict[str, KeptFilter]) or {}
    if len(found) >= MOST_FILTERS and name not in found:
        raise refused(409, f"at most {MOST_FILTERS} filters are kept: delete one first")
    await core.remember(FILTERS, who.name, found | {name: given})
    return answer({"name": name, "filter": _given(given)})


@router.delete("/me/history_filters/{name}", responses=gives({"type": "null"}))
async def drop_filter(who: Caller, core: TheCore, name: Name) -> Response:
    who.check("history", "read")
    found = await core.recall(FILTERS, who.name, dict[str, KeptFilter]) or {}
    if name not in found:
        raise refused(404, f'there is no filter "{name}"')
    del found[name]
    await core.remember(FILTERS, who.name, found or None)
    return answer(None)


# --- inside ---------------------------------------------------------------------------------------------------------


async def _rows(core: Core, who: Principal, query: HistoryQuery) -> list[CdrRow]:
    rows = await core.ask(GetHistory(query), list[CdrRow])
    return [each for each in rows if _sees(who, each)] if query.linkedid else rows


async def _sheet(core: Core, who: Principal, query: HistoryQuery, *, grouped: bool) -> Sheet:
    """Page by page, up to what a workbook is good for."""
    rows: list[CdrRow] = []
    views: list[ConversationView] = []
    for offset in range(0, MOST_EXPORTED, PAGE):
        page = replace(query, limit=PAGE, offset=offset)
        if grouped:
            views += await core.ask(GetConversations(page), list[ConversationView])
        else:
            rows += await _rows(core, who, page)
        if len(rows) + len(views) < offset + PAGE:
            break
    return conversations_sheet(views) if grouped else history_sheet(rows)


async def _zip(core: Core, who: Principal, query: HistoryQuery) -> Response:
    rows = await _rows(core, who, replace(query, limit=PAGE))
    ids = list(dict.fromkeys(id for each in rows for id in each.recording.split()))
    if len(ids) > MOST_ZIPPED:
        raise refused(422, f"at most {MOST_ZIPPED} recordings are put into one file: choose a shorter period", "from")
    found = []
    for id in ids:
        try:
            found.append(await core.ask(ExportRecording(id), RecordingFileView, CONVERSION_S))
        except ControlError:  # gone meanwhile; the others are wanted all the same
            continue
        await tell(core, who, "listen", f"recordings/{id.replace('/', '~')}")
    file = await asyncio.to_thread(_zipped, found)
    gone = BackgroundTask(file.unlink, missing_ok=True)
    return FileResponse(file, media_type=ZIP, filename="recordings.zip", background=gone)


def _zipped(found: list[RecordingFileView]) -> FilePath:
    descriptor, name = tempfile.mkstemp(suffix=".zip")
    with os.fdopen(descriptor, "wb") as out, ZipFile(out, "w", ZIP_STORED) as file:
        for each, inside in zip(found, numbered(each.name for each in found), strict=True):
            file.write(each.path, inside)
    return FilePath(name)


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _check_deletes(who: Principal) -> None:
    if who.role != "administrator":
        raise refused(403, "only an administrator may delete history")


async def _forget(core: Core, who: Principal, asked: ForgetHistory, object: str, rows: list[CdrRow]) -> Response:
    gone = await core.ask(asked, Forgotten)
    await tell(core, who, "delete", object, [_row(each) for each in rows], msgspec.to_builtins(gone))
    return answer(msgspec.to_builtins(gone))


async def _seen(core: Core, who: Principal, id: str) -> CdrRow:
    found = await core.ask(GetRow(id), CdrRow | None)  # type: ignore[arg-type]
    if found is None or not _sees(who, found):
        raise refused(404, f'there is no row "{id}"')
    return found


async def _story(core: Core, who: Principal, linkedid: str) -> list[CdrRow]:
    rows = await _rows(core, who, HistoryQuery(linkedid=linkedid, limit=PAGE))
    if not rows:
        raise refused(404, f'there is no conversation "{linkedid}"')
    return sorted(rows, key=lambda each: each.started_at)


def _sees(who: Principal, row: CdrRow) -> bool:
    return who.sees(row.from_number, row.to_number, row.external_number)


def _row(row: CdrRow) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(row)
    found["duration"] = round(row.ended_at - row.started_at, 3)
    found["recording"] = row.recording.replace("/", "~").split()
    found["call"] = row.call
    return with_moments(found)


def _conversation(view: ConversationView) -> dict[str, Any]:
    found = msgspec.to_builtins(view) | {"recordings": [id.replace("/", "~") for id in view.recordings]}
    return with_moments(found)


def _given(kept: KeptFilter) -> dict[str, Any]:
    """What differs from no filter at all."""
    return {name: value for name, value in msgspec.to_builtins(kept).items() if value}
