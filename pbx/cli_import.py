"""`zvon import history`: what another system has kept of its calls, with the recordings (CDR-24)."""

import csv
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from pbx.cli import VAR, Commands, Data, server_of

if TYPE_CHECKING:
    from pbx.foreign_history import Imported
    from storage.records import CdrRow, StoredRecording

AT_ONCE = 500
TABLES = ("cdr_general", "cdr")
SOUNDS = (".wav", ".mp3", ".opus")


def import_history(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The table as CSV or TSV with headings, or as SQLite.")],
    recordings: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of the recordings; they are copied.")
    ] = None,
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="Of the other system's clock, Europe/Moscow.")] = "UTC",
    data: Data = VAR,
) -> None:
    """Add the history of FreePBX or another Asterisk (table `cdr`) or of MikoPBX (`cdr_general`). What is there already
    stays, so it may be done again."""
    from pbx.control.messages import ControlError
    from pbx.foreign_history import Unreadable, imported

    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(f'there is no time zone "{timezone}"') from None
    known = _sounds(recordings) if recordings is not None else {}
    added = copied = left_out = 0
    with server_of(data, timeout_s=600.0) as server:
        try:
            found = imported(_records(file), zone)
            while page := list(islice(found, AT_ONCE)):
                for each in page:
                    if isinstance(each, Unreadable):
                        left_out += 1
                        typer.echo(f"zvon: record {each.line} is left out: {each.why}", err=True)
                rows = [each for each in page if not isinstance(each, Unreadable)]
                with_sounds = [_with_recording(each, known, data) for each in rows]
                kept = [recording for _, recording in with_sounds if recording is not None]
                added += server.add_history([row for row, _ in with_sounds], kept)
                copied += len(kept)
        except (OSError, sqlite3.Error, csv.Error, UnicodeDecodeError) as error:
            raise ControlError(f"{file} cannot be read: {error}") from None
    typer.echo(f"{added} rows are new, {copied} recordings belong to them, {left_out} records are left out")


def _records(file: Path) -> Iterator[dict[str, str]]:
    with file.open("rb") as begun:
        is_sqlite = begun.read(16).startswith(b"SQLite format 3")
    if is_sqlite:
        yield from _of_sqlite(file)
        return
    with file.open(encoding="utf-8-sig", newline="") as text:
        dialect = "excel-tab" if "\t" in text.readline() else "excel"
        text.seek(0)
        for record in csv.DictReader(text, dialect=dialect):
            yield {name: value or "" for name, value in record.items() if name}


def _of_sqlite(file: Path) -> Iterator[dict[str, str]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        table = next((each for each in TABLES if each in there), None)
        if table is None:
            raise sqlite3.OperationalError(f"there is no table {' or '.join(TABLES)} in it")
        rows = database.execute(f"SELECT * FROM {table}")  # one of ours
        names = [column[0] for column in rows.description]
        for row in rows:
            yield {name: "" if value is None else str(value) for name, value in zip(names, row, strict=True)}


def _sounds(folder: Path) -> dict[str, Path]:
    """Recordings by their names without folder and suffix."""
    return {path.stem: path for path in sorted(folder.rglob("*")) if path.suffix in SOUNDS}


def _with_recording(each: "Imported", known: dict[str, Path], data: Path) -> "tuple[CdrRow, StoredRecording | None]":
    from storage.records import StoredRecording

    row, source = each.row, known.get(Path(each.recording).stem) if each.recording else None
    if source is None:
        return row, None
    at = datetime.fromtimestamp(row.started_at, UTC)
    id = f"{at:%Y/%m/%d/%H}/imported-{source.stem}"
    target = data / "recordings" / f"{id}{source.suffix}"
    if not target.exists():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o600)
    recording = StoredRecording(
        id, row.call, row.linkedid, row.started_at, row.from_number, row.to_number, row.from_name, state="done",
        seconds=row.ended_at - row.started_at, format=source.suffix[1:], suffix=source.suffix,
    )  # fmt: skip
    return replace(row, recording=id), recording


IMPORTS: tuple[str, Commands] = (
    "What other systems have kept.",
    {"history": (import_history, "zvon import history cdr.csv --recordings monitor --timezone Europe/Moscow")},
)
