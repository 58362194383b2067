"""The office as data over the control socket: revisions, versions, events by number, what the web process remembers."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conf.export import export_office
from pbx.control.desk import (
    AddAudit,
    ChangedView,
    ChangeOffice,
    EventView,
    FollowEvents,
    GetAudit,
    GetOffice,
    GetStates,
    GetVersion,
    GetVersions,
    OfficeView,
    PutState,
)
from pbx.control.link import ControlLink, EventFeed, ServerGone
from pbx.control.messages import ApplyOffice, ControlError, PlanView
from pbx.event_log import EventLog
from pbx.events import DiskShort
from pbx.runtime import Server
from storage.memory import MemoryStorage
from storage.ports import Storage
from storage.records import AuditEntry, Office, OfficeVersion, Terminal, User, change_between
from storage.sql import open_storage
from tests.pbx.test_runtime import OFFICE, serving

LARGER = replace(OFFICE, terminals=(*OFFICE.terminals, Terminal("103", password="Secret-103")))


class Asking:
    """A started server and a link to it."""

    def __init__(self, folder: Path, storage: Storage | None = None, office: Office = OFFICE) -> None:
        self._folder, self._serving = folder, serving(folder, storage=storage, office=office)

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
        replaced = await link.ask(ChangeOffice(change_between(OFFICE, LARGER), first.revision, "anna"), ChangedView)
        assert replaced == ChangedView(first.revision + 1, is_changed=True, changes=("+ terminal 103",))
        assert (await link.ask(GetOffice(first.revision), OfficeView)).office == LARGER


async def test_of_two_changes_of_one_revision_the_second_is_refused(tmp_path: Path) -> None:
    async with Asking(tmp_path) as (server, link):
        seen = (await link.ask(GetOffice(), OfficeView)).revision
        await link.ask(ApplyOffice(export_office(LARGER, with_secrets=True), "o.toml"), PlanView)
        refused = await link.ask(ChangeOffice(change_between(LARGER, OFFICE), seen, "anna"), ChangedView)
        assert refused == ChangedView(seen + 1, is_changed=False)
        assert server.office == LARGER


async def test_every_version_is_kept_with_its_author_and_survives_a_restart(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with Asking(tmp_path, storage) as (_, link):
        revision = (await link.ask(GetOffice(), OfficeView)).revision
        await link.ask(ChangeOffice(change_between(OFFICE, LARGER), revision, "anna"), ChangedView)
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


@pytest.mark.real_loop
async def test_one_object_of_a_large_office_changes_without_holding_up_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the loop does meanwhile takes 20 ms, though 5,000 people have a terminal each."""
    users = tuple(User(f"u{index}", name=f"User {index}") for index in range(5000))
    terminals = tuple(Terminal(f"{10000 + index}", owner=f"u{index}", password="Secret-1") for index in range(5000))
    large = Office(number_length=5, users=users, terminals=terminals)
    first, *others = terminals
    steps = (
        replace(large, terminals=(replace(first, max_calls=3), *others)),
        replace(large, terminals=(replace(first, max_calls=3), *others, Terminal("20000", password="Secret-1"))),
        replace(large, terminals=tuple(others), users=users[1:]),
        large,
    )
    storage = open_storage("sqlite:///zvon.db", tmp_path)
    async with _closing(storage), Asking(tmp_path, storage, large) as (server, link):
        revision = (await link.ask(GetOffice(), OfficeView)).revision
        taken_ms: list[float] = []
        with monkeypatch.context() as watched:
            before = large
            for after in steps:
                change = change_between(before, after)
                with longest_step(watched, taken_ms):
                    done = await link.ask(ChangeOffice(change, revision, "anna"), ChangedView)
                assert done.is_changed
                assert server.office == after
                before, revision = after, done.revision
        assert max(taken_ms) < 20, taken_ms


@asynccontextmanager
async def _closing(storage: Storage) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await storage.close()


@contextmanager
def longest_step(patched: pytest.MonkeyPatch, taken_ms: list[float]) -> Iterator[None]:
    """Adds the CPU time of the longest callback of the loop; the garbage collector has turns of its own."""
    longest, run = [0.0], asyncio.events.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        longest[0] = max(longest[0], time.thread_time() - began)

    gc.disable()
    with patched.context() as context:
        context.setattr(asyncio.events.Handle, "_run", timed)
        try:
            yield
        finally:
            gc.enable()
    taken_ms.append(longest[0] * 1000)
