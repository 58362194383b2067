"""Batches, retries and the spool, with a clock that the test moves."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from storage.ports import StorageUnavailable
from storage.records import Registration, StoredSubscription
from storage.sql.backlog import Backlog
from storage.sql.mappers import location_values, subscription_values
from storage.sql.migrate import upgrade
from storage.sql.spool import Spool
from storage.sql.sqlite_file import SqliteFile
from storage.sql.statements import load_locations, load_subscriptions
from tests.storage.examples import cdr, registration, subscription


class FlakyDatabase(SqliteFile):
    """A real database that refuses to write while `refusal` says why; `meanwhile` is called once before it does."""

    refusal = ""
    transactions = 0
    refused = 0
    meanwhile: Callable[[], None] | None = None

    def write(self) -> AbstractContextManager[Connection]:
        if self.refusal:
            self.refused += 1
            if self.meanwhile:
                self.meanwhile()
                self.meanwhile = None
            raise StorageUnavailable(self.refusal)
        self.transactions += 1
        return super().write()


class Rig:
    """A backlog with its parts and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.folder = folder
        self.database = FlakyDatabase(folder / "zvon.db")
        upgrade(self.database)
        self.restart()

    def restart(self) -> None:
        self.spool = Spool(self.folder / "spool/cdr.jsonl")
        self.backlog = Backlog(self.database, self.spool, lambda: self.now)
        self.database.transactions = 0

    def put_location(self, aor: str, bindings: Sequence[Registration]) -> None:
        self.backlog.put("locations", aor, location_values(aor, bindings))

    def put_subscription(self, id: str, subscription: StoredSubscription | None) -> None:
        values = subscription_values(subscription) if subscription is not None else None
        self.backlog.put("subscriptions", id, values)

    def run_until(self, until: float) -> None:
        """What the writer thread does up to `until`."""
        while (due_at := self.backlog.due_at) is not None and due_at <= until:
            self.now = max(self.now, due_at)
            self.backlog.write()
        self.now = until

    def stored(self) -> list[str]:
        with self.database.read() as connection:
            return [id for (id,) in connection.execute(text("SELECT id FROM cdrs ORDER BY seq"))]

    def in_spool(self) -> list[str]:
        return [row.id for chunk in self.spool.chunks() for row in chunk]


def full(_rows: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(tmp_path)
    yield found
    found.database.close()


def test_nothing_is_due_while_nothing_waits(rig: Rig) -> None:
    assert rig.backlog.due_at is None
    assert rig.backlog.describe()["seconds_since_write"] is None


def test_a_batch_leaves_a_quarter_of_a_second_after_its_first_item_in_one_transaction(rig: Rig) -> None:
    rig.backlog.append(cdr("1"))
    rig.now += 0.2
    rig.backlog.append(cdr("2"))
    rig.put_location("sip:101@zvon", (registration(),))
    assert rig.backlog.due_at == 100.25
    rig.run_until(101.0)
    assert rig.stored() == ["1", "2"]
    assert rig.database.transactions == 1
    assert rig.backlog.describe() == {
        "rows_queued": 0, "rows_spooled": 0, "registrations_queued": 0, "last_error": "", "seconds_since_write": 0.8,
    }  # fmt: skip


def test_only_the_latest_bindings_of_an_aor_are_written(rig: Rig) -> None:
    for expires_at in (2000.0, 3000.0, 4000.0):
        rig.put_location("sip:101@zvon", (registration(expires_at=expires_at),))
    assert rig.backlog.describe()["registrations_queued"] == 1
    rig.run_until(101.0)
    with rig.database.read() as connection:
        assert load_locations(connection, 0.0) == [registration(expires_at=4000.0)]


def test_refused_rows_are_in_the_spool_at_once_and_in_the_database_when_it_is_back(rig: Rig) -> None:
    rig.database.refusal = "the database is away"
    rig.backlog.append(cdr("1"))
    rig.run_until(100.25)
    assert (rig.stored(), rig.in_spool()) == ([], ["1"])
    assert rig.backlog.describe()["last_error"] == "the database is away"
    assert rig.backlog.describe()["rows_spooled"] == 1
    rig.database.refusal = ""
    rig.run_until(101.0)
    assert (rig.stored(), rig.in_spool()) == (["1"], [])
    assert rig.backlog.describe()["last_error"] == ""
    assert rig.backlog.due_at is None


def test_rows_that_come_while_the_database_is_away_reach_the_spool_without_waiting_for_the_next_try(rig: Rig) -> None:
    rig.database.refusal = "away"
    rig.backlog.append(cdr("1"))
    rig.run_until(110.0)  # by now the tries are five seconds apart
    rig.backlog.append(cdr("2"))
    tries = rig.database.refused
    rig.run_until(110.25)
    assert rig.in_spool() == ["1", "2"]
    assert rig.database.refused == tries


def test_the_database_is_tried_less_and_less_often_up_to_every_five_seconds(rig: Rig) -> None:
    rig.database.refusal = "away"
    rig.put_location("sip:101@zvon", (registration(),))
    tries = []
    for _ in range(8):
        rig.run_until(rig.backlog.due_at or 0.0)
        tries.append(rig.now - 100.0)
    assert tries == [0.25, 0.5, 1.0, 2.0, 4.0, 9.0, 14.0, 19.0]


def test_newer_bindings_replace_those_that_were_refused(rig: Rig) -> None:
    rig.database.refusal = "away"
    rig.put_subscription("a", subscription("a"))
    rig.put_subscription("b", subscription("b"))
    rig.put_location("sip:101@zvon", (registration(expires_at=2000.0),))
    rig.put_location("sip:102@zvon", (registration("sip:102@zvon"),))
    rig.run_until(100.25)
    rig.put_location("sip:101@zvon", (registration(expires_at=3000.0),))
    rig.put_subscription("a", subscription("a", 2500.0))
    rig.put_subscription("b", None)
    rig.database.refusal = ""
    rig.run_until(110.0)
    with rig.database.read() as connection:
        assert [each.expires_at for each in load_locations(connection, 0.0)] == [3000.0, 2000.0]
        assert load_subscriptions(connection, 0.0) == [subscription("a", 2500.0)]


def test_what_comes_during_a_refused_write_is_newer_than_what_was_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def come() -> None:
        rig.backlog.append(cdr("2"))
        rig.put_location("sip:101@zvon", (registration(expires_at=3000.0),))

    rig.database.refusal = "away"
    rig.database.meanwhile = come
    monkeypatch.setattr(rig.spool, "append", full)
    rig.backlog.append(cdr("1"))
    rig.put_location("sip:101@zvon", (registration(expires_at=2000.0),))
    rig.run_until(100.25)
    rig.database.refusal = ""
    rig.run_until(110.0)
    assert rig.stored() == ["1", "2"]
    with rig.database.read() as connection:
        assert load_locations(connection, 0.0) == [registration(expires_at=3000.0)]


def test_rows_stay_in_memory_where_the_spool_cannot_be_written_either(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.database.refusal = "full"
    with monkeypatch.context() as patched:
        patched.setattr(rig.spool, "append", full)
        rig.backlog.append(cdr("1"))
        rig.run_until(103.0)
        rig.backlog.append(cdr("2"))
        rig.run_until(104.0)
        assert rig.backlog.describe()["rows_queued"] == 2
    rig.database.refusal = ""
    rig.run_until(115.0)
    assert rig.stored() == ["1", "2"]


def test_the_spool_of_an_earlier_run_is_stored_at_the_start(rig: Rig) -> None:
    rig.database.refusal = "away"
    rig.backlog.append(cdr("1"))
    rig.run_until(101.0)
    rig.database.refusal = ""
    rig.restart()
    assert rig.backlog.describe()["rows_spooled"] == 1
    rig.run_until(rig.now)
    assert (rig.stored(), rig.in_spool()) == (["1"], [])


def test_a_spool_that_was_stored_but_not_emptied_gives_no_row_twice(rig: Rig) -> None:
    rig.spool.append([cdr("1"), cdr("2")])
    left = rig.spool.path.read_bytes()
    rig.restart()
    rig.run_until(101.0)
    rig.spool.path.write_bytes(left)  # as after a crash between the two
    rig.restart()
    rig.backlog.append(cdr("2"))
    rig.run_until(102.0)
    assert (rig.stored(), rig.in_spool()) == (["1", "2"], [])
    assert rig.backlog.describe()["last_error"] == ""


def test_a_spooled_row_is_on_the_disk_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    rig.spool.append([cdr("1")])
    assert synced == [rig.spool.path.stat().st_size]


def test_a_torn_line_costs_only_itself(rig: Rig) -> None:
    rig.spool.append([cdr("1"), cdr("2")])
    whole = rig.spool.path.read_bytes()
    rig.spool.path.write_bytes(whole[:-20])
    rig.spool.append([cdr("3")])
    assert rig.in_spool() == ["1", "3"]
    assert rig.spool.path.stat().st_mode & 0o777 == 0o600


def test_a_flush_stores_at_once_or_says_why_not(rig: Rig) -> None:
    rig.backlog.append(cdr("1"))
    rig.backlog.write(at_once=True)
    assert rig.stored() == ["1"]
    rig.database.refusal = "away"
    rig.backlog.append(cdr("2"))
    with pytest.raises(StorageUnavailable, match="away"):
        rig.backlog.write(at_once=True)
    assert rig.in_spool() == ["2"]
    rig.database.refusal = ""
    rig.backlog.write(at_once=True)
    assert rig.stored() == ["1", "2"]


def test_a_bug_while_writing_loses_nothing_and_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("oops")

    with monkeypatch.context() as patched:
        patched.setattr("storage.sql.backlog.store_cdrs", broken)
        rig.backlog.append(cdr("1"))
        rig.run_until(100.25)
    assert rig.backlog.describe()["last_error"] == (
        "the database cannot be written because of a bug: TypeError('oops')"
    )
    rig.run_until(101.0)
    assert rig.stored() == ["1"]


@pytest.mark.parametrize("crash_at", [None, 35])
def test_history_of_a_minute_without_the_database_arrives_once_and_in_order(rig: Rig, crash_at: int | None) -> None:
    """Two calls end every second; the database is away from the tenth to the seventieth; the server may crash."""
    ended: list[str] = []
    for second in range(90):
        rig.database.refusal = "the database is away" if 10 <= second < 70 else ""
        if second == crash_at:
            rig.restart()
        for _ in range(2):
            ended.append(str(len(ended)))
            rig.backlog.append(cdr(ended[-1], float(len(ended))))
        rig.run_until(101.0 + second)
        if 10 <= second < 70:
            assert rig.stored() == ended[:20]
            assert rig.in_spool() == ended[20:], "safe within the second"
        if second >= 76:
            assert rig.stored() == ended, "5 s after it is back"
    assert rig.in_spool() == []
    assert rig.database.refused < 30, "it is not asked all the time"
