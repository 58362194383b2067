"""Codes that people dial for themselves: do not disturb, all calls elsewhere (FEAT-23, FWD-16)."""

from dataclasses import replace

import pytest

from storage.memory import MemoryStorage
from storage.records import Features, Forward, Group, Office, User
from tests.features.test_forwarding import office_of, phones, talk
from tests.support.office import VirtualOffice, open_office
from tests.support.prompts import keys_of, scripted_prompts
from tests.support.ua import Phone

BORIS = User("boris", "Boris")


async def dial_code(office: VirtualOffice, phone: Phone, code: str) -> int:
    """What a code answers: 200 with its beeps, or a refusal."""
    call = phone.dial(code)
    await office.played_out(phone.number)
    return await call.until_over()


@pytest.mark.row("AMB-8")
async def test_a_person_who_wants_no_calls_is_busy_at_all_terminals() -> None:
    mine = [replace(each, owner="boris") for each in office_of(t102=Forward(busy="104"))[1:3]]
    others = [each for each in office_of() if each.number not in ("102", "103")]
    async with open_office(*mine, *others, users=[BORIS]) as office:
        a, b, c, d = await phones(office, "101", "102", "103", "104")
        assert await dial_code(office, b, "*78") == 200
        assert await a.dial("103").until_over() == 486
        call = a.dial("102")
        await talk(office, call, await d.rung(), "101", "104")
        assert not b.is_ringing
        assert not c.is_ringing
        assert await dial_code(office, c, "*79") == 200
        await talk(office, a.dial("102"), await b.rung(), "101", "102")


async def test_it_is_remembered_over_a_restart_and_its_own_calls_go_out() -> None:
    storage = MemoryStorage()
    async with open_office(*office_of(), storage=storage) as office:
        (b,) = await phones(office, "102")
        assert await dial_code(office, b, "*78") == 200
    async with open_office(*office_of(), storage=storage) as office:
        await office.pbx.restore()
        a, b = await phones(office, "101", "102")
        assert await a.dial("102").until_over() == 486
        await talk(office, b.dial("101"), await a.rung(), "102", "101")


async def test_a_member_who_wants_no_calls_does_not_ring_with_the_group() -> None:
    group = Office("Test", groups=(Group("600", members=("102", "103")),))
    async with open_office(*office_of(), office=group) as office:
        a, b, c = await phones(office, "101", "102", "103")
        await dial_code(office, b, "*78")
        call = a.dial("600")
        ring = await c.rung()
        assert not b.is_ringing
        await talk(office, call, ring, "101", "103")


async def test_all_calls_are_sent_elsewhere_by_a_code_before_any_other_rule() -> None:
    rules = Forward(always="104", busy="104")
    async with open_office(*office_of(t102=rules)) as office:
        a, b, c, d = await phones(office, "101", "102", "103", "104")
        assert await dial_code(office, b, "*72103") == 200
        await talk(office, a.dial("102"), await c.rung(), "101", "103")
        assert await dial_code(office, b, "*73") == 200
        await talk(office, a.dial("102"), await d.rung(), "101", "104")


@pytest.mark.parametrize("code", ["*72", "*72102", "*72199", "*730", "*781"])
async def test_a_code_that_means_nothing_changes_nothing(code: str) -> None:
    async with open_office(*office_of()) as office:
        a, b = await phones(office, "101", "102")
        assert await dial_code(office, b, code) == 404
        await talk(office, a.dial("102"), await b.rung(), "101", "102")


async def test_codes_are_those_of_the_office() -> None:
    own = Office("Test", features=Features(dnd_on="*25", dnd_off="", forward_on="*21*"))
    async with open_office(*office_of(), office=own) as office:
        a, b, c = await phones(office, "101", "102", "103")
        assert await dial_code(office, b, "*78") == 404
        assert await dial_code(office, b, "*79") == 404
        assert await dial_code(office, b, "*21*103") == 200
        await talk(office, a.dial("102"), await c.rung(), "101", "103")
        assert await dial_code(office, b, "*25") == 200
        assert _is_remembered(office)


def _is_remembered(office: VirtualOffice) -> bool:
    return dict(office.pbx.states.of("dnd")) == {"102": "on"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("*78", "disturb-on"),
        ("*79", "disturb-off"),
        ("*72103", "forward-on"),
        ("*73", "forward-off"),
    ],
)
async def test_what_has_been_done_is_said(code: str, said: str) -> None:
    async with open_office(*office_of()) as office:
        (b,) = await phones(office, "102")
        call = b.dial(code)
        await call.until_answered()
        heard = await office.played_out("102")
        assert await call.until_over() == 200
    assert heard == ["tone", *keys_of(scripted_prompts().say(said, number="103"))]
