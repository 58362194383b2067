"""Whatever the network does and whatever people do: nothing is left, every call ends once and is in the history.

For each seed a handful of phones call each other at random over a network that loses, copies, delays and reorders,
and act at random moments: ring, answer, refuse, hold, resume, change codecs, cancel, hang up, go away for good.
"""

import asyncio
from contextlib import suppress
from random import Random

import pytest

from media.api import CreateEndpoint, DestroyEndpoint
from pbx.events import CallEnded, CallStarted, LegCreated, LegEnded
from sipcore.errors import LocalProtocolError
from storage.records import CdrRow
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall
from tests.support.wire import Faults

NUMBERS = ("101", "102", "103", "104", "105")
CODECS = (
    ("PCMA", "PCMU", "telephone-event"),
    ("PCMU", "telephone-event"),
    ("G722", "PCMA", "telephone-event"),
    ("PCMA",),
    ("opus", "PCMU", "telephone-event"),
)
SEEDS_A_TEST = 10
CALLS_A_SEED = 6


class Life:
    """The people of one seed."""

    def __init__(self, office: VirtualOffice, random: Random) -> None:
        self.office, self.random = office, random
        self.tasks: list[asyncio.Task[None]] = []

    def phone(self, number: str, n: int) -> Phone:
        phone = self.office.phone(number, f"10.0.{int(number)}.{n}", codecs=self.random.choice(CODECS))
        phone.on_ring = self.rang
        return phone

    def rang(self, call: PhoneCall) -> None:
        self.tasks.append(asyncio.create_task(self.be_called(call)))

    async def pause(self, longest_s: float = 8.0) -> None:
        await asyncio.sleep(self.random.choice((0.0, self.random.random() * 0.2, self.random.random() * longest_s)))

    async def be_called(self, call: PhoneCall) -> None:
        for _ in range(self.random.randrange(3)):
            await self.pause()
            if call.is_over:
                return
            early = self.random.random() < 0.3 and self.common(call)
            self.act(lambda: call.ring(early=call.my_answer() if early else b""))  # noqa: B023
        await self.pause()
        choice = self.random.random()
        if call.is_over or choice < 0.15:
            return  # never does anything: the caller, or the ringing time, ends it
        if choice < 0.65 and self.common(call):
            self.act(call.answer)
            await self.talk(call)
        else:
            self.act(lambda: call.reject(self.random.choice((486, 603, 480, 500, 404))))

    @staticmethod
    def common(call: PhoneCall) -> bool:
        try:
            call.my_answer()
        except AssertionError:
            return False
        return True

    async def make_call(self, phone: Phone) -> None:
        await self.pause(20)
        others = [number for number in NUMBERS if number != phone.number]
        call = phone.dial(self.random.choice((*others, *others, *others, *NUMBERS, "10003246", "999")))
        if self.random.random() < 0.3:
            await self.pause(15)
            self.act(call.hangup)
            return
        await call.until_settled()
        await self.talk(call)

    async def talk(self, call: PhoneCall) -> None:
        """Change things, then hang up, or leave that to the other side."""
        for _ in range(self.random.randrange(6)):
            await self.pause(2)
            if call.is_over:
                return
            step = self.random.choice((call.hold, call.resume, lambda: call.modify(call.my_offer("G722", "PCMU"))))
            self.act(step)
        await self.pause()
        if self.random.random() < 0.1:
            self.office.pbx.hangup(self.random.choice([*self.office.pbx.calls, "none"]))
        self.act(call.hangup)

    def act(self, step: object) -> None:
        """A phone whose session is past that point simply does not."""
        assert callable(step)
        with suppress(LocalProtocolError):
            step()


async def live(seed: int) -> None:
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
        people = Life(office, random)
        phones = [people.phone(number, n) for number in NUMBERS for n in range(1, random.choice((2, 3)))]
        for phone in phones:
            try:
                await phone.register()
            except AssertionError:
                continue  # the network was too bad: it is not reachable
        callers = [asyncio.create_task(people.make_call(random.choice(phones))) for _ in range(CALLS_A_SEED)]
        await asyncio.gather(*callers)
        if random.random() < 0.3:
            office.unplug(random.choice(phones))
        await asyncio.sleep(700)
        hang_up_the_rest(phones, people)
        await asyncio.gather(*people.tasks)
        await asyncio.sleep(120)
        check_books(office)


def hang_up_the_rest(phones: list[Phone], people: Life) -> None:
    """A phone whose every word was lost rings on: the server gave up without a CANCEL (RFC 3261 §9.1)."""
    for call in [call for phone in phones for call in phone.calls if not call.is_over]:
        people.act(call.hangup)
        people.act(lambda: call.reject(480))  # noqa: B023
    for number in list(people.office.pbx.calls):
        people.office.pbx.hangup(number)


def check_books(office: VirtualOffice) -> None:
    created = [command.endpoint for command in office.engine.of(CreateEndpoint)]
    destroyed = [command.endpoint for command in office.engine.of(DestroyEndpoint)]
    assert sorted(created) == sorted(destroyed)
    legs = [event.leg for event in office.events if isinstance(event, LegCreated)]
    assert sorted(legs) == sorted(event.leg for event in office.events if isinstance(event, LegEnded))
    ends = {event.call: event for event in office.events if isinstance(event, CallEnded)}
    for started in [event for event in office.events if isinstance(event, CallStarted)]:
        rows = [row for row in office.rows if row.linkedid == started.linkedid]
        assert len(rows) == 1
        check_row(rows[0], started, ends[started.call])


def check_row(row: CdrRow, started: CallStarted, ended: CallEnded) -> None:
    assert row.started_at == started.at
    assert row.started_at <= row.ended_at <= ended.at
    assert (row.disposition == "ANSWERED") == (row.answered_at is not None)
    assert row.talk_seconds >= 0
    if row.answered_at is None:
        assert row.talk_seconds == 0
    else:
        assert row.started_at <= row.answered_at <= row.ended_at


@pytest.mark.parametrize("first", range(0, 200, SEEDS_A_TEST))
async def test_nothing_is_left_and_every_call_ends_once(first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        try:
            await live(seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
