"""Commands of two words: `zvon mail test`, `zvon recordings list`."""

import shutil
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pbx.cli import VAR, Commands, Data, End, Json, Start, server_of, time_of
from pbx.cli_backup import BACKUP_COMMANDS
from pbx.cli_import import IMPORTS
from pbx.cli_office import OFFICE_COMMANDS
from pbx.cli_password import PASSWORD_COMMANDS
from pbx.cli_sounds import SOUND_COMMANDS

if TYPE_CHECKING:
    from pbx.control.clerk import SwitchTo

MAIL_TEST_S = 180.0  # each answer of a mail server may take half a minute
EXPORT_S = 1800.0  # hours of conversation take minutes to become MP3 beside everything else
LISTED = 50


def mail_test(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help='Who gets the letter; "telegram" is the chat.')],
    data: Data = VAR,
) -> None:
    """Send a letter now and say what the mail server made of it."""
    with server_of(data, timeout_s=MAIL_TEST_S) as server:
        typer.echo(server.test_mail(address))


def recordings_list(
    id: Annotated[str, typer.Option(metavar="LINKEDID", help="Those of one conversation.")] = "",
    start: Start = "",
    end: End = "",
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = LISTED,
    data: Data = VAR,
    json: Json = False,
) -> None:
    """List recordings, newest first."""
    from pbx.cli_output import json_text, print_recordings, view_object
    from storage.ports import RecordingQuery

    query = RecordingQuery(
        linkedid=id,
        from_at=time_of(start, "--from"),
        to_at=time_of(end, "--to", end_of_day=True),
        limit=limit,
    )
    with server_of(data) as server:
        found = server.recordings(query)
    typer.echo(json_text([view_object(each) for each in found])) if json else print_recordings(found)


def recordings_export(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="As `zvon recordings list` shows them.")],
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the files go.")] = Path(),
    data: Data = VAR,
) -> None:
    """Write recordings as MP3 files, named by date and both numbers."""
    from pbx.control.messages import ControlError

    with server_of(data, timeout_s=EXPORT_S) as server:
        for id in ids:
            found = server.export_recording(id)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                typer.echo(shutil.copyfile(found.path, _free_name(folder / found.name)))
            except OSError as error:
                raise ControlError(f"{folder / found.name} cannot be written: {error.strerror}") from None


def calendar_list(data: Data = VAR, json: Json = False) -> None:
    """List the calendars: whether each is open now, why, and until when."""
    from pbx.cli_output import json_text, print_calendars, view_object

    with server_of(data) as server:
        found = server.calendars()
    typer.echo(json_text([view_object(each) for each in found])) if json else print_calendars(found)


Calendar = Annotated[str, typer.Argument(metavar="CALENDAR", help="The id of a calendar.")]


def calendar_open(calendar: Calendar, data: Data = VAR) -> None:
    """Open by hand until the calendar's next boundary."""
    _switch(calendar, "open", data)


def calendar_close(calendar: Calendar, data: Data = VAR) -> None:
    """Close by hand until the calendar's next boundary."""
    _switch(calendar, "closed", data)


def calendar_hours(calendar: Calendar, data: Data = VAR) -> None:
    """Let the calendar follow its hours again."""
    _switch(calendar, "hours", data)


def _switch(calendar: str, to: "SwitchTo", data: Path) -> None:
    from pbx.cli_output import print_calendars

    with server_of(data) as server:
        print_calendars([server.switch_calendar(calendar, to)])


def bans_list(
    search: Annotated[str, typer.Argument(metavar="[TEXT]", help="Those with this text in address or reasons.")] = "",
    data: Data = VAR,
    json: Json = False,
) -> None:
    """List the addresses that are banned, and those that were in the last 90 days."""
    from pbx.cli_output import json_text, print_bans, view_object

    with server_of(data) as server:
        found = server.bans(search)
    typer.echo(json_text([view_object(each) for each in found])) if json else print_bans(found)


def networks_list(data: Data = VAR, json: Json = False) -> None:
    """List the networks of the office, in the order in which they decide, and those that can be chosen anyway."""
    from pbx.cli_output import json_text, print_networks, view_object

    with server_of(data) as server:
        found = server.networks()
    typer.echo(json_text([view_object(each) for each in found])) if json else print_networks(found)


def failures_list(
    number: Annotated[str, typer.Argument(metavar="[NUMBER]", help="Those of this account.")] = "",
    data: Data = VAR,
    json: Json = False,
) -> None:
    """List accounts whose sign-in failed: from which addresses, how often and why."""
    from pbx.cli_output import json_text, print_failures, view_object

    with server_of(data) as server:
        found = server.failures(number)
    typer.echo(json_text([view_object(each) for each in found])) if json else print_failures(found)


def failures_clear(number: Annotated[str, typer.Argument(metavar="NUMBER")], data: Data = VAR) -> None:
    """Count the failures of an account anew."""
    with server_of(data) as server:
        server.clear_failures(number)
    typer.echo(f"the failures of {number} count anew")


def bans_remove(
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="As `zvon bans list` shows them.")],
    data: Data = VAR,
) -> None:
    """Let addresses in again at once."""
    with server_of(data) as server:
        for address in addresses:
            server.remove_ban(address)


def missed_list(
    all: Annotated[bool, typer.Option("--all", help="Closed ones as well: who called back, and when.")] = False,
    data: Data = VAR,
    json: Json = False,
) -> None:
    """List the calls from outside that nobody answered and nobody has called back."""
    from pbx.cli_output import json_text, print_missed, view_object

    with server_of(data) as server:
        found = server.missed(open_only=not all)
    typer.echo(json_text([view_object(each) for each in found])) if json else print_missed(found)


Missed = Annotated[str, typer.Argument(metavar="ID", help="As `zvon missed list` shows it.")]


def missed_call(
    id: Missed,
    caller: Annotated[str, typer.Argument(metavar="FROM", help="The terminal that calls.")],
    data: Data = VAR,
) -> None:
    """Call the client back from a terminal; when they have talked, the missed call is closed."""
    with server_of(data) as server:
        typer.echo(f"call {server.call_back(id, caller)} started")


def missed_close(id: Missed, data: Data = VAR) -> None:
    """Close a missed call by hand."""
    with server_of(data) as server:
        server.close_missed(id)
    typer.echo(f"missed call {id} is closed")


GROUPS: dict[str, tuple[str, Commands]] = {
    "import": IMPORTS,
    "office": ("Entries of the office: menus, queues, terminals and everything else in its document.", OFFICE_COMMANDS),
    "bans": (
        "Addresses that attacked and are not heard for a while.",
        {
            "list": (bans_list, "zvon bans list 203.0.113. --json"),
            "remove": (bans_remove, "zvon bans remove 203.0.113.7"),
        },
    ),
    "networks": (
        "Networks that may reach the server, and those to choose from.",
        {"list": (networks_list, "zvon networks list")},
    ),
    "failures": (
        "Accounts whose sign-in failed.",
        {
            "list": (failures_list, "zvon failures list 201 --json"),
            "clear": (failures_clear, "zvon failures clear 201"),
        },
    ),
    "password": ("What phones sign in with.", PASSWORD_COMMANDS),
    "calendar": (
        "Calendars of the office, and their switch.",
        {
            "list": (calendar_list, "zvon calendar list --json"),
            "open": (calendar_open, "zvon calendar open office-hours"),
            "close": (calendar_close, "zvon calendar close office-hours"),
            "hours": (calendar_hours, "zvon calendar hours office-hours"),
        },
    ),
    "missed": (
        "Calls from outside that nobody answered.",
        {
            "list": (missed_list, "zvon missed list --json"),
            "call": (missed_call, "zvon missed call zvon-1764000000.7 101"),
            "close": (missed_close, "zvon missed close zvon-1764000000.7"),
        },
    ),
    "mail": ("Mail that the server sends.", {"test": (mail_test, "zvon mail test belkina@example.com")}),
    "recordings": (
        "Recordings of calls.",
        {
            "list": (recordings_list, "zvon recordings list --from 2026-11-22 --json"),
            "export": (recordings_export, "zvon recordings export 2026/11/22/09/zvon-1764000000.7-call-12"),
        },
    ),
    "backups": ("Backups of the running server.", BACKUP_COMMANDS),
    "sounds": ("The sound library: greetings, announcements, music on hold.", SOUND_COMMANDS),
}


def _free_name(file: Path) -> Path:
    """Nothing that is there is written over: two calls may have begun in one second."""
    others = (file.with_stem(f"{file.stem}_{number}") for number in count(2))
    return next(each for each in chain([file], others) if not each.exists())
