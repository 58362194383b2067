"""Transferred calls and the rules of who they go to (FWD-10, FWD-12, FWD-15)."""

import asyncio
from dataclasses import replace

import pytest

from storage.records import EmployeeGroup, Forward, ForwardingPolicy, Group, Office, User
from tests.features.test_forwarding import office_of, phones
from tests.features.test_transfer_codes import press
from tests.pbx.test_transfer_attended import replacing
from tests.support.office import VirtualOffice, open_office
from tests.support.referrer import Referrer
from tests.support.ua import PhoneCall

RULES = Forward(busy="104", unavailable="104", no_answer="104", ring_time=10)


async def talking(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall, Referrer]:
    """101 talks to 102 and is about to transfer it."""
    a, b = await phones(office, "101", "102")
    call, ring = await office.connect(a, b)
    return call, ring, Referrer(a)


@pytest.mark.row("FWD-10")
async def test_a_transferred_call_follows_the_rules_of_its_target() -> None:
    async with open_office(*office_of(t103=RULES)) as office:
        mine, other, referrer = await talking(office)
        c, d = await phones(office, "103", "104")
        await referrer.refer(mine, "103")
        (await c.rung()).ring()
        ring = await d.rung(20)
        ring.answer()
        assert await referrer.until_told() == 200
        assert referrer.notes == ["active 100", "active 180", "terminated 200"]
        await asyncio.sleep(1)
        assert (office.hears("102"), office.hears("104")) == ("104", "102")
        other.hangup()
        await ring.until_over()
        await mine.until_over()
    assert [(row.to_number, row.disposition) for row in office.rows[-2:]] == [("103", "NOANSWER"), ("104", "ANSWERED")]


@pytest.mark.row("FWD-12")
async def test_transferred_calls_may_be_left_where_they_are() -> None:
    policy = Office("Test", forwarding=ForwardingPolicy(skip_blind_transfer=True))
    async with open_office(*office_of(t103=RULES), office=policy) as office:
        mine, other, referrer = await talking(office)
        c, d = await phones(office, "103", "104")
        await referrer.refer(mine, "103")
        (await c.rung()).reject(486)
        assert await referrer.until_told() == 486
        assert not d.is_ringing
        assert office.hears("102") == "101"
        mine.hangup()
        await other.until_over()


@pytest.mark.row("FWD-12")
@pytest.mark.parametrize("is_left_aside", [False, True])
async def test_a_consultation_handed_over_while_it_rings_is_an_attended_transfer(is_left_aside: bool) -> None:
    policy = Office("Test", forwarding=ForwardingPolicy(skip_blind_transfer=True, skip_attended_transfer=is_left_aside))
    async with open_office(*office_of(t103=RULES), office=policy) as office:
        mine, other, referrer = await talking(office)
        c, d = await phones(office, "103", "104")
        mine.hold()
        await mine.until_modified()
        consulting = referrer.phone.dial("103")
        (await c.rung()).ring()
        await consulting.until_ringing()
        await referrer.refer(mine, replacing(consulting, "103"))
        again = await c.rung()
        again.reject(486)
        if is_left_aside:
            assert await referrer.until_told() == 486
            assert not d.is_ringing
        else:
            ring = await d.rung()
            ring.answer()
            assert await referrer.until_told() == 200
            ring.hangup()
        mine.hangup()
        await other.until_over()


@pytest.mark.row("FWD-15")
async def test_a_transferred_call_without_a_rule_left_returns_to_who_transferred_it() -> None:
    async with open_office(*office_of(t103=Forward(busy="104"))) as office:
        mine, other, referrer = await talking(office)
        c, d = await phones(office, "103", "104")
        await referrer.refer(mine, "103")
        await asyncio.sleep(0.1)
        mine.hangup()
        (await c.rung()).reject(486)
        (await d.rung()).reject(486)
        back = await referrer.phone.rung()
        back.answer()
        await asyncio.sleep(1)
        assert (office.hears("102"), office.hears("101")) == ("101", "102")
        back.hangup()
        await other.until_over()


async def test_a_call_transferred_to_a_group_returns_when_nobody_answers_there() -> None:
    group = Office("Test", groups=(Group("600", members=("103",), ring_time=5),))
    async with open_office(*office_of(), office=group) as office:
        mine, other, referrer = await talking(office)
        (c,) = await phones(office, "103")
        await referrer.refer(mine, "600")
        await asyncio.sleep(0.1)
        mine.hangup()
        (await c.rung()).ring()
        back = await referrer.phone.rung(20)
        back.answer()
        await asyncio.sleep(1)
        assert office.hears("102") == "101"
        back.hangup()
        await other.until_over()


@pytest.mark.row("FWD-12")
@pytest.mark.parametrize("is_left_aside", [False, True])
async def test_a_consultation_by_code_is_an_attended_transfer_too(is_left_aside: bool) -> None:
    policy = Office("Test", forwarding=ForwardingPolicy(skip_attended_transfer=is_left_aside))
    async with open_office(*office_of(t103=RULES), office=policy) as office:
        mine, other, _ = await talking(office)
        c, d = await phones(office, "103", "104")
        press(office, "101", "##103#")
        (await c.rung()).reject(486)
        if is_left_aside:
            await asyncio.sleep(2)
            assert not d.is_ringing
        else:
            ring = await d.rung()
            ring.answer()
            await asyncio.sleep(1)
            assert (office.hears("101"), office.hears("104")) == ("104", "101")
            ring.hangup()
            await asyncio.sleep(2)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        mine.hangup()
        await other.until_over()


@pytest.mark.row("FWD-15")
async def test_a_call_transferred_by_code_returns_as_well() -> None:
    async with open_office(*office_of(t103=Forward(busy="104"))) as office:
        mine, other, referrer = await talking(office)
        c, d = await phones(office, "103", "104")
        press(office, "101", "**103#")
        await mine.until_over()
        (await c.rung()).reject(486)
        (await d.rung()).reject(486)
        back = await referrer.phone.rung()
        back.answer()
        await asyncio.sleep(1)
        assert office.hears("102") == "101"
        back.hangup()
        await other.until_over()


@pytest.mark.parametrize("code", ["**", "##"])
async def test_codes_reach_nobody_whom_the_transferor_may_not_call(code: str) -> None:
    people = User("anna", "Anna"), User("boris", "Boris")
    mine, theirs, *others = (replace(each) for each in office_of())
    owned = replace(mine, owner="anna"), replace(theirs, owner="boris")
    sales = EmployeeGroup("sales", members=("anna", "boris"), isolate=True)
    async with open_office(*owned, *others, users=people, office=Office("Test", employee_groups=(sales,))) as office:
        call, ring, _ = await talking(office)
        (c,) = await phones(office, "103")
        press(office, "101", f"{code}103#")
        await office.played_out("101")
        assert not c.is_ringing
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()
