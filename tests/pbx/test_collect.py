"""Digits that a caller dials for an app."""

import asyncio

import pytest

from media.api import FileSource, Play, StopPlay
from pbx.collect import Collect, Collected, Collector, Why, collect
from tests.support.fakepbx import FakePbx

PROMPT = FileSource("menu.wav")


def test_nothing_is_waited_for_while_the_prompt_plays() -> None:
    collector = Collector(Collect(first_s=7.0))
    before = collector.deadline
    collector.prompt_ended(10.0)
    collector.on_timer(16.9)
    assert (before, collector.deadline, collector.outcome) == (None, 17.0, None)
    collector.on_timer(17.0)
    assert collector.outcome == Collected("", Why.NOTHING)


def test_each_digit_gives_time_for_another_one() -> None:
    collector = Collector(Collect(most=4, next_s=2.0))
    collector.prompt_ended(0.0)
    collector.digit("1", 5.0)
    collector.digit("2", 6.5)
    collector.on_timer(8.4)
    assert collector.outcome is None
    collector.on_timer(8.5)
    assert collector.outcome == Collected("12", Why.PAUSE)


def test_a_prompt_that_ends_after_the_first_digit_changes_nothing() -> None:
    collector = Collector(Collect(most=4, first_s=60.0, next_s=2.0))
    collector.digit("1", 5.0)
    collector.prompt_ended(5.0)
    assert collector.deadline == 7.0


@pytest.mark.parametrize(
    ("wanted", "dialled", "found"),
    [
        (Collect(most=3), "123", "123"),
        (Collect(most=9, end="#"), "12#", "12"),
        (Collect(most=9, end="#"), "#", ""),
        (Collect(most=9, is_complete=lambda digits: digits in ("1", "25")), "25", "25"),
    ],
)
def test_the_input_is_complete_when_nothing_further_makes_sense(wanted: Collect, dialled: str, found: str) -> None:
    collector = Collector(wanted)
    for digit in dialled:
        assert collector.outcome is None
        collector.digit(digit, 1.0)
    assert collector.outcome == Collected(found, Why.COMPLETE)
    collector.digit("9", 1.5)
    assert collector.outcome == Collected(found, Why.COMPLETE)


async def test_the_first_digit_ends_the_prompt() -> None:
    pbx = FakePbx("700")
    await pbx.prepare(pbx.call)
    asking = asyncio.ensure_future(collect(pbx.caller, Collect(most=2), PROMPT))
    await asyncio.sleep(1)
    (play,) = pbx.engine.of(Play)
    assert play.source == PROMPT
    pbx.engine.press(pbx.caller.media.endpoint, "4")
    await asyncio.sleep(0.1)
    assert [each.play for each in pbx.engine.of(StopPlay)] == [play.play]
    pbx.engine.press(pbx.caller.media.endpoint, "2")
    assert await asking == Collected("42", Why.COMPLETE)


async def test_what_is_dialled_before_anybody_asks_counts_unless_the_party_talked_meanwhile() -> None:
    pbx = FakePbx("102")
    await pbx.prepare(pbx.call)
    pbx.engine.press(pbx.caller.media.endpoint, "12")
    assert await collect(pbx.caller, Collect(), PROMPT) == Collected("1", Why.COMPLETE)
    assert await collect(pbx.caller, Collect()) == Collected("2", Why.COMPLETE)
    pbx.engine.press(pbx.caller.media.endpoint, "3")
    callee = await pbx.callee()
    pbx.call.connect(pbx.caller, callee)
    assert await collect(pbx.caller, Collect(first_s=3.0)) == Collected("", Why.NOTHING)


async def test_an_app_that_is_interrupted_stops_the_prompt_and_asks_no_longer() -> None:
    pbx = FakePbx("700")
    await pbx.prepare(pbx.call)
    asking = asyncio.ensure_future(collect(pbx.caller, Collect(), PROMPT))
    await asyncio.sleep(1)
    asking.cancel()
    await asyncio.sleep(0)
    assert len(pbx.engine.of(StopPlay)) == 1
    pbx.engine.press(pbx.caller.media.endpoint, "5")
    assert await collect(pbx.caller, Collect()) == Collected("5", Why.COMPLETE)
