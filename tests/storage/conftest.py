"""One PostgreSQL cluster for the tests of a process, whose one database is emptied before each test."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from storage.sql.migrate import upgrade
from storage.sql.postgres import Postgres
from storage.sql.tables import metadata
from tests.support.postgres import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def postgres(cluster: Cluster) -> Postgres:
    """A database with our tables; whoever uses it closes it."""
    found = Postgres(cluster.url(cluster.create()))
    upgrade(found)
    found.close()
    return found


@pytest.fixture
def url_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """`[storage] url` of an empty database of that kind."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return "sqlite:///zvon.db"
        database: Postgres = request.getfixturevalue("postgres")
        with database.write() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
        database.close()
        return database.url

    return make
