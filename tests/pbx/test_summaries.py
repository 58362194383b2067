"""Message summaries for phones that do not subscribe, in a virtual office."""

import asyncio

import pytest

from pbx.summaries import PAUSE_S
from sipcore.build import response_to
from sipcore.events import RequestArrived
from storage.records import StoredText
from tests.pbx.test_textbox import back, send
from tests.pbx.test_texts import SENDER
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone
from tests.support.watcher import Watcher


async def keep(office: VirtualOffice, id: str, lifetime_s: float = 3600.0) -> None:
    at = office.clock.wall()
    assert await office.pbx.texts.box.keep(StoredText(id, "102", "101", at, at + lifetime_s, b"Hello"))


def answering(phone: Phone, status: int) -> None:
    """A phone that takes no texts and answers summaries so."""

    def answer(event: RequestArrived) -> None:
        found = status if event.request.method == "NOTIFY" else 405
        phone.stack.respond(event.key, response_to(event.request, found), phone.driver.now())
        phone.driver.kick()

    phone.on_request = answer


async def desk_phone(office: VirtualOffice, status: int = 200, host: str = "10.0.5.9") -> Phone:
    phone = office.phone("102", host)
    answering(phone, status)
    await phone.register()
    await asyncio.sleep(3 * PAUSE_S)
    return phone


def told(phone: Phone) -> list[str]:
    """What the phone heard, retransmissions once."""
    found = {each.via.branch: each for each in phone.requests("NOTIFY")}
    return [each.body.decode().splitlines()[0].removeprefix("Messages-Waiting: ") for each in found.values()]


async def test_a_phone_that_registers_hears_what_waits_and_what_changes() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        await keep(office, "a")
        await asyncio.sleep(60)
        phone = await desk_phone(office)
        assert told(phone) == ["yes"]
        notify = phone.requests("NOTIFY")[0]
        assert notify.headers.get("event") == "message-summary"
        assert notify.headers.get("subscription-state") == "terminated;reason=noresource"
        assert notify.body.decode().splitlines()[1:] == [
            "Message-Account: sip:102@10.0.0.1", "Voice-Message: 0/0 (0/0)", "Pager-Message: 1/0 (0/0)",
        ]  # fmt: skip
        await keep(office, "b")
        await asyncio.sleep(3 * PAUSE_S)
        assert b"Pager-Message: 2/0" in phone.requests("NOTIFY")[-1].body
        await asyncio.sleep(3600)
        await office.pbx.sweep()
        await asyncio.sleep(3 * PAUSE_S)


async def test_a_lamp_goes_dark_when_nothing_waits_any_more() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        await keep(office, "a", lifetime_s=300.0)
        phone = await desk_phone(office)
        await asyncio.sleep(300)
        await office.pbx.sweep()
        await asyncio.sleep(3 * PAUSE_S)
        assert told(phone) == ["yes", "no"]


async def test_phones_hear_nothing_where_nothing_ever_waited() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        phone = await desk_phone(office)
        await phone.register()
        await asyncio.sleep(3 * PAUSE_S)
        assert told(phone) == []


@pytest.mark.parametrize("status", [481, 489, 405, 501, 403])
async def test_a_phone_that_refuses_is_left_alone_until_it_registers_anew(status: int) -> None:
    async with open_office(SENDER, terminal("102")) as office:
        await keep(office, "a")
        phone = await desk_phone(office, status)
        assert told(phone) == ["yes"]
        for id in "bcd":
            await keep(office, id)
            await phone.register()
            await asyncio.sleep(3 * PAUSE_S)
        assert told(phone) == ["yes"]
        await phone.register(0)
        await phone.register()
        await asyncio.sleep(3 * PAUSE_S)
        assert told(phone) == ["yes", "yes"]


async def test_a_phone_that_could_not_hear_it_hears_the_next_change() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        await keep(office, "a")
        phone = await desk_phone(office, 503)
        answering(phone, 200)
        await keep(office, "b")
        await asyncio.sleep(3 * PAUSE_S)
        assert told(phone) == ["yes", "yes"]


async def test_a_phone_that_subscribes_hears_it_once() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        phone = await office.registered("102")
        watched = await Watcher(phone).watch("102", "message-summary")
        other = await desk_phone(office)
        await keep(office, "a")
        await asyncio.sleep(3 * PAUSE_S)
        assert [body.decode().splitlines()[0][-3:] for body in watched.bodies] == [" no", "yes"]
        assert told(phone) == ["no", "yes"]
        assert told(other) == ["yes"]
        await watched.subscribe(0)


async def test_a_flapping_count_sends_no_flood() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        phone = await desk_phone(office)
        started = asyncio.get_running_loop().time()
        for at in range(60):
            await keep(office, f"t{at}")
            await asyncio.sleep(0.1)
        await asyncio.sleep(3 * PAUSE_S)
        assert len(told(phone)) <= 1 + (asyncio.get_running_loop().time() - started) / PAUSE_S


async def test_a_text_that_is_delivered_at_once_lights_no_lamp() -> None:
    async with open_office(SENDER, terminal("102")) as office:
        await send(office.raw("101", "10.0.7.1"), "one")
        phone = await back(office)
        await asyncio.sleep(3 * PAUSE_S)
        assert told(phone) == ["no"]
