"""A database as the rest of `storage.sql` uses it: transactions that write, views that read, errors as sentences."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from storage.ports import StorageUnavailable


class Database(ABC):
    """`name` is what people know it by, without a password. Two engines: one connection that writes, others that only
    read and never wait for it."""

    errors: ClassVar[tuple[type[Exception], ...]] = (SQLAlchemyError,)  # of the driver itself too

    def __init__(self, name: str) -> None:
        self.name = name
        self._writing, self._reading = self._engines()

    def write(self) -> AbstractContextManager[Connection]:
        """One transaction; raises `StorageUnavailable` with nothing changed."""
        return self._transaction(self._writing)

    def read(self) -> AbstractContextManager[Connection]:
        """One consistent view; raises `StorageUnavailable`."""
        return self._transaction(self._reading)

    def close(self) -> None:
        self._reading.dispose()
        self._writing.dispose()

    @abstractmethod
    def prepare(self) -> None:
        """Before the first transaction; raises `StorageUnavailable`."""

    @abstractmethod
    def _engines(self) -> tuple[Engine, Engine]:
        """The one that writes, and the one that reads."""

    @abstractmethod
    def _sentence(self, said: str) -> str:
        """What an error means, after "the database NAME"."""

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except self.errors as error:
            said = str(getattr(error, "orig", None) or error)
            raise StorageUnavailable(f"the database {self.name} {self._sentence(said)}") from error
