"""An attempt to reach a party at several legs."""

import asyncio
from itertools import permutations

import pytest

from pbx import cause
from pbx.cause import Cause
from pbx.dial import Attempt, DialOutcome, Ringing, best_cause
from pbx.leg import Leg
from tests.support.builders import answer_sdp
from tests.support.fakepbx import PHONE_HOST, FakePbx, ScriptedSide


async def ringing(n: int) -> tuple[FakePbx, list[Leg], "asyncio.Task[DialOutcome]"]:
    pbx = FakePbx("102")
    await pbx.prepare(pbx.call)
    legs = [await pbx.callee(answered=False) for _ in range(n)]
    task = asyncio.create_task(Attempt(pbx.call, legs, Ringing(60)).outcome())
    await asyncio.sleep(0)
    return pbx, legs, task


def answer(pbx: FakePbx, leg: Leg) -> None:
    found = answer_sdp(leg.media.offer(pbx.caller.media.offered_formats), PHONE_HOST, 41000, ("PCMA",))
    assert found is not None
    leg.accepted(found)


def ended_with(leg: Leg) -> object:
    assert isinstance(leg.side, ScriptedSide)
    return leg.side.of("end")


async def test_the_first_answer_wins_and_the_others_are_ended_as_answered_elsewhere() -> None:
    pbx, legs, task = await ringing(3)
    answer(pbx, legs[1])
    outcome = await task
    assert outcome.answered is legs[1]
    assert [ended_with(leg) for leg in legs] == [[cause.ANSWERED_ELSEWHERE], [], [cause.ANSWERED_ELSEWHERE]]
    assert all(leg.watch is None for leg in legs)


async def test_a_leg_that_ended_or_answered_before_anybody_watched_counts() -> None:
    pbx = FakePbx("102")
    await pbx.prepare(pbx.call)
    legs = [await pbx.callee(answered=False) for _ in range(2)]
    legs[0].hung_up(cause.BUSY)
    answer(pbx, legs[1])
    outcome = await Attempt(pbx.call, legs, Ringing(60)).outcome()
    assert outcome.answered is legs[1]


async def test_ringing_is_told_to_the_caller_once() -> None:
    pbx, legs, task = await ringing(2)
    for leg in legs:
        leg.progressed(b"")
    assert pbx.caller_side.verbs == ["ring"]
    legs[0].hung_up(cause.BUSY)
    legs[1].hung_up(cause.UNAVAILABLE)
    assert await task == DialOutcome(None, cause.BUSY)


async def test_the_end_of_the_ringing_time_ends_every_leg() -> None:
    _, legs, task = await ringing(2)
    began = asyncio.get_running_loop().time()
    assert await task == DialOutcome(None, cause.NO_ANSWER)
    assert asyncio.get_running_loop().time() - began == 60
    assert [ended_with(leg) for leg in legs] == [[cause.NO_ANSWER]] * 2


async def test_an_attempt_that_is_cancelled_ends_every_leg() -> None:
    _, legs, task = await ringing(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(leg.is_ended for leg in legs)


@pytest.mark.parametrize(
    ("causes", "best"),
    [
        ((), cause.UNAVAILABLE),
        ((cause.TIMEOUT,), cause.TIMEOUT),
        ((cause.TIMEOUT, cause.BUSY), cause.BUSY),
        ((cause.BUSY, cause.DECLINED, cause.NO_ANSWER), cause.DECLINED),
        ((cause.NOT_ACCEPTABLE, cause.NO_ANSWER), cause.NO_ANSWER),
        ((cause.SERVER_ERROR, cause.NOT_ACCEPTABLE), cause.NOT_ACCEPTABLE),
    ],
)
def test_the_refusal_that_says_most_is_told(causes: tuple[Cause, ...], best: Cause) -> None:
    assert {best_cause(order) for order in permutations(causes)} == {best}
