"""What waits to be written, and when: batches, one value an AOR, retries with back-off, the spool.

The event loop adds, one writer thread calls `write`. A batch leaves 250 ms after its first item, in one transaction.
When the database refuses it:
- rows of call history go to the spool at once, so they are safe from a crash within the same half second; they stay
  in memory only where the spool cannot be written either (a full disk);
- whatever has one value a key (registrations, subscriptions, letters, …) stays in memory, where a newer value replaces
  it. Every refresh is written: what is read after a restart is what the phone was last told, never an older expiry.
The database is tried again after 0.25 s, then twice as late each time, up to 5 s.
"""

import threading
from collections import defaultdict
from collections.abc import Callable

import structlog

from frozen import dataclass
from storage.ports import StorageUnavailable
from storage.records import CdrRow
from storage.sql.database import Database
from storage.sql.mappers import LatestValues, storable, storable_text
from storage.sql.spool import Spool
from storage.sql.statements import store_cdrs, store_latest

BATCH_S = 0.25
RETRY_S = (0.25, 0.5, 1.0, 2.0, 5.0)

Latest = dict[str, LatestValues | None]  # by key; None: gone

log = structlog.get_logger()


class Backlog:
    """The queue in front of the database. `changed` wakes the writer; `clock` is monotonic seconds."""

    def __init__(self, database: Database, spool: Spool, clock: Callable[[], float]) -> None:
        self.changed = threading.Condition()
        self.last_error = ""
        self._database = database
        self._spool = spool
        self._clock = clock
        self._rows: list[CdrRow] = []
        self._latest: dict[str, Latest] = defaultdict(dict)  # by table
        self._batch_due_at: float | None = None  # of what came since the last `write`
        self._retry_at: float | None = clock() if spool.rows else None  # of what the database refused
        self._failures = 0
        self._written_at: float | None = None

    def append(self, row: CdrRow) -> None:
        row = storable(row)  # here, so that a wrong value fails its caller and not the writer
        with self.changed:
            self._rows.append(row)
            self._schedule()

    def put(self, table: str, key: str, values: LatestValues | None) -> None:
        """The row of that key from now on; None: there is none."""
        with self.changed:
            self._latest[table][storable_text(key)] = values
            self._schedule()

    @property
    def due_at(self) -> float | None:
        """When `write` has something to do next."""
        times = [at for at in (self._batch_due_at, self._retry_at) if at is not None]
        return min(times, default=None)

    def write(self, *, at_once: bool = False) -> None:
        """Store what is due; `at_once`: store everything and raise `StorageUnavailable` if the database refuses."""
        batch = self._take()
        if not at_once and self._retry_at is not None and self._clock() < self._retry_at:
            self._keep(batch)
            return
        try:
            self._store(batch)
        except Exception as error:  # whatever it is, nothing is lost and the next try comes
            self._refused(error)
            self._keep(batch)
            if at_once:
                raise
        else:
            self._stored(batch)

    def describe(self) -> dict[str, object]:
        since = None if self._written_at is None else round(self._clock() - self._written_at, 1)
        return {
            "rows_queued": len(self._rows),
            "rows_spooled": self._spool.rows,
            "registrations_queued": len(self._latest.get("locations", ())),
            "last_error": self.last_error,
            "seconds_since_write": since,
        }

    def _schedule(self) -> None:
        if self._batch_due_at is None:
            self._batch_due_at = self._clock() + BATCH_S
            self.changed.notify()

    def _take(self) -> "_Batch":
        with self.changed:
            batch = _Batch(self._rows, self._latest)
            self._rows, self._latest = [], defaultdict(dict)
            self._batch_due_at = None
        return batch

    def _store(self, batch: "_Batch") -> None:
        if self._spool.rows:
            self._import_spool()
        if batch:
            with self._database.write() as connection:
                store_cdrs(connection, batch.rows)
                for table, values in batch.latest.items():
                    store_latest(connection, table, values)

    def _import_spool(self) -> None:
        for chunk in self._spool.chunks():
            with self._database.write() as connection:
                store_cdrs(connection, chunk)
        self._spool.clear()

    def _stored(self, batch: "_Batch") -> None:
        if self._failures:
            log.info("the database is written again")
        if batch or self._failures:
            self._written_at = self._clock()
        self._failures, self._retry_at, self.last_error = 0, None, ""

    def _refused(self, error: Exception) -> None:
        foreseen = isinstance(error, StorageUnavailable)
        sentence = str(error) if foreseen else f"the database cannot be written because of a bug: {error!r}"
        if sentence != self.last_error:
            log.error(sentence, exc_info=None if foreseen else error)
        self.last_error = sentence
        self._retry_at = self._clock() + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1

    def _keep(self, batch: "_Batch") -> None:
        """After a refusal: rows into the spool, else back into the queue before what has come meanwhile."""
        unspooled = self._spooled_or_left(batch.rows)
        with self.changed:
            self._rows = unspooled + self._rows
            for table, values in batch.latest.items():
                self._latest[table] = {**values, **self._latest[table]}

    def _spooled_or_left(self, rows: list[CdrRow]) -> list[CdrRow]:
        if not rows:
            return rows
        try:
            self._spool.append(rows)
        except OSError as error:
            log.error("the call history spool cannot be written", file=str(self._spool.path), why=error.strerror)
            return rows
        return []


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is written together."""

    rows: list[CdrRow]
    latest: dict[str, Latest]

    def __bool__(self) -> bool:
        return bool(self.rows or any(self.latest.values()))
