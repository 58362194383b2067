"""Phones that say wrong things at any moment: the server answers, forgets, and lives on; no call stays half open.

For each seed a handful of phones call, hold, transfer and watch each other while one in seven messages to the server is
spoilt. Later they speak clearly again and hang up what they know of; whatever they have lost ends by session timers.
"""

import asyncio
from contextlib import suppress
from random import Random

import pytest

from pbx.transfer import EXTENSIONS
from sipcore.errors import LocalProtocolError
from sipcore.stack import StackConfig
from tests.pbx.test_calls_property import NUMBERS, Life
from tests.support.builders import terminal
from tests.support.garbled import Garbler
from tests.support.office import SERVER, open_office
from tests.support.referrer import Referrer
from tests.support.ua import Phone
from tests.support.watcher import Watcher

SEEDS_A_TEST = 10
CALLS_A_SEED = 6
STACK = StackConfig(session_expires_s=1800, extensions=EXTENSIONS | {"100rel"})


async def watch(people: Life, phone: Phone) -> None:
    await people.pause(20)
    watcher = Watcher(phone)
    with suppress(AssertionError, TimeoutError):
        async with asyncio.timeout(60):
            await watcher.watch(people.random.choice(NUMBERS), people.random.choice(("dialog", "presence", "reg")))


async def transfer(people: Life, phone: Phone) -> None:
    referrer = Referrer(phone)
    for _ in range(3):
        await people.pause(20)
        for call in [each for each in phone.calls if each.session is not None and not each.is_over]:
            if call.on.dialog is not None:
                with suppress(LocalProtocolError):
                    referrer.start(call, people.random.choice((*NUMBERS, "10003246", "999")))


async def live(seed: int) -> None:
    random = Random(seed)
    async with open_office(*(terminal(number, max_calls=4) for number in NUMBERS), seed=seed, stack=STACK) as office:
        garbler = Garbler(office.wire, SERVER, random)
        people = Life(office, random)
        phones = [people.phone(number, 1) for number in NUMBERS]
        for phone in phones:
            await phone.register()
        garbler.share = 0.15
        work = [asyncio.create_task(people.make_call(random.choice(phones))) for _ in range(CALLS_A_SEED)]
        work += [asyncio.create_task(watch(people, phone)) for phone in phones[:2]]
        work += [asyncio.create_task(transfer(people, phone)) for phone in phones[2:]]
        await asyncio.wait(work, timeout=1500)
        garbler.share = 0.0
        for task in (*work, *people.tasks):
            task.cancel()
        await asyncio.gather(*work, *people.tasks, return_exceptions=True)
        await hang_up(people, phones)
        assert office.pbx.calls == {}


async def hang_up(people: Life, phones: list[Phone]) -> None:
    """Everybody leaves the calls that it knows of; for what is lost there are session timers of half an hour."""
    for call in [each for phone in phones for each in phone.calls if not each.is_over and each.session is not None]:
        people.act(call.hangup)
    await asyncio.sleep(3 * 1800)
    for phone in phones:
        phone.is_gone = True  # what it still holds is its own affair


@pytest.mark.parametrize("first", range(0, 60, SEEDS_A_TEST))
async def test_whatever_is_said_the_server_lives_on_and_nothing_stays_half_open(first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        try:
            await live(seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
