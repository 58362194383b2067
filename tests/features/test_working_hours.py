"""The hours of terminals, and calendars that are switched by hand (CAL-17, CAL-18, FWD-16)."""

import asyncio
from dataclasses import replace

import pytest

from pbx.explain import explain
from storage.memory import MemoryStorage
from storage.records import Calendar, Forward, Group, Office, Queue, Terminal
from tests.features.test_do_not_disturb import dial_code
from tests.features.test_forwarding import OUTSIDE, office_of, phones, rows, talk
from tests.support.builders import terminal
from tests.support.office import WALL_AT_START, VirtualOffice, open_office
from tests.support.watcher import Lamp, Watcher, lamps

# The tests begin on Wednesday, 15 November 2023, at 01:13:20 in Moscow.
NIGHT = Calendar("night", weekly={"mon-sun": ("01:00-02:00",)}, switch="*60")
ALWAYS = Calendar("always", weekly={"mon-sun": ("00:00-24:00",)})
DAY = Calendar("day", weekly={"mon-fri": ("09:00-18:00",)}, switch="*61")
OFFICE = Office("Test", timezone="Europe/Moscow", calendars=(NIGHT, DAY, ALWAYS))
GATEWAY = terminal("110", trust="10.0.9.9", max_calls=10)


def with_hours(calendar: str, *numbers: str, internal: bool = False, **forward_of: Forward) -> tuple[Terminal, ...]:
    return tuple(
        replace(each, calendar=calendar, calendar_internal=internal) if each.number in numbers else each
        for each in office_of(**forward_of)
    )


async def outside(office: VirtualOffice) -> None:
    """A caller beyond the gateway meets 102."""
    phone = office.phone("110", host="10.0.9.9")
    assert await phone.dial("102", extra=OUTSIDE).until_over() == 480


@pytest.mark.row("CAL-17")
async def test_outside_its_hours_a_terminal_is_unavailable_for_outside_group_and_queue_calls() -> None:
    office = replace(
        OFFICE, groups=(Group("600", members=("102", "103")),), queues=(Queue("500", agents=("102", "103")),)
    )
    async with open_office(*with_hours("day", "102"), GATEWAY, office=office) as opened:
        a, b, c = await phones(opened, "101", "102", "103")
        await outside(opened)
        assert rows(opened) == [("102", "FAILED", "unavailable")]
        for number in ("600", "500"):
            call = a.dial(number)
            await talk(opened, call, await c.rung(), "101", "103")
            await asyncio.sleep(1)
        assert not b.calls
        await talk(opened, a.dial("102"), await b.rung(), "101", "102")  # colleagues may
    async with open_office(*with_hours("day", "102", internal=True), office=OFFICE) as opened:
        a, b = await phones(opened, "101", "102")
        assert await a.dial("102").until_over() == 480
        found = explain(opened.pbx, "101", "102")
        assert [(each.rule, each.why) for each in found.rules if each.matched and each.rule != "number"] == [
            ("calendar", "day: hours of wed")
        ]
        assert explain(opened.pbx, "101", "102", WALL_AT_START + 8 * 3600).targets == ("102",)
    async with open_office(*with_hours("night", "102"), GATEWAY, office=OFFICE) as opened:
        (b,) = await phones(opened, "102")
        call = opened.phone("110", host="10.0.9.9").dial("102", extra=OUTSIDE)
        await talk(opened, call, await b.rung(), "110", "102")


@pytest.mark.row("FWD-16")
async def test_rules_for_all_calls_stand_before_the_calendar_and_that_before_callers_and_busy() -> None:
    caller = {"89161234567": "105"}
    closed = Forward(closed="104", busy="106", unavailable="106", callers=caller)
    for forward, calendar, target in (
        (replace(closed, always="103"), "day", "103"),
        (closed, "day", "104"),
        (closed, "night", "105"),
        (replace(closed, callers={}), "night", "102"),
    ):
        terminals = with_hours(calendar, "102", t102=forward)
        async with open_office(*terminals, GATEWAY, office=OFFICE) as office:
            registered = {each.number: each for each in await phones(office, "102", "103", "104", "105", "106")}
            call = office.phone("110", host="10.0.9.9").dial("102", extra=OUTSIDE)
            await talk(office, call, await registered[target].rung(), "110", target)


@pytest.mark.row("CAL-18")
async def test_a_code_closes_until_the_next_boundary_its_lamp_is_lit_and_a_restart_changes_nothing() -> None:
    storage = MemoryStorage()
    terminals = with_hours("night", "102", internal=True)
    async with open_office(*terminals, office=OFFICE, storage=storage) as office:
        a, b = await phones(office, "101", "102")
        lamp = await Watcher(a).watch("*60")
        assert await dial_code(office, b, "*60") == 200
        await asyncio.sleep(1)
        assert lamps(lamp.notifies[-1].body) == [Lamp("confirmed", "recipient", "*60", "night")]
        assert await a.dial("102").until_over() == 480
        found = office.pbx.calendars.state("night")
        assert (str(found.decision.why), found.until_at) == ("closed by hand", WALL_AT_START + 2800)  # 02:00
        await lamp.subscribe(0)
    async with open_office(*terminals, office=OFFICE, storage=storage) as office:
        await office.pbx.restore()
        a, b = await phones(office, "101", "102")
        lamp = await Watcher(a).watch("*60")
        await asyncio.sleep(1)
        assert lamps(lamp.notifies[-1].body)
        assert await a.dial("102").until_over() == 480
        assert await dial_code(office, b, "*60") == 200  # the second time its hours hold again
        await asyncio.sleep(1)
        assert not lamps(lamp.notifies[-1].body)
        await talk(office, a.dial("102"), await b.rung(), "101", "102")
        await dial_code(office, b, "*61")
        assert str(office.pbx.calendars.decide("day").why) == "opened by hand"
        assert office.pbx.calendars.switch("always", False).until_at is None  # it has no boundary
        assert not office.pbx.calendars.decide("always").is_open
        await asyncio.sleep(8 * 3600)  # 09:00 is its boundary
        office.pbx.calendars.sweep()
        assert str(office.pbx.calendars.decide("day").why) == "hours of wed, 09:00-18:00"
        assert not office.pbx.calendars.state("day").is_switched
        await lamp.subscribe(0)
