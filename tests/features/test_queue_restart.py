"""A queue over a restart: the server is cut off at any moment, and goes on where it was."""

import asyncio
import copy
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from storage.memory import MemoryStorage
from storage.records import Office, Queue
from tests.features.test_do_not_disturb import dial_code
from tests.features.test_queue_races import assert_one_at_a_time
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

AGENTS = ("201", "202", "203")
CALLERS = tuple(str(number) for number in range(301, 309))
QUEUE = Queue("500", "Sales", agents=AGENTS, strategy="leastrecent", wrap_up=40, max_wait=0)
PHONES = tuple(terminal(number) for number in (*AGENTS, *CALLERS))


def states(office: VirtualOffice) -> dict[str, str]:
    (queue,) = office.pbx.queues()
    return {each.number: each.state for each in queue.agents}


def waiting(office: VirtualOffice) -> list[str]:
    (queue,) = office.pbx.queues()
    return [each.number for each in queue.waiting]


async def talk_all_day(agent: Phone, dice: random.Random, served: Callable[[str], None]) -> None:
    while True:
        ring = await agent.rung(86400.0)
        await asyncio.sleep(dice.uniform(0.5, 3.0))
        if ring.is_over:
            continue
        ring.answer()
        await asyncio.sleep(dice.uniform(5.0, 20.0))
        if not ring.is_over:
            served(agent.number)
            ring.hangup()


@pytest.mark.parametrize("seed", range(6))
async def test_whenever_the_server_is_cut_off_callers_keep_their_places_and_agents_what_they_did(seed: int) -> None:
    """What is on the disk at that moment is all that the next server has."""
    dice = random.Random(seed)
    office_ = Office("Test", queues=(QUEUE,))
    before = MemoryStorage()
    async with open_office(*PHONES, office=office_, storage=before) as office:
        await office.pbx.begin()
        a, b, c = [await office.registered(each) for each in AGENTS]
        assert await dial_code(office, b, "*90500") == 200, "logged out"
        assert await dial_code(office, c, "*46") == 200, "a break"
        phones = {each: await office.registered(each) for each in CALLERS}
        calls: list[PhoneCall] = []
        agent = asyncio.ensure_future(talk_all_day(a, dice, lambda _: None))
        for number in dice.sample(CALLERS, len(CALLERS)):
            calls.append(phones[number].dial("500"))
            await asyncio.sleep(dice.uniform(0.1, 4.0))
        await asyncio.sleep(dice.uniform(0.0, 60.0))
        disk, line = copy.deepcopy(before), waiting(office)
        agent.cancel()
        for call in calls:
            if not call.is_over:
                call.hangup()
        await asyncio.gather(*(call.until_over() for call in calls))
    assert line
    served: list[str] = []
    async with open_office(*PHONES, office=office_, storage=disk) as office:
        await office.pbx.begin()
        a, b, c = [await office.registered(each) for each in AGENTS]
        again = states(office)
        assert ("202" in again, again["203"]) == (False, "paused")
        phones = {each: await office.registered(each) for each in CALLERS}
        busy = await office.connect(phones[next(each for each in CALLERS if each not in line)], a)
        calls = []
        for number in dice.sample(line, len(line)):
            calls.append(phones[number].dial("500"))
            await asyncio.sleep(1)
        assert waiting(office) == line, "in the order of before, in whichever they call"
        busy[0].hangup()
        await busy[1].until_over()
        agent = asyncio.ensure_future(talk_all_day(a, dice, served.append))
        await asyncio.gather(*(call.until_over(3600.0) for call in calls))
        await asyncio.sleep(1)
        agent.cancel()
    queued = [row for row in office.rows if row.stage == "queue"]
    assert [row.from_number for row in sorted(queued, key=lambda row: row.ended_at)] == line
    assert all(row.disposition == "ANSWERED" for row in queued)
    assert_one_at_a_time(office.rows)


async def test_an_agent_rests_on_after_a_restart_and_a_place_is_not_kept_for_ever() -> None:
    storage, office_ = MemoryStorage(), Office("Test", queues=(replace(QUEUE, agents=("201",), wrap_up=600),))
    async with open_office(*PHONES, office=office_, storage=storage) as office:
        await office.pbx.begin()
        agent, first, other = [await office.registered(each) for each in ("201", "301", "302")]
        call = first.dial("500")
        ring = await agent.rung()
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()
        waits = other.dial("500")
        await asyncio.sleep(3)
        office.pbx.draining = True
        waits.hangup()
        await waits.until_over()
    disk = copy.deepcopy(storage)
    async with open_office(*PHONES, office=office_, storage=disk) as office:
        await office.pbx.begin()
        agent, first, other = [await office.registered(each) for each in ("201", "301", "302")]
        assert states(office) == {"201": "resting"}
        newcomer = first.dial("500")
        await asyncio.sleep(2)
        back = other.dial("500")
        await asyncio.sleep(1)
        assert waiting(office) == ["302", "301"]
        for each in (newcomer, back):
            each.hangup()
            await each.until_over()
    async with open_office(*PHONES, office=office_, storage=storage) as office:
        await office.pbx.begin()
        first, other = [await office.registered(each) for each in ("301", "302")]
        await asyncio.sleep(601)
        calls = [first.dial("500")]
        await asyncio.sleep(1)
        calls.append(other.dial("500"))
        await asyncio.sleep(1)
        assert waiting(office) == ["301", "302"]
        for call in calls:
            call.hangup()
            await call.until_over()
