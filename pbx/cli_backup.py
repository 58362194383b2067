"""`zvon backup` and `zvon restore`."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from pbx.cli import VAR, Data, Json, server_of

BACKUP_S = 7200.0  # a year of recordings takes as long as its disk
Parts = Annotated[
    list[str] | None,
    typer.Option("--part", metavar="PART", help="settings, sounds, history or recordings; several times for more."),
]


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
    from pbx.control.messages import BACKUP_PARTS, ControlError

    with server_of(data, timeout_s=BACKUP_S) as server:
        made = server.backup(_checked(part) or BACKUP_PARTS)
    if to is not None:
        try:
            shutil.copyfile(made.path, to)
            to.chmod(0o600)
        except OSError as error:
            raise ControlError(f"{to} cannot be written: {error.strerror}; the backup is {made.path}") from None
    from pbx.cli_output import json_text

    counts = ", ".join(f"{count} {kind}" for kind, count in made.counts.items())
    typer.echo(json_text(asdict(made)) if json else f"{to or made.path}: {', '.join(made.parts)} ({counts})")


def _checked(parts: list[str] | None) -> Sequence[str]:
    from pbx.control.messages import BACKUP_PARTS

    if wrong := [each for each in parts or () if each not in BACKUP_PARTS]:
        raise typer.BadParameter(f'there is no part "{wrong[0]}"; use {", ".join(BACKUP_PARTS)}')
    return parts or ()
