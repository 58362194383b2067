"""Groups: who rings, in which order, and where the call goes then (GRP-1, GRP-2, GRP-10)."""

import asyncio
from dataclasses import replace

import pytest

from storage.records import Forward, ForwardingPolicy, Group, Office
from tests.features.test_forwarding import office_of, phones, talk
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone

MEMBERS = ("102", "103", "104")


def with_groups(*groups: Group, policy: ForwardingPolicy | None = None) -> Office:
    return Office("Test", groups=groups, forwarding=policy or ForwardingPolicy())


async def order_of_ringing(office: VirtualOffice, caller: Phone, members: list[Phone], ring_s: int) -> list[str]:
    """The members in the order in which they ring when nobody answers."""
    call = caller.dial("600")
    found = []
    for _ in members:
        await asyncio.sleep(ring_s / 2)
        (ringing,) = [phone for phone in members if phone.is_ringing]
        found.append(ringing.number)
        await (await ringing.rung()).until_over(ring_s)
    assert await call.until_over() == 480
    return found


@pytest.mark.row("GRP-1")
async def test_all_members_ring_and_who_answers_first_has_the_call() -> None:
    async with open_office(*office_of(), office=with_groups(Group("600", "Sales", members=MEMBERS))) as office:
        a, *members = await phones(office, "101", *MEMBERS)
        call = a.dial("600")
        b, c, d = [await each.rung() for each in members]
        b.ring()
        await call.until_ringing()
        await talk(office, call, c, "101", "103")
        assert await b.until_over() == 487
        assert await d.until_over() == 487
    group, *rung = sorted(office.rows, key=lambda row: row.stage, reverse=True)
    assert (group.stage, group.to_number, group.to_name, group.disposition) == ("group", "600", "Sales", "ANSWERED")
    assert {(row.to_number, row.disposition) for row in rung} == {
        ("102", "NOANSWER"),
        ("103", "ANSWERED"),
        ("104", "NOANSWER"),
    }


@pytest.mark.row("GRP-1")
async def test_members_ring_one_after_the_other_in_their_order() -> None:
    group = Group("600", members=("104", "102", "103"), strategy="linear", ring_time=10)
    async with open_office(*office_of(), office=with_groups(group)) as office:
        a, *members = await phones(office, "101", *MEMBERS)
        assert await order_of_ringing(office, a, members, 10) == ["104", "102", "103"]


@pytest.mark.row("GRP-1")
async def test_members_ring_in_an_order_of_each_calls_own(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group("600", members=MEMBERS, strategy="random", ring_time=10)
    monkeypatch.setattr("random.shuffle", lambda members: members.reverse())
    async with open_office(*office_of(), office=with_groups(group)) as office:
        a, *members = await phones(office, "101", *MEMBERS)
        assert await order_of_ringing(office, a, members, 10) == ["104", "103", "102"]


@pytest.mark.row("GRP-1")
async def test_the_group_rings_for_its_own_time_and_the_call_goes_on_to_its_target() -> None:
    group = Group("600", members=("102",), ring_time=12, timeout_target="103")
    async with open_office(*office_of(), office=with_groups(group)) as office:
        a, b, c = await phones(office, "101", "102", "103")
        began = office.clock.now()
        call = a.dial("600")
        (await b.rung()).ring()
        ring = await c.rung(20)
        assert office.clock.now() - began == pytest.approx(12, abs=0.5)
        await talk(office, call, ring, "101", "103")
    assert [(row.stage, row.to_number, row.disposition) for row in office.rows] == [
        ("group", "600", "NOANSWER"),
        ("dial", "102", "NOANSWER"),
        ("dial", "103", "ANSWERED"),
    ]


@pytest.mark.row("GRP-2")
async def test_a_terminal_may_be_in_several_groups() -> None:
    groups = Group("600", members=("102", "103")), Group("601", members=("102", "104"))
    async with open_office(*office_of(), office=with_groups(*groups)) as office:
        a, *members = await phones(office, "101", *MEMBERS)
        shared, *others = members
        for number, also in (("600", "103"), ("601", "104")):
            call = a.dial(number)
            ring = await shared.rung()
            (ringing,) = [each for each in others if each.is_ringing]
            assert ringing.number == also
            lost = await ringing.rung()
            await talk(office, call, ring, "101", "102")
            assert await lost.until_over() == 487


async def test_one_member_that_declines_leaves_the_others_ringing() -> None:
    async with open_office(*office_of(), office=with_groups(Group("600", members=("102", "103")))) as office:
        a, b, c = await phones(office, "101", "102", "103")
        call = a.dial("600")
        ring = await c.rung()
        (await b.rung()).reject(603)
        ring.ring()
        await asyncio.sleep(3)
        await talk(office, call, ring, "101", "103")


@pytest.mark.parametrize(("registered", "told"), [((), 480), (("102",), 486)])
async def test_a_group_in_which_nobody_can_answer_says_so(registered: tuple[str, ...], told: int) -> None:
    busy = [replace(each, max_calls=1) for each in office_of()]
    async with open_office(*busy, office=with_groups(Group("600", members=("102", "103")))) as office:
        a, other = await phones(office, "101", "105")
        for phone in await phones(office, *registered):
            talking = other.dial(phone.number)
            (await phone.rung()).answer()
            await talking.until_answered()
        assert await a.dial("600").until_over() == told
        for call in other.calls:
            call.hangup()


@pytest.mark.row("GRP-10")
@pytest.mark.parametrize("is_ignored", ["", "group", "office"])
async def test_the_forwarding_of_members_holds_unless_it_is_ignored(is_ignored: str) -> None:
    group = Group("600", members=("102", "103"), ignore_forwarding=is_ignored == "group")
    policy = ForwardingPolicy(skip_groups=is_ignored == "office")
    rules = {"t102": Forward(always="105"), "t103": Forward(unavailable="106")}
    async with open_office(*office_of(**rules), office=with_groups(group, policy=policy)) as office:
        a, b, e, f = await phones(office, "101", "102", "105", "106")
        call = a.dial("600")
        if is_ignored:
            ring = await b.rung()
            assert not e.is_ringing
            assert not f.is_ringing
            await talk(office, call, ring, "101", "102")
        else:
            other, ring = await e.rung(), await f.rung()
            assert not b.is_ringing
            await talk(office, call, ring, "101", "106")
            await other.until_over()


async def test_members_that_send_calls_to_each_other_are_not_rung() -> None:
    rules = {"t102": Forward(always="103"), "t103": Forward(always="102")}
    async with open_office(*office_of(**rules), office=with_groups(Group("600", members=("102", "103")))) as office:
        (a,) = await phones(office, "101")
        assert await a.dial("600").until_over() == 480
