"""Versions of the office and the audit, as SQL."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, desc, insert, literal, or_, select

from storage.ports import AuditQuery
from storage.records import AuditEntry, OfficeVersion
from storage.sql.mappers import readable, storable_text
from storage.sql.tables import audit, office_versions

if TYPE_CHECKING:
    from storage.sql.storage import SqlStorage


class SqlVersions:
    def __init__(self, storage: "SqlStorage") -> None:
        self._storage = storage

    async def add(self, version: OfficeVersion, keep: int) -> None:
        def work(connection: Connection) -> None:
            ids = select(office_versions.c.id).order_by(desc(office_versions.c.id))
            connection.execute(insert(office_versions), asdict(readable(version)))
            connection.execute(delete(office_versions).where(office_versions.c.id.not_in(ids.limit(keep))))

        await self._storage.write(work)

    async def newest(self) -> Sequence[OfficeVersion]:
        shown = [literal("").label("document") if each.name == "document" else each for each in office_versions.c]
        wanted = select(*shown).order_by(desc(office_versions.c.id))

        def work(connection: Connection) -> Sequence[OfficeVersion]:
            return [OfficeVersion(**row) for row in connection.execute(wanted).mappings()]

        return await self._storage.read(work)

    async def get(self, id: int) -> OfficeVersion | None:
        def work(connection: Connection) -> OfficeVersion | None:
            wanted = select(office_versions).where(office_versions.c.id == id)
            row = connection.execute(wanted).mappings().first()
            return None if row is None else OfficeVersion(**row)

        return await self._storage.read(work)


class SqlAudit:
    def __init__(self, storage: "SqlStorage") -> None:
        self._storage = storage

    async def add(self, entry: AuditEntry) -> None:
        values = asdict(readable(entry))
        del values["id"]  # the database gives it
        await self._storage.write(lambda connection: connection.execute(insert(audit), values) and None)

    async def query(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """The same as `storage.match.is_audited` says."""
        wanted = select(audit).order_by(desc(audit.c.id)).limit(max(query.limit, 0))
        if query.user:
            wanted = wanted.where(audit.c.user == storable_text(query.user))
        if query.object:
            object = storable_text(query.object)
            below = audit.c.object.startswith(f"{object}/", autoescape=True)
            wanted = wanted.where(or_(audit.c.object == object, below))
        if query.before_id:
            wanted = wanted.where(audit.c.id < query.before_id)

        def work(connection: Connection) -> Sequence[AuditEntry]:
            return [AuditEntry(**row) for row in connection.execute(wanted).mappings()]

        return await self._storage.read(work)
