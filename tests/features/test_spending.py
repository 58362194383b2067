"""Limits of calls outside: what stops, for whom, until when, and who hears of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pbx.events import BusEvent, OutsideRefused
from pbx.explain import explain
from storage.records import Office, OutboundPolicy
from tests.support.company import ANY, CLIENT, company, talk
from tests.support.office import WALL_AT_START
from tests.support.ua import Phone

OTHER = "79160000000"


def limited(**limits: object) -> Office:
    return Office("Test", outbound=replace(OutboundPolicy(), **limits))  # type: ignore[arg-type]


async def is_stopped(phone: Phone, number: str) -> bool:
    return await phone.dial(number).until_over() == 403


@pytest.mark.parametrize(("limit", "others_may"), [("calls_a_day", False), ("calls_to_one", True)])
async def test_what_was_used_today_counts_and_a_new_day_begins_at_midnight(limit: str, others_may: bool) -> None:
    refused: list[BusEvent] = []
    async with company(ANY, office=limited(**{limit: 2})) as (office, phone, telcos):
        office.bus.subscribe([OutsideRefused], refused.append)
        for _ in range(2):
            await talk(phone.dial(CLIENT), await telcos["first"].rung())
        assert await is_stopped(phone, f"+{CLIENT}" if limit == "calls_to_one" else CLIENT)
        found = explain(office.pbx, "201", CLIENT)
        assert found.cause == "forbidden"
        assert found.rules[-1].rule == f"outbound.{limit}"
        assert "2 are allowed" in found.rules[-1].why
        if others_may:
            await talk(phone.dial(OTHER), await telcos["first"].rung())
        else:
            assert await is_stopped(phone, OTHER)
        call = phone.dial("112")
        await talk(call, await telcos["first"].rung())
        await phone.register()
        await asyncio.sleep(7200)  # it was after ten in the evening
        await talk(phone.dial(CLIENT), await telcos["first"].rung())
    assert isinstance(refused[0], OutsideRefused)
    assert refused[0].who == "201"


async def test_minutes_of_talk_count() -> None:
    async with company(ANY, office=limited(minutes_a_day=1)) as (_, phone, telcos):
        call = phone.dial(CLIENT)
        ring = await telcos["first"].rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(61)
        call.hangup()
        await ring.until_over()
        assert await is_stopped(phone, OTHER)


async def test_numbers_are_locked_within_hours_that_may_reach_over_midnight() -> None:
    begin = datetime.fromtimestamp(WALL_AT_START, UTC)
    hours = f"{(begin.hour - 1) % 24:02}:00-{(begin.hour + 1) % 24:02}:30"
    async with company(ANY, office=limited(locked=("810", "00"), lock_hours=hours)) as (_, phone, telcos):
        assert await is_stopped(phone, "81049301234567")
        await talk(phone.dial(CLIENT), await telcos["first"].rung())
        await asyncio.sleep(2.5 * 3600)
        await talk(phone.dial("81049301234567"), await telcos["first"].rung())
