"""`zvon history`: calls that have ended, found by anything that is known of them; exported, or deleted."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from pbx.cli import VAR, Data, End, Json, Start, server_of, time_of
from pbx.cli_tables import Csv, Pdf, Xlsx, write_sheet

if TYPE_CHECKING:
    from pbx.control.client import ControlClient
    from storage.ports import HistoryQuery

HISTORY_FOR_PEOPLE = 50  # rows; scripts get all
EXPORT_S = 1800.0
DISPOSITIONS = ("ANSWERED", "NOANSWER", "BUSY", "FAILED")

Limit = Annotated[
    int | None, typer.Option(min=0, help="At most so many rows, 0 for all; otherwise 50, with --json all.", metavar="N")
]
Texts = list[str] | None
Search = Annotated[
    str, typer.Option(metavar="TEXT", help="Numbers, src:N, dst:N, did:N, linkedid:ID, or a part of a name.")
]
Kind = Annotated[
    str, typer.Option(metavar="KIND", help="Conversations that are incoming, outgoing, missed or internal.")
]
Employee = Annotated[Texts, typer.Option(metavar="USER", help="Calls of this person; several times for more.")]
Group = Annotated[Texts, typer.Option(metavar="GROUP", help="Calls of the people of an employee group.")]
Place = Annotated[Texts, typer.Option("--location", metavar="ID", help="Calls of the people of a room or department.")]
Provider = Annotated[str, typer.Option(metavar="ID", help="Calls that came or went over this provider.")]
Result = Annotated[str, typer.Option(metavar="RESULT", help="ANSWERED, NOANSWER, BUSY or FAILED.")]
Talk = Annotated[float, typer.Option(min=0, metavar="S", help="Talks of so many seconds at least.")]
All = Annotated[bool, typer.Option("--all", help="With two numbers: those in vain as well.")]
Whole = Annotated[bool, typer.Option("--conversations", help="A line for each conversation, whatever it went through.")]
Zip = Annotated[
    Path | None, typer.Option("--zip", metavar="FILE", help="Write the recordings of what was found as MP3.")
]
Delete = Annotated[bool, typer.Option("--delete", help="With --id: delete the conversation.")]
Recordings = Annotated[bool, typer.Option("--with-recordings", help="With --delete: its recordings as well.")]


def history(
    second: Annotated[str, typer.Argument(metavar="[N2]", help="A second number, after --number N.")] = "",
    number: Annotated[str, typer.Option(metavar="N", help="Calls of this number; with N2 talks between both.")] = "",
    id: Annotated[str, typer.Option(metavar="LINKEDID", help="The rows of one conversation.")] = "",
    start: Start = "",
    end: End = "",
    search: Search = "",
    kind: Kind = "",
    employee: Employee = None,
    group: Group = None,
    location: Place = None,
    provider: Provider = "",
    result: Result = "",
    talk: Talk = 0.0,
    all: All = False,
    conversations: Whole = False,
    limit: Limit = None,
    csv_file: Csv = None,
    xlsx: Xlsx = None,
    pdf: Pdf = None,
    zip_file: Zip = None,
    delete: Delete = False,
    with_recordings: Recordings = False,
    data: Data = VAR,
    json: Json = False,
) -> None:
    """Show the call history, newest first; the rows of one conversation in the order in which they began."""
    from storage.ports import HistoryQuery

    first, other = _two_numbers(number, second)
    query = HistoryQuery(first, other, id, time_of(start, "--from"), time_of(end, "--to", end_of_day=True))
    query = replace(query, provider=provider, min_talk_s=talk, with_unanswered=all, **_checked(kind, result))
    files = [file for file in (csv_file, xlsx, pdf, zip_file) if file is not None]
    if limit is None:
        limit = 0 if json or files else HISTORY_FOR_PEOPLE
    with server_of(data, timeout_s=EXPORT_S if files else 60.0) as server:
        if delete:
            return _delete(server, id, with_recordings=with_recordings)
        query = _wanted(server, query, search, employee, group, location)
        if conversations:
            found: list[Any] = list(server.whole_conversations(query, limit))
        else:
            found = list(server.whole_history(query, limit))
        if zip_file is not None:
            _write_zip(server, [id for each in found for id in _recordings_of(each)], zip_file)
    from pbx.control.sheets import conversations_sheet, history_sheet

    if csv_file or xlsx or pdf:
        sheet = conversations_sheet(found) if conversations else history_sheet(found)
        write_sheet(sheet, csv=csv_file, xlsx=xlsx, pdf=pdf)
    if json or not files:
        _show(found, conversations=conversations, is_one=bool(id), json=json)


def _checked(kind: str, result: str) -> dict[str, Any]:
    from storage.records import ConversationKind

    kinds = get_args(ConversationKind)
    if kind and kind not in kinds:
        raise typer.BadParameter(f"--kind is {', '.join(kinds[:-1])} or {kinds[-1]}")
    if result and result.upper() not in DISPOSITIONS:
        raise typer.BadParameter(f"--result is {', '.join(DISPOSITIONS[:-1])} or {DISPOSITIONS[-1]}")
    return {"kind": kind, "disposition": result.upper()}


def _wanted(
    server: "ControlClient", query: "HistoryQuery", search: str, people: Texts, groups: Texts, places: Texts
) -> "HistoryQuery":
    from pbx.control.history import NumbersOf
    from pbx.control.search import searched

    asked = [NumbersOf(people=tuple(people))] if people else []
    asked += [NumbersOf(groups=tuple(groups))] if groups else []
    asked += [NumbersOf(places=tuple(places))] if places else []
    sets = [server.numbers_of(each) for each in asked]
    return searched(search, replace(query, among=tuple(map(tuple, sets))))


def _delete(server: "ControlClient", id: str, *, with_recordings: bool) -> None:
    if not id:
        raise typer.BadParameter("--delete needs --id: one conversation is deleted at a time")
    gone = server.forget_history(id, with_recordings=with_recordings)
    typer.echo(f"{gone.rows} rows and {gone.recordings} recordings are deleted")


def _show(found: list[Any], *, conversations: bool, is_one: bool, json: bool) -> None:
    from pbx.cli_output import conversation_object, history_object, json_text, print_conversations, print_history

    if json:
        typer.echo(json_text([(conversation_object if conversations else history_object)(each) for each in found]))
    elif conversations:
        print_conversations(found)
    else:
        print_history(sorted(found, key=lambda row: row.started_at) if is_one else found)


def _recordings_of(each: Any) -> list[str]:
    return each.recording.split() if hasattr(each, "recording") else list(each.recordings)


def _write_zip(server: "ControlClient", ids: list[str], file: Path) -> None:
    """Recordings as MP3, each once, named by date and both numbers."""
    from zipfile import ZIP_STORED, ZipFile

    from pbx.control.messages import ControlError
    from pbx.control.sheets import numbered

    found = []
    for id in dict.fromkeys(ids):
        try:
            found.append(server.export_recording(id))
        except ControlError as error:  # one that is gone must not keep the others
            typer.echo(f"zvon: {error}", err=True)
    with ZipFile(file, "w", ZIP_STORED) as out:
        for each, name in zip(found, numbered(each.name for each in found), strict=True):
            out.write(each.path, name)


def _two_numbers(number: str, second: str) -> tuple[str, str]:
    if second and not number:
        raise typer.BadParameter("give the first number with --number")
    numbers = [*number.split(), *second.split()]
    if len(numbers) > 2:
        raise typer.BadParameter("at most two numbers can be given")
    first, other = (*numbers, "", "")[:2]
    return first, other
