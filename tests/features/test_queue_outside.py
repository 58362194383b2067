"""Agents of a queue outside the office: mobiles and other numbers, by the ways of the office (QUE-5)."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from storage.records import EmployeeGroup, Office, Provider, Queue, User
from tests.support.builders import terminal
from tests.support.company import ANY, CLIENT, account, company, user_of
from tests.support.office import VirtualOffice
from tests.support.telco import Telco
from tests.support.ua import Phone, PhoneCall

MOBILE = "+79161234567"
SALES = Queue("500", "Sales", agents=("202", MOBILE), wrap_up=10, max_wait=0, ring_time=20)
ANN = User("ann", "Ann", mobile=MOBILE, skills=("cars",))
Company = AbstractAsyncContextManager[tuple[VirtualOffice, Phone, dict[str, Telco]]]


def opened(queue: Queue = SALES) -> Company:
    return company(
        ANY,
        providers=(account("first"), account("second")),
        terminals=(terminal("201", max_calls=9), terminal("202")),
        users=(ANN,),
        office=replace(Office("Test"), queues=(queue,)),
    )


async def takes(office: VirtualOffice, ring: PhoneCall, key: str = "1") -> None:
    """Somebody answers out there, hears what it is about, and presses a key."""
    ring.answer()
    await asyncio.sleep(3)
    if key:
        office.engine.press(office.leg_of(MOBILE).media.endpoint, key)


def states(office: VirtualOffice) -> dict[str, str]:
    (queue,) = office.pbx.queues()
    return {each.number: each.state for each in queue.agents}


@pytest.mark.row("QUE-5")
async def test_a_mobile_rings_with_the_others_and_has_the_caller_once_it_takes_the_call() -> None:
    async with opened() as (office, phone, telcos):
        colleague = await office.registered("202")
        assert states(office) == {"202": "idle", MOBILE: "idle"}
        call = phone.dial("500")
        ring, other = await telcos["first"].rung(), await colleague.rung()
        assert user_of(ring) == CLIENT
        assert states(office) == {"202": "ringing", MOBILE: "ringing"}
        ring.ring()
        await asyncio.sleep(2)
        await takes(office, ring, key="")
        assert not other.is_over, "who has only answered may be a mailbox"
        assert not call.is_answered
        office.engine.press(office.leg_of(MOBILE).media.endpoint, "1")
        await call.until_answered()
        await other.until_over()
        await asyncio.sleep(5)
        assert office.hears("201") == MOBILE
        assert states(office)[MOBILE] == "busy"
        call.hangup()
        await ring.until_over()
        await asyncio.sleep(1)
        assert states(office)[MOBILE] == "resting"
        await asyncio.sleep(10)
        assert states(office)[MOBILE] == "idle"
    rows = [(row.stage, row.to_number, row.disposition, row.provider_out) for row in office.rows]
    assert rows == [
        ("queue", "500", "ANSWERED", ""),
        ("dial", "202", "NOANSWER", ""),
        ("dial", MOBILE, "ANSWERED", "first"),
    ]
    talked = next(row for row in office.rows if row.to_number == MOBILE)
    assert talked.to_name == "Ann"
    assert talked.talk_seconds == pytest.approx(5, abs=1), "the question does not count"


@pytest.mark.row("QUE-5")
@pytest.mark.parametrize("key", ["", "7"])
async def test_a_mailbox_out_there_does_not_win_the_caller(key: str) -> None:
    async with opened(replace(SALES, strategy="linear", agents=(MOBILE, "202"))) as (office, phone, telcos):
        colleague = await office.registered("202")
        call = phone.dial("500")
        ring = await telcos["first"].rung()
        await takes(office, ring, key)
        assert await ring.until_over() == 200
        assert not call.is_answered
        second = await colleague.rung()
        second.answer()
        await call.until_answered()
        call.hangup()
        await second.until_over()
    assert [(row.to_number, row.disposition) for row in office.rows if row.stage == "dial"] == [
        (MOBILE, "NOANSWER"),
        ("202", "ANSWERED"),
    ]


async def test_who_answers_late_may_still_take_the_call_and_the_others_ring_no_longer() -> None:
    async with opened() as (office, phone, telcos):
        colleague = await office.registered("202")
        call = phone.dial("500")
        ring, other = await telcos["first"].rung(), await colleague.rung()
        ring.ring()
        await asyncio.sleep(18)
        await takes(office, ring, key="")
        await other.until_over()
        office.engine.press(office.leg_of(MOBILE).media.endpoint, "1")
        await call.until_answered()
        call.hangup()
        await ring.until_over()


async def test_the_next_way_is_tried_when_one_leads_nowhere() -> None:
    async with opened(replace(SALES, agents=(MOBILE,))) as (office, phone, telcos):
        call = phone.dial("500")
        (await telcos["first"].rung()).reject(503)
        ring = await telcos["second"].rung()
        await takes(office, ring)
        await call.until_answered()
        call.hangup()
        await ring.until_over()


async def test_a_caller_who_gives_up_or_a_colleague_who_answers_ends_it_out_there() -> None:
    async with opened() as (office, phone, telcos):
        colleague = await office.registered("202")
        for who in ("colleague", "caller"):
            call = phone.dial("500")
            ring, other = await telcos["first"].rung(), await colleague.rung()
            await takes(office, ring, key="")
            if who == "colleague":
                other.answer()
                await call.until_answered()
                assert await ring.until_over() == 200
            call.hangup()
            await other.until_over()
            await ring.until_over()
            await asyncio.sleep(11)


async def test_a_caller_without_the_right_to_call_there_has_the_other_agents_only() -> None:
    inside = EmployeeGroup("inside", routes=(), members=("bob",))
    queue = replace(SALES, strategy="linear", agents=(MOBILE, "202"))
    office = replace(Office("Test"), queues=(queue,), employee_groups=(inside,))
    terminals = (terminal("201", owner="bob"), terminal("202"))
    async with company(ANY, terminals=terminals, users=(ANN, User("bob", "Bob")), office=office) as (
        office_, phone, telcos,
    ):  # fmt: skip
        colleague = await office_.registered("202")
        call = phone.dial("500")
        ring = await colleague.rung()
        assert not telcos["first"].is_ringing
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


async def test_without_a_way_out_an_agent_outside_is_not_there_and_with_it_it_counts_as_registered() -> None:
    queue = replace(SALES, agents=(MOBILE,), empty_target="busy", skills=("cars",))
    async with opened(queue) as (office, phone, telcos):
        assert states(office) == {MOBILE: "idle"}
        call = phone.dial("500")
        ring = await telcos["first"].rung()
        call.hangup()
        await ring.until_over()
    dead: tuple[Provider, ...] = (account("first", disabled=True), account("second", disabled=True))
    async with company(ANY, providers=dead, users=(ANN,), office=replace(Office("Test"), queues=(queue,))) as (
        office, phone, _,
    ):  # fmt: skip
        call = phone.dial("500")
        assert await call.until_over() == 486
