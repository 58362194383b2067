"""One SQLite file: how it is opened, and what its errors mean to people."""

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.ports import StorageUnavailable
from storage.sql.database import Database

BUSY_TIMEOUT_S = 0.25  # the writer tries again by itself; a longer wait would only keep rows in memory

_SENTENCES = (
    ("locked", "is locked by another program: end that program, or wait for it"),
    ("disk is full", "cannot be written because the disk is full: free some space"),
    ("readonly", "may not be written: check the owner and mode of the file and its folder"),
    ("unable to open", "cannot be opened: check that its folder exists and may be written"),
    ("disk I/O error", "cannot be read or written: the disk reports an error"),
    ("not a database", "is not a database: move the file away, or restore it from a backup"),
    ("malformed", "is damaged: move the file away, or restore it from a backup"),
    ("no such table", "is damaged, a table is missing: move the file away, or restore it from a backup"),
)


class SqliteFile(Database):
    """Readers never wait for the writer (WAL)."""

    errors: ClassVar[tuple[type[Exception], ...]] = (SQLAlchemyError, sqlite3.Error)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode: int | None = None  # of the file that is open
        super().__init__(str(path))

    def write(self) -> AbstractContextManager[Connection]:
        self._see_whether_it_is_there()
        return super().write()

    def read(self) -> AbstractContextManager[Connection]:
        self._see_whether_it_is_there()
        return super().read()

    def prepare(self) -> None:
        """Make the file when it is missing; it is readable by its owner only, for it holds passwords."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self.path.chmod(0o600)
        except OSError as error:
            raise StorageUnavailable(f"the database {self.path} cannot be opened: {error.strerror}") from None

    def _see_whether_it_is_there(self) -> None:
        """A file that was taken away would go on being written to, and what is written would be lost."""
        try:
            found = self.path.stat().st_ino
        except FileNotFoundError:
            if self._inode is None:  # the first connection makes it
                return
            raise StorageUnavailable(
                f"the database {self.path} is gone: put the file back, or restart the server for an empty one"
            ) from None
        if self._inode not in (None, found):
            raise StorageUnavailable(f"the database {self.path} is another file now: restart the server to use it")
        self._inode = found

    def _engines(self) -> tuple[Engine, Engine]:
        writing = self._engine("BEGIN IMMEDIATE", "PRAGMA synchronous = NORMAL")
        return writing, self._engine("BEGIN", "PRAGMA query_only = ON")

    def _engine(self, begin: str, pragma: str) -> Engine:
        engine = create_engine(URL.create("sqlite", database=str(self.path)), connect_args={"timeout": BUSY_TIMEOUT_S})

        def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
            connection.isolation_level = None  # transactions begin where we say, DDL included
            for statement in ("PRAGMA journal_mode = WAL", "PRAGMA foreign_keys = ON", pragma):
                connection.cursor().execute(statement)

        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine, "connect", configure)
        event.listen(engine, "begin", start)
        return engine

    def _sentence(self, said: str) -> str:
        return next((sentence for part, sentence in _SENTENCES if part in said), f"failed: {said}")
