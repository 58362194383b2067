"""Short numbers that dial outside and press keys there (FEAT-31)."""

import asyncio
from dataclasses import replace

import pytest

from media.api import SendDigits
from pbx.explain import explain
from storage.records import Features, Office, ShortNumber
from tests.support.company import ANY, CLIENT, company, talk, user_of
from tests.support.referrer import Referrer

LONDON = ShortNumber("77", f"+{CLIENT}", "2,05#", "London")
SHORT = Office("Test", short_numbers=(LONDON, ShortNumber("78", CLIENT)))


@pytest.mark.row("FEAT-31")
async def test_a_short_number_dials_outside_and_presses_its_keys_after_the_answer() -> None:
    async with company(ANY, office=SHORT) as (office, phone, telcos):
        call = phone.dial("77")
        ring = await telcos["first"].rung()
        assert user_of(ring) == CLIENT
        ring.ring()
        await asyncio.sleep(3)
        assert not office.engine.of(SendDigits), "nobody has answered yet"
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1.5)
        assert [each.digits for each in office.engine.of(SendDigits)] == ["2"]
        await asyncio.sleep(1)
        assert [each.digits for each in office.engine.of(SendDigits)] == [*"205#"]
        outside = office.leg_of(f"+{CLIENT}").media.endpoint
        assert {each.endpoint for each in office.engine.of(SendDigits)} == {outside}
        assert (office.hears("201"), office.hears(LONDON.to)) == (LONDON.to, "201")
        call.hangup()
        assert await ring.until_over() == 200
        before = len(office.engine.of(SendDigits))
        call = phone.dial("78")
        await talk(call, await telcos["first"].rung())
        assert len(office.engine.of(SendDigits)) == before, "it has nothing to press"
    told = [(row.stage, row.to_number, row.disposition, row.provider_out) for row in office.rows[:2]]
    assert told == [("short", "77", "ANSWERED", ""), ("dial", f"+{CLIENT}", "ANSWERED", "first")]


async def test_keys_that_were_not_pressed_yet_are_forgotten_when_one_hangs_up() -> None:
    async with company(ANY, office=SHORT) as (office, phone, telcos):
        call = phone.dial("77")
        ring = await telcos["first"].rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1.5)
        ring.hangup()
        await call.until_over()
        await asyncio.sleep(5)
        assert [each.digits for each in office.engine.of(SendDigits)] == ["2"]


async def test_explain_says_what_a_short_number_dials_and_presses() -> None:
    async with company(ANY, office=SHORT) as (office, _, _):
        told = explain(office.pbx, "201", "77")
        assert (told.targets, told.cause) == ((LONDON.to,), "")
        assert told.result.endswith("then 2,05# is pressed")
    async with company(office=SHORT) as (office, phone, _):
        assert explain(office.pbx, "201", "77").cause == "not_found", "no rule lets it out"
        assert await phone.dial("77").until_over() >= 400


async def test_a_short_number_is_no_way_round_what_may_not_go_outside() -> None:
    allowed = replace(SHORT, features=Features(transfer_outside=("7XXXXXXXXXX",)))
    for whole, may in ((SHORT, False), (allowed, True)):
        async with company(ANY, office=whole) as (office, phone, _):
            call, ring = await office.connect(await office.registered("202"), phone)
            assert (await Referrer(phone).refer(ring, "77")).status == (202 if may else 403)
            call.hangup()
            await ring.until_over()
