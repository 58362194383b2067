"""The service flows of RFC 5359, by the names of its sections.

Proven elsewhere, the number of the section in the name of the test: 2.4 transfer unattended (`tests/pbx/
test_transfer_blind.py`), 2.5 attended (`test_transfer_attended.py`), 2.7 forwarding by the phone (`test_diversion.py`),
2.16 call pickup (`test_replaces.py`), 2.18 click to dial (`test_originate.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media.api import Play
from pbx.transfer import EXTENSIONS
from sipcore.build import new_request
from sipcore.sdp.model import Direction
from sipcore.stack import StackConfig
from sipcore.uri import SipUri
from storage.records import EmployeeGroup, Features, Forward, Office, Parking, User
from tests.pbx.test_replaces import part
from tests.pbx.test_texts import answering
from tests.support.builders import direction_of, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.referrer import Referrer
from tests.support.ua import Phone, PhoneCall
from tests.support.watcher import Watcher

OFFICE = (terminal("101", max_calls=2), terminal("102"), terminal("103"))


async def talking(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall]:
    """101 talks to 102."""
    a, b = [await office.registered(number) for number in ("101", "102")]
    return await office.connect(a, b)


async def test_rfc_5359_2_1_call_hold() -> None:
    async with open_office(*OFFICE) as office:
        call, ring = await talking(office)
        call.hold()
        held = await call.until_modified()
        assert direction_of(held.sdp) in (Direction.RECVONLY, Direction.INACTIVE)
        assert office.hears("101") is None
        call.resume()
        await call.until_modified()
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        ring.hangup()
        assert await call.until_over() == 200


async def test_rfc_5359_2_2_consultation_hold() -> None:
    async with open_office(*OFFICE) as office:
        c = await office.registered("103")
        call, ring = await talking(office)
        call.hold()
        await call.until_modified()
        consulted, third = await office.connect(call.phone, c)
        assert office.hears("103") == "101"
        consulted.hangup()
        await third.until_over()
        call.resume()
        await call.until_modified()
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()
    assert [(row.from_number, row.to_number, row.disposition) for row in office.rows] == [
        ("101", "103", "ANSWERED"),
        ("101", "102", "ANSWERED"),
    ]


async def test_rfc_5359_2_3_who_is_held_hears_that_the_line_is_alive() -> None:
    async with open_office(*OFFICE) as office:
        call, ring = await talking(office)
        call.hold()
        await call.until_modified()
        assert [each.source for each in office.engine.of(Play)] == [office.pbx.services.sound.hold]
        assert office.endpoint_of("102").play is not None
        call.resume()
        await call.until_modified()
        await asyncio.sleep(1)
        assert office.endpoint_of("102").play is None
        call.hangup()
        await ring.until_over()


def write(phone: Phone, number: str, words: bytes) -> None:
    """Send a text outside any call (RFC 3428 §4)."""
    request = new_request(
        "MESSAGE",
        SipUri.parse(f"sip:{number}@{phone.server[0]}"),
        from_=f"{phone.aor};tag=text",
        to=f"<sip:{number}@{phone.server[0]}>",
        call_id="text",
        cseq=1,
        extra=[("Content-Type", "text/plain")],
        body=words,
    )
    phone.stack.send(request, phone.flow, phone.driver.now(), user=asyncio.get_running_loop().create_future())
    phone.driver.kick()


async def test_rfc_5359_2_6_transfer_by_instant_message() -> None:
    """102 writes to the phone that it talks to whom to call instead, and hangs up."""
    async with open_office(OFFICE[0], terminal("102", trust="10.0.1.103"), OFFICE[2]) as office:
        c = await office.registered("103")
        call, ring = await talking(office)
        ring.hold()
        await ring.until_modified()
        answering(call.phone, 200)
        write(ring.phone, "101", b"sip:103@zvon.test")
        await asyncio.sleep(1)
        (text,) = call.phone.requests("MESSAGE")
        assert (text.from_.uri.user, text.body) == ("102", b"sip:103@zvon.test")  # type: ignore[union-attr]
        instead, taken = await office.connect(call.phone, c)
        assert office.hears("103") == "101"
        ring.hangup()
        assert await call.until_over() == 200
        instead.hangup()
        await taken.until_over()


async def test_rfc_5359_2_7_call_forwarding_unconditional() -> None:
    """All calls of 102 go to 103; its phone does not ring."""
    async with forwarding(Forward(always="103")) as (a, b, c):
        call = a.dial("102")
        await taken_elsewhere(call, await c.rung())
        assert not b.calls


async def test_rfc_5359_2_8_call_forwarding_on_busy() -> None:
    async with forwarding(Forward(busy="103")) as (a, b, c):
        call = a.dial("102")
        (await b.rung()).reject(486)
        await taken_elsewhere(call, await c.rung())


async def test_rfc_5359_2_9_call_forwarding_on_no_answer() -> None:
    async with forwarding(Forward(no_answer="103", ring_time=20)) as (a, b, c):
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        taken = await c.rung(30)
        assert await ring.until_over() == 487
        await taken_elsewhere(call, taken)


@asynccontextmanager
async def forwarding(rules: Forward) -> AsyncIterator[list[Phone]]:
    """The phones of 101, of 102 with these rules, and of 103."""
    async with open_office(terminal("101"), terminal("102", forward=rules), terminal("103")) as office:
        yield [await office.registered(number) for number in ("101", "102", "103")]


async def taken_elsewhere(call: PhoneCall, ring: PhoneCall) -> None:
    """The other phone is told that the call was for 102, answers and hangs up."""
    assert ring.invite is not None
    assert "102" in (ring.invite.headers.get("diversion") or "")
    ring.answer()
    await call.until_answered()
    ring.hangup()
    assert await call.until_over() == 200


async def test_rfc_5359_2_10_three_way_conference_third_party_is_added() -> None:
    """101 calls the third one beside its call and mixes the two itself: both calls go on at once."""
    async with open_office(*OFFICE) as office:
        c = await office.registered("103")
        call, ring = await talking(office)
        call.hold()
        await call.until_modified()
        added, third = await office.connect(call.phone, c)
        call.resume()
        await call.until_modified()
        assert (office.hears("102"), office.hears("103")) == ("101", "101")
        ring.hangup()
        await call.until_over()
        assert office.hears("101") == "103", "the other one is still there"
        added.hangup()
        await third.until_over()


async def test_rfc_5359_2_11_three_way_conference_third_party_joins() -> None:
    """The dialog event package names the talk to who may join it; INVITE with Join makes it a room of three."""
    people = [User("boss", "Boss", role="administrator")]
    third = terminal("103", owner="boss")
    async with open_office(*OFFICE[:2], third, users=people, stack=StackConfig(extensions=EXTENSIONS)) as office:
        c = await office.registered("103")
        call, ring = await talking(office)
        watched = await Watcher(c).watch("102")
        await asyncio.sleep(1)
        document = watched.bodies[-1].decode()
        call_id, ours, theirs = (part(document, name) for name in ("call-id", "local-tag", "remote-tag"))
        wanted = f"{call_id};to-tag={ours};from-tag={theirs}"
        joined = c.dial("102", extra=(("Join", wanted), ("Require", "join")))
        await joined.until_answered()
        await asyncio.sleep(1)
        assert [office.hears_all(number) for number in ("101", "102", "103")] == [
            ["102", "103"],
            ["101", "103"],
            ["101", "102"],
        ]
        call.hangup()
        await asyncio.sleep(1)
        assert (office.hears("102"), office.hears("103")) == ("103", "102"), "two talk on"
        ring.hangup()
        await joined.until_over()
        await watched.subscribe(0)


async def test_rfc_5359_2_12_find_me_at_every_phone() -> None:
    async with open_office(*OFFICE) as office:
        a = await office.registered("101")
        desk, mobile = await office.registered("102"), await office.registered("102", "10.0.7.7")
        call = a.dial("102")
        at_desk, on_the_way = await desk.rung(), await mobile.rung()
        at_desk.ring()
        on_the_way.ring()
        await call.until_ringing()
        on_the_way.answer()
        await call.until_answered()
        assert await at_desk.until_over() == 487
        assert "cause=200" in (desk.requests("CANCEL")[0].headers.get("reason") or "")
        call.hangup()
        await on_the_way.until_over()


@pytest.mark.parametrize(("caller", "status"), [("101", 403), ("103", 200)])
async def test_rfc_5359_2_13_incoming_call_screening(caller: str, status: int) -> None:
    """102 takes calls of its own group only; others hear why they are refused, and 102 never rings."""
    people = [User("boris", "Boris"), User("carol", "Carol")]
    ours = Office("Test", employee_groups=(EmployeeGroup("ours", members=("boris", "carol"), isolate=True),))
    terminals = (OFFICE[0], terminal("102", owner="boris"), terminal("103", owner="carol"))
    async with open_office(*terminals, users=people, office=ours) as office:
        a, b = [await office.registered(number) for number in (caller, "102")]
        b.on_ring = PhoneCall.answer
        call = a.dial("102")
        if status == 200:
            await call.until_answered()
            call.hangup()
        assert await call.until_over() == status
        assert bool(b.calls) is (status == 200)


@pytest.mark.parametrize(("callee", "status"), [("102", 403), ("103", 200)])
async def test_rfc_5359_2_14_outgoing_call_screening(callee: str, status: int) -> None:
    """101 may call its own group only; elsewhere nothing rings, and it hears that it may not."""
    people = [User("anna", "Anna"), User("carol", "Carol")]
    ours = Office("Test", employee_groups=(EmployeeGroup("ours", members=("anna", "carol"), isolate=True),))
    terminals = (terminal("101", owner="anna"), OFFICE[1], terminal("103", owner="carol"))
    async with open_office(*terminals, users=people, office=ours) as office:
        a, b = [await office.registered(number) for number in ("101", callee)]
        b.on_ring = PhoneCall.answer
        call = a.dial(callee)
        if status == 200:
            await call.until_answered()
            call.hangup()
        assert await call.until_over() == status
        assert bool(b.calls) is (status == 200)


async def test_rfc_5359_2_15_call_park() -> None:
    """102 sends who called it to the parking number by REFER, and the call is taken at another phone."""
    parking = Office("Test", features=Features(parking=Parking("890", "891-892", 50)))
    async with open_office(*OFFICE, office=parking) as office:
        c = await office.registered("103")
        call, ring = await talking(office)
        referrer = Referrer(ring.phone)
        assert (await referrer.refer(ring, "890")).status == 202
        assert await referrer.until_told() == 200
        assert await ring.until_over() == 200
        assert office.endpoint_of("101").play is not None, "music"
        taken = c.dial("891")
        await taken.until_answered()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("103")) == ("103", "101")
        taken.hangup()
        assert await call.until_over() == 200


async def test_rfc_5359_2_17_automatic_redial() -> None:
    """A phone that finds 102 busy watches it, and calls as soon as it is free."""
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        earlier, ring = await office.connect(c, b)
        assert await a.dial("102").until_over() == 486
        lamp = await Watcher(a).watch("102")
        await asyncio.sleep(1)
        assert [each.state for each in lamp.lamps] == ["confirmed"]
        earlier.hangup()
        await ring.until_over()
        await asyncio.sleep(1)
        assert lamp.lamps == []
        again = a.dial("102")
        (await b.rung()).answer()
        await again.until_answered()
        await lamp.subscribe(0)
        again.hangup()
        await again.until_over()
