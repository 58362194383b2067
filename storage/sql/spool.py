"""The spool: rows of call history that the database does not take wait here, one JSON line each, across restarts.

Rows have ids and are stored at most once, so a crash between storing them and emptying the spool does no harm.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog

from storage.records import CdrRow
from storage.sql.mappers import cdr_line, cdr_of_line

CHUNK_ROWS = 1000

log = structlog.get_logger()


class Spool:
    """An append-only file; used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = sum(1 for _ in self._lines())

    def append(self, rows: Sequence[CdrRow]) -> None:
        """The rows are on disk on return; raises `OSError` with none of them counted."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+b") as file:
            file.write(_end_of_torn_line(file))
            file.write(b"".join(map(cdr_line, rows)))
            file.flush()
            os.fsync(file.fileno())
        self.rows += len(rows)

    def chunks(self) -> Iterator[list[CdrRow]]:
        """Everything in the spool. A line cut short by a crash was never reported as kept and is passed over."""
        rows = (row for line in self._lines() if (row := _row(line)))
        while chunk := list(islice(rows, CHUNK_ROWS)):
            yield chunk

    def clear(self) -> None:
        """Forget what `chunks` gave; the database has it."""
        self.path.unlink(missing_ok=True)
        self.rows = 0

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return


def _row(line: bytes) -> CdrRow | None:
    try:
        return cdr_of_line(line)
    except msgspec.DecodeError:
        if line.strip():
            log.warning("a damaged line of the call history spool was passed over", bytes=len(line))
        return None


def _end_of_torn_line(file: BinaryIO) -> bytes:
    """A crash or a full disk may have left half a line: a line end first, so that the next row begins on its own."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
