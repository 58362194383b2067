"""Calls to terminals that go on elsewhere (FWD-*), with real phones on the virtual network."""

import asyncio
from dataclasses import replace

import pytest

from features.forwarding import UNANSWERED_S
from pbx.directory import Directory
from storage.records import CdrRow, Forward, ForwardingPolicy, Group, Office, Terminal, User
from tests.support.builders import terminal
from tests.support.office import REALM, VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

PAUSE_S = 1.0
OUTSIDE = (("P-Asserted-Identity", "<sip:89161234567@gw.example>"),)  # as a gateway tells it


def office_of(**forward_of: Forward) -> tuple[Terminal, ...]:
    """Terminals 101 to 106; `t102=Forward(…)` gives one of them rules."""
    numbers = ("101", "102", "103", "104", "105", "106")
    return tuple(terminal(number, forward=forward_of.get(f"t{number}", Forward()), max_calls=2) for number in numbers)


async def phones(office: VirtualOffice, *numbers: str) -> list[Phone]:
    return [await office.registered(number) for number in numbers]


async def talk(office: VirtualOffice, call: PhoneCall, ring: PhoneCall, caller: str, callee: str) -> None:
    ring.answer()
    await call.until_answered()
    await asyncio.sleep(1)
    assert office.hears(caller) == callee
    call.hangup()
    await ring.until_over()


def rows(office: VirtualOffice) -> list[tuple[str, str, str]]:
    return [(row.to_number, row.disposition, row.cause) for row in office.rows]


@pytest.mark.row("FWD-1")
@pytest.mark.row("FWD-2")
async def test_each_of_three_rules_has_its_own_target() -> None:
    rules = Forward(no_answer="103", busy="104", unavailable="105", ring_time=20)
    async with open_office(*office_of(t102=rules)) as office:
        a, b, c, d, e = await phones(office, "101", "102", "103", "104", "105")
        began = office.clock.now()
        call = a.dial("102")
        first = await b.rung()
        first.ring()
        ring = await c.rung(30)
        assert office.clock.now() - began == pytest.approx(20 + PAUSE_S, abs=0.5)
        assert await first.until_over() == 487
        await talk(office, call, ring, "101", "103")
        assert rows(office) == [("102", "NOANSWER", "no_answer"), ("103", "ANSWERED", "normal")]

        call = a.dial("102")
        (await b.rung()).reject(486)
        await talk(office, call, await d.rung(), "101", "104")

        await b.register(expires=0)
        call = a.dial("102")
        await talk(office, call, await e.rung(), "101", "105")
        assert rows(office)[2:] == [
            ("102", "BUSY", "busy"),
            ("104", "ANSWERED", "normal"),
            ("102", "FAILED", "unavailable"),
            ("105", "ANSWERED", "normal"),
        ]


@pytest.mark.row("FWD-2")
@pytest.mark.row("AMB-11")
async def test_the_ring_time_is_45_seconds_unless_it_is_set() -> None:
    async with open_office(*office_of(t102=Forward(no_answer="103"))) as office:
        a, b, c = await phones(office, "101", "102", "103")
        began = office.clock.now()
        call = a.dial("102")
        (await b.rung()).ring()
        ring = await c.rung(60)
        assert office.clock.now() - began == pytest.approx(45 + PAUSE_S, abs=0.5)
        await talk(office, call, ring, "101", "103")


@pytest.mark.row("FWD-4")
@pytest.mark.parametrize("forward", [Forward(ring_time=5), Forward(no_answer="103", ring_time=0)])
async def test_without_a_target_or_a_ring_time_the_phone_rings_on(forward: Forward) -> None:
    async with open_office(*office_of(t102=forward)) as office:
        a, b = await phones(office, "101", "102")
        began = office.clock.now()
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        assert await ring.until_over(700) == 487
        assert office.clock.now() - began == pytest.approx(UNANSWERED_S, abs=1)
        assert await call.until_over() == 480


@pytest.mark.row("EXT-7")
@pytest.mark.row("FWD-5")
async def test_busy_is_decided_before_ringing_where_the_terminal_has_calls_enough() -> None:
    busy = replace(office_of(t102=Forward(busy="103"))[1], max_calls=1)
    others = [each for each in office_of() if each.number != "102"]
    async with open_office(busy, *others) as office:
        a, b, c, d = await phones(office, "101", "102", "103", "104")
        twin = await office.registered("102", "10.0.7.7")
        first = d.dial("102")
        ring = await b.rung()
        other = await twin.rung()
        ring.answer()
        await first.until_answered()
        await other.until_over()
        call = a.dial("102")
        await talk(office, call, await c.rung(), "101", "103")
        assert not b.is_ringing
        assert not twin.is_ringing  # the account is busy, not the phone
        first.hangup()
        await ring.until_over()


@pytest.mark.row("FWD-5")
@pytest.mark.row("AMB-8")
@pytest.mark.parametrize("status", [486, 600, 603])
async def test_a_phone_that_says_busy_or_no_is_busy(status: int) -> None:
    async with open_office(*office_of(t102=Forward(no_answer="104", busy="103", unavailable="104"))) as office:
        a, b, c = await phones(office, "101", "102", "103")
        call = a.dial("102")
        (await b.rung()).reject(status)
        await talk(office, call, await c.rung(), "101", "103")


@pytest.mark.row("FWD-6")
@pytest.mark.row("AMB-8")
@pytest.mark.parametrize("status", [404, 408, 503, 480])
async def test_a_phone_that_cannot_be_reached_is_unavailable_at_once(status: int) -> None:
    async with open_office(*office_of(t102=Forward(no_answer="104", busy="104", unavailable="103"))) as office:
        a, b, c = await phones(office, "101", "102", "103")
        began = office.clock.now()
        call = a.dial("102")
        (await b.rung()).reject(status)
        ring = await c.rung()
        assert office.clock.now() - began < PAUSE_S + 0.5
        await talk(office, call, ring, "101", "103")


@pytest.mark.row("FWD-6")
async def test_who_is_registered_nowhere_does_not_ring_and_the_caller_hears_nothing_meanwhile() -> None:
    async with open_office(*office_of(t102=Forward(no_answer="104", unavailable="103"))) as office:
        a, c = await phones(office, "101", "103")
        call = a.dial("102")
        ring = await c.rung()
        assert not a.responses(180)
        await talk(office, call, ring, "101", "103")


@pytest.mark.row("FWD-7")
@pytest.mark.row("AMB-8")
@pytest.mark.parametrize(("status", "rings"), [(480, True), (500, False), (488, False), (403, False)])
async def test_any_other_refusal_counts_as_not_answered(status: int, rings: bool) -> None:
    async with open_office(*office_of(t102=Forward(no_answer="103", busy="104", unavailable="104"))) as office:
        a, b, c = await phones(office, "101", "102", "103")
        call = a.dial("102")
        first = await b.rung()
        if rings:
            first.ring()
            await call.until_ringing()
        first.reject(status)
        await talk(office, call, await c.rung(), "101", "103")


@pytest.mark.row("FWD-7")
async def test_a_caller_who_gives_up_sends_nothing_on() -> None:
    async with open_office(*office_of(t102=Forward(no_answer="103", busy="103", unavailable="103"))) as office:
        a, b, c = await phones(office, "101", "102", "103")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        call.hangup()
        assert await ring.until_over() == 487
        await asyncio.sleep(5)
        assert not c.is_ringing
        assert rows(office) == [("102", "NOANSWER", "cancelled")]


@pytest.mark.row("FWD-8")
async def test_the_target_has_rules_of_its_own_so_chains_work() -> None:
    chain = office_of(
        t102=Forward(busy="103"), t103=Forward(unavailable="104"), t104=Forward(no_answer="105", ring_time=10)
    )
    async with open_office(*chain) as office:
        a, b, d, e = await phones(office, "101", "102", "104", "105")
        began = office.clock.now()
        call = a.dial("102")
        (await b.rung()).reject(486)
        third = await d.rung()
        assert office.clock.now() - began == pytest.approx(2 * PAUSE_S, abs=0.3)
        third.ring()
        ring = await e.rung(20)
        assert ring.invite is not None
        assert [each.partition(";")[2] for each in ring.invite.headers.values("diversion")] == [
            "reason=no-answer;counter=1;privacy=off",
            "reason=unavailable;counter=1;privacy=off",
            "reason=user-busy;counter=1;privacy=off",
        ]
        await talk(office, call, ring, "101", "105")
    assert [row.to_number for row in office.rows] == ["102", "103", "104", "105"]
    assert len({row.linkedid for row in office.rows}) == 1


@pytest.mark.row("FWD-8")
@pytest.mark.parametrize(("status", "told"), [(486, 486), (480, 480), (603, 603)])
async def test_without_a_rule_the_call_ends_as_the_phone_said(status: int, told: int) -> None:
    async with open_office(*office_of()) as office:
        a, b = await phones(office, "101", "102")
        call = a.dial("102")
        (await b.rung()).reject(status)
        assert await call.until_over() == told


async def test_a_phone_may_send_the_call_on_to_whatever_has_a_number_and_rules_hold_there() -> None:
    group = Office("Test", groups=(Group("600", members=("103",)),))
    async with open_office(*office_of(t102=Forward(unavailable="104")), office=group) as office:
        a, b, c = await phones(office, "101", "105", "103")
        call = a.dial("105")
        ring = await b.rung()
        ring._do(lambda now: ring.on.reject(302, now, extra=[("Contact", "<sip:600@10.0.0.1>")]))
        await talk(office, call, await c.rung(), "101", "103")

        call = a.dial("105")
        again = await b.rung()
        again._do(lambda now: again.on.reject(302, now, extra=[("Contact", "<sip:102@10.0.0.1>")]))
        assert await call.until_over() == 480  # 102 sends on to 104, which is not registered either
        assert [row.to_number for row in office.rows[-3:]] == ["105", "102", "104"]


@pytest.mark.row("FWD-17")
async def test_each_number_is_tried_once_in_a_call() -> None:
    async with open_office(*office_of(t102=Forward(busy="103"), t103=Forward(busy="102"))) as office:
        a, b, c = await phones(office, "101", "102", "103")
        call = a.dial("102")
        (await b.rung()).reject(486)
        (await c.rung()).reject(486)
        assert await call.until_over() == 480
        assert not b.is_ringing
        assert rows(office)[-1] == ("103", "NOANSWER", "no_answer")


@pytest.mark.row("FWD-17")
@pytest.mark.parametrize("most", [1, 3])
async def test_a_call_is_sent_on_only_so_often(most: int) -> None:
    chain = office_of(
        t102=Forward(unavailable="103"), t103=Forward(unavailable="104"), t104=Forward(unavailable="105"),
        t105=Forward(unavailable="106"),
    )  # fmt: skip
    async with open_office(*chain, office=Office("Test", forwarding=ForwardingPolicy(max_forwards=most))) as office:
        (a,) = await phones(office, "101")
        assert await a.dial("102").until_over() == 480
        assert [row.to_number for row in office.rows] == ["102", "103", "104", "105"][: most + 1]


@pytest.mark.row("USR-4")
@pytest.mark.row("AMB-10")
@pytest.mark.parametrize(
    ("owner", "forward", "last"),
    [
        (User("boris", "Boris", mobile="+79161234567"), Forward(), "+79161234567"),
        (User("boris", "Boris", mobile="+79161234567"), Forward(no_answer="103"), "103"),
        (User("boris", "Boris", mobile="+79161234567", forward_to_mobile=False), Forward(), "102"),
        (User("boris", "Boris"), Forward(), "102"),
    ],
)
async def test_calls_that_nobody_answers_go_to_the_mobile_of_the_owner(
    owner: User, forward: Forward, last: str
) -> None:
    owned = replace(office_of(t102=forward)[1], owner="boris")
    others = [each for each in office_of() if each.number != "102"]
    async with open_office(owned, *others, users=[owner]) as office:
        a, b = await phones(office, "101", "102")
        call = a.dial("102")
        (await b.rung()).ring()
        assert await call.until_over(700) == 480
        row: CdrRow = office.rows[-1]
        assert row.to_number == last
        if last.startswith("+"):
            assert (row.to_name, row.disposition, row.cause) == ("Boris", "FAILED", "unavailable")


@pytest.mark.row("FWD-12")
async def test_calls_inside_the_office_may_be_left_where_they_are() -> None:
    policy = Office("Test", forwarding=ForwardingPolicy(skip_internal=True))
    rules = Forward(busy="103", unavailable="103", always="103")
    gate = terminal("110", trust="10.0.9.9")
    async with open_office(*office_of(t102=rules), gate, office=policy) as office:
        a, b, c = await phones(office, "101", "102", "103")
        call = a.dial("102")
        (await b.rung()).reject(486)
        assert await call.until_over() == 486
        outside = office.phone("110", "10.0.9.9")
        call = outside.dial("102", extra=OUTSIDE)
        await talk(office, call, await c.rung(), "110", "103")


async def test_all_calls_go_elsewhere_and_the_phone_does_not_ring() -> None:
    rules = Forward(always="103", busy="104", no_answer="104", unavailable="104", callers={"101": "105"})
    async with open_office(*office_of(t102=rules)) as office:
        a, b, c = await phones(office, "101", "102", "103")
        call = a.dial("102")
        ring = await c.rung()
        assert not b.is_ringing
        assert ring.invite is not None
        assert ring.invite.headers.values("diversion")[0].partition(";")[2].startswith("reason=unconditional")
        await talk(office, call, ring, "101", "103")


async def test_calls_of_some_callers_go_elsewhere_and_others_ring() -> None:
    rules = Forward(callers={"101": "103", "+79161234567": "104"})
    gate = terminal("110", trust="10.0.9.9")
    async with open_office(*office_of(t102=rules), gate) as office:
        a, b, c, d = await phones(office, "101", "102", "103", "104")
        await talk(office, a.dial("102"), await c.rung(), "101", "103")
        outside = office.phone("110", "10.0.9.9")
        await talk(office, outside.dial("102", extra=OUTSIDE), await d.rung(), "110", "104")
        await talk(office, d.dial("102"), await b.rung(), "104", "102")


@pytest.mark.row("FWD-18")
async def test_changed_rules_hold_for_the_next_call() -> None:
    async with open_office(*office_of(t102=Forward(busy="103"))) as office:
        a, b, c, d = await phones(office, "101", "102", "103", "104")
        call = a.dial("102")
        first = await b.rung()
        changed = replace(office.pbx.office, terminals=office_of(t102=Forward(busy="104")))
        office.pbx.office_changed(Directory(changed, REALM))
        first.reject(486)
        await talk(office, call, await c.rung(), "101", "103")
        call = a.dial("102")
        (await b.rung()).reject(486)
        await talk(office, call, await d.rung(), "101", "104")


@pytest.mark.parametrize(("service", "told"), [("hangup", 480), ("busy", 486)])
async def test_a_service_ends_the_call(service: str, told: int) -> None:
    async with open_office(*office_of(t102=Forward(always=service))) as office:
        (a,) = await phones(office, "101")
        assert await a.dial("102").until_over() == told
        assert [row.to_number for row in office.rows] == ["102", service]
