"""The office as data over the control socket: revisions, versions, events by number, what the web process remembers."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from conf.export import export_office
from pbx.control.desk import (
    AddAudit,
    EventView,
    FollowEvents,
    GetAudit,
    GetOffice,
    GetStates,
    GetVersion,
    GetVersions,
    OfficeView,
    PutState,
    ReplacedView,
    ReplaceOffice,
)
from pbx.control.link import ControlLink, EventFeed, ServerGone
from pbx.control.messages import ApplyOffice, ControlError, PlanView
from pbx.event_log import EventLog
from pbx.events import DiskShort
from pbx.runtime import Server
from storage.memory import MemoryStorage
from storage.records import AuditEntry, OfficeVersion, Terminal
from tests.pbx.test_runtime import OFFICE, serving

LARGER = replace(OFFICE, terminals=(*OFFICE.terminals, Terminal("103", password="Secret-103")))


class Asking:
    """A started server and a link to it."""

    def __init__(self, folder: Path, storage: MemoryStorage | None = None) -> None:
        self._folder, self._serving = folder, serving(folder, storage=storage)

    async def __aenter__(self) -> tuple[Server, ControlLink]:
        self._server, _ = await self._serving.__aenter__()
        await self._server.start()
        self._link = ControlLink(self._folder)
        return self._server, self._link

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()
        await self._server.stop()
        await self._serving.__aexit__(None, None, None)


async def first_events(feed: EventFeed, count: int) -> list[EventView]:
    found: list[EventView] = []
    async for batch in feed.batches():
        found += batch
        if len(found) >= count:
            break
    await feed.close()
    return found


async def test_the_office_is_sent_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    async with Asking(tmp_path) as (_, link):
        first = await link.ask(GetOffice(), OfficeView)
        assert first.office == OFFICE
        assert await link.ask(GetOffice(first.revision), OfficeView) == OfficeView(first.revision)
        replaced = await link.ask(ReplaceOffice(LARGER, first.revision, "anna"), ReplacedView)
        assert replaced == ReplacedView(first.revision + 1, is_replaced=True, changes=("+ terminal 103",))
        assert (await link.ask(GetOffice(first.revision), OfficeView)).office == LARGER


async def test_of_two_changes_of_one_revision_the_second_is_refused(tmp_path: Path) -> None:
    async with Asking(tmp_path) as (server, link):
        seen = (await link.ask(GetOffice(), OfficeView)).revision
        await link.ask(ApplyOffice(export_office(LARGER, with_secrets=True), "o.toml"), PlanView)
        refused = await link.ask(ReplaceOffice(OFFICE, seen, "anna"), ReplacedView)
        assert refused == ReplacedView(seen + 1, is_replaced=False)
        assert server.office == LARGER


async def test_every_version_is_kept_with_its_author_and_survives_a_restart(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with Asking(tmp_path, storage) as (_, link):
        revision = (await link.ask(GetOffice(), OfficeView)).revision
        await link.ask(ReplaceOffice(LARGER, revision, "anna"), ReplacedView)
    async with Asking(tmp_path, storage) as (_, link):  # which starts with the smaller office of its command line
        versions = await link.ask(GetVersions(), list[OfficeVersion])
        said = [(each.by, each.source, each.summary) for each in versions]
        assert said[:2] == [("", "start", "- terminal 103"), ("anna", "api", "+ terminal 103")]
        older = await link.ask(GetVersion(versions[1].id), OfficeVersion)
        assert older.document == export_office(LARGER, with_secrets=True)


async def test_what_the_web_process_remembers_and_its_audit(tmp_path: Path) -> None:
    entry = AuditEntry(1.0, "anna", "10.0.0.1", "create", "terminals/103", "", "{}")
    async with Asking(tmp_path) as (_, link):
        for key, value in (("anna", "a"), ("boris", "b"), ("anna", None)):
            assert await link.ask(PutState("accounts", key, value), bool)
        assert await link.ask(GetStates("accounts"), dict[str, str]) == {"boris": "b"}
        assert await link.ask(AddAudit(entry), bool)
        assert await link.ask(GetAudit(), list[AuditEntry]) == [replace(entry, id=1)]


async def test_events_come_numbered_and_again_from_any_of_them_on(tmp_path: Path) -> None:
    async with Asking(tmp_path) as (server, link):
        live = await link.follow(FollowEvents())
        for free_mb in (3, 2, 1):
            server.bus.publish(DiskShort(5.0, free_mb))
        events = await first_events(live, 3)
        assert [(each.kind, each.data) for each in events] == [("disk_short", {"free_mb": mb}) for mb in (3, 2, 1)]
        again = await link.follow(FollowEvents(events[0].seq, live.start.run))
        assert not again.start.is_gap
        assert await first_events(again, 2) == events[1:]
        await asyncio.sleep(0.1)  # the server hears that they have gone
        assert server.desk.events.describe()["readers"] == 0
        other_run = await link.follow(FollowEvents(events[0].seq, "another run"))
        assert other_run.start.is_gap
        await other_run.close()


async def test_a_reader_that_is_too_slow_for_the_log_is_told_so(tmp_path: Path) -> None:
    async with Asking(tmp_path) as (server, _):
        log = EventLog(server.bus, kept=5)
        for free_mb in range(7):
            server.bus.publish(DiskShort(5.0, free_mb))
        assert log.follow(FollowEvents(0, log.run)).start.is_gap
        assert not log.follow(FollowEvents(2, log.run)).start.is_gap
        with pytest.raises(ControlError, match="events were lost"):
            log.after(1)


async def test_a_server_that_is_not_there_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ServerGone, match="does not answer"):
        await ControlLink(tmp_path).ask(GetOffice(), OfficeView)
