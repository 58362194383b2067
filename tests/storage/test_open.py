"""Opening a database: what is made, and the sentence where it cannot be."""

import asyncio
import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from storage.ports import StorageUnavailable
from storage.sql import open_storage
from storage.sql.migrate import HEAD
from tests.storage.examples import OFFICE

pytestmark = pytest.mark.real_loop


async def test_the_file_is_made_in_the_data_folder_for_its_owner_only(tmp_path: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", tmp_path / "var")
    await storage.offices.save(OFFICE)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "var").iterdir()}
    await storage.close()
    assert modes.pop("zvon.db") == 0o600
    assert set(modes.values()) == {0o600}, "the write-ahead log too"
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700


async def test_an_absolute_path_lies_outside_the_data_folder(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/a b?%20c.db", tmp_path / "var")
    await storage.close()
    assert (tmp_path / "a b?%20c.db").exists()


async def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    await storage.offices.save(OFFICE)
    await storage.close()
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    assert await storage.offices.load() == OFFICE
    await storage.close()


async def test_a_closed_storage_says_so(tmp_path: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    await storage.close()
    await storage.close()
    with pytest.raises(StorageUnavailable, match="the storage is closed"):
        await storage.flush()


async def test_whoever_still_waits_when_the_storage_closes_is_told(tmp_path: Path) -> None:
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    go = threading.Event()
    busy = asyncio.create_task(storage.write(lambda _: go.wait()))
    closing_it = asyncio.create_task(storage.close())
    late = asyncio.create_task(storage.flush())
    await asyncio.sleep(0)
    go.set()
    assert await busy
    await closing_it
    with pytest.raises(StorageUnavailable, match="the storage is closed"):
        await late


def refusal(url: str, folder: Path) -> str:
    with pytest.raises(StorageUnavailable) as raised:
        open_storage(url, folder)
    return str(raised.value).replace(str(folder), "DATA")


def test_urls_that_are_not_for_this_version(tmp_path: Path) -> None:
    assert refusal("mysql://db", tmp_path) == (
        'the storage url "mysql://db" is not understood: use url = "sqlite:///zvon.db"'
    )


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "zvon.db").write_text("[office]\n" * 1000)
    assert refusal("sqlite:///zvon.db", tmp_path) == (
        "the database DATA/zvon.db is not a database: move the file away, or restore it from a backup"
    )


def test_the_database_of_another_program(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "zvon.db")) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    assert refusal("sqlite:///zvon.db", tmp_path) == (
        "the database DATA/zvon.db belongs to another program: name another one in [storage] url"
    )


async def test_the_database_of_a_newer_version(tmp_path: Path) -> None:
    await open_storage("sqlite:///zvon.db", tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "zvon.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    assert refusal("sqlite:///zvon.db", tmp_path) == (
        "the database DATA/zvon.db was written by a newer Zvon (schema 0999, this program knows "
        f"{HEAD}): install that version, or restore a backup made before the upgrade"
    )


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "zvon.db").mkdir()
    assert refusal("sqlite:///zvon.db", tmp_path) == "the database DATA/zvon.db cannot be opened: Is a directory"


def test_a_file_in_place_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    assert re.fullmatch(
        r"the database DATA/zvon\.db cannot be opened: .+", refusal("sqlite:///zvon.db", tmp_path / "var")
    )


def test_a_spool_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "spool/cdr.jsonl").mkdir(parents=True)
    assert refusal("sqlite:///zvon.db", tmp_path) == (
        "the call history spool DATA/spool/cdr.jsonl cannot be read: Is a directory"
    )


def test_a_new_database_that_another_program_holds(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "zvon.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert refusal("sqlite:///zvon.db", tmp_path) == (
            "the database DATA/zvon.db is locked by another program: end that program, or wait for it"
        )
