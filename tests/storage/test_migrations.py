"""The schema steps: they give the tables that the program uses, up and down, and keep what is stored."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, inspect

from storage.ports import HistoryQuery
from storage.records import Mailbox, StoredState
from storage.sql.history import history_select
from storage.sql.mappers import CDR_COLUMNS, cdr_row, cdr_values, location_values, plain_values, subscription_values
from storage.sql.migrate import HEAD, alembic_config, migrate, upgrade
from storage.sql.sqlite_file import SqliteFile
from storage.sql.statements import add_text, load_office, save_office, store_cdrs, store_latest
from storage.sql.tables import metadata
from tests.storage.examples import OFFICE, cdr, letter, recording, registration, subscription, text, voice_message


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteFile]:
    found = SqliteFile(tmp_path / "zvon.db")
    yield found
    found.close()


def fill(database: SqliteFile) -> None:
    with database.write() as connection:
        save_office(connection, OFFICE)
        store_cdrs(connection, [cdr("1")])
        store_latest(connection, "subscriptions", {"s": subscription_values(subscription("s"))})
        add_text(connection, text("1"))
        store_latest(connection, "letters", {"1": plain_values(letter("1"))})
        store_latest(connection, "voice_messages", {"1": plain_values(voice_message("1"))})
        store_latest(connection, "mailboxes", {"101": plain_values(Mailbox("101", "greeting.wav"))})
        store_latest(connection, "states", {"dnd/101": plain_values(StoredState("dnd/101", "dnd", "101", "on"))})
        store_latest(connection, "recordings", {"1": plain_values(recording("1"))})
        store_latest(connection, "locations", {"sip:101@zvon": location_values("sip:101@zvon", [registration()])})


def tables(database: SqliteFile) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def test_the_program_knows_the_last_step() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_the_steps_give_the_tables_that_the_program_uses(database: SqliteFile) -> None:
    upgrade(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(database: SqliteFile) -> None:
    upgrade(database)
    fill(database)
    upgrade(database)
    with database.read() as connection:
        assert load_office(connection) == OFFICE


def test_down_and_up_again_with_data(database: SqliteFile) -> None:
    upgrade(database)
    fill(database)
    migrate(database, "base")
    assert tables(database) == {"alembic_version"}
    upgrade(database)
    assert tables(database) == {"alembic_version", *metadata.tables}
    fill(database)


def test_history_of_the_first_schema_is_found_by_names_and_by_everything_else(database: SqliteFile) -> None:
    row = cdr("1", from_name="Анна Белкина", quality={"from_mos": 4.4})
    values = dict(zip(CDR_COLUMNS, cdr_values(row), strict=True))
    migrate(database, "0001")
    with database.write() as connection:
        first = Table("cdrs", MetaData(), autoload_with=connection)
        there = [column.name for column in first.columns if column.name in values]
        connection.execute(first.insert(), {name: values[name] for name in there})
    upgrade(database)
    for query in (HistoryQuery(), HistoryQuery(name="БЕЛКИНА"), HistoryQuery("101"), HistoryQuery(linkedid="call-1")):
        with database.read() as connection:
            assert [cdr_row(found) for found in connection.execute(history_select(query)).mappings()] == [row], query


def test_a_step_that_fails_leaves_nothing_behind(database: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    import alembic.op

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken step")

    with monkeypatch.context() as patched:
        patched.setattr(alembic.op, "create_index", fail)
        with pytest.raises(RuntimeError, match="broken step"):
            upgrade(database)
    assert tables(database) == set()
    upgrade(database)
    fill(database)
