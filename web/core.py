"""The running server as the web process sees it: the office in force and everything that the control socket answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from conf.errors import Problem
from conf.export import KeptValues
from conf.load import check_office
from pbx.control.desk import AddAudit, ChangedView, ChangeOffice, GetOffice, GetStates, OfficeView, PutState
from pbx.control.link import ControlLink
from pbx.control.messages import Request
from storage.records import AuditEntry, Office, change_between, changed
from web.answers import Refused, refused

T = TypeVar("T")
Beside = Callable[..., Awaitable[Any]]  # runs a function where it holds up nobody
TRIES = 5  # of a change while others change the office as well


@dataclass(frozen=True)
class Snapshot:
    """One revision of the office; `values` are those of its document, not to be changed."""

    revision: int
    office: Office
    values: dict[str, Any]


class Core:
    """What is kept here is the office of the last revision seen; everything else is asked each time."""

    def __init__(self, link: ControlLink, data: Path, beside: Beside = asyncio.to_thread) -> None:
        self.link, self.data, self.beside = link, data, beside
        self._values = KeptValues()
        self._snapshot = self._seen(0, Office())

    async def ask(self, request: Request, body: type[T], timeout_s: float = 30.0) -> T:
        return await self.link.ask(request, body, timeout_s)

    async def snapshot(self) -> Snapshot:
        """The office in force now."""
        view = await self.ask(GetOffice(self._snapshot.revision), OfficeView)
        if view.office is not None:
            change = change_between(self._snapshot.office, view.office)
            self._snapshot = self._seen(view.revision, changed(self._snapshot.office, change))
        return self._snapshot

    def _seen(self, revision: int, office: Office) -> Snapshot:
        return Snapshot(revision, office, self._values.of(office))

    async def look(self, values: dict[str, Any], stored: Office) -> Office | list[Problem]:
        """The office of changed values, or every mistake in it."""
        found: Office | list[Problem] = await self.beside(check_office, values, stored, self.data)
        return found

    async def checked(self, values: dict[str, Any], stored: Office) -> Office:
        """The same; raises `Refused` with the mistakes."""
        found = await self.look(values, stored)
        if isinstance(found, list):
            raise Refused(422, *((".".join(map(str, each.path)), each.message) for each in found))
        return found

    async def change(self, office: Office, snapshot: Snapshot, by: str, source: str = "api") -> ChangedView:
        """Put an office into force that was made of the snapshot; what is as there is not sent."""
        change = change_between(snapshot.office, office)
        done = await self.ask(ChangeOffice(change, snapshot.revision, by, source), ChangedView)
        if done.is_changed and done.revision > self._snapshot.revision:  # others may have seen later ones meanwhile
            self._snapshot = self._seen(done.revision, changed(snapshot.office, change))
        return done

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
