"""The one thread that writes to the database."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection

from storage.ports import StorageUnavailable
from storage.sql.backlog import Backlog
from storage.sql.database import Database

T = TypeVar("T")
Job = Callable[[], None]


class Writer:
    """Runs the backlog when it is due, and jobs of others as soon as they come."""

    def __init__(self, database: Database, backlog: Backlog) -> None:
        self._database = database
        self._backlog = backlog
        self._jobs: list[Job] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="zvon-storage", daemon=True)
        self._thread.start()

    def transaction(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Carry out `work` in a transaction of its own."""

        def job() -> T:
            with self._database.write() as connection:
                return work(connection)

        return self._submit(job)

    def flush(self) -> "Future[None]":
        """Store everything queued so far."""
        return self._submit(lambda: self._backlog.write(at_once=True))

    def stop(self) -> "Future[None]":
        """The same, then end the thread; a refusal is not reported, rows are in the spool then."""

        def job() -> None:
            self._stopping = True
            with suppress(StorageUnavailable):  # logged already
                self._backlog.write(at_once=True)

        return self._submit(job)

    def _submit(self, work: Callable[[], T]) -> "Future[T]":
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return  # whoever waited has gone
            try:
                if self._stopping:
                    raise StorageUnavailable("the storage is closed")
                future.set_result(work())
            except BaseException as error:  # belongs to whoever waits
                future.set_exception(error)

        with self._backlog.changed:
            running = not self._stopping
            self._jobs.append(job)
            self._backlog.changed.notify()
        if not running:
            job()
        return future

    def _run(self) -> None:
        while not self._stopping:
            if job := self._next_job():
                job()
            else:
                self._backlog.write()
        for job in self._jobs:
            job()

    def _next_job(self) -> Job | None:
        """The next job as soon as there is one, or None when the backlog is due."""
        with self._backlog.changed:
            while not self._jobs:
                due_at = self._backlog.due_at
                wait_s = None if due_at is None else due_at - monotonic()
                if wait_s is not None and wait_s <= 0:
                    return None
                self._backlog.changed.wait(wait_s)
            return self._jobs.pop(0)
