"""Guests (REG-17): who has no account here and calls an address of the office, on the virtual network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from features.queue_callback import ORDERS
from pbx.bans import BanPolicy, Bans
from pbx.border import Border
from pbx.control.messages import ControlError
from pbx.explain import explain
from pbx.guests import MOST_GUESTS
from sipcore.message import Response
from storage.records import (
    Callback,
    CallerList,
    ExternalNumber,
    Forward,
    InboundPolicy,
    InboundRule,
    Office,
    OutboundRoute,
    Provider,
    Queue,
    Terminal,
)
from tests.support.builders import sdp, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.telco import Telco

TELCO, ELSEWHERE = "192.0.2.10", "198.51.100.7"
DID, MOBILE = "74951234567", "79161234567"
OPEN = InboundPolicy(guests=True)
ANYBODY = InboundRule("anybody", number="sales", target="102", timeout=30)
OFFICE = Office(
    "Test",
    providers=(Provider("telco", TELCO, login="74950000000", password="Secret_1"),),
    external_numbers=(ExternalNumber(DID, "telco", "101"),),
    outbound_routes=(OutboundRoute("all", "telco", prefix="7", rest=10, strip=0),),
    inbound_rules=(InboundRule("own", "telco", target="101"), ANYBODY),
    inbound=OPEN,
)
TERMINALS = (terminal("101"), terminal("102", max_calls=99), terminal("103", forward=Forward(always=MOBILE)))


@asynccontextmanager
async def visited(
    *terminals: Terminal, office: Office = OFFICE, **settings: object
) -> AsyncIterator[tuple[VirtualOffice, Telco]]:
    """The office with its provider there, and somebody at an address that nobody knows."""
    changed = replace(office, **settings)  # type: ignore[arg-type]  # a test names only fields that exist
    async with open_office(*(terminals or TERMINALS), office=changed) as opened:
        opened.telco(TELCO)
        await asyncio.sleep(1)
        yield opened, opened.telco(ELSEWHERE)


@pytest.mark.row("REG-17")
async def test_guests_are_strangers_unless_the_office_takes_them() -> None:
    async with visited(inbound=InboundPolicy()) as (office, guest):
        phone = await office.registered("102")
        for called in ("sales", DID, "102"):
            assert await guest.call(called, "bob").until_over() == 401
        assert not phone.calls
        assert not office.rows
        with pytest.raises(ControlError, match="guests may not call"):
            explain(office.pbx, f"bob@{ELSEWHERE}", "sales")


@pytest.mark.row("REG-17")
async def test_a_guest_meets_the_rules_of_any_provider_and_is_shown_as_the_address() -> None:
    async with visited() as (office, guest):
        phone = await office.registered("102")
        call = guest.call("sales", "bob", name="The Boss")
        ring = await phone.rung()
        assert ring.invite is not None
        assert ring.invite.from_.display == f"bob@{ELSEWHERE}"
        assert str(ring.invite.from_.uri).startswith("sip:anonymous@")
        ring.answer()
        await call.until_answered()
        assert office.pbx.describe()["guests"] == 1
        call.hangup()
        await ring.until_over()
        await asyncio.sleep(1)
        (row,) = [each for each in office.rows if each.disposition == "ANSWERED"]
        assert (row.provider_in, row.from_name, row.to_number) == ("(guest)", f"bob@{ELSEWHERE}", "102")


@pytest.mark.row("REG-17")
@pytest.mark.parametrize("called", [DID, "101", "102", "103", MOBILE, "*78", "600"])
async def test_a_guest_reaches_nothing_without_a_rule_and_is_counted_where_nobody_is_called_so(called: str) -> None:
    async with visited() as (office, guest):
        office.admission.border = Border(Bans(BanPolicy(3, 60.0, 600.0), office.clock), office.admission)
        phones = [await office.registered(number) for number in ("101", "102", "103")]
        for _ in range(3):
            assert await guest.call(called, "bob").until_over() == 404
        assert not any(phone.calls for phone in phones)
        assert not office.rows
        assert office.pbx.describe()["guests_refused"] == 3
        is_known = called in office.pbx.directory.numbers
        assert office.admission.border.bans.is_banned(ELSEWHERE) is not is_known


@pytest.mark.row("REG-17")
@pytest.mark.parametrize("target", ["103", MOBILE])
async def test_a_guest_is_not_sent_outside_whatever_the_office_has_been_told(target: str) -> None:
    rules = (replace(ANYBODY, target=target),)
    async with visited(inbound_rules=rules) as (office, guest):
        await office.registered("103")
        assert await guest.call("sales", "bob").until_over() >= 400
        assert not any(row.provider_out for row in office.rows)
        explained = explain(office.pbx, f"bob@{ELSEWHERE}", "sales")
        assert not explained.targets
        assert "who calls by address is not sent outside" in {rule.why for rule in explained.rules}
        customer = next(each for each in office.phones if each.host == TELCO)
        assert isinstance(customer, Telco)
        customer.call("sales", "79990000000")  # of a provider: is sent there
        assert (await customer.rung()).session is not None


@pytest.mark.row("REG-17")
async def test_an_account_of_the_office_is_no_guest_and_nobody_learns_which_there_are() -> None:
    async with visited() as (office, _):
        raw = office.raw("102", ELSEWHERE)
        for number in ("102", "999"):
            raw.number = number
            request = raw.request("INVITE", "sales", 1, body=sdp(ELSEWHERE, 41000), branch=number, to_tag="")
            raw.send(request.replace(f"{number}@{ELSEWHERE}>;tag".encode(), f"{number}@10.0.0.1>;tag".encode()))
            answer = await raw.expect_final(1)
            assert isinstance(answer, Response)
            assert answer.status == 401
        phone = await office.registered("102")
        neighbour = office.telco(phone.host, 5099)  # at the address of a phone of ours
        assert await neighbour.call("sales", "bob").until_over() == 401


async def test_a_list_turns_guests_away() -> None:
    async with visited(caller_lists=(CallerList("none", callers=("anonymous",)),)) as (office, guest):
        phone = await office.registered("102")
        assert await guest.call("sales", "bob").until_over() == 603
        assert not phone.calls


async def test_no_guest_is_called_back() -> None:
    queue = Queue("500", agents=("102",), callback=Callback(missed=True))
    async with visited(queues=(queue,), inbound_rules=(replace(ANYBODY, target="500"),)) as (office, guest):
        phone = await office.registered("102")
        call = guest.call("sales", MOBILE)
        ring = await phone.rung()
        call.hangup()
        await ring.until_over()
        await asyncio.sleep(60)
        assert office.pbx.states.of(ORDERS) == {}
        assert len(phone.calls) == 1


async def test_there_are_never_too_many_guests() -> None:
    async with visited() as (office, guest):
        await office.registered("102")
        calls = [guest.call("sales", "bob") for _ in range(MOST_GUESTS)]
        await asyncio.sleep(1)
        assert await guest.call("sales", "eve").until_over() == 503
        for call in calls:
            call.hangup()
        await asyncio.sleep(1)


async def test_a_guest_is_explained_rule_by_rule() -> None:
    async with visited() as (office, _):
        await office.registered("102")
        explained = explain(office.pbx, f"bob@{ELSEWHERE}", "sales")
        assert explained.targets == ("102",)
        assert [(each.rule, each.matched) for each in explained.rules][:2] == [("guests", True), ("number", True)]
        assert explain(office.pbx, f"bob@{ELSEWHERE}", "101").cause == "not_found"
