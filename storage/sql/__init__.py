"""Storage on SQLite and PostgreSQL through SQLAlchemy, which is imported nowhere else."""

from storage.sql.storage import SqlStorage, open_storage

__all__ = ["SqlStorage", "open_storage"]
