"""A whole working day of a queue with fifty agents, in seconds: nobody is lost or served twice, figures are right."""

import asyncio
import random
import time
from collections import Counter
from statistics import fmean

from storage.records import Office, Queue
from tests.features.test_queue_races import assert_one_at_a_time
from tests.support.builders import terminal
from tests.support.office import open_office
from tests.support.ua import Phone, PhoneCall

DAY_S, MOST_CPU_S = 8 * 3600.0, 10.0
REGISTER_S = 3000.0
AGENTS = tuple(str(number) for number in range(200, 250))
CALLERS = tuple(str(number) for number in range(300, 400))
QUEUE = Queue("500", "Sales", agents=AGENTS, strategy="leastrecent", wrap_up=60, ring_time=15, max_wait=0)
RUSH = range(3 * 3600, 4 * 3600)  # of the day: more than fifty people can do


class Day:
    """What the phones themselves know: who talked to whom, for how long, and who gave up."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.talks: Counter[str] = Counter()
        self.waits_s: list[float] = []
        self.gave_up = 0

    async def agent(self, phone: Phone) -> None:
        """Answers most calls, not always in time."""
        while True:
            ring = await phone.rung(DAY_S * 2)
            await asyncio.sleep(self.dice.choice([2.0, 4.0, 6.0, 20.0]))
            if ring.is_over:
                continue
            ring.answer()
            await ring.until_confirmed()
            self.talks[phone.number] += 1
            await asyncio.sleep(self.dice.expovariate(1 / 1000))
            if not ring.is_over:
                ring.hangup()

    async def stay(self, phone: Phone) -> None:
        """Register again before the last time is over."""
        while True:
            await asyncio.sleep(REGISTER_S)
            await phone.register()

    async def caller(self, call: PhoneCall) -> None:
        loop = asyncio.get_running_loop()
        began, patience_s = loop.time(), self.dice.uniform(60, 1800)
        try:
            await call.until_answered(patience_s)
        except TimeoutError:
            self.gave_up += 1
            call.hangup()
        else:
            self.waits_s.append(loop.time() - began)
        await call.until_over(DAY_S)

    def pause_s(self, now: float) -> float:
        """Until the next caller."""
        return self.dice.expovariate(1 / 12 if int(now) in RUSH else 1 / 60)


async def test_a_day_of_fifty_agents() -> None:
    began_cpu_s = time.process_time()
    day = Day(random.Random(7))
    terminals = [terminal(number, max_calls=9) for number in (*AGENTS, *CALLERS)]
    async with open_office(*terminals, office=Office("Test", queues=(QUEUE,))) as office:
        loop = asyncio.get_running_loop()
        desks = [await office.registered(each) for each in AGENTS]
        agents = [asyncio.ensure_future(each) for desk in desks for each in (day.agent(desk), day.stay(desk))]
        phones = [await office.registered(each) for each in CALLERS]
        callers: list[asyncio.Future[None]] = []
        opened = loop.time()
        while (now := loop.time() - opened) < DAY_S:
            callers.append(asyncio.ensure_future(day.caller(day.dice.choice(phones).dial("500"))))
            await asyncio.sleep(day.pause_s(now))
        await asyncio.gather(*callers)
        await asyncio.sleep(1)
        (view,) = office.pbx.queues()
        for each in agents:
            each.cancel()
    cpu_s = time.process_time() - began_cpu_s
    assert_one_at_a_time(office.rows)
    queued = [row for row in office.rows if row.stage == "queue"]
    answered = [row for row in queued if row.answered_at is not None]
    talked = Counter(row.to_number for row in office.rows if row.stage == "dial" and row.disposition == "ANSWERED")
    assert len(callers) == len(queued) == len({row.linkedid for row in queued})
    assert len(answered) == len(day.waits_s) == day.talks.total()
    assert len(queued) - len(answered) == day.gave_up
    assert day.gave_up, "the rush was one"
    assert talked == day.talks == {each.number: each.answered for each in view.agents if each.answered}
    waits_s = [row.answered_at - row.started_at for row in answered if row.answered_at is not None]
    assert abs(fmean(waits_s) - fmean(day.waits_s)) < 0.2
    assert not view.waiting
    assert cpu_s < MOST_CPU_S, f"{len(callers)} callers took {cpu_s:.1f} s"
