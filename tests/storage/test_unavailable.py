"""A database that is locked, full or read-only: one sentence, nothing lost, and on it goes by itself."""

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from storage.ports import HistoryQuery, StorageUnavailable
from storage.records import Office
from storage.sql import SqlStorage, open_storage
from storage.sql.sqlite_file import SqliteFile
from tests.storage.examples import OFFICE, cdr, registration

pytestmark = pytest.mark.real_loop


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(filler: Path) -> None:
    """Write until the disk is full."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


async def refused(storage: SqlStorage) -> str:
    with pytest.raises(StorageUnavailable) as raised:
        await storage.flush()
    assert storage.describe()["last_error"] == str(raised.value)
    return str(raised.value)


async def test_a_locked_database(tmp_path: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    await storage.offices.save(OFFICE)
    with closing(sqlite3.connect(tmp_path / "zvon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        storage.cdrs.append(cdr("1"))
        storage.locations.put("sip:101@zvon", (registration(),))
        sentence = f"the database {tmp_path}/zvon.db is locked by another program: end that program, or wait for it"
        assert await refused(storage) == sentence
        assert storage.describe()["rows_spooled"] == 1
        assert storage.describe()["registrations_queued"] == 1
        assert await storage.offices.load() == OFFICE, "reading goes on"
        with pytest.raises(StorageUnavailable, match="is locked by another program"):
            await storage.offices.save(Office())
        other.execute("ROLLBACK")
    assert [row.id for row in await storage.cdrs.query(HistoryQuery())] == ["1"]
    assert await storage.locations.load(0.0) == [registration()]
    assert await storage.offices.load() == OFFICE
    assert storage.describe()["last_error"] == ""
    await storage.close()


async def test_a_file_that_is_taken_away_and_put_back_or_replaced(tmp_path: Path) -> None:
    storage, file, away = open_storage("sqlite:///zvon.db", tmp_path), tmp_path / "zvon.db", tmp_path / "away.db"
    storage.cdrs.append(cdr("1"))
    await storage.flush()
    file.rename(away)
    storage.cdrs.append(cdr("2", 2000.0))
    assert "is gone: put the file back" in await refused(storage)
    with pytest.raises(StorageUnavailable, match="is gone"):
        await storage.cdrs.query(HistoryQuery())
    assert storage.describe()["rows_spooled"] == 1
    away.rename(file)
    assert [row.id for row in await storage.cdrs.query(HistoryQuery())] == ["2", "1"]
    other = open_storage("sqlite:///other.db", tmp_path)
    await other.close()
    file.rename(away)
    (tmp_path / "other.db").rename(file)
    storage.cdrs.append(cdr("3", 3000.0))
    assert "is another file now: restart the server" in await refused(storage)
    away.rename(file)
    assert [row.id for row in await storage.cdrs.query(HistoryQuery())] == ["3", "2", "1"]
    await storage.close()


async def test_a_full_disk(small_disk: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", small_disk)
    filler = small_disk / "filler"
    fill(filler)
    for number in range(50):
        storage.cdrs.append(cdr(str(number), cause="x" * 4000))
    sentence = f"the database {small_disk}/zvon.db cannot be written because the disk is full: free some space"
    assert await refused(storage) == sentence
    assert storage.describe()["rows_queued"] == 50, "kept in memory: the spool is on the same disk"
    filler.unlink()
    assert len(await storage.cdrs.query(HistoryQuery(limit=100))) == 50
    await storage.close()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("database is locked", "is locked by another program: end that program, or wait for it"),
        ("database or disk is full", "cannot be written because the disk is full: free some space"),
        (
            "attempt to write a readonly database",
            "may not be written: check the owner and mode of the file and its folder",
        ),
        ("unable to open database file", "cannot be opened: check that its folder exists and may be written"),
        ("disk I/O error", "cannot be read or written: the disk reports an error"),
        ("file is not a database", "is not a database: move the file away, or restore it from a backup"),
        ("database disk image is malformed", "is damaged: move the file away, or restore it from a backup"),
        ("no such table: cdrs", "is damaged, a table is missing: move the file away, or restore it from a backup"),
        ("something new", "failed: something new"),
    ],
)
def test_every_error_has_its_sentence(tmp_path: Path, said: str, sentence: str) -> None:
    database = SqliteFile(tmp_path / "zvon.db")
    with pytest.raises(StorageUnavailable) as raised, database.write():
        raise sqlite3.OperationalError(said)
    database.close()
    assert str(raised.value) == f"the database {tmp_path}/zvon.db {sentence}"


async def test_closing_keeps_in_the_spool_what_the_database_refuses(tmp_path: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "zvon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        storage.cdrs.append(cdr("1"))
        await storage.close()
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    assert [row.id for row in await storage.cdrs.query(HistoryQuery())] == ["1"]
    await storage.close()


async def test_who_waits_no_longer_does_not_end_the_storage(tmp_path: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    for _ in range(20):
        waiting = asyncio.ensure_future(storage.flush())
        await asyncio.sleep(0)
        waiting.cancel()
    await storage.flush()
    await storage.close()
