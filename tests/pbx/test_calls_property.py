"""Whatever the network does and whatever people do: nothing is left, every call ends once and is in the history.

For each seed a handful of phones call each other at random over a network that loses, copies, delays and reorders,
and act at random moments: ring, answer, refuse, hold, resume, change codecs, cancel, hang up, go away for good.
"""

import asyncio
from contextlib import suppress
from random import Random

import pytest

from media.api import CreateEndpoint, DestroyEndpoint, EngineFailed, MediaSilent
from pbx.call import Call
from pbx.events import CallEnded, CallStarted, LegCreated, LegEnded
from sipcore.errors import LocalProtocolError
from sipcore.stack import StackConfig
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
RELIABLE = frozenset({"100rel"})
SEEDS_A_TEST = 10
CALLS_A_SEED = 6


class Life:
    """The people of one seed."""

    def __init__(self, office: VirtualOffice, random: Random) -> None:
        self.office, self.random = office, random
        self.tasks: list[asyncio.Task[None]] = []
        self.lost_endpoints: set[int] = set()

    def phone(self, number: str, n: int) -> Phone:
        codecs, transport = self.random.choice(CODECS), self.random.choice(("UDP", "UDP", "UDP", "TCP"))
        extensions = self.random.choice((frozenset[str](), RELIABLE))
        where = f"10.0.{int(number)}.{n}"
        phone = self.office.phone(number, where, codecs=codecs, transport=transport, extensions=extensions)
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
        try:
            await call.until_settled()
        except TimeoutError:
            assert phone.is_gone, "a caller is always told in the end"
            return
        await self.talk(call)

    async def talk(self, call: PhoneCall) -> None:
        """Change things, then hang up, or leave that to the other side."""
        for _ in range(self.random.randrange(6)):
            await self.pause(2)
            if call.is_over:
                return
            other_codecs = lambda: call.modify(call.my_offer("G722", "PCMU"))  # noqa: E731
            by_update = lambda: call._do(lambda now: call.on.update(now, sdp=call.my_offer(direction="sendonly")))  # noqa: E731
            self.act(self.random.choice((call.hold, call.resume, other_codecs, by_update)))
        await self.pause()
        if self.random.random() < 0.1:
            self.office.pbx.hangup(self.random.choice([*self.office.pbx.calls, "none"]))
        self.act(call.hangup)

    async def misfortune(self, phones: list[Phone]) -> None:
        """Something that nobody did."""
        await self.pause(40)
        calls = list(self.office.pbx.calls.values())
        what = self.random.randrange(4)
        if what == 0:
            self.office.unplug(self.random.choice(phones))
        elif what == 1 and calls:
            leg = self.random.choice(self.random.choice(calls).legs)
            self.office.engine.emit(MediaSilent(leg.media.endpoint, 120.0))
        elif what == 2 and calls:
            self.lose_media_of(self.random.choice(calls))

    def lose_media_of(self, call: Call) -> None:
        """The media worker of a call dies."""
        engine = self.office.engine
        asked = [each.endpoint for each in engine.of(CreateEndpoint) if each.group == call.media_group]
        lost = tuple(endpoint for endpoint in asked if engine.endpoints.pop(endpoint, None) is not None)
        self.lost_endpoints.update(lost)
        engine.emit(EngineFailed(1, lost))

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
    stack = StackConfig(extensions=random.choice((frozenset[str](), RELIABLE, RELIABLE)))
    async with open_office(*terminals, faults=faults, seed=seed, stack=stack) as office:
        office.may_log |= {"a media worker died, its calls end", "a recording ended before its time"}
        office.engine.answer_after_s = random.choice((0.0, 0.0, 0.3))
        people = Life(office, random)
        phones = [people.phone(number, n) for number in NUMBERS for n in range(1, random.choice((2, 3)))]
        for phone in phones:
            try:
                await phone.register()
            except AssertionError:
                continue  # the network was too bad: it is not reachable
        callers = [asyncio.create_task(people.make_call(random.choice(phones))) for _ in range(CALLS_A_SEED)]
        unlucky = [asyncio.create_task(people.misfortune(phones)) for _ in range(random.randrange(3))]
        await asyncio.gather(*callers, *unlucky)
        await asyncio.sleep(700)
        hang_up_the_rest(phones, people)
        await asyncio.gather(*people.tasks)
        await asyncio.sleep(120)
        gone = people.lost_endpoints
        office.engine.refused = [why for why in office.engine.refused if int(why.split()[-1][:-1]) not in gone]
        check_books(office, gone)


def hang_up_the_rest(phones: list[Phone], people: Life) -> None:
    """A phone whose every word was lost rings on: the server gave up without a CANCEL (RFC 3261 §9.1)."""
    for call in [call for phone in phones for call in phone.calls if not call.is_over]:
        people.act(call.hangup)
        people.act(lambda: call.reject(480))  # noqa: B023
    for number in list(people.office.pbx.calls):
        people.office.pbx.hangup(number)


def check_books(office: VirtualOffice, gone: set[int]) -> None:
    created = [each.endpoint for each in office.engine.of(CreateEndpoint) if each.endpoint not in gone]
    destroyed = [each.endpoint for each in office.engine.of(DestroyEndpoint) if each.endpoint not in gone]
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
