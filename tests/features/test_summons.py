"""Meetings that call people when they begin: a participant outside, and a list (CNF-9)."""

import asyncio

import pytest

from media.api import SendDigits
from storage.records import Conference, Office, User
from tests.features.test_conference import hear_each_other
from tests.features.test_transfer_codes import press
from tests.support.builders import terminal
from tests.support.company import ANY, CLIENT, company, user_of
from tests.support.office import VirtualOffice

BRIDGE = f"+{CLIENT}"
PHONES = (terminal("201", max_calls=9), terminal("202", owner="ann"), terminal("203"), terminal("204"))


def meetings(**settings: object) -> Office:
    return Office("Test", conferences=(Conference("800", "Daily", **settings),))  # type: ignore[arg-type]


def pressed(office: VirtualOffice) -> str:
    return "".join(each.digits for each in office.engine.of(SendDigits))


def muted(office: VirtualOffice) -> list[str]:
    (room,) = [each for each in office.pbx.services.bridges.values() if each.members]
    return [leg.party.number for leg in room.members.values() if room.is_muted(leg)]  # type: ignore[attr-defined]


@pytest.mark.row("CNF-9")
async def test_a_bridge_outside_is_dialled_for_the_first_of_the_office_and_dropped_with_the_last() -> None:
    settings = meetings(outside=BRIDGE, outside_digits="12,3#")
    async with company(ANY, office=settings, terminals=PHONES) as (office, phone, telcos):
        colleague = await office.registered("202")
        first = phone.dial("800")
        await first.until_answered()
        ring = await telcos["first"].rung()
        assert user_of(ring) == CLIENT
        ring.ring()
        await asyncio.sleep(2)
        ring.answer()
        await asyncio.sleep(1.5)
        assert pressed(office) == "12"
        await asyncio.sleep(1)
        assert pressed(office) == "123#"
        assert hear_each_other(office, "201", BRIDGE)
        second = colleague.dial("800")
        await second.until_answered()
        await asyncio.sleep(2)
        first.hangup()
        await asyncio.sleep(2)
        assert hear_each_other(office, "202", BRIDGE), "one of the office is still there"
        second.hangup()
        assert await ring.until_over() == 200
        again = phone.dial("800")
        await again.until_answered()
        ring = await telcos["first"].rung()
        again.hangup()
        assert await ring.until_over() == 487, "it still rang when the last one left"
    told = {(row.stage, row.from_number, row.to_number, row.disposition) for row in office.rows}
    assert ("conference", BRIDGE, "800", "ANSWERED") in told


@pytest.mark.row("CNF-9")
async def test_a_broadcast_calls_its_list_and_all_but_the_first_are_muted_until_they_want_to_speak() -> None:
    settings = meetings(call_out=("201", "202", "203", "204", BRIDGE), broadcast=True)
    people = (User("ann", "Ann"),)
    async with company(ANY, office=settings, terminals=PHONES, users=people) as (office, chair, telcos):
        second, third = await office.registered("202"), await office.registered("203")
        call = chair.dial("800")
        await call.until_answered()
        ring, refusing, outside = await second.rung(), await third.rung(), await telcos["first"].rung()
        refusing.reject(486)
        for each in (ring, outside):
            each.answer()
            await asyncio.sleep(2)
        assert muted(office) == ["202", BRIDGE]
        press(office, "202", "*1")
        await asyncio.sleep(2)
        assert muted(office) == [BRIDGE]
        call.hangup()
        await asyncio.sleep(2)
        assert not ring.is_over, "one of the office goes on"
        ring.hangup()
        assert await outside.until_over() == 200
    assert {row.from_number for row in office.rows if row.disposition == "ANSWERED"} == {"201", "202", BRIDGE}


async def test_who_comes_from_outside_calls_nobody() -> None:
    async with company(ANY, office=meetings(outside=BRIDGE), terminals=PHONES) as (office, _, telcos):
        app = office.pbx.route("800")[1]
        assert app is not None
        office.pbx.call_outside(f"+{CLIENT[:-1]}0", office.pbx.route("800")[0], app)
        ring = await telcos["first"].rung()
        ring.answer()
        await asyncio.sleep(3)
        assert office.leg_numbers() == [f"+{CLIENT[:-1]}0"]
        ring.hangup()
