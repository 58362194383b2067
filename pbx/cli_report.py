"""`zvon report`: a report as a table, as JSON, as CSV, as a workbook or as PDF."""

from typing import Annotated, Literal, cast

import typer

from pbx.cli import VAR, Data, End, Json, Start, server_of, time_of
from pbx.cli_tables import Csv, Pdf, Xlsx, write_sheet

REPORT_S = 600.0  # a year of a busy server


def report(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="agents, events, funnel, line-health, lines, missed, outgoing, problems, providers, quality, queues,"
            " spend or terminal-load.",
        ),
    ],
    start: Start = "",
    end: End = "",
    step: Annotated[str, typer.Option(metavar="STEP", help="hour or day: a row for each (lines, quality).")] = "",
    by: Annotated[
        str,
        typer.Option(
            metavar="WHAT", help="funnel: line, provider, hour, day; spend: line, provider, department, location."
        ),
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
    location: Annotated[
        str, typer.Option(metavar="ID", help="The people of a room or department: agents, outgoing, problems, spend, …")
    ] = "",
    csv_file: Csv = None,
    xlsx: Xlsx = None,
    pdf: Pdf = None,
    data: Data = VAR,
    json: Json = False,
) -> None:
    """Show a report over a period, the last day without one; times are UTC, periods those of the office's clock."""
    from pbx.cli_output import json_text, print_report, utc
    from pbx.control.clerk import GetReport
    from pbx.control.sheets import Sheet, shown

    if step not in ("", "hour", "day"):
        raise typer.BadParameter("--step is hour or day")
    period = time_of(start, "--from"), time_of(end, "--to", end_of_day=True)
    steps = cast("Literal['', 'hour', 'day']", step)
    wanted = tuple(filter(None, stages.split(",")))
    limits = (latency, losses, unavailable)
    asked = GetReport(name, *period, steps, by, within, talk, *limits, kind, subject, wanted, location)
    with server_of(data, timeout_s=REPORT_S) as server:
        found = server.report(asked)
    is_written = write_sheet(Sheet(name, found.columns, found.rows), csv=csv_file, xlsx=xlsx, pdf=pdf)
    if json:
        rows = [dict(zip(found.columns, shown(found.columns, row), strict=True)) for row in found.rows]
        typer.echo(json_text({"name": name, "from_at": utc(found.from_at), "to_at": utc(found.to_at), "rows": rows}))
    elif not is_written:
        print_report(found.columns, [shown(found.columns, row) for row in found.rows])
