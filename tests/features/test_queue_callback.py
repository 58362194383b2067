"""Callers of a queue who are called back (QUE-30)."""

import asyncio
from dataclasses import replace

import pytest

from storage.memory import MemoryStorage
from storage.records import Callback
from tests.features.test_queue import PHONES, SALES, answered, phones, view, with_queue
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone

CALLBACK = replace(SALES, agents=("201",), callback=Callback(key="5", attempts=2, delay=30, min_talk=5))


async def ordered(office: VirtualOffice, caller: Phone) -> None:
    """The caller presses the key and is gone."""
    call = caller.dial("500")
    await asyncio.sleep(3)
    office.engine.press(office.leg_of(caller.number).media.endpoint, "5")
    await call.until_over()


@pytest.mark.row("QUE-30")
async def test_who_presses_the_key_is_called_back_in_turn() -> None:
    async with open_office(*PHONES, office=with_queue(CALLBACK)) as office:
        a, b, c, agent = await phones(office, "101", "102", "103", "201")
        busy, talk = await office.connect(c, agent)
        await ordered(office, a)
        later = b.dial("500")
        await asyncio.sleep(2)
        assert [each.number for each in view(office).waiting] == ["101", "102"]
        busy.hangup()
        await talk.until_over()
        ring = await answered(office, agent)
        back = await a.rung()
        back.answer()
        await back.until_confirmed()
        await asyncio.sleep(10)
        assert office.hears("101") == "201"
        back.hangup()
        await ring.until_over()
        next_one = await answered(office, agent)
        await later.until_answered()
        assert not a.is_ringing
        later.hangup()
        await next_one.until_over()


async def test_a_short_talk_or_none_is_tried_again_and_not_for_ever() -> None:
    async with open_office(*PHONES, office=with_queue(CALLBACK)) as office:
        a, c, agent = await phones(office, "101", "103", "201")
        busy, talk = await office.connect(c, agent)
        await ordered(office, a)
        busy.hangup()
        await talk.until_over()
        for _ in range(2):
            ring = await answered(office, agent)
            (await a.rung()).reject(486)
            await ring.until_over()
        await asyncio.sleep(200)
        assert not agent.is_ringing
        assert view(office).waiting == ()


async def test_orders_outlive_a_restart() -> None:
    storage = MemoryStorage()
    async with open_office(*PHONES, office=with_queue(CALLBACK), storage=storage) as office:
        a, c, agent = await phones(office, "101", "103", "201")
        busy, talk = await office.connect(c, agent)
        await ordered(office, a)
        await office.pbx.finish()
        busy.hangup()
        await talk.until_over()
    async with open_office(*PHONES, office=with_queue(CALLBACK), storage=storage) as office:
        a, agent = await phones(office, "101", "201")
        ring = await answered(office, agent)
        back = await a.rung()
        back.answer()
        await back.until_confirmed()
        await asyncio.sleep(10)
        back.hangup()
        await ring.until_over()
