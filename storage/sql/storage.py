"""The storage port on SQLite and PostgreSQL."""

from asyncio import get_running_loop, wrap_future
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

from sqlalchemy import Connection, Select

from storage.ports import HappeningQuery, HistoryQuery, R, RecordingQuery, StorageUnavailable, TallyQuery
from storage.records import (
    CdrRow,
    Happening,
    Mailbox,
    MissedCall,
    Office,
    OfficeChange,
    Registration,
    Rollup,
    ScannedRow,
    StoredLetter,
    StoredRecording,
    StoredState,
    StoredSubscription,
    StoredText,
    Tally,
    VoiceMessage,
)
from storage.sql import mappers, migrate, statements, sums
from storage.sql.backlog import Backlog
from storage.sql.database import Database
from storage.sql.history import history_select, row_of, rows_of
from storage.sql.journal import SqlAudit, SqlVersions
from storage.sql.postgres import Postgres
from storage.sql.spool import Spool
from storage.sql.sqlite_file import SqliteFile
from storage.sql.writer import Writer

T = TypeVar("T")

SPOOL_FILE = Path("spool/cdr.jsonl")


class SqlStorage:
    """One opened database: a thread that writes, a thread that reads. Reads see what was queued before them."""

    def __init__(self, database: Database, spool: Spool) -> None:
        self._database = database
        self._backlog = Backlog(database, spool, monotonic)
        self._writer = Writer(database, self._backlog)
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="zvon-storage-read")
        self.offices = SqlOffices(self)
        self.versions = SqlVersions(self)
        self.audit = SqlAudit(self)
        self.locations = SqlLocations(self)
        self.cdrs = SqlCdrs(self)
        self.rollups = SqlRollups(self)
        self.texts = SqlTexts(self)
        self.subscriptions = SqlSubscriptions(self)
        self.letters = SqlKept(self, "letters", StoredLetter)
        self.voice_messages = SqlKept(self, "voice_messages", VoiceMessage)
        self.mailboxes = SqlKept(self, "mailboxes", Mailbox)
        self.missed = SqlKept(self, "missed", MissedCall)
        self.happenings = SqlHappenings(self)
        self.states = SqlKept(self, "states", StoredState)
        self.recordings = SqlRecordings(self)

    async def flush(self) -> None:
        await wrap_future(self._writer.flush())

    async def close(self) -> None:
        with suppress(StorageUnavailable):  # closed already
            await wrap_future(self._writer.stop())
        self._readers.shutdown()
        self._database.close()

    def describe(self) -> dict[str, object]:
        return self._backlog.describe()

    def append(self, row: CdrRow) -> None:
        self._backlog.append(row)

    def put(self, table: str, key: str, values: mappers.LatestValues | None) -> None:
        self._backlog.put(table, key, values)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Carry out `work` in one transaction."""
        return await wrap_future(self._writer.transaction(work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Carry out `work` on what is stored; a database that cannot be written may still be read."""
        with suppress(StorageUnavailable):
            await self.flush()

        def job() -> T:
            with self._database.read() as connection:
                return work(connection)

        return await get_running_loop().run_in_executor(self._readers, job)


class SqlOffices:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    async def load(self) -> Office:
        return await self._storage.read(statements.load_office)

    async def save(self, office: Office) -> None:
        await self._storage.write(lambda connection: statements.save_office(connection, office))

    async def change(self, change: OfficeChange) -> None:
        await self._storage.write(lambda connection: statements.change_office(connection, change))


class SqlLocations:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    async def load(self, now_at: float) -> Sequence[Registration]:
        """Expired bindings are deleted on the way, where the database can be written."""
        with suppress(StorageUnavailable):
            await self._storage.write(lambda connection: statements.delete_expired_locations(connection, now_at))
        return await self._storage.read(lambda connection: statements.load_locations(connection, now_at))

    def put(self, aor: str, registrations: Sequence[Registration]) -> None:
        values = mappers.location_values(aor, registrations) if registrations else None
        self._storage.put("locations", aor, values)


class SqlCdrs:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    def append(self, row: CdrRow) -> None:
        self._storage.append(row)

    async def query(self, query: HistoryQuery) -> Sequence[CdrRow]:
        return await self._rows(history_select(query))

    async def get(self, id: str) -> CdrRow | None:
        return next(iter(await self._rows(row_of(id))), None)

    async def of_conversations(self, linkedids: Sequence[str]) -> Sequence[CdrRow]:
        return await self._rows(rows_of(linkedids))

    async def _rows(self, wanted: Select[tuple[object, ...]]) -> Sequence[CdrRow]:
        def work(connection: Connection) -> Sequence[CdrRow]:
            return [mappers.cdr_row(row) for row in connection.execute(wanted).mappings()]

        return await self._storage.read(work)

    async def scan(self, from_at: float, to_at: float, after: ScannedRow | None, limit: int) -> Sequence[ScannedRow]:
        return await self._storage.read(
            lambda connection: statements.scan_cdrs(connection, from_at, to_at, after, limit)
        )

    async def tally(self, query: TallyQuery) -> Sequence[Tally]:
        return await self._storage.read(lambda connection: sums.tally(connection, query))

    async def marks(self, first_day: int, end_day: int) -> Sequence[Rollup]:
        return await self._storage.read(lambda connection: sums.marks(connection, first_day, end_day))

    async def remove_before(self, at: float) -> int:
        def work(connection: Connection) -> int:
            sums.delete_rollups_before(connection, at)
            return statements.delete_cdrs_before(connection, at)

        return await self._storage.write(work)

    async def remove(self, ids: Sequence[str]) -> int:
        def work(connection: Connection) -> int:
            sums.forget_days_of(connection, ids)
            return statements.delete_cdrs(connection, ids)

        await self._storage.flush()  # a row on its way would come back
        return await self._storage.write(work)


class SqlRollups:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    async def load(self, first_day: int, end_day: int) -> Sequence[Rollup]:
        return await self._storage.read(lambda connection: sums.load_rollups(connection, first_day, end_day))

    async def save(self, rollup: Rollup) -> None:
        await self._storage.write(lambda connection: sums.save_rollup(connection, rollup))


class SqlHappenings:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    def put(self, id: str, happening: Happening | None) -> None:
        self._storage.put("happenings", id, mappers.plain_values(happening) if happening is not None else None)

    async def query(self, query: HappeningQuery) -> Sequence[Happening]:
        return await self._storage.read(lambda connection: statements.load_happenings(connection, query))

    async def remove_before(self, at: float) -> int:
        return await self._storage.write(lambda connection: statements.delete_happenings_before(connection, at))


class SqlSubscriptions:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    async def load(self, now_at: float) -> Sequence[StoredSubscription]:
        """Expired ones are deleted on the way, where the database can be written."""
        with suppress(StorageUnavailable):
            await self._storage.write(lambda connection: statements.delete_expired_subscriptions(connection, now_at))
        return await self._storage.read(lambda connection: statements.load_subscriptions(connection, now_at))

    def put(self, id: str, subscription: StoredSubscription | None) -> None:
        values = mappers.subscription_values(subscription) if subscription is not None else None
        self._storage.put("subscriptions", id, values)


class SqlKept(Generic[R]):
    """Few records of one table."""

    def __init__(self, storage: SqlStorage, table: str, record: type[R]) -> None:
        self._storage, self._table = storage, table
        self._record: type[R] = record

    async def load(self) -> Sequence[R]:
        return await self._storage.read(lambda connection: statements.load_kept(connection, self._table, self._record))

    def put(self, id: str, record: R | None) -> None:
        values = mappers.plain_values(record) if record is not None else None
        self._storage.put(self._table, id, values)


class SqlRecordings:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    def put(self, id: str, recording: StoredRecording | None) -> None:
        values = mappers.plain_values(recording) if recording is not None else None
        self._storage.put("recordings", id, values)

    async def get(self, id: str) -> StoredRecording | None:
        return await self._storage.read(lambda connection: statements.load_recording(connection, id))

    async def query(self, query: RecordingQuery) -> Sequence[StoredRecording]:
        return await self._storage.read(lambda connection: statements.load_recordings(connection, query))


class SqlTexts:
    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage

    async def load(self, now_at: float) -> Sequence[StoredText]:
        """Expired texts are deleted on the way, where the database can be written."""
        with suppress(StorageUnavailable):
            await self._storage.write(lambda connection: statements.delete_expired_texts(connection, now_at))
        return await self._storage.read(lambda connection: statements.load_texts(connection, now_at))

    async def add(self, text: StoredText) -> None:
        await self._storage.write(lambda connection: statements.add_text(connection, text))

    async def remove(self, ids: Sequence[str]) -> None:
        await self._storage.write(lambda connection: statements.remove_texts(connection, ids))


def open_storage(url: str, data_dir: Path) -> SqlStorage:
    """Open or create the database of `[storage] url` and bring its tables up to date.

    `sqlite:///file` is relative to `data_dir`, `sqlite:////path/file` absolute. Raises `StorageUnavailable`.
    """
    database = _database(url, data_dir)
    try:
        database.prepare()
        migrate.upgrade(database)
        return SqlStorage(database, _spool(data_dir / SPOOL_FILE))
    except StorageUnavailable:
        database.close()
        raise


def _database(url: str, data_dir: Path) -> Database:
    if url.startswith("postgresql://"):
        return Postgres(url)
    if not url.startswith("sqlite:///") or url == "sqlite:///":
        raise StorageUnavailable(f'the storage url "{url}" is not understood: use url = "sqlite:///zvon.db"')
    return SqliteFile(data_dir.absolute() / url.removeprefix("sqlite:///"))


def _spool(path: Path) -> Spool:
    try:
        return Spool(path)
    except OSError as error:
        raise StorageUnavailable(f"the call history spool {path} cannot be read: {error.strerror}") from None
