"""A terminal with everything of its own, and nobody who owns it (EXT-16): a gateway's port, a door phone, a lift."""

import asyncio
from dataclasses import replace

import pytest

from media.api import FileSource, Play
from storage.records import Calendar, ExternalNumber, Forward, Group, Office, OutboundRoute, Sound
from tests.support.builders import terminal
from tests.support.company import CLIENT, account, company, talk

LIFT = terminal(
    "300",
    password="",
    trust="10.0.9.9",
    line="74950000099",
    calendar="day",
    ringback="bells",
    forward=Forward(busy="202", closed="202"),
)
# The tests begin on Tuesday, 14 November 2023, at 22:13:20 UTC.
OFFICE = Office(
    "Test",
    sounds=(Sound("bells", "/sounds/bells.wav"),),
    calendars=(Calendar("day", weekly={"mon-sun": ("00:00-24:00",)}), Calendar("night-off", weekly={})),
    groups=(Group("600", "House", members=("300", "202"), ring_time=30), Group("601", "Lifts", members=("300",))),
    external_numbers=(ExternalNumber("74950000099", "second"),),
)
LINES = (account("first"), account("second", show_caller=True))
ROUTE = OutboundRoute("All", "first")
TERMINALS = (terminal("201", max_calls=9), terminal("202"), LIFT)


@pytest.mark.row("EXT-16")
async def test_it_rings_at_its_address_without_owner_and_registration_and_has_line_groups_and_sound_of_its_own() -> (
    None
):
    async with company(ROUTE, providers=LINES, terminals=TERMINALS, users=(), office=OFFICE) as (office, phone, telcos):
        lift = office.phone("300", "10.0.9.9")
        call = phone.dial("300")
        ring = await lift.rung()
        ring.ring()
        await asyncio.sleep(1)
        assert office.engine.of(Play)[-1].source == FileSource("/sounds/bells.wav", loop=True)
        await talk(call, ring)
        for group in ("600", "601"):
            call = phone.dial(group)
            await talk(call, await lift.rung())
        call = lift.dial(CLIENT)
        await talk(call, await telcos["second"].rung(5))
        outgoing = office.rows[-1]
        assert (outgoing.from_number, outgoing.from_name, outgoing.external_number) == ("300", "", "74950000099")
        assert outgoing.provider_out == "second"


@pytest.mark.row("EXT-16")
@pytest.mark.parametrize("why", ["busy", "closed"])
async def test_it_has_hours_and_forwarding_of_its_own(why: str) -> None:
    lift = LIFT if why == "busy" else replace(LIFT, calendar="night-off", calendar_internal=True)
    terminals = (*TERMINALS[:2], lift)
    async with company(ROUTE, terminals=terminals, users=(), office=OFFICE) as (office, phone, _):
        there, other = office.phone("300", "10.0.9.9"), await office.registered("202")
        call = phone.dial("300")
        if why == "busy":
            (await there.rung()).reject(486)
        ring = await other.rung(5)
        assert not there.is_ringing
        await talk(call, ring)
