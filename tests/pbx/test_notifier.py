"""Busy lamps, presence and their like in a virtual office."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree

import pytest

from pbx import notifier
from pbx.notifier import MOST_PER_ACCOUNT
from sipcore.headers import Expires
from storage.records import Application, Conference, Group, Ivr, Office, Queue, StoredText, Terminal, User
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone
from tests.support.watcher import PIDF, REGINFO, Lamp, Watched, Watcher, version_of
from tests.support.wire import Faults

USERS = (User("anna", "Anna <& Co>"), User("boris", "Борис"))


def terminals() -> list[Terminal]:
    return [
        terminal("101", owner="anna", max_calls=3),
        terminal("102", owner="boris", max_calls=3),
        *(terminal(number) for number in ("103", "104", "105")),
    ]


@asynccontextmanager
async def lamp_office(*all_terminals: Terminal, **named: Any) -> AsyncIterator[VirtualOffice]:
    """An office whose subscriptions run out before it is searched for leaks."""
    async with open_office(*all_terminals, **named) as office:
        yield office
        await asyncio.sleep(1900)
        assert office.pbx.notifier.describe() == {}
        assert office.stack.describe()["subscriptions"] == 0


async def lamp_on(office: VirtualOffice, number: str, watcher: str = "103", host: str = "") -> tuple[Watcher, Watched]:
    """A registered phone that watches a number."""
    found = Watcher(await office.registered(watcher, host))
    watched = await found.watch(number)
    await asyncio.sleep(1)
    assert watched.status == 200
    return found, watched


@pytest.mark.row("EXT-18")
@pytest.mark.row("EXT-19")
async def test_a_lamp_follows_a_call_from_ringing_to_its_end() -> None:
    async with lamp_office(*terminals(), users=USERS) as office:
        caller, callee = await office.registered("101"), await office.registered("102")
        _, of_callee = await lamp_on(office, "102", "103")
        _, of_caller = await lamp_on(office, "101", "104")
        assert of_callee.story == ["idle"]
        call, ring = await office.connect(caller, callee)
        assert of_callee.story == ["idle", "trying", "early", "confirmed"]
        assert of_callee.lamps == [Lamp("confirmed", "recipient", "101", "Anna <& Co>")]
        assert of_caller.story == ["idle", "trying", "early", "confirmed"]
        assert of_caller.lamps == [Lamp("confirmed", "initiator", "102", "Борис")]
        ring.hold()
        await ring.until_modified()
        await asyncio.sleep(1)
        assert [lamp.held for lamp in of_callee.lamps] == [True]
        assert [lamp.held for lamp in of_caller.lamps] == [False]
        ring.resume()
        await ring.until_modified()
        await asyncio.sleep(1)
        assert [lamp.held for lamp in of_callee.lamps] == [False]
        call.hangup()
        await asyncio.sleep(5)
        assert (of_callee.story[-1], of_caller.story[-1]) == ("idle", "idle")
        for watched in (of_callee, of_caller):
            versions = [version_of(body) for body in watched.bodies]
            assert versions == list(range(len(versions)))
            assert [notify.cseq.number for notify in watched.notifies] == [each + 1 for each in versions]


async def test_several_watchers_of_one_number_are_all_told() -> None:
    async with lamp_office(*terminals()) as office:
        caller, callee = await office.registered("101"), await office.registered("102")
        lamps = [(await lamp_on(office, "102", "103", f"10.0.9.{at}"))[1] for at in range(1, 9)]
        call, _ = await office.connect(caller, callee)
        assert office.stack.describe()["subscriptions"] == 8
        assert [lamp.story[-1] for lamp in lamps] == ["confirmed"] * 8
        call.hangup()
        await asyncio.sleep(5)
        assert [lamp.story[-1] for lamp in lamps] == ["idle"] * 8


async def test_several_calls_of_one_number_are_several_dialogs() -> None:
    async with lamp_office(*terminals()) as office:
        callers = [await office.registered("101"), await office.registered("104")]
        callee = await office.registered("102")
        _, watched = await lamp_on(office, "102")
        first, _ = await office.connect(callers[0], callee)
        second = callers[1].dial("102")
        (await callee.rung()).ring()
        await asyncio.sleep(1)
        assert sorted(lamp.state for lamp in watched.lamps) == ["confirmed", "early"]
        assert {lamp.remote for lamp in watched.lamps} == {"101", "104"}
        second.hangup()
        await asyncio.sleep(1)
        assert watched.lamps == [Lamp("confirmed", "recipient", "101")]
        first.hangup()


async def test_a_number_that_rings_at_two_devices_has_one_dialog() -> None:
    async with lamp_office(*terminals()) as office:
        caller = await office.registered("101")
        devices = [await office.registered("102", f"10.0.5.{at}") for at in (1, 2)]
        _, watched = await lamp_on(office, "102")
        call = caller.dial("102")
        rings = [await device.rung() for device in devices]
        rings[1].ring()
        await asyncio.sleep(1)
        assert [lamp.state for lamp in watched.lamps] == ["early"]
        rings[0].answer()
        await call.until_answered()
        await asyncio.sleep(1)
        assert [lamp.state for lamp in watched.lamps] == ["confirmed"]
        call.hangup()


@pytest.mark.row("EXT-18")
@pytest.mark.parametrize("package", ["dialog", "presence"])
async def test_every_number_of_the_office_may_be_watched(package: str) -> None:
    office_of = Office(
        "Test",
        groups=(Group("600"),),
        queues=(Queue("610"),),
        ivrs=(Ivr("620", default="hangup"),),
        conferences=(Conference("630"),),
        applications=(Application("640", "/srv/script.py"),),
    )
    async with lamp_office(*terminals(), office=office_of) as office:
        watcher = Watcher(await office.registered("103"))
        for number in ("102", "600", "610", "620", "630", "640", "10003246"):
            watched = await watcher.watch(number, package)
            await asyncio.sleep(1)
            assert (watched.status, len(watched.bodies)) == (200, 1), number


async def test_an_application_is_busy_while_somebody_is_connected() -> None:
    async with lamp_office(*terminals(), users=USERS) as office:
        caller = await office.registered("101")
        _, watched = await lamp_on(office, "10003246")
        call = caller.dial("10003246")
        await call.until_answered()
        await asyncio.sleep(1)
        assert watched.lamps == [Lamp("confirmed", "recipient", "101", "Anna <& Co>")]
        call.hangup()
        await asyncio.sleep(2)
        assert watched.story[-1] == "idle"


async def test_a_refused_call_leaves_the_lamp_dark() -> None:
    async with lamp_office(*terminals()) as office:
        caller, callee = await office.registered("101"), await office.registered("102")
        _, watched = await lamp_on(office, "102")
        call = caller.dial("102")
        (await callee.rung()).reject(486)
        await call.until_over()
        await asyncio.sleep(3)
        assert watched.story[-1] == "idle"


# --- who may subscribe to what --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "package", "extra", "status", "header"),
    [
        ("999", "dialog", (), 404, ""),
        ("102", "weather", (), 489, "allow-events"),
        ("102", "", (), 400, ""),
        ("102", "dialog", (("Accept", "application/cpim-pidf+xml"),), 406, "accept"),
        ("102", "dialog", (("Accept", ""),), 406, "accept"),
        ("102", "dialog", (("Accept", "text/plain, application/*;q=0.1"),), 200, "expires"),
        ("102", "Dialog;id=4", (), 200, "expires"),
        ("102", "reg", (), 403, ""),
        ("102", "message-summary", (), 403, ""),
    ],
)
async def test_a_subscription_is_refused_for_a_stated_reason(
    number: str, package: str, extra: tuple[tuple[str, object], ...], status: int, header: str
) -> None:
    async with lamp_office(*terminals()) as office:
        watcher = Watcher(await office.registered("103"))
        watched = Watched(watcher, number, package)
        watcher.subscriptions.append(watched)
        response = await watched.subscribe(60, *extra)
        assert response.status == status
        assert not header or header in response.headers


async def test_too_brief_a_lifetime_names_the_least() -> None:
    async with lamp_office(*terminals()) as office:
        watcher = Watcher(await office.registered("103"))
        watched = Watched(watcher, "102", "dialog")
        response = await watched.subscribe(10)
        assert (response.status, response.headers.get("min-expires")) == (423, "60")


async def test_a_stranger_gets_a_challenge_and_no_news() -> None:
    async with lamp_office(*terminals()) as office:
        stranger = office.phone("103", password="Wrong-one_1")
        watched = await Watcher(stranger).watch("102")
        assert watched.status == 401
        await asyncio.sleep(1)
        assert watched.notifies == []
        assert office.stack.describe()["subscriptions"] == 0


async def test_a_subscribe_without_event_or_contact_is_refused() -> None:
    async with lamp_office(terminal("101", trust="10.0.7.1")) as office:
        raw = office.raw("101", "10.0.7.1")
        raw.send(raw.request("SUBSCRIBE", "101", 1, to_tag=""))
        await raw.expect(489)
        raw.send(raw.request("SUBSCRIBE", "101", 2, "Event: dialog", to_tag="").replace(b"Contact: ", b"X-Contact: "))
        await raw.expect(400)
        raw.send(raw.request("SUBSCRIBE", "101", 3, "Event: dialog", "Expires: soon", to_tag=""))
        await raw.expect(400)


async def test_a_subscribe_inside_an_unknown_dialog_gets_481() -> None:
    """What a phone hears after the server was killed: it subscribes anew."""
    async with lamp_office(terminal("101", trust="10.0.7.1")) as office:
        raw = office.raw("101", "10.0.7.1")
        raw.send(raw.request("SUBSCRIBE", "101", 1, "Event: dialog", to_tag="of-old"))
        await raw.expect(481)


async def test_an_account_has_so_many_subscriptions_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_PER_ACCOUNT == 500
    monkeypatch.setattr(notifier, "MOST_PER_ACCOUNT", 2)
    async with lamp_office(*terminals()) as office:
        watcher = Watcher(await office.registered("103"))
        first = await watcher.watch("101")
        assert (await watcher.watch("102")).status == 200
        assert (await watcher.watch("104")).status == 403
        await first.subscribe(0)
        await asyncio.sleep(2)
        assert (await watcher.watch("104")).status == 200


# --- life -----------------------------------------------------------------------------------------------------------


async def test_expires_0_ends_a_subscription_with_full_state() -> None:
    async with lamp_office(*terminals()) as office:
        _, watched = await lamp_on(office, "102")
        await watched.subscribe(0)
        await asyncio.sleep(1)
        assert (watched.state.state, watched.state.reason) == ("terminated", "timeout")
        assert watched.lamps == []
        assert office.pbx.notifier.describe() == {}


async def test_a_fetch_is_one_notify_and_nothing_stays() -> None:
    async with lamp_office(*terminals()) as office:
        watcher = Watcher(await office.registered("103"))
        watched = Watched(watcher, "102", "dialog")
        watcher.subscriptions.append(watched)
        await watched.subscribe(0)
        await asyncio.sleep(1)
        assert watched.state.state == "terminated"
        assert len(watched.notifies) == 1
        assert office.stack.describe()["subscriptions"] == 0


async def test_a_refresh_keeps_it_alive_and_brings_the_full_state() -> None:
    async with lamp_office(*terminals()) as office:
        _, watched = await lamp_on(office, "102")
        for _ in range(3):
            await asyncio.sleep(500)
            response = await watched.subscribe(600)
            assert (response.status, response.headers.first(Expires)) == (200, Expires(600))
            await asyncio.sleep(1)
        assert len(watched.notifies) == 4
        await asyncio.sleep(610)
        assert watched.state.reason == "timeout"


@pytest.mark.parametrize("answer", [481, 500])
async def test_a_phone_that_does_not_take_a_notify_is_not_told_again(answer: int) -> None:
    async with lamp_office(*terminals()) as office:
        caller = await office.registered("101")
        watcher, watched = await lamp_on(office, "101")
        watcher.answers = answer
        call = caller.dial("102")
        await call.until_over()
        await asyncio.sleep(40)
        assert office.stack.describe()["subscriptions"] == 0
        assert (await watched.subscribe(600)).status == 481


async def test_a_phone_that_is_unplugged_is_forgotten_at_the_next_news() -> None:
    async with lamp_office(*terminals()) as office:
        caller = await office.registered("101")
        watcher, _ = await lamp_on(office, "101")
        office.unplug(watcher.phone)
        call = caller.dial("102")
        await call.until_over()
        await asyncio.sleep(40)
        assert office.stack.describe()["subscriptions"] == 0


async def test_what_is_taken_out_of_the_office_ends_its_subscriptions() -> None:
    async with lamp_office(*terminals()) as office:
        _, of_gone = await lamp_on(office, "102", "103")
        _, by_gone = await lamp_on(office, "101", "104")
        left = [each for each in terminals() if each.number not in ("102", "104")]
        old = office.pbx.directory
        new = type(old)(Office("Test", terminals=tuple(left)), old.realm)
        office.pbx.directory = office.admission.directory = new
        office.pbx.notifier.office_changed()
        await asyncio.sleep(1)
        assert of_gone.state.reason == "noresource"
        assert by_gone.state.reason == "rejected"


async def test_many_changes_at_once_are_few_notifies_and_the_last_one_is_right() -> None:
    async with lamp_office(*terminals()) as office:
        caller = await office.registered("101")
        _, watched = await lamp_on(office, "102")
        await office.registered("102")
        calls = [caller.dial("102") for _ in range(3)]
        await asyncio.sleep(0.1)
        for call in calls:
            call.hangup()
        await asyncio.sleep(20)
        assert watched.lamps == []
        assert len(watched.notifies) < 10


# --- other packages -------------------------------------------------------------------------------------------------


def basic(watched: Watched) -> tuple[str, str]:
    root = ElementTree.fromstring(watched.bodies[-1])
    return (root.findtext(f".//{PIDF}basic") or "", root.findtext(f".//{PIDF}note") or "")


@pytest.mark.row("EXT-18")
async def test_presence_tells_the_registered_the_busy_and_the_absent_apart() -> None:
    async with lamp_office(*terminals()) as office:
        watcher = Watcher(await office.registered("103"))
        watched = await watcher.watch("102", "presence")
        await asyncio.sleep(1)
        assert basic(watched) == ("closed", "Not registered")
        callee: Phone = await office.registered("102")
        await asyncio.sleep(1)
        assert basic(watched) == ("open", "Ready")
        call, _ = await office.connect(await office.registered("101"), callee)
        assert basic(watched) == ("open", "On the phone")
        assert len(watched.notifies) == 3
        call.hangup()
        await asyncio.sleep(2)
        assert basic(watched) == ("open", "Ready")
        await callee.register()
        await asyncio.sleep(1)
        assert len(watched.notifies) == 4, "a refresh of the registration is no news"


async def test_mail_says_truthfully_that_none_waits() -> None:
    async with lamp_office(*terminals()) as office:
        watched = await Watcher(await office.registered("103")).watch("103", "message-summary")
        await asyncio.sleep(1)
        assert watched.bodies[-1].startswith(b"Messages-Waiting: no\r\n")
        assert watched.notifies[-1].content_type == "application/simple-message-summary"


async def test_a_lamp_for_messages_follows_the_texts_that_wait() -> None:
    async with lamp_office(*terminals()) as office:
        watched = await Watcher(await office.registered("103")).watch("103", "message-summary")
        at = office.clock.wall()
        await office.pbx.texts.box.keep(StoredText("t1", "103", "101", at, at + 300, b"Hello"))
        await asyncio.sleep(1)
        assert watched.bodies[-1].decode().splitlines()[::3] == ["Messages-Waiting: yes", "Pager-Message: 1/0 (0/0)"]
        await asyncio.sleep(301)
        await office.pbx.sweep()
        await asyncio.sleep(1)
        assert watched.bodies[-1].startswith(b"Messages-Waiting: no\r\n")
        assert len(watched.bodies) == 3


async def test_a_phone_may_watch_its_own_registrations() -> None:
    async with lamp_office(*terminals()) as office:
        watched = await Watcher(await office.registered("103")).watch("103", "reg")
        await asyncio.sleep(1)
        assert b"10.0.1.104" in watched.bodies[-1]
        second = await office.registered("103", "10.0.8.8")
        await asyncio.sleep(1)
        root = ElementTree.fromstring(watched.bodies[-1])
        assert len(root.findall(f".//{REGINFO}contact")) == 2
        await second.register(0)
        await asyncio.sleep(1)
        assert b"10.0.8.8" not in watched.bodies[-1]


# --- under loss -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
async def test_under_loss_every_lamp_ends_dark_and_nothing_stays(seed: int) -> None:
    async with lamp_office(*terminals(), faults=Faults(0.15, 0.1, (0.01, 0.3)), seed=seed) as office:
        caller, callee = await office.registered("101"), await office.registered("102")
        lamps = [await Watcher(await office.registered("103", f"10.0.9.{at}")).watch("102") for at in range(1, 4)]
        for _ in range(3):
            call = caller.dial("102")
            ring = await callee.rung()
            ring.answer()
            await call.until_settled()
            call.hangup()
            await asyncio.sleep(3)
        await asyncio.sleep(60)
        told = [lamp for lamp in lamps if lamp.status == 200]
        assert told
        for lamp in told:
            numbers = [notify.cseq.number for notify in lamp.notifies]
            assert numbers == sorted(set(numbers)), "each NOTIFY once and in order"
            if (await lamp.subscribe(600)).status == 200:  # not lost for good meanwhile
                await asyncio.sleep(30)
                assert lamp.lamps == []
