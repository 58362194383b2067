"""Reports (REP-*): all of them for administrators; the own figures for everybody, and for supervisors their scope's."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from pbx.control.clerk import GetReport, ReportView
from pbx.control.messages import ControlError
from pbx.control.sheets import FORMATS, Sheet, sheet_bytes
from web.answers import answer, refused
from web.core import Core
from web.describe import gives, many, thing
from web.door import Caller, TheCore
from web.rights import Principal
from web.times import Moment, seconds_of, utc

router = APIRouter(tags=["reports"])
REPORT_S = 600.0
OWN = {"terminal-load": "terminal", "outgoing": "employee", "agents": "agent"}  # by which column
Start = Annotated[Moment, Query(alias="from")]
End = Annotated[Moment, Query(alias="to")]
REPORT = thing(name="string", columns=many({"type": "string"}), rows=many({"type": "array"}), from_at="string")
FIGURES = thing(from_at="string", to_at="string", **{name: many({"type": "object"}) for name in sorted(OWN)})


@router.get(
    "/reports/{name}",
    responses={200: {**gives(REPORT)[200], "description": "The table, or with `format` the file."}},
)
async def report(
    who: Caller,
    core: TheCore,
    name: Annotated[str, Path(max_length=40)],
    start: Start = "",
    end: End = "",
    step: Literal["", "hour", "day"] = "",
    by: Annotated[str, Query(max_length=20)] = "",
    within: Annotated[float, Query(ge=0, le=86_400)] = 20.0,
    talk: Annotated[float, Query(ge=0, le=86_400)] = 0.0,
    latency: Annotated[float, Query(gt=0, le=1e6)] = 150.0,
    losses: Annotated[float, Query(gt=0, le=1e6)] = 3.0,
    unavailable: Annotated[float, Query(gt=0, le=1e6)] = 30.0,
    kind: Annotated[str, Query(max_length=100)] = "",
    subject: Annotated[str, Query(max_length=100)] = "",
    stages: Annotated[str, Query(max_length=100, description="Of the funnel, with commas.")] = "",
    location: Annotated[str, Query(max_length=100, description="The people of a room or department, by its id.")] = "",
    format: Literal["json", "csv", "xlsx", "pdf"] = "json",
) -> Response:
    """A report over a period, the last day without one; options as those of `zvon report`."""
    who.check("reports", "read")
    period = seconds_of(start, "from"), seconds_of(end, "to")
    wanted = tuple(filter(None, stages.split(",")))
    asked = GetReport(
        name, *period, step, by, within, talk, latency, losses, unavailable, kind, subject, wanted, location
    )
    found = await _asked(core, asked)
    if format == "json":
        rows = [_row(found, row) for row in found.rows]
        return answer({"name": found.name, **_period(found), "columns": found.columns, "rows": rows})
    content = await asyncio.to_thread(sheet_bytes, Sheet(name, found.columns, found.rows), format)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format}"'}
    return Response(content, media_type=FORMATS[format], headers=headers)


@router.get("/me/figures", responses=gives(FIGURES))
async def figures(
    who: Caller,
    core: TheCore,
    start: Start = "",
    end: End = "",
    talk: Annotated[float, Query(ge=0, le=86_400)] = 0.0,
) -> Response:
    """How much the own terminals talked and were called, calls to the outside, and the work in queues (REP-10); for a
    supervisor of everybody in scope."""
    who.check("me", "read")
    period = seconds_of(start, "from"), seconds_of(end, "to")
    shown: dict[str, Any] = {}
    for name, column in OWN.items():
        found = await _asked(core, GetReport(name, *period, talk_s=talk))
        place = found.columns.index(column)
        seen = [row for row in found.rows if _is_seen(who, str(row[place]))]
        shown |= _period(found) | {name: [dict(zip(found.columns, row, strict=True)) for row in seen]}
    return answer(shown)


def _is_seen(who: Principal, subject: str) -> bool:
    """A number, or a person."""
    return who.sees(subject) or (who.users is not None and subject in who.users)


async def _asked(core: Core, asked: GetReport) -> ReportView:
    try:
        return await core.ask(asked, ReportView, REPORT_S)
    except ControlError as error:
        status, field = (404, "") if "there is no report" in str(error) else (422, "from")
        raise refused(status, str(error), field) from None


def _period(found: ReportView) -> dict[str, Any]:
    return {"from_at": utc(found.from_at), "to_at": utc(found.to_at)}


def _row(found: ReportView, row: tuple[Any, ...]) -> list[Any]:
    """Moments as ISO 8601."""
    return [
        utc(cell) if name.endswith("_at") and isinstance(cell, float) else cell
        for name, cell in zip(found.columns, row, strict=True)
    ]
