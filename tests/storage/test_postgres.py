"""What is PostgreSQL's own: a server that goes away and comes back, its errors as sentences, the schema steps."""

import re
import subprocess
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from storage.ports import HistoryQuery, StorageUnavailable
from storage.sql import SqlStorage, open_storage
from storage.sql.migrate import HEAD, migrate, upgrade
from storage.sql.postgres import Postgres
from storage.sql.tables import metadata
from tests.storage.examples import OFFICE, cdr, registration
from tests.support.postgres import Cluster

pytestmark = pytest.mark.real_loop


async def refused(storage: SqlStorage) -> str:
    with pytest.raises(StorageUnavailable) as raised:
        await storage.flush()
    return str(raised.value)


def refusal(url: str, folder: Path) -> str:
    with pytest.raises(StorageUnavailable) as raised:
        open_storage(url, folder)
    return str(raised.value)


async def test_a_server_that_goes_away_and_comes_back_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.url(cluster.create())
    storage = open_storage(url, tmp_path)
    await storage.offices.save(OFFICE)
    storage.cdrs.append(cdr("1"))
    await storage.flush()
    cluster.stop()
    try:
        storage.cdrs.append(cdr("2", 2000.0))
        storage.locations.put("sip:101@zvon", (registration(),))
        assert "does not answer: start it" in await refused(storage)
        assert storage.describe()["rows_spooled"] == 1
        with pytest.raises(StorageUnavailable, match="does not answer"):
            await storage.cdrs.query(HistoryQuery())
        await storage.close()
        assert "does not answer" in refusal(url, tmp_path)
    finally:
        cluster.start()
    storage = open_storage(url, tmp_path)
    try:
        assert [row.id for row in await storage.cdrs.query(HistoryQuery())] == ["2", "1"]
        assert await storage.offices.load() == OFFICE
        assert storage.describe()["rows_spooled"] == 0
    finally:
        await storage.close()


def test_the_steps_give_the_tables_that_the_program_uses_and_go_down_again(cluster: Cluster) -> None:
    database = Postgres(cluster.url(cluster.create()))
    try:
        upgrade(database)
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        migrate(database, "base")
        upgrade(database)
        with database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
        with pytest.raises(StorageUnavailable, match=f"was written by a newer Zvon .*knows {HEAD}"):
            upgrade(database)
    finally:
        database.close()


def test_what_cannot_be_opened_is_said_in_a_sentence_without_the_password(cluster: Cluster, tmp_path: Path) -> None:
    other = cluster.create()
    where = ["-h", str(cluster.folder), "-U", "zvon", other]
    subprocess.run([cluster.program("psql"), *where, "-qc", "CREATE TABLE bookmarks (url text)"], check=True)
    said = {
        cluster.url("nowhere"): "the database postgresql://zvon@/nowhere does not exist there, or its user does not",
        cluster.url(other): "belongs to another program: name another one in [storage] url",
        "postgresql://zvon:Secret_1@127.0.0.1:1/zvon": "postgresql://zvon:***@127.0.0.1:1/zvon does not answer",
        "postgresql://zvon@no.such.host.invalid/zvon": "cannot be found: check the host name",
    }
    for url, sentence in said.items():
        found = refusal(url, tmp_path)
        assert sentence in found
        assert "Secret_1" not in found
        assert "\n" not in found


async def test_a_text_with_a_nul_holds_up_nothing(cluster: Cluster, tmp_path: Path) -> None:
    storage = open_storage(cluster.url(cluster.create()), tmp_path)
    try:
        storage.cdrs.append(cdr("a\0b"))
        (row,) = await storage.cdrs.query(HistoryQuery())
        assert row.id == "a?b"
    finally:
        await storage.close()


@pytest.mark.parametrize("said", ["odd\nand more", ""])
def test_whatever_it_says_is_one_line(said: str) -> None:
    database = Postgres("postgresql://h/d")
    assert re.fullmatch(r"failed: .+", database._sentence(said))
    database.close()
