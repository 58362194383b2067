"""A PostgreSQL database: how it is reached, and what its errors mean to people."""

import re

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError

from storage.ports import StorageUnavailable
from storage.sql.database import Database

CONNECT_S = 3  # a thread of ours waits, not the event loop; what it would write waits in the backlog
GONE_MS = 5000  # an answer that is missing for so long does not come (a network that swallows packets)
LEAST_VERSION = 130000

_SENTENCES = (
    ("password authentication failed", "refuses the password: check user and password in [storage] url"),
    ("no password supplied", "wants a password: give user and password in [storage] url"),
    ("no pg_hba.conf entry", "does not let this machine in: allow it in pg_hba.conf"),
    ("does not exist", "does not exist there, or its user does not: make both, or correct [storage] url"),
    ("permission denied", "may not be written by this user: make the user its owner"),
    ("could not translate host name", "cannot be found: check the host name in [storage] url"),
    ("failed to resolve host", "cannot be found: check the host name in [storage] url"),
    ("too many clients", "has no connection left: raise max_connections there"),
    ("No space left", "cannot be written because the disk is full there: free some space"),
    ("shutting down", "is being stopped"),
    ("starting up", "is starting"),
)
_AWAY = re.compile(
    r"connection (failed|refused|timeout)|server closed the connection|is the server running|timed out|terminating",
    re.IGNORECASE,
)


class Postgres(Database):
    """Named by `[storage] url`: `postgresql://user:password@host/name`."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._url = make_url(url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):
            raise StorageUnavailable(
                f'the storage url "{url}" is not understood: use url = "postgresql://user:password@host/zvon"'
            ) from None
        shown = self._url.set(drivername="postgresql", query={})
        super().__init__(shown.render_as_string(hide_password=True))

    def prepare(self) -> None:
        """See that it is there, and new enough."""
        with self.read() as connection:
            version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
        if version < LEAST_VERSION:
            raise StorageUnavailable(f"the database {self.name} is older than PostgreSQL 13: take a newer one")

    def _engines(self) -> tuple[Engine, Engine]:
        options = {"connect_timeout": CONNECT_S, "tcp_user_timeout": GONE_MS, "keepalives_idle": GONE_MS // 1000}
        engine = create_engine(self._url, connect_args=options, pool_size=1, pool_pre_ping=True)
        view = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return engine, engine.execution_options(**view)

    def _sentence(self, said: str) -> str:
        known = next((sentence for part, sentence in _SENTENCES if part in said), "")
        if not known and _AWAY.search(said):
            known = "does not answer: start it, or check host and port in [storage] url"
        return known or f"failed: {said.splitlines()[0] if said else 'nothing was said'}"
