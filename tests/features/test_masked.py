"""Employees who do not see the numbers of clients, and call them all the same (FEAT-28)."""

import asyncio
import re
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.explain import explain
from pbx.mail.mailer import Mailer, Recipient
from pbx.masks import Masks
from pbx.party import Party
from pbx.states import States
from storage.memory import MemoryStorage
from storage.records import Features, Office, OutboundRoute, User
from tests.features.test_incoming import CLIENT, DID, called, phone
from tests.support.builders import terminal
from tests.support.office import WALL_AT_START
from tests.support.referrer import Referrer
from tests.support.ua import Phone, PhoneCall
from tests.support.watcher import Watcher
from web.answers import Refused
from web.rights import principal_of

MASKED = Features(masked=("101", "10X1", "104"))
ROUTES = (OutboundRoute("All", "telco"),)


def hears_the_number(of: Phone) -> list[bytes]:
    """Messages that tell a phone the number of the client."""
    return [bytes(each) for each in of.received if CLIENT[:-4].encode() in bytes(each)]


def caller_of(call: PhoneCall) -> str:
    found = re.search(r"<sip:([^@]+)@", str(call.invite and call.invite.headers.get("from")))
    assert found is not None
    return found[1]


@pytest.mark.row("FEAT-28")
async def test_a_masked_employee_sees_four_digits_and_a_token_and_calls_the_client_by_them() -> None:
    async with called(features=MASKED, outbound_routes=ROUTES) as (office, telco):
        at_102 = await Watcher(phone(office, "102")).watch("101")
        at_104 = await Watcher(phone(office, "104")).watch("101")
        seen = []
        for name in ("Client", f"+{CLIENT}"):
            call = telco.call(DID, CLIENT, name=name)
            ring = await phone(office, "101").rung()
            ring.ring()
            await asyncio.sleep(2)
            seen.append(caller_of(ring))
            assert [lamp.remote for lamp in at_102.lamps] == [CLIENT], "who is not masked sees the number"
            assert [lamp.remote for lamp in at_104.lamps] == [seen[-1]]
            ring.answer()
            await call.until_answered()
            await asyncio.sleep(1)
            call.hangup()
            await ring.until_over()
        assert seen[0] == seen[1]
        assert re.fullmatch(r"4567\*[0-9]{6}", seen[0])
        assert office.rows[0].from_number == CLIENT, "the history of the office knows the number"

        back = phone(office, "101").dial(seen[0])
        out = await telco.rung()
        assert out.invite is not None
        assert CLIENT in str(out.invite.uri)
        out.answer()
        await back.until_answered()
        await asyncio.sleep(1)
        assert [hears_the_number(phone(office, number)) for number in ("101", "104")] == [[], []]
        assert (await Referrer(phone(office, "101")).refer(back, seen[0])).status == 403, "nobody goes outside by it"
        back.hangup()
        await out.until_over()
        unknown = phone(office, "101").dial("4567*000000" if seen[0] != "4567*000000" else "4567*000001")
        assert await unknown.until_over() == 404
        told = explain(office.pbx, "101", seen[0])
        for lamp in (at_102, at_104):
            await lamp.subscribe(0)
        assert ("features.masked", True) in [(each.rule, each.matched) for each in told.rules]


@pytest.mark.row("FEAT-28")
async def test_letters_and_the_web_do_not_tell_the_number_either(tmp_path: Path) -> None:
    people = (User("anna", "Anna", email="anna@x.org"), User("boris", "Boris", email="boris@x.org"))
    phones = (terminal("101", owner="anna"), terminal("102", owner="boris"))
    office = Office("Test", users=people, terminals=phones, features=MASKED)
    masks = Masks(States(MemoryStorage().states))
    masks.office_changed(office)
    clock = Clock(asyncio.get_running_loop(), lambda: WALL_AT_START)
    mailer = Mailer(
        MailSettings(), MemoryStorage().letters, lambda: office, clock, tmp_path, Bus(), shown_to=masks.shown_to
    )
    caller = Party.outside(CLIENT, "Client")
    shown = {
        (number, to): mailer.seen_by(Recipient(to, "en"), caller, number).shown_number
        for number, to in (
            ("101", "other@x.org"),
            ("101", "anna@x.org"),
            ("voicemail", "anna@x.org"),
            ("102", "boris@x.org"),
        )
    }
    assert set(shown.values()) == {masks.substitute(CLIENT), CLIENT}
    assert shown["102", "boris@x.org"] == CLIENT
    anna, boris = (principal_of(each.id, each, office) for each in people)
    for resource in ("history", "calls", "recordings", "events", "queues"):
        boris.check(resource, "read")
        with pytest.raises(Refused) as refusal:
            anna.check(resource, "read")
        assert refusal.value.status == 403
    anna.check("directory", "read")


async def test_without_masked_employees_a_star_between_digits_is_nobodys_number() -> None:
    async with called(outbound_routes=ROUTES) as (office, telco):
        call = telco.call(DID, CLIENT)
        ring = await phone(office, "101").rung()
        call.hangup()
        assert caller_of(ring) == CLIENT
        app = office.pbx.route("4567*123456")[1]
        assert app is None or app.name != "masked number"


async def test_a_substitute_outlives_a_restart_and_stands_for_one_number() -> None:
    storage = MemoryStorage()
    states = States(storage.states)
    first = Masks(states)
    first.office_changed(Office(features=MASKED))
    shown = first.shown_to("101", Party.outside(CLIENT, "Client"))
    other = first.shown_to("101", Party.outside(f"7495000{CLIENT[-4:]}"))
    assert (shown.name, shown.shown_number[:5], other.shown_number[:5]) == ("Client", "4567*", "4567*")
    assert shown.shown_number != other.shown_number
    assert first.shown_to("102", Party.outside(CLIENT)).shown_number == CLIENT
    assert first.shown_to("2051", Party.outside(CLIENT)).shown_number == CLIENT
    again = States(storage.states)
    await again.restore()
    second = Masks(again)
    assert second.substitute(f"+{CLIENT}") == shown.shown_number
    assert second.number_of(shown.shown_number) == CLIENT
    assert second.number_of(f"0000*{shown.shown_number[5:]}") == ""
