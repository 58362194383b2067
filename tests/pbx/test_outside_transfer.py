"""Transfers and the outside: who may transfer, to which numbers, and that two outside do not talk at our expense."""

import asyncio
from dataclasses import replace

import pytest

from features import make_apps
from features.outside_call import OutsideCall
from features.spending import Spending
from features.terminal_call import TerminalCall
from storage.records import EmployeeGroup, Features, Forward, ForwardingPolicy, Office, OutboundRoute, User
from tests.pbx.test_transfer_attended import replacing
from tests.support.builders import terminal
from tests.support.company import ANY, CLIENT, company, talk
from tests.support.referrer import Referrer

MOBILE = "79031112233"
ANN = User("ann", "Ann", mobile=MOBILE)
ALLOWED = "78005550000"
OFFICE = Office("Test", features=Features(transfer_outside=("7800XXXXXXX",)))


@pytest.mark.row("FEAT-10")
@pytest.mark.parametrize(
    ("target", "is_allowed"), [(CLIENT, False), (MOBILE, True), (f"+{MOBILE}", True), (ALLOWED, True), ("202", True)]
)
async def test_people_are_transferred_to_mobiles_of_the_office_and_to_numbers_that_it_allows(
    target: str, is_allowed: bool
) -> None:
    async with company(ANY, users=(ANN,), office=OFFICE) as (office, phone, telcos):
        colleague = await office.registered("202")
        call, ring = await office.connect(colleague, phone)
        referrer = Referrer(colleague)
        response = await referrer.refer(call, target)
        assert response.status == (202 if is_allowed else 403)
        if target == "202":
            call.hangup()
            await ring.until_over()
            return
        if is_allowed:
            leg = await telcos["first"].rung()
            leg.ring()
            await asyncio.sleep(1)
            leg.answer()
            assert await referrer.until_told() == 200
            assert await call.until_over() == 200
            await asyncio.sleep(1)
            leg.hangup()
            await ring.until_over()
        else:
            assert not telcos["first"].calls
            call.hangup()
            await ring.until_over()


async def test_whoever_is_outside_transfers_nobody() -> None:
    async with company(ANY, users=(ANN,)) as (office, phone, telcos):
        await office.registered("202")
        call = phone.dial(CLIENT)
        ring = await telcos["first"].rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        for target in ("202", MOBILE):
            response = await Referrer(telcos["first"]).refer(ring, target)
            assert response.status == 403
        call.hangup()
        await ring.until_over()


@pytest.mark.row("SEC-17")
@pytest.mark.parametrize("is_allowed", [False, True])
async def test_two_outside_are_joined_only_where_the_office_allows_it(is_allowed: bool) -> None:
    second = OutboundRoute("Second", "second", prefix="7800")
    features = replace(OFFICE.features, transfer_outside=("7800XXXXXXX",) if is_allowed else ())
    office = replace(OFFICE, features=features)
    async with company(second, ANY, terminals=(terminal("201", max_calls=2),), office=office) as (_, phone, telcos):
        first = phone.dial(CLIENT)
        client = await telcos["first"].rung()
        client.answer()
        await first.until_answered()
        other = phone.dial(ALLOWED)
        friend = await telcos["second"].rung()
        friend.answer()
        await other.until_answered()
        await asyncio.sleep(1)
        referrer = Referrer(phone)
        response = await referrer.refer(first, replacing(other, ALLOWED))
        assert response.status == (202 if is_allowed else 403)
        if is_allowed:
            assert await referrer.until_told() == 200
            await asyncio.sleep(1)
            client.hangup()
            await friend.until_over()
        for call in (first, other):
            if not call.is_over:
                call.hangup()
        await asyncio.sleep(1)


@pytest.mark.row("FWD-11")
async def test_a_phone_may_redirect_to_a_number_of_the_office_or_outside_with_its_own_rights() -> None:
    terminals = (terminal("201", max_calls=9), terminal("202", owner="ann"), terminal("203"))
    group = EmployeeGroup("ann", members=("ann",), routes=("All",))
    office_of = Office("Test", employee_groups=(group, EmployeeGroup("none", is_default=True)))
    async with company(ANY, terminals=terminals, office=office_of) as (office, phone, telcos):
        colleague, third = await office.registered("202"), await office.registered("203")
        for target, rings in ((CLIENT, telcos["first"]), ("203", third)):
            call = phone.dial("202")
            ring = await colleague.rung()
            contact = ("Contact", f"<sip:{target}@10.0.0.1>")
            ring._do(lambda now, ring=ring, contact=contact: ring.on.reject(302, now, extra=[contact]))  # type: ignore[misc]
            await talk(call, await rings.rung())
            await asyncio.sleep(1)
        assert await phone.dial(CLIENT).until_over() == 403, "the caller may not call there"
    assert [(row.to_number, row.disposition) for row in office.rows][:4] == [
        ("202", "FAILED"), (CLIENT, "ANSWERED"), ("202", "FAILED"), ("203", "ANSWERED"),
    ]  # fmt: skip


@pytest.mark.row("FWD-14")
@pytest.mark.parametrize(("same", "provider"), [(False, "first"), (True, "second")])
async def test_a_call_from_outside_may_go_on_outside_over_the_provider_that_brought_it(
    same: bool, provider: str
) -> None:
    policy = ForwardingPolicy(same_provider=same)
    terminals = (terminal("201"), terminal("202", forward=Forward(always=MOBILE)))
    apps = replace(make_apps(), incoming=lambda *_: TerminalCall(terminals[1]))
    async with company(ANY, terminals=terminals, office=Office("Test", forwarding=policy), apps=apps) as (
        office,
        _,
        telcos,
    ):
        call = telcos["second"].call("74951234567", CLIENT)
        await talk(call, await telcos[provider].rung())
    forwarded = office.rows[1]
    assert (forwarded.provider_in, forwarded.provider_out) == ("second", provider)
    assert (forwarded.from_number, forwarded.external_number) == (CLIENT, "74951234567")


async def test_a_call_does_not_go_out_to_the_number_by_which_it_came_in() -> None:
    apps = replace(make_apps(), incoming=lambda _, arrival: OutsideCall(f"8{arrival.called[1:]}", Spending()))
    async with company(ANY, apps=apps) as (_, _, telcos):
        assert await telcos["second"].call("74951234567", CLIENT).until_over() == 482
        assert not telcos["first"].calls
