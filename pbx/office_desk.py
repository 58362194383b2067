"""The office in force and how it is replaced: one change at a time, each stored as a version that can come back."""

import asyncio
from collections.abc import Callable

import structlog

from conf.diff import Plan
from conf.diff import plan as make_plan
from conf.export import KeptExport
from conf.load import ConfInvalid, parse_office
from conf.office_advice import advice
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.desk import ChangedView, ChangeOffice, OfficeView
from pbx.control.messages import ControlError, PlanView
from pbx.events import OfficeChanged
from pbx.views import plan_view
from storage.ports import Storage, StorageUnavailable
from storage.records import Office, OfficeChange, OfficeVersion, change_between, changed

VERSIONS_KEPT = 100  # weeks of changes; a document of 1,000 terminals is 100 KB
MAX_SUMMARY = 2000

log = structlog.get_logger("zvon")


class OfficeDesk:
    """`revision` is the id of the version in force. `take_over` makes an office the one in force; calls go on."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        bus: Bus,
        current: Callable[[], Office],
        take_over: Callable[[Office], None],
    ) -> None:
        self._storage, self._clock, self._bus = storage, clock, bus
        self._current, self._take_over = current, take_over
        self._changing, self._document = asyncio.Lock(), KeptExport()
        self.revision = 0

    async def start(self) -> None:
        """Find out which version is in force; an office that came by another way is stored, and a version from now on,
        so that every change is one of what is stored."""
        newest = await self._storage.versions.newest()
        self.revision = newest[0].id if newest else 0
        last = await self._storage.versions.get(self.revision)
        if last is None or last.document != self._document.of(self._current()):
            before = Office() if last is None else _office_or_none(last) or Office()
            await self._storage.offices.save(self._current())
            await self._add_version(self._current(), make_plan(before, self._current()), "", "start")

    def view(self, known: int) -> OfficeView:
        return OfficeView(self.revision, self._current() if known != self.revision else None)

    def plan(self, text: str, source_name: str) -> PlanView:
        new = self._parsed(text, source_name)
        return plan_view(make_plan(self._current(), new), advice(new, self._current()))

    async def apply(self, text: str, source_name: str) -> PlanView:
        """Store the office of a document, then make it the one in force."""
        async with self._changing:
            new = self._parsed(text, source_name)
            notes = advice(new, self._current())
            change = change_between(self._current(), new)
            return plan_view(await self._change(change, "", "apply"), notes, applied=True)

    async def change(self, request: ChangeOffice) -> ChangedView:
        """The same with what is different from a revision; nothing happens where that is in force no more."""
        async with self._changing:
            if request.revision != self.revision:
                return ChangedView(self.revision, is_changed=False)
            plan = await self._change(request.change, request.by, request.source)
            return ChangedView(self.revision, is_changed=True, changes=tuple(str(plan).splitlines()))

    async def edit(self, made: Callable[[Office], Office], by: str, source: str) -> None:
        """Put into force what `made` makes of the office, which is right for sure; a `ControlError` of it is passed
        on, with nothing changed."""
        async with self._changing:
            before = self._current()
            new = made(before)
            if new != before:
                await self._change(change_between(before, new), by, source)

    async def _change(self, change: OfficeChange, by: str, source: str) -> Plan:
        before = self._current()
        new = changed(before, change)
        plan = make_plan(before, new)
        try:
            await self._storage.offices.change(change)
            await self._add_version(new, plan, by, source)
        except StorageUnavailable as error:
            raise ControlError(f"nothing was changed: {error}") from None
        self._take_over(new)
        self._bus.publish(OfficeChanged(self._clock.wall(), self.revision, by))
        log.info("office applied", changes=len(plan_view(plan).changes), by=by or source)
        return plan

    async def _add_version(self, office: Office, plan: Plan, by: str, source: str) -> None:
        summary = str(plan)[:MAX_SUMMARY]
        version = OfficeVersion(self.revision + 1, self._clock.wall(), by, source, summary, self._document.of(office))
        await self._storage.versions.add(version, VERSIONS_KEPT)
        self.revision = version.id

    def _parsed(self, text: str, source_name: str) -> Office:
        try:
            return parse_office(text, source_name, self._current())
        except ConfInvalid as error:
            raise ControlError(str(error)) from None


def _office_or_none(version: OfficeVersion) -> Office | None:
    """The office of a version; None where this program does not take it any more."""
    try:
        return parse_office(version.document, f"version {version.id}", None)
    except ConfInvalid:
        return None
