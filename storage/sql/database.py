"""One SQLite file: how it is opened, and what its errors mean to people."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.ports import StorageUnavailable

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


class Database:
    """The file with two engines: one connection that writes, others that only read and never wait for it (WAL)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = self._engine("BEGIN IMMEDIATE", "PRAGMA synchronous = NORMAL")
        self._reading = self._engine("BEGIN", "PRAGMA query_only = ON")

    def write(self) -> AbstractContextManager[Connection]:
        """One transaction; raises `StorageUnavailable` with nothing changed."""
        return self._transaction(self._writing)

    def read(self) -> AbstractContextManager[Connection]:
        """One consistent view; raises `StorageUnavailable`."""
        return self._transaction(self._reading)

    def close(self) -> None:
        self._reading.dispose()
        self._writing.dispose()

    def create_file(self) -> None:
        """Make the file when it is missing; it is readable by its owner only, for it holds passwords."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self.path.chmod(0o600)
        except OSError as error:
            raise StorageUnavailable(f"the database {self.path} cannot be opened: {error.strerror}") from None

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

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StorageUnavailable(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        said = str(getattr(error, "orig", None) or error)
        known = next((sentence for part, sentence in _SENTENCES if part in said), f"failed: {said}")
        return f"the database {self.path} {known}"
