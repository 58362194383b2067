"""The schema of a database, brought to the revision that this program knows."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from storage.ports import StorageUnavailable
from storage.sql.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0029"
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Create or upgrade the tables; raises `StorageUnavailable` when it is of a newer or another program."""
    with database.read() as connection:
        found = _revision(connection, database.name)
    if found == HEAD:
        return
    if found and found not in _known_revisions():
        raise StorageUnavailable(
            f"the database {database.name} was written by a newer Zvon (schema {found}, this program knows {HEAD}): "
            "install that version, or restore a backup made before the upgrade"
        )
    migrate(database, HEAD)


def migrate(database: Database, revision: str) -> None:
    """Go up or down to `revision` in one transaction ("base" is empty)."""
    from alembic import command  # takes 0.2 s to import and is needed at a first start only

    with database.write() as connection:
        here = _revision(connection, database.name)
        step = command.downgrade if revision == "base" or here > revision else command.upgrade
        step(alembic_config(connection), revision)


def alembic_config(connection: Connection | None = None) -> "Config":
    """What alembic needs, without a file: the scripts stand beside this module, in a wheel too."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}


def _revision(connection: Connection, name: str) -> str:
    """The revision in the database, empty for an empty one."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
    if tables:
        raise StorageUnavailable(f"the database {name} belongs to another program: name another one in [storage] url")
    return ""
