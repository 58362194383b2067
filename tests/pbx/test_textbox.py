"""Texts that wait for their addressee, in a virtual office."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from pbx.textbox import RETRY_MAX_S, RETRY_S, TextPolicy
from pbx.textcarrier import DEAF
from storage.memory import MemoryStorage
from storage.ports import StorageUnavailable
from storage.records import Office, StoredText
from tests.pbx.test_texts import ANNA, SENDER, answering, text
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, RawPhone
from tests.support.wire import Faults


async def send(raw: RawPhone, *bodies: str, first: int = 1, expecting: int = 202, number: str = "102") -> None:
    for cseq, body in enumerate(bodies, start=first):
        text(raw, number, body.encode(), cseq=cseq)
        assert (await raw.expect_final()).status == expecting


def bodies(phone: Phone) -> list[str]:
    """The texts as they came, retransmissions once."""
    return list({each.via.branch: each.body.decode() for each in phone.requests("MESSAGE")}.values())


async def back(office: VirtualOffice, status: int = 200, host: str = "10.0.5.9") -> Phone:
    """The addressee registers with a device that answers so."""
    phone = office.phone("102", host)
    answering(phone, status)
    assert (await phone.register()).status == 200
    await asyncio.sleep(1)
    return phone


def waiting(office: VirtualOffice) -> int:
    return office.pbx.texts.box.waiting("102")


async def test_a_text_for_the_absent_is_kept_and_comes_in_order_with_its_date() -> None:
    async with open_office(SENDER, terminal("102"), users=[ANNA]) as office:
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "one", "two", "three")
        assert office.pbx.texts.box.describe()["waiting"] == 3
        await asyncio.sleep(3600)
        phone = await back(office)
        assert bodies(phone) == ["one", "two", "three"]
        first = phone.requests("MESSAGE")[0]
        assert first.headers.get("date") == "Tue, 14 Nov 2023 22:30:00 GMT"
        assert (first.from_.display, first.from_.uri.user) == (ANNA.name, "101")  # type: ignore[union-attr]
        assert office.pbx.texts.box.describe() == {
            "waiting": 0, "addressees": 0, "kept": 3, "delivered": 3, "refused": 0, "expired": 0, "forgotten": 0,
        }  # fmt: skip
        assert await office.storage.texts.load(0.0) == []
        await send(raw, "live", first=9, expecting=200)
        assert "date" not in phone.requests("MESSAGE")[-1].headers


async def test_texts_wait_over_a_restart() -> None:
    storage = MemoryStorage()
    async with open_office(SENDER, terminal("102"), users=[ANNA], storage=storage) as office:
        await send(office.raw("101", "10.0.7.1"), "one", "two")
    async with open_office(SENDER, terminal("102"), storage=storage) as office:
        await office.pbx.restore()
        phone = await back(office)
        assert bodies(phone) == ["one", "two"]
        assert phone.requests("MESSAGE")[0].from_.display == ANNA.name
    async with open_office(SENDER, terminal("102"), storage=storage) as office:
        await office.pbx.restore()
        assert waiting(office) == 0


async def test_a_text_does_not_overtake_those_that_wait() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "one", "two")
        phone = office.phone("102")
        answering(phone, 200, after_s=2.0)
        await phone.register()
        await asyncio.sleep(1)
        await send(raw, "three", first=8)
        await asyncio.sleep(10)
        assert bodies(phone) == ["one", "two", "three"]


async def test_a_text_taken_after_the_sender_was_answered_is_not_sent_again() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        phone = await office.registered("102")
        answering(phone, 200, after_s=25.0)
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "slow")
        assert waiting(office) == 1
        await phone.register()
        await office.pbx.sweep()
        await asyncio.sleep(10)
        assert (waiting(office), bodies(phone)) == (0, ["slow"])


async def test_a_device_that_vanished_gets_it_when_it_is_back_and_may_know_it_again() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        old = await office.registered("102", "10.0.5.1")
        answering(old, 503)
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "one")
        assert waiting(office) == 1
        phone = await back(office)
        assert bodies(phone) == ["one"]
        call_ids = {each.call_id for each in (*old.requests("MESSAGE"), *phone.requests("MESSAGE"))}
        assert len(call_ids) == 1


async def test_what_failed_is_tried_again_less_and_less_often() -> None:
    async with open_office(SENDER, terminal("102", trust="10.0.5.9")) as office:
        answering(phone := office.phone("102", "10.0.5.9"), 503)
        await send(office.raw("101", "10.0.7.1"), "one")
        times = []
        for _ in range(4 * 360):
            before = len(bodies(phone))
            await office.pbx.sweep()
            await asyncio.sleep(10)
            if len(bodies(phone)) > before:
                times.append(asyncio.get_running_loop().time())
        waits = [round(later - sooner) for sooner, later in pairwise(times)]
        assert waits[0] == pytest.approx(2 * RETRY_S, abs=20)
        assert waits == sorted(waits)
        assert waits[-1] == pytest.approx(RETRY_MAX_S, abs=20)
        answering(phone, 200)
        await phone.register()
        await asyncio.sleep(1)
        assert waiting(office) == 0


@pytest.mark.parametrize("status", DEAF)
async def test_a_device_that_takes_no_texts_is_left_alone_until_another_registers(status: int) -> None:
    async with open_office(SENDER, terminal("102")) as office:
        desk = await back(office, status)
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "one", "two")
        for _ in range(200):
            await asyncio.sleep(60)
            await desk.register()
            await office.pbx.sweep()
        assert bodies(desk) == ["one"]
        softphone = await back(office, host="10.0.5.7")
        assert bodies(softphone) == ["one", "two"]
        assert waiting(office) == 0


async def test_a_text_that_is_refused_for_what_it_is_does_not_hold_up_the_next() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        await send(office.raw("101", "10.0.7.1"), "one", "two")
        phone = await back(office, 415)
        assert bodies(phone) == ["one", "two"]
        assert office.pbx.texts.box.describe()["refused"] == 2


async def test_a_device_that_comes_while_an_attempt_fails_is_asked_at_once() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        office.unplug(await office.registered("102", "10.0.5.1"))
        await send(office.raw("101", "10.0.7.1"), "one")
        await asyncio.sleep(5)
        phone = await back(office)
        await asyncio.sleep(20)
        assert bodies(phone) == ["one"]


@pytest.mark.parametrize(
    ("policy", "headers", "kind"),
    [
        (TextPolicy(keep_s=0.0), (), "text/plain"),
        (TextPolicy(), ("Expires: 0",), "text/plain"),
        (TextPolicy(), (), "application/im-iscomposing+xml"),
    ],
)
async def test_what_is_not_kept_is_told_to_the_sender(policy: TextPolicy, headers: Sequence[str], kind: str) -> None:
    async with open_office(SENDER, terminal("102"), texts=policy) as office:
        raw = office.raw("101", "10.0.7.1")
        data = raw.request("MESSAGE", "102", 1, *headers, body=b"Hello", to_tag="")
        raw.send(data.replace(b"Content-Type: application/sdp", f"Content-Type: {kind}".encode()))
        assert (await raw.expect_final()).status == 480


async def test_only_so_many_wait_and_only_so_long() -> None:
    async with open_office(SENDER, terminal("102"), texts=TextPolicy(keep_s=3600.0, most=2)) as office:
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "one")
        await asyncio.sleep(1800)
        await send(raw, "two", first=2)
        await send(raw, "three", first=3, expecting=480)
        await asyncio.sleep(1801)
        await office.pbx.sweep()
        assert office.pbx.texts.box.describe()["expired"] == 1
        assert [each.body for each in await office.storage.texts.load(0.0)] == [b"two"]
        assert bodies(await back(office)) == ["two"]


async def test_what_is_too_old_is_not_delivered_even_before_it_is_swept() -> None:
    async with open_office(SENDER, terminal("102"), texts=TextPolicy(keep_s=3600.0)) as office:
        await send(office.raw("101", "10.0.7.1"), "one")
        await asyncio.sleep(3601)
        phone = await back(office)
        assert bodies(phone) == []
        await office.pbx.sweep()
        assert waiting(office) == 0


async def test_the_texts_of_a_terminal_that_is_gone_are_forgotten() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        await send(office.raw("101", "10.0.7.1"), "one")
        office.pbx.office_changed(_directory(office, Office("Test", terminals=(SENDER,))))
        assert waiting(office) == 0
        await office.pbx.sweep()
        assert await office.storage.texts.load(0.0) == []


def _directory(office: VirtualOffice, new: Office) -> Any:
    return type(office.pbx.directory)(new, office.pbx.directory.realm)


async def test_a_full_disk_is_told_to_the_sender_and_loses_nothing_that_was_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageUnavailable("the disk is full")

    async with open_office(SENDER, terminal("102")) as office:
        office.may_log |= {"a text cannot be kept", "texts that are done with cannot be removed"}
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "one")
        with monkeypatch.context() as full:
            full.setattr(office.storage.texts, "add", refuse)
            await send(raw, "two", first=2, expecting=480)
        with monkeypatch.context() as full:
            full.setattr(office.storage.texts, "remove", refuse)
            assert bodies(await back(office)) == ["one"]
            await office.pbx.sweep()
        assert len(await office.storage.texts.load(0.0)) == 1
        await office.pbx.sweep()
        assert await office.storage.texts.load(0.0) == []


async def test_a_stop_in_the_middle_loses_nothing() -> None:
    storage = MemoryStorage()
    async with open_office(SENDER, terminal("102"), storage=storage) as office:
        raw = office.raw("101", "10.0.7.1")
        await send(raw, "one")
        office.unplug(await office.registered("102"))
        await asyncio.sleep(2)
        await office.pbx.end_all()
    assert [each.body for each in await storage.texts.load(0.0)] == [b"one"]


@pytest.mark.parametrize("seed", range(6))
async def test_under_loss_every_text_comes_once_and_in_order(seed: int) -> None:
    sent = [f"no. {at}" for at in range(8)]
    async with open_office(SENDER, terminal("102"), faults=Faults(0.2, 0.1, (0.01, 0.2)), seed=seed) as office:
        expires_at = office.clock.wall() + 1e6
        for body in sent:
            await office.pbx.texts.box.keep(
                StoredText(body, "102", "101", office.clock.wall(), expires_at, body.encode())
            )
        phone = office.phone("102")
        answering(phone, 200)
        await phone.register()
        await asyncio.sleep(200)
        assert bodies(phone) == sent
