"""A provider is trusted to bring calls for our numbers and nothing else; who is outside costs us nothing (SEC-17)."""

import asyncio

import pytest

from pbx.explain import explain
from storage.records import EmployeeGroup, ExternalNumber, InboundPolicy, Office, OutboundRoute
from tests.support.builders import terminal
from tests.support.company import ANY, CLIENT, account, company, talk
from tests.support.referrer import Referrer

ABROAD = "81037120000000"
STRANGER = "203.0.113.77"


async def test_a_provider_s_address_neither_calls_out_through_us_nor_is_a_terminal() -> None:
    async with company(ANY, office=Office("Test", inbound=InboundPolicy(default="busy"))) as (office, phone, telcos):
        first, second = telcos["first"], telcos["second"]
        colleague = await office.registered("202")
        for number in (CLIENT, f"+{CLIENT}", "112", "202", "*78", "*72202", "890", "000064"):
            for caller in (CLIENT, "201"):
                assert await first.call(number, caller).until_over() == 486, number
        await asyncio.sleep(1)
        assert not second.calls
        assert not colleague.calls
        assert not phone.calls
        for method in ("REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH"):
            first._cseq += 1
            answer = await first.ask(method, "sip:201@10.0.0.1", "<sip:201@10.0.0.1>")
            assert answer.status in (401, 403, 489), method
        call = phone.dial("202")
        await talk(call, await colleague.rung())
    assert "ANSWERED" not in {row.disposition for row in office.rows[:-1]}
    assert not [row for row in office.rows if row.provider_out]


@pytest.mark.row("SEC-17")
async def test_whoever_is_outside_transfers_nobody_guests_call_nobody_and_abroad_is_for_groups() -> None:
    number = ExternalNumber("74951234567", "first", "201")
    groups = (
        EmployeeGroup("sales", members=("ann",), routes=("World", "City")),
        EmployeeGroup("others", is_default=True, routes=("City",)),
    )
    routes = (OutboundRoute("World", "first", prefix="810"), OutboundRoute("City", "first", prefix="7", rest=10))
    terminals = (terminal("201", max_calls=9), terminal("202", owner="ann", max_calls=9))
    office_of = Office("Test", external_numbers=(number,), employee_groups=groups)
    async with company(*routes, providers=(account("first"),), terminals=terminals, office=office_of) as (
        office,
        phone,
        telcos,
    ):
        telco, colleague = telcos["first"], await office.registered("202")
        call = telco.call("74951234567", CLIENT)
        ring = await phone.rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        for target in ("202", CLIENT):
            assert (await Referrer(telco).refer(call, target)).status == 403
        for digit in "**202":
            office.engine.press(office.leg_of(CLIENT).media.endpoint, digit)
            await asyncio.sleep(0.2)
        await asyncio.sleep(5)
        assert not colleague.calls, "a code of theirs is none"
        assert (await Referrer(phone).refer(ring, CLIENT)).status == 403, "nobody is transferred outside"
        call.hangup()
        await ring.until_over()

        guest = office.telco(STRANGER)
        for wanted in ("201", CLIENT, "74951234567"):
            assert await guest.call(wanted, "79990000000").until_over() == 401

        assert await phone.dial(ABROAD).until_over() == 403
        await talk(colleague.dial(ABROAD), await telco.rung())
        await talk(phone.dial(CLIENT), await telco.rung())
        assert explain(office.pbx, "201", ABROAD).cause == "forbidden"
