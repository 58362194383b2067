"""Mobiles of employees: dialled, routed to, and where calls go that nobody answers at the desk."""

import asyncio
from collections.abc import Callable

import pytest

from conf.load import ConfInvalid, parse_office
from storage.records import ExternalNumber, Forward, Ivr, Office, Provider, User
from tests.features.test_incoming import CLIENT, DID, called
from tests.support.builders import terminal
from tests.support.company import ANY, account, company, talk, user_of
from tests.support.ua import PhoneCall

MOBILE = "79163334455"
ANN = User("ann", "Ann", mobile=f"+{MOBILE}")


def document(*users: str) -> str:
    return "\n".join(users)


def user(id: str, mobile: str) -> str:
    return f'[[users]]\nid = "{id}"\nname = "{id}"\nmobile = "{mobile}"\n'


@pytest.mark.row("USR-4")
async def test_a_mobile_of_the_card_is_dialled_and_routed_to_over_a_provider() -> None:
    number = ExternalNumber(DID, "second", f"+{MOBILE}")
    office_of = Office("Test", external_numbers=(number,))
    terminals = (terminal("201"), terminal("202", forward=Forward(always=f"+{MOBILE}")))
    async with company(ANY, users=(ANN,), terminals=terminals, office=office_of) as (office, phone, telcos):
        ways: tuple[Callable[[], PhoneCall], ...] = (
            lambda: phone.dial(MOBILE),
            lambda: phone.dial("202"),
            lambda: telcos["second"].call(DID, CLIENT),
        )
        for begin in ways:
            call = begin()
            ring = await telcos["first"].rung()
            assert user_of(ring) == MOBILE
            await talk(call, ring)
            await asyncio.sleep(1)
    assert {row.to_name for row in office.rows if row.provider_out} == {"Ann"}
    assert len([row for row in office.rows if row.provider_out == "first"]) == 3
    assert parse_office(document(user("a", "+79161234567"), user("b", "79161234568"))).users[0].mobile == "+79161234567"
    for wrong in ("0916", "+7 916", "7" * 16, "a"):
        with pytest.raises(ConfInvalid, match="mobile"):
            parse_office(user("a", wrong))
    with pytest.raises(ConfInvalid, match="already used"):
        parse_office(document(user("a", "+79161234567"), user("b", "79161234567")))


@pytest.mark.row("FWD-3")
async def test_who_does_not_answer_at_the_desk_is_called_on_the_mobile_unless_told_otherwise() -> None:
    people = (ANN, User("boris", "Boris", mobile="+79160000002", forward_to_mobile=False), User("carl", "Carl"))
    terminals = (
        terminal("201", max_calls=9),
        terminal("202", owner="ann"),
        terminal("203", owner="boris"),
    )
    async with company(ANY, users=people, terminals=terminals) as (office, phone, telcos):
        ann, boris = await office.registered("202"), await office.registered("203")
        began = office.clock.now()
        call = phone.dial("202")
        (await ann.rung()).ring()
        ring = await telcos["first"].rung(60)
        assert office.clock.now() - began == pytest.approx(46, abs=2)
        assert user_of(ring) == MOBILE
        await talk(call, ring)
        call = phone.dial("203")
        (await boris.rung()).ring()
        await asyncio.sleep(120)
        assert len(telcos["first"].calls) == 1
        call.hangup()
        await call.until_over()


@pytest.mark.row("OUT-14")
async def test_calls_that_come_in_and_go_on_outside_keep_to_rules_and_history_has_the_number_called() -> None:
    """Forwarded by a terminal, and sent on by a menu, over another account than that which brought the call."""
    menu = Ivr("700", default=MOBILE, attempts=1, timeout=1)
    out = account("first")
    for target in ("102", "700"):
        number = ExternalNumber(DID, "telco", target)
        async with called(
            number=number,
            terminals=(terminal("101"), terminal("102", forward=Forward(always=MOBILE))),
            ivrs=(menu,),
            providers=(Provider("telco", "192.0.2.20", login="74950000000"), out),
            outbound_routes=(ANY,),
        ) as (office, first):
            telco = office.telco("192.0.2.20")
            await asyncio.sleep(1)
            call = telco.call(DID, CLIENT)
            if target == "700":
                await call.until_answered()
            ring = await first.rung(15)
            assert user_of(ring) == MOBILE
            ring.answer()
            await asyncio.sleep(2)
            call.hangup()
            assert await ring.until_over() == 200
            await asyncio.sleep(1)
        assert {row.linkedid for row in office.rows} == {office.rows[0].linkedid}
        assert {row.provider_in for row in office.rows} == {"telco"}
        assert office.rows[-1].provider_out == "first"
        assert office.rows[0].external_number == DID
