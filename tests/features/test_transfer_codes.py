"""Transfers by codes: real call control on the virtual network."""

import asyncio

import pytest

from media.api import SendDigits
from storage.records import Features, Office
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

OFFICE = tuple(terminal(number) for number in ("101", "102", "103", "104"))


def press(office: VirtualOffice, number: str, digits: str) -> None:
    office.engine.press(office.leg_of(number).media.endpoint, digits)


def talk(office: VirtualOffice, one: str, other: str) -> bool:
    return (office.hears(one), office.hears(other)) == (other, one)


async def talking(office: VirtualOffice, *, by_callee: bool) -> tuple[PhoneCall, PhoneCall, Phone]:
    """The side that is going to press a code, the other side, the target's phone."""
    a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
    call, ring = await office.connect(a, b)
    return (ring, call, c) if by_callee else (call, ring, c)


@pytest.mark.row("FEAT-4")
@pytest.mark.parametrize("by_callee", [False, True])
async def test_blind_transfer_sends_the_other_on_at_once_and_who_transfers_is_out(by_callee: bool) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, c = await talking(office, by_callee=by_callee)
        stays = other.phone.number
        press(office, mine.phone.number, "**103#")
        assert await mine.until_over() == 200
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(2)
        assert office.hears(stays) is None, "it hears that it rings"
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(1)
        assert talk(office, stays, "103")
        other.hangup()
        assert await ring.until_over() == 200
    first, second = office.rows
    assert first.linkedid == second.linkedid
    assert (second.stage, second.from_number, second.to_number, second.disposition) == (
        "transfer", stays, "103", "ANSWERED",
    )  # fmt: skip


@pytest.mark.row("FEAT-3")
async def test_the_number_is_complete_three_seconds_after_its_last_digit() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, c = await talking(office, by_callee=False)
        press(office, "101", "**1")
        await asyncio.sleep(2.9)
        press(office, "101", "03")
        await asyncio.sleep(2.9)
        too_early = c.is_ringing
        await asyncio.sleep(0.2)
        assert (too_early, c.is_ringing) == (False, True)
        other.hangup()
        await mine.until_over()


@pytest.mark.row("FEAT-2")
async def test_digits_of_a_code_come_within_two_and_a_half_seconds() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, _ = await talking(office, by_callee=False)
        press(office, "101", "*")
        await asyncio.sleep(2.6)
        press(office, "101", "*")
        await asyncio.sleep(1)
        assert talk(office, "101", "102")
        press(office, "101", "*")
        await asyncio.sleep(0.5)
        assert not talk(office, "101", "102"), "this was the code: the other hears music"
        await asyncio.sleep(10)
        assert talk(office, "101", "102"), "who dials no number talks on"
        mine.hangup()
        await other.until_over()


@pytest.mark.row("FEAT-1")
async def test_codes_are_the_offices_own_and_only_digits_of_none_reach_the_other_side() -> None:
    own = Office("Test", features=Features(blind_transfer="#5", abort="*#"))
    async with open_office(*OFFICE, office=own) as office:
        _, other, c = await talking(office, by_callee=False)
        to = office.leg_of("102").media.endpoint
        for digits, told in (("12", "12"), ("**", "*"), ("4", "*4"), ("#", "")):
            office.engine.commands.clear()
            press(office, "101", digits)
            await asyncio.sleep(0.3)
            assert "".join(each.digits for each in office.engine.of(SendDigits)) == told, digits
            assert {each.endpoint for each in office.engine.of(SendDigits)} <= {to}
        await asyncio.sleep(2.3)
        assert office.engine.of(SendDigits)[-1].digits == "#", "no code has come of it"
        office.engine.commands.clear()
        press(office, "101", "#5103#")
        ring = await c.rung()
        assert office.engine.of(SendDigits) == [], "neither the code nor the number is heard"
        ring.answer()
        await ring.until_confirmed()
        ring.hangup()
        await other.until_over()


@pytest.mark.row("FEAT-7")
@pytest.mark.parametrize("by_callee", [False, True])
async def test_the_abort_code_ends_a_conversation_too(by_callee: bool) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, _ = await talking(office, by_callee=by_callee)
        press(office, mine.phone.number, "*0")
        assert await mine.until_over() == 200
        assert await other.until_over() == 200
    assert (office.row.disposition, office.row.cause) == ("ANSWERED", "normal")


@pytest.mark.row("FEAT-8")
async def test_who_is_wanted_by_nobody_rings_at_the_transferor_again() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, c = await talking(office, by_callee=False)
        press(office, "101", "**103#")
        assert await mine.until_over() == 200
        (await c.rung()).reject(486)
        before = asyncio.get_running_loop().time()
        back = await mine.phone.rung()
        assert asyncio.get_running_loop().time() - before == pytest.approx(2, abs=0.2)
        back.answer()
        await back.until_confirmed()
        await asyncio.sleep(1)
        assert talk(office, "101", "102")
        other.hangup()
        await back.until_over()


async def test_a_number_that_does_not_exist_leaves_both_together() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, _ = await talking(office, by_callee=False)
        press(office, "101", "**999#")
        await asyncio.sleep(3)
        assert talk(office, "101", "102")
        mine.hangup()
        await other.until_over()


@pytest.mark.row("FEAT-5")
@pytest.mark.parametrize("by_callee", [False, True])
async def test_attended_transfer_joins_the_others_when_who_asked_hangs_up(by_callee: bool) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, c = await talking(office, by_callee=by_callee)
        me, stays = mine.phone.number, other.phone.number
        press(office, me, "##103#")
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(1)
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(1)
        assert talk(office, me, "103")
        assert office.endpoint_of(stays).play is not None, "music while they talk"
        mine.hangup()
        await asyncio.sleep(1)
        assert talk(office, stays, "103")
        await asyncio.sleep(10)
        other.hangup()
        assert await ring.until_over() == 200
    held, asked, joined = office.rows
    assert {row.linkedid for row in office.rows} == {held.linkedid}
    assert (asked.stage, asked.from_number, asked.to_number, asked.disposition) == ("transfer", me, "103", "ANSWERED")
    assert (joined.stage, joined.from_number, joined.to_number) == ("transfer", stays, "103")
    assert [row.transfer for row in office.rows] == ["", "consultation", "attended"]
    assert joined.talk_seconds == pytest.approx(11, abs=1)


@pytest.mark.parametrize("how", ["hangs up", "declines", "abort", "nobody"])
async def test_the_client_returns_when_the_consultation_comes_to_nothing(how: str) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, c = await talking(office, by_callee=False)
        press(office, "101", "##103#")
        ring = await c.rung()
        if how == "declines":
            ring.reject(603)
            await asyncio.sleep(6)
        elif how == "nobody":
            ring.ring()
            await asyncio.sleep(52)
            assert await ring.until_over() == 487
        else:
            ring.answer()
            await ring.until_confirmed()
            await asyncio.sleep(3)
            if how == "abort":
                press(office, "101", "*0")
                assert await ring.until_over() == 200
            else:
                ring.hangup()
        await asyncio.sleep(1)
        assert talk(office, "101", "102")
        assert office.endpoint_of("102").play is None
        press(office, "101", "*0")
        assert await mine.until_over() == 200
        assert await other.until_over() == 200


@pytest.mark.row("FEAT-6")
async def test_who_hangs_up_while_the_target_rings_has_transferred_and_gets_the_call_back() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, c = await talking(office, by_callee=False)
        press(office, "101", "##103#")
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(3)
        mine.hangup()
        again = await c.rung()
        again.ring()
        await asyncio.sleep(2)
        again.reject(480)
        back = await mine.phone.rung()
        back.answer()
        await back.until_confirmed()
        await asyncio.sleep(1)
        assert talk(office, "101", "102")
        other.hangup()
        await back.until_over()


@pytest.mark.parametrize("who", ["other", "target"])
async def test_a_party_that_hangs_up_during_the_consultation_leaves_the_two_others(who: str) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, c = await talking(office, by_callee=False)
        press(office, "101", "##103#")
        ring = await c.rung()
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(1)
        if who == "other":
            other.hangup()
            await asyncio.sleep(5)
            assert talk(office, "101", "103")
            mine.hangup()
            assert await ring.until_over() == 200
        else:
            ring.hangup()
            await asyncio.sleep(5)
            assert talk(office, "101", "102")
            other.hangup()
            assert await mine.until_over() == 200


@pytest.mark.row("FEAT-9")
async def test_who_calls_through_a_gateway_has_no_codes() -> None:
    gateway = terminal("110", trust="10.0.9.9", max_calls=10)
    async with open_office(*OFFICE, gateway) as office:
        a, c = [await office.registered(number) for number in ("101", "103")]
        outside = office.phone("110", "10.0.9.9")
        call = outside.dial("101", None, extra=(("P-Asserted-Identity", "<sip:+74951234567@10.0.9.9>"),))
        ring = await a.rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        press(office, "110", "**103#")
        await asyncio.sleep(5)
        assert not c.is_ringing
        press(office, "101", "**103#")
        assert (await c.rung()) is not None
        call.hangup()
        await ring.until_over()
