"""Limits of calls outside: what stops, for whom, until when, and who hears of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from media.api import Play, Playlist
from pbx.events import BusEvent, OutsideRefused
from pbx.explain import explain
from storage.records import Calendar, Office, OutboundPolicy, Tariff
from tests.support.company import ANY, CLIENT, account, company, talk
from tests.support.office import WALL_AT_START, VirtualOffice
from tests.support.prompts import keys_of
from tests.support.referrer import Referrer
from tests.support.telco import Telco
from tests.support.ua import Phone, PhoneCall

OTHER = "79160000000"
TARIFFS = (Tariff("mobile", "first", "79", minute=300, step=60),)


def limited(**limits: object) -> Office:
    return Office("Test", outbound=replace(OutboundPolicy(), **limits), tariffs=TARIFFS)  # type: ignore[arg-type]


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


async def conversation(phone: Phone, telco: Telco, number: str = CLIENT) -> tuple[PhoneCall, PhoneCall]:
    call = phone.dial(number)
    ring = await telco.rung()
    ring.answer()
    await call.until_answered()
    return call, ring


def heard_by(office: VirtualOffice, number: str) -> list[str]:
    endpoint = office.endpoint_of(number)
    plays = [
        each.source for each in office.engine.of(Play) if endpoint is not None and each.endpoint == endpoint.endpoint
    ]
    return [key for each in plays if isinstance(each, Playlist) for key in keys_of(each)]


@pytest.mark.parametrize(
    ("limits", "seconds", "why"),
    [
        ({"minutes_a_call": 2}, 120, "2 minutes a call are allowed"),
        ({"minutes_a_day": 3}, 180, "180 seconds of calls of 201 today, 180 are allowed"),
        ({"money_a_call": 700}, 120, "700 hundredths a call are allowed"),
        ({"money_a_day": 300}, 60, "300 hundredths for calls of 201 today, 300 are allowed"),
    ],
)
async def test_a_call_that_goes_on_is_cut_after_a_warning_when_its_limit_is_reached(
    limits: dict[str, int], seconds: int, why: str
) -> None:
    told: list[BusEvent] = []
    async with company(ANY, office=limited(**limits)) as (office, phone, telcos):
        office.bus.subscribe([OutsideRefused], told.append)
        found = explain(office.pbx, "201", CLIENT)
        assert [each.rule for each in found.rules if each.rule.startswith("outbound.")] == [
            f"outbound.{next(iter(limits))}"
        ]
        call, ring = await conversation(phone, telcos["first"])
        await asyncio.sleep(seconds - 31)
        assert "en:call/limit-soon" not in heard_by(office, "201")
        await asyncio.sleep(2)
        assert heard_by(office, "201")
        assert not heard_by(office, CLIENT), "it is nobody's business outside"
        await asyncio.sleep(26)
        assert not told
        assert await ring.until_over() == 200
        await asyncio.sleep(1)
        office.engine.finish_play(office.leg_of("201").media.endpoint)
        await call.until_over()
        (cut,) = told
        assert isinstance(cut, OutsideRefused)
        assert (cut.who, cut.number, str(cut.why), cut.action) == ("201", CLIENT, why, "cut")
        if "a_day" in next(iter(limits)):
            assert await is_stopped(phone, OTHER)
    assert office.rows[0].cause == "limit_reached"
    assert office.rows[0].disposition == "ANSWERED"
    assert office.rows[0].talk_seconds == pytest.approx(seconds, abs=2)


async def test_a_limit_of_the_day_is_shared_by_all_that_its_payer_talks_and_follows_a_transfer() -> None:
    async with company(ANY, office=limited(minutes_a_day=2)) as (office, phone, telcos):
        other = await office.registered("202")
        began = office.clock.now()
        calls = [await conversation(phone, telcos["first"], number) for number in (CLIENT, OTHER)]
        (first, ring), (second, _) = calls
        await asyncio.sleep(1)
        referrer = Referrer(phone)
        assert (await referrer.refer(first, "202")).status == 202
        taken = await other.rung()
        taken.answer()
        assert await referrer.until_told() == 200
        assert await ring.until_over() == 200
        assert office.clock.now() - began == pytest.approx(60, abs=4)
        office.engine.finish_play(office.leg_of("201").media.endpoint)
        await second.until_over()
        await asyncio.sleep(2)


async def test_what_nobody_can_pay_is_not_dialled_and_calls_without_a_tariff_cost_nothing() -> None:
    async with company(ANY, office=limited(money_a_day=299), providers=(account("first"), account("second"))) as (
        _,
        phone,
        telcos,
    ):
        call = phone.dial("74951234567")  # no tariff
        await talk(call, await telcos["first"].rung())
    async with company(replace(ANY, providers=()), office=limited(money_a_day=299)) as (_, phone, _):
        assert await is_stopped(phone, CLIENT)


@pytest.mark.parametrize("action", ["alert", "stop"])
async def test_a_country_that_nobody_has_called_is_told_of_or_stopped(action: str) -> None:
    told: list[BusEvent] = []
    async with company(
        replace(ANY, strip=0), office=replace(limited(new_country=action, countries=("49",)), country="ru")
    ) as (
        office,
        phone,
        telcos,
    ):
        office.bus.subscribe([OutsideRefused], told.append)
        for number in (CLIENT, "84951234567", "+4930123456"):
            await talk(phone.dial(number), await telcos["first"].rung())
        assert not told
        found = explain(office.pbx, "201", "81037120000000")
        assert found.rules[-1].why == "nobody has called a number that begins with +371 before" or action == "alert"
        for again in range(2):
            if action == "stop":
                assert await is_stopped(phone, "81037120000000")
            else:
                await talk(phone.dial("81037120000000"), await telcos["first"].rung())
            assert len(told) == (1 if action == "alert" else again + 1)
        assert isinstance(told[0], OutsideRefused)
        assert (told[0].action, str(told[0].why)) == (
            "noticed" if action == "alert" else "stopped", "nobody has called a number that begins with +371 before",
        )  # fmt: skip
        await talk(phone.dial("112"), await telcos["first"].rung())


async def test_what_is_sent_counts_as_well_as_what_was_dialled() -> None:
    """A digit for an outside line must not hide where a call goes."""
    through = replace(ANY, prefix="9", strip=1)
    always = {"locked": ("810",), "lock_hours": "00:00-23:59"}
    for limits in ({"new_country": "stop"}, always):
        async with company(through, office=replace(limited(**limits), country="ru")) as (_, phone, _):
            assert await is_stopped(phone, "981037120000000")


@pytest.mark.parametrize("action", ["alert", "stop"])
async def test_more_calls_than_usual_while_the_office_is_closed_are_told_of_or_stopped(action: str) -> None:
    told: list[BusEvent] = []
    shut = Calendar("hours", weekly={"mon-fri": ("09:00-18:00",)})
    policy = limited(off_hours_calendar="hours", off_hours_calls=2, off_hours_action=action)
    async with company(ANY, office=replace(policy, calendars=(shut,))) as (office, phone, telcos):
        office.bus.subscribe([OutsideRefused], told.append)
        for _ in range(2):  # it is after ten in the evening
            await talk(phone.dial(CLIENT), await telcos["first"].rung())
        assert not told
        if action == "stop":
            assert await is_stopped(phone, CLIENT)
        else:
            await talk(phone.dial(CLIENT), await telcos["first"].rung())
        (event,) = told
        assert isinstance(event, OutsideRefused)
        assert str(event.why) == "2 calls outside were made today while hours is closed, 2 are usual"
        await phone.register()
        await asyncio.sleep(11 * 3600)  # a quarter past nine
        await phone.register()
        for _ in range(3):
            await talk(phone.dial(CLIENT), await telcos["first"].rung())
        assert len(told) == 1
