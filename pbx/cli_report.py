"""`zvon report`: a report as a table, as JSON, as CSV or as a workbook."""

import csv
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from pbx.cli import VAR, Data, End, Json, Start, server_of, time_of

if TYPE_CHECKING:
    from pbx.control.clerk import ReportView

REPORT_S = 600.0  # a year of a busy server
Cell = str | int | float

Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write it as CSV; - is standard output.")]
Xlsx = Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help="Write it as a workbook.")]


def report(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="agents, events, funnel, lines, missed, outgoing, problems, providers, quality, queues, spend or"
            " terminal-load.",
        ),
    ],
    start: Start = "",
    end: End = "",
    step: Annotated[str, typer.Option(metavar="STEP", help="hour or day: a row for each (lines, quality).")] = "",
    by: Annotated[
        str, typer.Option(metavar="WHAT", help="funnel: line, provider, hour, day; spend: line, provider, department.")
    ] = "",
    within: Annotated[float, typer.Option(metavar="S", help="quality: answered within so many seconds.")] = 20.0,
    talk: Annotated[float, typer.Option(metavar="S", help="funnel, outgoing: a talk of so many seconds counts.")] = 0.0,
    latency: Annotated[float, typer.Option(metavar="MS", help="problems: from which latency on.")] = 150.0,
    losses: Annotated[float, typer.Option(metavar="N", help="problems: lost registrations a day.")] = 3.0,
    unavailable: Annotated[float, typer.Option(metavar="MIN", help="problems: minutes without a phone.")] = 30.0,
    kind: Annotated[str, typer.Option(metavar="KIND", help="events: those of one kind.")] = "",
    subject: Annotated[str, typer.Option(metavar="WHAT", help="events: those about this.")] = "",
    stages: Annotated[
        str, typer.Option(metavar="A,B", help="funnel: some of calls,through,reached,talked,repeated.")
    ] = "",
    csv_file: Csv = None,
    xlsx: Xlsx = None,
    data: Data = VAR,
    json: Json = False,
) -> None:
    """Show a report over a period, the last day without one; times are UTC, periods those of the office's clock."""
    from pbx.cli_output import json_text, print_report, utc
    from pbx.control.clerk import GetReport

    if step not in ("", "hour", "day"):
        raise typer.BadParameter("--step is hour or day")
    period = time_of(start, "--from"), time_of(end, "--to", end_of_day=True)
    steps = cast("Literal['', 'hour', 'day']", step)
    wanted = tuple(filter(None, stages.split(",")))
    limits = (latency, losses, unavailable)
    asked = GetReport(name, *period, steps, by, within, talk, *limits, kind, subject, wanted)
    with server_of(data, timeout_s=REPORT_S) as server:
        found = server.report(asked)
    if csv_file is not None:
        write_csv(found, csv_file)
    if xlsx is not None:
        write_xlsx(found, xlsx)
    if json:
        rows = [dict(zip(found.columns, shown(found.columns, row), strict=True)) for row in found.rows]
        typer.echo(json_text({"name": name, "from_at": utc(found.from_at), "to_at": utc(found.to_at), "rows": rows}))
    elif csv_file is None and xlsx is None:
        print_report(found.columns, [shown(found.columns, row) for row in found.rows])


def shown(columns: tuple[str, ...], row: tuple[Cell, ...]) -> list[Cell]:
    """A row with its moments in ISO 8601."""
    from pbx.cli_output import utc

    return [
        (utc(cell) or "") if name.endswith("_at") and isinstance(cell, float) else cell
        for name, cell in zip(columns, row, strict=True)
    ]


def write_csv(found: "ReportView", file: Path) -> None:
    """RFC 4180; what a spreadsheet would take for a formula is made plain text."""
    rows = [found.columns, *([plain(cell) for cell in shown(found.columns, row)] for row in found.rows)]
    if str(file) == "-":
        csv.writer(sys.stdout).writerows(rows)
        return
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)


def plain(cell: Cell) -> Cell:
    """Names come from callers: none of them is carried out."""
    is_formula = isinstance(cell, str) and cell[:1] in ("=", "@", "+", "-", "\t") and not cell[1:].isdecimal()
    return f"'{cell}" if is_formula else cell


def write_xlsx(found: "ReportView", file: Path) -> None:
    """Moments as dates, everything else as it is; no text is a formula or a link."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

    options = {"strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True, "constant_memory": True}
    with Workbook(str(file), options) as book:
        sheet = book.add_worksheet(found.name[:31])
        bold, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for place, name in enumerate(found.columns):
            sheet.write_string(0, place, name, bold)
        for number, row in enumerate(found.rows, 1):
            for place, (name, cell) in enumerate(zip(found.columns, row, strict=True)):
                if isinstance(cell, str):
                    sheet.write_string(number, place, cell)
                elif name.endswith("_at"):
                    sheet.write_datetime(number, place, datetime.fromtimestamp(cell, UTC), moment)
                else:
                    sheet.write_number(number, place, cell)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(len(found.rows), 1), len(found.columns) - 1)
