"""What was decided where the wishes about calls from outside can be read in two ways (AMB-13…16)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from media.api import Play
from pbx.states import DO_NOT_DISTURB
from storage.records import Calendar, ExternalNumber, Group, InboundRule, Ivr, OutboundRoute, User
from tests.features.test_incoming import (
    CLIENT,
    DID,
    NUMBER,
    SHUT,
    TERMINALS,
    called,
    finish_play,
    history,
    phone,
    played,
    ringing,
    ringing_soon,
    stages,
    talk,
    talked,
)
from tests.support.builders import terminal
from tests.support.office import WALL_AT_START

AGENT = replace(NUMBER, last_agent=True)


@pytest.mark.row("AMB-13")
@pytest.mark.parametrize("way", ["number", "menu"])
async def test_a_number_with_direct_dialling_and_a_menu_take_digits_in_the_same_way(way: str) -> None:
    """The number needs a greeting and a time to wait, and no menu."""
    terminals = (*TERMINALS[:3], replace(TERMINALS[3], public_access=False), terminal("1020", max_calls=2))
    direct = replace(NUMBER, greeting="welcome", direct_dial=True, dial_timeout=7, dial_attempts=2)
    menu = Ivr("700", default="101", greeting="welcome", timeout=7, attempts=2, allow_internal=True)
    number = direct if way == "number" else replace(NUMBER, target="700")
    async with called(number=number, terminals=terminals, ivrs=(menu,) if way == "menu" else ()) as (office, telco):
        for dialled, rings, after_s in (
            *(("103", "103", 0.0), ("102", "102", 2.0), ("1020", "1020", 0.0)),  # the longest that can still come
            *(("104", "101", None), ("999", "101", None), ("10", "101", None), ("", "101", None)),
        ):
            greetings = len(played(office))
            call = telco.call(DID, CLIENT)
            await call.until_answered()
            for attempt in range(1 if after_s is not None else 2):
                await asyncio.sleep(1 if attempt == 0 else 4)
                if dialled:
                    office.engine.press(office.leg_of(CLIENT).media.endpoint, dialled)
                    began = office.clock.now()
                else:
                    office.engine.finish_play(office.leg_of(CLIENT).media.endpoint)
                    began = office.clock.now()
                    await asyncio.sleep(6.9 if attempt == 0 else 0.0)
                    assert not phone(office, rings).calls or phone(office, rings).calls[-1].is_over
            ring = await ringing(office, rings, 20)
            if after_s is not None:
                assert office.clock.now() - began == pytest.approx(after_s, abs=0.5)
            await talk(call, ring, is_answered=True)
            assert played(office)[greetings:] == ["welcome.wav"] * (1 if after_s is not None else 2)


@pytest.mark.row("AMB-14")
async def test_the_calendar_of_the_number_is_asked_first_that_of_a_terminal_is_for_this_terminal_alone() -> None:
    always = Calendar("always", weekly={"mon-sun": ("00:00-24:00",)})
    group = Group("600", members=("101", "102"))
    things: dict[str, Any] = {"calendars": (SHUT, always), "groups": (group,)}
    off_duty = (replace(TERMINALS[0], calendar="shut"), *TERMINALS[1:])
    on_duty = (replace(TERMINALS[0], calendar="always"), *TERMINALS[1:])
    closed = replace(NUMBER, target="600", calendar="shut", closed_target="", closed_sound="moment")
    async with called(number=closed, terminals=on_duty, **things) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        assert played(office) == ["moment.wav"]  # that it is off-hours, though the terminal is on duty
        await finish_play(office)
        await call.until_over()
        assert not phone(office, "101").calls
    opened = replace(closed, calendar="always")
    rules = (
        InboundRule("own", "telco", DID, "101", 10, priority=1),
        InboundRule("next", "telco", DID, "103", 30, priority=2),
    )
    async with called(number=opened, terminals=off_duty, **things) as (office, telco):
        await talk(telco.call(DID, CLIENT), await ringing(office, "102"))
        assert not phone(office, "101").calls
    async with called(*rules, number=replace(opened, target=""), terminals=off_duty, **things) as (office, telco):
        await talk(telco.call(DID, CLIENT), await ringing(office, "103"))
        assert not phone(office, "101").calls
        assert not played(office)


@pytest.mark.row("AMB-15")
@pytest.mark.parametrize("has_destination", [True, False])
async def test_outside_the_hours_a_number_offers_a_message_or_says_something_or_sends_the_call_on(
    has_destination: bool,
) -> None:
    """Always, and not only where the number leads nowhere."""
    usual = ExternalNumber(DID, "telco", "101" if has_destination else "", calendar="shut")
    async with called(number=usual, calendars=(SHUT,)) as (office, telco):
        call = telco.call(DID, CLIENT)
        await call.until_answered()
        await asyncio.sleep(12)
        call.hangup()
        await asyncio.sleep(3)
        assert stages(office)[-1] == ("voicemail", "voicemail", "ANSWERED")
    for sound in ("moment", ""):
        number = replace(usual, closed_target="", closed_sound=sound)
        async with called(number=number, calendars=(SHUT,)) as (office, telco):
            call = telco.call(DID, CLIENT)
            await call.until_answered()
            assert played(office) == (["moment.wav"] if sound else [])
            assert len(office.engine.of(Play)) == 1  # the prompt that the office is closed, where there is no sound
            await finish_play(office)
            await call.until_over()
            assert stages(office)[-1] == ("outworktimes", "outworktimes", "NOANSWER")
    async with called(number=replace(usual, closed_target="104"), calendars=(SHUT,)) as (office, telco):
        await talk(telco.call(DID, CLIENT), await ringing(office, "104"))
        assert not phone(office, "101").calls


@pytest.mark.row("AMB-16")
async def test_the_last_agent_has_thirty_seconds_and_conversations_of_thirty_days_count_by_ten_digits() -> None:
    now, day = WALL_AT_START, 86_400.0
    for at, from_number, to_number, rings in (
        *((now - 29 * day, CLIENT, "102", "102"), (now - 31 * day, CLIENT, "102", "101")),
        *((now - day, f"8{CLIENT[1:]}", "102", "102"), (now - day, f"7{CLIENT[1:-1]}9", "102", "101")),
        (now - day, f"78{CLIENT[2:]}", "102", "101"),  # only the last nine are the same
        (now - day, "102", CLIENT, "102"),
    ):
        storage = await history(talked("one", at, from_number, to_number))
        async with called(number=AGENT, storage=storage) as (office, telco):
            await talk(telco.call(DID, CLIENT), await ringing_soon(office, rings))
    several = (talked("older", now - 2 * day, CLIENT, "102"), talked("newer", now - day, CLIENT, "103"))
    async with called(number=AGENT, storage=await history(*several)) as (office, telco):
        began = office.clock.now()
        call = telco.call(DID, CLIENT)
        agent = await ringing(office, "103")
        await talk(call, await ringing(office, "101", 40))  # the usual way, not the one before
        assert agent.is_over
        assert not phone(office, "102").calls
        assert office.clock.now() - began == pytest.approx(30 + 3, abs=2)


@pytest.mark.row("AMB-16")
@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        *(("102", each) for each in ("off duty", "disturbed", "switched off", "left", "no phone")),
        *(("79167654321", each) for each in ("off duty", "disturbed", "left")),  # the mobile of that employee
    ],
)
async def test_a_last_agent_who_cannot_answer_is_not_rung(agent: str, reason: str) -> None:
    terminals = {each.number: each for each in TERMINALS}
    terminals["102"] = replace(
        terminals["102"],
        owner="anna",
        calendar="shut" if reason == "off duty" else "",
        disabled=reason == "switched off",
    )
    users: tuple[User, ...] = (User("anna", "Anna", mobile="+79167654321"),)
    if reason == "left":
        users = ()
        del terminals["102"]
    storage = await history(talked("newest", WALL_AT_START - 86_400, CLIENT, agent))
    settings: dict[str, Any] = {"calendars": (SHUT,), "outbound_routes": (OutboundRoute("all", "telco"),)}
    async with called(number=AGENT, terminals=tuple(terminals.values()), storage=storage, users=users, **settings) as (
        office,
        telco,
    ):
        if reason == "disturbed":
            office.pbx.states.put(DO_NOT_DISTURB, "anna", "on")
        if reason == "no phone":
            await phone(office, "102").register(0)
        await talk(telco.call(DID, CLIENT), await ringing_soon(office, "101"))
        assert len(telco.calls) == 1
