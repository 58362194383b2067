"""`zvon backup`, `zvon backups …` and `zvon restore`."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import sleep
from typing import Annotated

import typer

from pbx.cli import VAR, Commands, Data, Json, server_of

LOOK_S = 0.2  # between two looks at a restore
BACKUP_S = 7200.0  # a year of recordings takes as long as its disk
Parts = Annotated[
    list[str] | None,
    typer.Option("--part", metavar="PART", help="settings, sounds, history or recordings; several times for more."),
]


Name = Annotated[str, typer.Argument(metavar="NAME", help="As `zvon backups list` shows it.")]


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """The options of `zvon restore`; no `parts`: all that the file has."""

    file: Path
    data: Path
    config: Path | None
    parts: Sequence[str]


Restore = Callable[[RestoreOptions, Callable[[str], None]], None]


def add_backup_commands(app: typer.Typer, restore: Restore) -> None:
    """`restore` puts a backup back and says by lines how far it is; raises `ControlError`."""

    def restore_command(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
        part: Parts = None,
        config: Annotated[Path | None, typer.Option(help="Settings of the server (zvon.toml).", metavar="FILE")] = None,
        data: Data = VAR,
    ) -> None:
        """Put a backup back into a data folder, here or on another machine. The server must not run."""
        restore(RestoreOptions(file, data, config, _checked(part)), typer.echo)
        typer.echo(f"restored into {data}; start the server with `zvon run --data {data}`")

    app.command("backup", epilog="Example: zvon backup --part settings --part history --to office.tar")(backup)
    app.command("restore", epilog="Example: zvon restore zvon-20261127-030000-000000.tar --data var")(restore_command)


def backup(
    part: Parts = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Copy it there as well.")] = None,
    data: Data = VAR,
    json: Json = False,
) -> None:
    """Write one file with what the running server keeps, all of it or some parts."""
    from pbx.control.backups import BACKUP_PARTS

    with server_of(data, timeout_s=BACKUP_S) as server:
        made = server.backup(_checked(part) or BACKUP_PARTS)
    if to is not None:
        _copy(made.path, to)
    from pbx.cli_output import json_text

    counts = ", ".join(f"{count} {kind}" for kind, count in made.counts.items())
    typer.echo(json_text(asdict(made)) if json else f"{to or made.path}: {', '.join(made.parts)} ({counts})")


def backups_list(data: Data = VAR, json: Json = False) -> None:
    """List the backups of the running server, newest first."""
    from pbx.cli_output import json_text, print_backups, view_object

    with server_of(data) as server:
        found = server.backups()
    typer.echo(json_text([view_object(each) for each in found])) if json else print_backups(found)


def backups_take(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup, of this machine or another one.")],
    data: Data = VAR,
) -> None:
    """Copy a backup from elsewhere among those of the server."""
    with server_of(data, timeout_s=BACKUP_S) as server:
        typer.echo(server.take_backup(str(file.absolute())).name)


def backups_fetch(
    name: Name,
    to: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")],
    data: Data = VAR,
) -> None:
    """Copy a backup to a file."""
    from pbx.control.messages import ControlError

    with server_of(data) as server:
        found = next((each for each in server.backups() if each.name == name), None)
    if found is None:
        raise ControlError(f'there is no backup "{name}"; `zvon backups list` shows them')
    _copy(found.path, to)
    typer.echo(f"{to}: {', '.join(found.parts)}")


def backups_delete(name: Name, data: Data = VAR) -> None:
    """Delete a backup."""
    from pbx.control.messages import ControlError

    with server_of(data) as server:
        if not server.remove_backup(name):
            raise ControlError(f'there is no backup "{name}"; `zvon backups list` shows them')
    typer.echo(f"{name} is gone")


def backups_send(name: Name, data: Data = VAR) -> None:
    """Copy a backup to the place that `[backup.away]` of zvon.toml names."""
    with server_of(data, timeout_s=BACKUP_S) as server:
        typer.echo(server.send_backup(name))


def backups_restore(name: Name, part: Parts = None, data: Data = VAR) -> None:
    """Put a backup back into the running server, all of it or some parts; the server starts again then."""
    from pbx.control.messages import ControlError

    with server_of(data) as server:
        view, said = server.restore_backup(name, _checked(part)), 0
        while view.state == "running":
            said = _say(view.told, view.percent, said)
            sleep(LOOK_S)
            view = server.restored()
        _say(view.told, view.percent, said)
        if view.error:
            raise ControlError(view.error)
    typer.echo("restored; the server starts again")


def _say(told: Sequence[str], percent: int, said: int) -> int:
    for line in told[said:]:
        typer.echo(f"{percent:3} %  {line}")
    return len(told)


def _copy(path: str, to: Path) -> None:
    from pbx.control.messages import ControlError

    try:
        shutil.copyfile(path, to)
        to.chmod(0o600)
    except OSError as error:
        raise ControlError(f"{to} cannot be written: {error.strerror}; the backup is {path}") from None


BACKUP_COMMANDS: Commands = {
    "list": (backups_list, "zvon backups list"),
    "take": (backups_take, "zvon backups take office.tar"),
    "fetch": (backups_fetch, "zvon backups fetch zvon-20261127-030000-000000.tar office.tar"),
    "send": (backups_send, "zvon backups send zvon-20261127-030000-000000.tar"),
    "restore": (backups_restore, "zvon backups restore zvon-20261127-030000-000000.tar --part sounds"),
    "delete": (backups_delete, "zvon backups delete zvon-20261127-030000-000000.tar"),
}


def _checked(parts: list[str] | None) -> Sequence[str]:
    from pbx.control.backups import BACKUP_PARTS

    if wrong := [each for each in parts or () if each not in BACKUP_PARTS]:
        raise typer.BadParameter(f'there is no part "{wrong[0]}"; use {", ".join(BACKUP_PARTS)}')
    return parts or ()
