"""A queue through races of every kind: what holds at every moment, holds at the end."""

import asyncio
import random
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest

from storage.records import CdrRow, Office, Queue
from tests.support.builders import terminal
from tests.support.office import open_office
from tests.support.ua import Phone, PhoneCall

DAY_S = 86400.0
AGENTS = tuple(str(number) for number in range(200, 204))
CALLERS = tuple(str(number) for number in range(300, 308))
QUEUE = Queue("500", "Sales", agents=AGENTS, strategy="leastrecent", wrap_up=30, max_wait=0)


async def _hang_up_later(ring: PhoneCall, after_s: float) -> None:
    await asyncio.sleep(after_s)
    if not ring.is_over:
        ring.hangup()


def assert_one_at_a_time(rows: list[CdrRow]) -> None:
    """No agent talks to two callers; no caller is answered twice."""
    by_agent: dict[str, list[CdrRow]] = defaultdict(list)
    answered = [row for row in rows if row.stage == "dial" and row.talk_seconds]
    for row in answered:
        by_agent[row.to_number].append(row)
    assert len({row.linkedid for row in answered}) == len(answered)
    for mine in by_agent.values():
        mine.sort(key=lambda row: row.started_at)
        for before, after in pairwise(mine):
            assert after.started_at >= before.ended_at


@pytest.mark.parametrize("seed", range(12))
async def test_however_the_moments_fall_nobody_is_lost_or_served_twice(seed: int) -> None:
    """Callers come and give up, agents answer and refuse, within the same milliseconds."""
    dice = random.Random(seed)
    queue = replace(QUEUE, strategy=dice.choice(["ringall", "linear", "random"]), wrap_up=0, ring_time=5, retry=1)
    async with open_office(*map(terminal, (*AGENTS, *CALLERS)), office=Office("Test", queues=(queue,))) as office:
        tasks = [asyncio.ensure_future(_answer_at_once(await office.registered(each), dice)) for each in AGENTS]
        calls = [(await office.registered(each)).dial("500") for each in CALLERS]
        await asyncio.gather(*(_patience(call, dice) for call in calls))
        await asyncio.gather(*(call.wait() for call in list(office.pbx.calls.values())))
        for each in tasks:
            each.cancel()
    assert_one_at_a_time(office.rows)
    queued = {row.linkedid: row for row in office.rows if row.stage == "queue"}
    talked = {row.linkedid for row in office.rows if row.stage == "dial" and row.disposition == "ANSWERED"}
    assert {id for id, row in queued.items() if row.disposition == "ANSWERED"} == talked
    assert len(queued) == len(CALLERS)


async def _answer_at_once(agent: Phone, dice: random.Random) -> None:
    talks = []
    while True:
        ring = await agent.rung(DAY_S)
        await asyncio.sleep(dice.choice([0.0, 0.001, 0.002, 3.0]))
        if ring.is_over:
            continue
        if dice.random() < 0.2:
            ring.reject(486)
        else:
            ring.answer()
            talks.append(asyncio.ensure_future(_hang_up_later(ring, dice.choice([0.0, 0.001, 5.0]))))


async def _patience(call: PhoneCall, dice: random.Random) -> None:
    await asyncio.sleep(dice.choice([0.001, 0.002, 3.0, 3.001, 300.0]))
    if not call.is_over:
        call.hangup()
    await call.until_over()
