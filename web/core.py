"""The running server as the web process sees it: the office in force and everything that the control socket answers."""

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from conf.export import document_values
from conf.load import check_office
from pbx.control.desk import AddAudit, GetOffice, GetStates, OfficeView, PutState, ReplacedView, ReplaceOffice
from pbx.control.link import ControlLink
from pbx.control.messages import Request
from storage.records import AuditEntry, Office
from web.answers import Refused, refused

T = TypeVar("T")
TRIES = 5  # of a change while others change the office as well


@dataclass(frozen=True)
class Snapshot:
    """One revision of the office; `values` are those of its document, not to be changed."""

    revision: int
    office: Office

    @cached_property
    def values(self) -> dict[str, Any]:
        return document_values(self.office)


class Core:
    """What is kept here is the office of the last revision seen; everything else is asked each time."""

    def __init__(self, link: ControlLink, data: Path) -> None:
        self.link, self.data = link, data
        self._snapshot = Snapshot(0, Office())

    async def ask(self, request: Request, body: type[T], timeout_s: float = 30.0) -> T:
        return await self.link.ask(request, body, timeout_s)

    async def snapshot(self) -> Snapshot:
        """The office in force now."""
        view = await self.ask(GetOffice(self._snapshot.revision), OfficeView)
        if view.office is not None:
            self._snapshot = Snapshot(view.revision, view.office)
        return self._snapshot

    def checked(self, values: dict[str, Any], stored: Office) -> Office:
        """The office of changed values; raises `Refused` with every mistake in it."""
        found = check_office(values, stored, self.data)
        if isinstance(found, list):
            raise Refused(422, *((".".join(map(str, each.path)), each.message) for each in found))
        return found

    async def replace(self, office: Office, snapshot: Snapshot, by: str, source: str = "api") -> ReplacedView:
        return await self.ask(ReplaceOffice(office, snapshot.revision, by, source), ReplacedView)

    async def audit(
        self, user: str, address: str, action: str, object: str, before: Any = None, after: Any = None
    ) -> None:
        entry = AuditEntry(time.time(), user, address, action, object, _json(before), _json(after))
        await self.ask(AddAudit(entry), bool)

    # --- what the web process remembers ------------------------------------------------------------------------

    async def remembered(self, area: str, record: type[T]) -> dict[str, T]:
        found = await self.ask(GetStates(area), dict[str, str])
        return {key: msgspec.json.decode(value, type=record) for key, value in found.items()}

    async def recall(self, area: str, key: str, record: type[T]) -> T | None:
        found = await self.ask(GetStates(area, key), dict[str, str]) if key else {}
        return msgspec.json.decode(found[key], type=record) if key in found else None

    async def remember(self, area: str, key: str, record: object) -> None:
        """None: forget it."""
        value = None if record is None else msgspec.json.encode(record).decode()
        await self.ask(PutState(area, key, value), bool)


def busy() -> Refused:
    return refused(409, "the office is being changed by others all the time; try again")


def _json(values: Any) -> str:
    return "" if values is None else msgspec.json.encode(values).decode()
