"""Parking and pick-up: real call control on the virtual network."""

import asyncio

import pytest

from storage.records import EmployeeGroup, Features, Office, Parking, User
from tests.features.test_transfer_codes import OFFICE, press, talk
from tests.support.builders import terminal
from tests.support.office import open_office
from tests.support.referrer import Referrer


@pytest.mark.row("FEAT-13")
@pytest.mark.row("FEAT-16")
@pytest.mark.row("FEAT-18")
async def test_a_call_is_parked_by_code_and_taken_at_its_slot() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call, ring = await office.connect(a, b)
        press(office, "102", "*2")
        assert await ring.until_over() == 200
        assert office.endpoint_of("101").play is not None, "music"
        await asyncio.sleep(20)
        retrieving = c.dial("891")
        await retrieving.until_answered()
        await asyncio.sleep(1)
        assert talk(office, "101", "103")
        assert office.endpoint_of("101").play is None
        call.hangup()
        assert await retrieving.until_over() == 200
    assert {row.linkedid for row in office.rows} == {office.rows[0].linkedid}
    parked = [row for row in office.rows if row.stage == "parking" and row.to_name == "Park:891"]
    assert parked, office.rows
    talks = [row for row in office.rows if row.from_number == "103" and row.to_number == "101"]
    assert [row.disposition for row in talks] == ["ANSWERED"]


@pytest.mark.row("FEAT-17")
@pytest.mark.row("AMB-34")
async def test_a_call_that_nobody_takes_rings_where_it_was_parked() -> None:
    async with open_office(*OFFICE) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call, ring = await office.connect(a, b)
        before = asyncio.get_running_loop().time()
        press(office, "102", "*2")
        await ring.until_over()
        back = await b.rung()
        assert asyncio.get_running_loop().time() - before == pytest.approx(50, abs=1)
        back.answer()
        await back.until_confirmed()
        await asyncio.sleep(1)
        assert talk(office, "101", "102")
        call.hangup()
        await back.until_over()


@pytest.mark.row("FEAT-14")
async def test_a_phone_parks_by_transfer_to_the_parking_number() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call, ring = await office.connect(a, b)
        referrer = Referrer(b)
        assert (await referrer.refer(ring, "890")).status == 202
        assert await referrer.until_told() == 200
        assert await ring.until_over() == 200
        retrieving = c.dial("891")
        await retrieving.until_answered()
        await asyncio.sleep(1)
        assert talk(office, "101", "103")
        retrieving.hangup()
        await call.until_over()


@pytest.mark.row("FEAT-15")
async def test_the_lowest_free_slot_is_taken_and_when_none_is_the_call_goes_on() -> None:
    features = Features(parking=Parking("890", "891-892", 50))
    office_document = Office("Test", features=features)
    numbers = ("101", "102", "103", "104", "105", "106")
    async with open_office(*map(terminal, numbers), office=office_document) as office:
        a, b, c, d, e, f = [await office.registered(number) for number in numbers]
        for caller, callee in ((a, b), (c, d)):
            _, ring = await office.connect(caller, callee)
            press(office, callee.number, "*2")
            await ring.until_over()
        call, ring = await office.connect(e, f)
        press(office, "106", "*2")
        await asyncio.sleep(3)
        assert talk(office, "105", "106")
        first = b.dial("891")
        await first.until_answered()
        await asyncio.sleep(1)
        assert talk(office, "102", "101")
        press(office, "106", "*2")
        await ring.until_over()
        third = d.dial("891")
        await third.until_answered()
        await asyncio.sleep(1)
        assert talk(office, "104", "105"), "the slot that was free again"
        second = f.dial("892")
        await second.until_answered()
        await asyncio.sleep(1)
        assert talk(office, "106", "103")
        for each in (first, second, third):
            each.hangup()
        await call.until_over()


async def test_an_empty_slot_says_so_and_a_parked_caller_who_hangs_up_frees_it() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call, ring = await office.connect(a, b)
        press(office, "102", "*2")
        await ring.until_over()
        call.hangup()
        await asyncio.sleep(1)
        asking = c.dial("891")
        await asking.until_answered()
        await asking.until_over()


@pytest.mark.row("FEAT-19")
@pytest.mark.row("FEAT-22")
async def test_directed_pick_up_answers_the_call_that_rings_there() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        await asyncio.sleep(3)
        picking = c.dial("*8102")
        await call.until_answered()
        assert await ring.until_over() == 487
        await asyncio.sleep(1)
        assert talk(office, "101", "103")
        await asyncio.sleep(5)
        picking.hangup()
        assert await call.until_over() == 200
    rang, picked, by_code = sorted(office.rows, key=lambda row: row.id)
    assert (rang.to_number, rang.disposition) == ("102", "NOANSWER")
    assert (picked.from_number, picked.to_number, picked.disposition) == ("101", "103", "ANSWERED")
    assert picked.started_at == picked.answered_at
    assert picked.talk_seconds == pytest.approx(6, abs=0.5)
    assert by_code.linkedid == rang.linkedid


@pytest.mark.row("FEAT-20")
async def test_the_code_alone_takes_the_call_that_rings_longest() -> None:
    async with open_office(*OFFICE, terminal("105")) as office:
        a, b, c, d, e = [await office.registered(number) for number in ("101", "102", "103", "104", "105")]
        first = a.dial("102")
        (await b.rung()).ring()
        await asyncio.sleep(5)
        second = c.dial("104")
        rings = await d.rung()
        rings.ring()
        await second.until_ringing()
        e.dial("*8")
        await first.until_answered()
        await asyncio.sleep(1)
        assert talk(office, "101", "105")
        first.hangup()
        second.hangup()
        await rings.until_over()


@pytest.mark.row("FEAT-21")
async def test_a_header_names_the_very_call_that_is_wanted() -> None:
    async with open_office(*map(terminal, ("101", "103", "105")), terminal("102", max_calls=2)) as office:
        a, b, c, e = [await office.registered(number) for number in ("101", "102", "103", "105")]
        first, ring_a = a.dial("102"), await b.rung()
        ring_a.ring()
        second, ring_c = c.dial("102"), await b.rung()
        ring_c.ring()
        await second.until_ringing()
        assert ring_c.invite is not None
        e.dial("*8102", None, extra=(("X-CHAN-ID", ring_c.invite.call_id),))
        await second.until_answered()
        await asyncio.sleep(1)
        assert talk(office, "103", "105")
        first.hangup()
        second.hangup()
        await ring_a.until_over()


async def test_nothing_rings_there() -> None:
    async with open_office(*OFFICE) as office:
        c = await office.registered("103")
        call = c.dial("*8102")
        await call.until_answered()
        await call.until_over()


@pytest.mark.row("GRP-8")
@pytest.mark.parametrize(("picker", "may"), [("103", True), ("104", False)])
async def test_an_isolated_group_keeps_its_calls_to_itself(picker: str, may: bool) -> None:
    users = [User(name, name) for name in ("ann", "bob", "eve")]
    group = EmployeeGroup("sales", members=("ann", "bob"), isolate_pickup=True)
    owners = (("102", "ann"), ("103", "bob"), ("104", "eve"))
    phones = [terminal("101"), *(terminal(number, owner=owner) for number, owner in owners)]
    async with open_office(*phones, users=users, office=Office("Test", employee_groups=(group,))) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", picker)]
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        c.dial("*8102")
        await asyncio.sleep(3)
        assert call.is_answered is may
        call.hangup()
        await asyncio.sleep(3)
