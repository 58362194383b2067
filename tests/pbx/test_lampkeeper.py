"""Subscriptions over a restart, in two virtual offices with one storage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from pbx.lampkeeper import BATCH, LEAST_LEFT_S, PAUSE_S
from storage.memory import MemoryStorage
from storage.records import StoredSubscription, Terminal
from tests.pbx.test_notifier import lamp_office, terminals
from tests.support.office import VirtualOffice
from tests.support.ua import Phone
from tests.support.watcher import Watched, Watcher, version_of


class Site:
    """One storage, and the servers that run on it one after the other."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()

    async def first_server(self) -> VirtualOffice:
        return VirtualOffice(terminals(), storage=self.storage)

    async def crash(self, office: VirtualOffice, *phones: Phone) -> None:
        """The server ends without a word; the phones stay."""
        for phone in phones:
            office.phones.remove(phone)
        await office.close()
        await asyncio.sleep(40)  # what was under way has failed

    @asynccontextmanager
    async def next_server(self, *phones: Phone, people: list[Terminal] | None = None) -> AsyncIterator[VirtualOffice]:
        async with lamp_office(*(people or terminals()), storage=self.storage) as office:
            for phone in phones:
                phone.wire = office.wire
                phone.flow = phone._open()
                office.phones.append(phone)
            await office.location.restore()
            await office.pbx.restore()
            await asyncio.sleep(2)
            yield office


async def watching(
    office: VirtualOffice, number: str = "102", watcher: str = "103", transport: str = "UDP"
) -> tuple[Watcher, Watched]:
    found = Watcher(await office.registered(watcher, transport=transport))
    watched = await found.watch(number)
    await asyncio.sleep(1)
    return found, watched


async def test_a_lamp_goes_on_after_a_crash_with_higher_numbers_and_full_state() -> None:
    site = Site()
    office = await site.first_server()
    watcher, watched = await watching(office)
    await site.crash(office, watcher.phone)
    async with site.next_server(watcher.phone) as office:
        assert office.pbx.notifier.describe() == {"dialog": 1}
        before, after = watched.notifies
        assert after.cseq.number > before.cseq.number
        assert version_of(after.body) > version_of(before.body)
        assert watched.state.state == "active"
        assert 540 < int(watched.state.params.get("expires") or 0) < 560
        caller, callee = await office.registered("101"), await office.registered("102")
        call, _ = await office.connect(caller, callee)
        assert watched.story == ["idle", "trying", "early", "confirmed"]
        call.hangup()
        await asyncio.sleep(2)
        assert (await watched.subscribe(600)).status == 200
        assert (await watched.subscribe(0)).status == 200
        await asyncio.sleep(1)
        assert await site.storage.subscriptions.load(0.0) == []


async def test_numbers_rise_over_every_restart_even_of_a_copy_that_is_old() -> None:
    site = Site()
    office = await site.first_server()
    watcher, watched = await watching(office)
    for _ in range(3):
        await site.crash(office, watcher.phone)
        office = VirtualOffice(terminals(), storage=site.storage)
        watcher.phone.wire = office.wire
        watcher.phone.flow = watcher.phone._open()
        office.phones.append(watcher.phone)
        await office.pbx.restore()
        await asyncio.sleep(2)
    await site.crash(office, watcher.phone)
    numbers = [each.cseq.number for each in watched.notifies]
    assert len(numbers) == 4
    assert numbers == sorted(set(numbers))


async def test_a_stop_says_nothing_and_a_refresh_is_kept() -> None:
    site = Site()
    office = await site.first_server()
    watcher, watched = await watching(office)
    await asyncio.sleep(500)
    await watched.subscribe(600)
    await asyncio.sleep(1)
    count = len(watched.notifies)
    await office.pbx.end_all()
    await asyncio.sleep(1)
    assert len(watched.notifies) == count
    await site.crash(office, watcher.phone)
    await asyncio.sleep(100)
    async with site.next_server(watcher.phone):
        assert watched.state.state == "active"
        assert len(watched.notifies) == count + 1


async def test_one_that_was_ended_or_has_run_out_is_not_taken_up() -> None:
    site = Site()
    office = await site.first_server()
    watcher, ended = await watching(office)
    expired = await watcher.watch("101")
    await ended.subscribe(0)
    await asyncio.sleep(600 - 40 - LEAST_LEFT_S + 5)
    assert len(await site.storage.subscriptions.load(0.0)) == 1
    await site.crash(office, watcher.phone)
    async with site.next_server(watcher.phone) as office:
        assert office.pbx.notifier.describe() == {}
        assert (await expired.subscribe(600)).status == 481


@pytest.mark.parametrize("gone", ["102", "103"])
async def test_what_the_office_no_longer_has_is_not_taken_up(gone: str) -> None:
    site = Site()
    office = await site.first_server()
    watcher, _ = await watching(office)
    await site.crash(office, watcher.phone)
    left = [each for each in terminals() if each.number != gone]
    async with site.next_server(watcher.phone, people=left) as office:
        assert office.pbx.notifier.describe() == {}
        assert await site.storage.subscriptions.load(0.0) == []


@pytest.mark.parametrize("damage", ["", "{}", "no JSON", '{"version":1,"kind":"Dialog","data":{}}'])
async def test_a_damaged_copy_is_dropped(damage: str) -> None:
    site = Site()
    office = await site.first_server()
    watcher, _ = await watching(office)
    await site.crash(office, watcher.phone)
    (record,) = await site.storage.subscriptions.load(0.0)
    site.storage.subscriptions.put(record.id, replace(record, machine=damage))
    async with site.next_server(watcher.phone) as office:
        assert office.pbx.notifier.describe() == {}
        assert await site.storage.subscriptions.load(0.0) == []


async def test_over_a_connection_it_goes_on_when_the_phone_registers_again() -> None:
    site = Site()
    office = await site.first_server()
    watcher, watched = await watching(office, transport="TCP")
    phone = watcher.phone
    await site.crash(office, phone)
    async with site.next_server(phone) as office:
        assert office.pbx.notifier.describe() == {"dialog": 1}
        assert len(watched.notifies) == 1
        assert (await phone.register()).status == 200
        await asyncio.sleep(2)
        assert len(watched.notifies) == 2
        assert watched.state.state == "active"


async def test_a_phone_that_has_forgotten_its_subscription_ends_it() -> None:
    site = Site()
    office = await site.first_server()
    watcher, _ = await watching(office)
    await site.crash(office, watcher.phone)
    watcher.subscriptions.clear()
    async with site.next_server(watcher.phone) as office:
        assert office.pbx.notifier.describe() == {}
        assert await site.storage.subscriptions.load(0.0) == []


async def test_many_lamps_are_told_at_a_bearable_rate() -> None:
    site = Site()
    office = await site.first_server()
    watcher = Watcher(await office.registered("103"))
    lamps = [await watcher.watch("102") for _ in range(4 * BATCH)]
    await asyncio.sleep(1)
    await site.crash(office, watcher.phone)
    before = len(watcher.phone.requests("NOTIFY"))
    async with site.next_server(watcher.phone):
        assert len(watcher.phone.requests("NOTIFY")) == before + 4 * BATCH
        assert PAUSE_S * 4 < 2
        for lamp in lamps:
            await lamp.subscribe(0)


async def test_each_refresh_is_stored_once_and_not_every_news(monkeypatch: pytest.MonkeyPatch) -> None:
    puts: list[str] = []
    site = Site()
    office = await site.first_server()
    put = site.storage.subscriptions.put

    def counted(id: str, subscription: StoredSubscription | None) -> None:
        puts.append(id)
        put(id, subscription)

    monkeypatch.setattr(site.storage.subscriptions, "put", counted)
    watcher, watched = await watching(office)
    caller = await office.registered("101")
    for _ in range(5):
        call = caller.dial("102")
        await call.until_over()
        await asyncio.sleep(1)
    assert len(puts) == 1
    await watched.subscribe(600)
    await asyncio.sleep(1)
    assert len(puts) == 2
    await site.crash(office, watcher.phone)
