"""Nothing that was appended more than a second ago is lost by `kill -9`, whatever the database does meanwhile."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage.ports import HistoryQuery
from storage.sql import open_storage
from tests.storage.examples import registration

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


@contextmanager
def killed_after_a_second(folder: Path, rows: int) -> Iterator[None]:
    """Start the process, let it append, run the body, and kill it a second after it had appended."""
    command = [sys.executable, "-m", "tests.storage.crashing", str(folder), str(rows)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"appended\n"
        time.sleep(1.0)
        yield
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


async def test_rows_and_registrations_survive(tmp_path: Path) -> None:
    with killed_after_a_second(tmp_path, 700):
        pass
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    assert len(await storage.cdrs.query(HistoryQuery(limit=1000))) == 700
    assert await storage.locations.load(0.0) == [registration()]
    await storage.close()


async def test_rows_survive_while_another_program_holds_the_database(tmp_path: Path) -> None:
    await open_storage("sqlite:///zvon.db", tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "zvon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with killed_after_a_second(tmp_path, 5):
            pass
        assert other.execute("SELECT count(*) FROM cdrs").fetchone() == (0,)
        other.execute("ROLLBACK")
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    assert len(await storage.cdrs.query(HistoryQuery())) == 5
    assert not (tmp_path / "spool/cdr.jsonl").exists()
    await storage.close()
