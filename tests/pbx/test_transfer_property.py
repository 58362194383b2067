"""Whoever transfers whom, whenever, over whatever network: nothing is left, and every call ends once.

The random offices of `test_calls_property.py`, in which people also transfer each other, several at once, before and
after holding, and hang up before the outcome.
"""

import asyncio
from random import Random

import pytest

from pbx.events import LegCreated, LegEnded
from tests.pbx.test_calls_property import NUMBERS, Life, hang_up_the_rest
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.referrer import Referrer
from tests.support.ua import Phone, PhoneCall
from tests.support.wire import Faults

SEEDS_A_TEST = 10
CALLS_A_SEED = 6
TARGETS = (*NUMBERS, *NUMBERS, "10003246", "999")


class Restless(Life):
    """People who transfer."""

    def __init__(self, office: VirtualOffice, random: Random) -> None:
        super().__init__(office, random)
        self.referrers: dict[Phone, Referrer] = {}
        self.accepted = 0

    def phone(self, number: str, n: int) -> Phone:
        phone = super().phone(number, n)
        self.referrers[phone] = Referrer(phone)
        self.referrers[phone].answers = self.random.choice((200, 200, 200, 200, 481, 0))
        return phone

    async def talk(self, call: PhoneCall) -> None:
        if self.random.random() < 0.6:
            await self.pause(3)
            if call.is_over or call.on.dialog is None:
                return
            if self.random.random() < 0.5:
                self.act(call.hold)
            self.tasks.append(asyncio.create_task(self.transfer(call)))
            await self.pause(3)
        await super().talk(call)

    async def transfer(self, call: PhoneCall) -> None:
        arrived = await self.referrers[call.phone].start(call, self.random.choice(TARGETS))
        self.accepted += arrived.status == 202


async def live(seed: int) -> int:
    random = Random(seed)
    faults = Faults(
        loss=random.choice((0.0, 0.05, 0.2)),
        copies=random.choice((0.0, 0.1, 0.3)),
        delay_s=(0.0, random.choice((0.001, 0.05, 0.7))),
    )
    terminals = [
        terminal(number, max_calls=random.choice((1, 2, 5)), trust=f"10.0.{number}.0/24") for number in NUMBERS
    ]
    async with open_office(*terminals, faults=faults, seed=seed) as office:
        office.engine.answer_after_s = random.choice((0.0, 0.0, 0.3))
        people = Restless(office, random)
        phones = [people.phone(number, n) for number in NUMBERS for n in range(1, random.choice((2, 3)))]
        for phone in phones:
            try:
                await phone.register()
            except AssertionError:
                continue  # the network was too bad: it is not reachable
        callers = [asyncio.create_task(people.make_call(random.choice(phones))) for _ in range(CALLS_A_SEED)]
        await asyncio.gather(*callers)
        await asyncio.sleep(700)
        for _ in range(3):  # a call that ends may come back as another one (FEAT-8)
            hang_up_the_rest(phones, people)
            await asyncio.sleep(120)
        await asyncio.gather(*people.tasks)
        await asyncio.sleep(120)
        check_legs(office)
        return people.accepted


def check_legs(office: VirtualOffice) -> None:
    """Each leg is closed exactly once, and rows make sense."""
    legs = [event.leg for event in office.events if isinstance(event, LegCreated)]
    assert sorted(legs) == sorted(event.leg for event in office.events if isinstance(event, LegEnded))
    assert len({row.id for row in office.rows}) == len(office.rows)
    for row in office.rows:
        assert row.started_at <= (row.answered_at or row.started_at) <= row.ended_at
        assert (row.disposition == "ANSWERED") == (row.answered_at is not None)


@pytest.mark.parametrize("first", range(0, 80, SEEDS_A_TEST))
async def test_nothing_is_left_after_any_transfer(first: int) -> None:
    accepted = 0
    for seed in range(first, first + SEEDS_A_TEST):
        try:
            accepted += await live(seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    assert accepted > 2, "too few transfers to prove anything"
