"""One leg with a scripted side: what it says when, and what it never says twice."""

import asyncio

import pytest

from media.api import DestroyEndpoint, Play, StopPlay, ToneSource
from pbx import cause
from pbx.events import Direction, LegAnswered, LegCreated, LegEnded, LegRinging
from pbx.leg import Leg, LegState
from pbx.media_endpoint import MediaRefused
from pbx.quality import Measured
from tests.support.builders import answer_sdp, sdp
from tests.support.fakepbx import PHONE_HOST, FakePbx, ScriptedSide

TONE = ToneSource((((425.0,), 100),))


def said(leg: Leg) -> list[str]:
    assert isinstance(leg.side, ScriptedSide)
    return leg.side.verbs


async def prepared(*codecs: str) -> FakePbx:
    pbx = FakePbx("102", codecs=codecs or ("PCMA", "telephone-event"))
    await pbx.prepare(pbx.call)
    return pbx


async def test_an_incoming_leg_rings_once_answers_once_and_ends_once() -> None:
    pbx = await prepared()
    leg = pbx.caller
    for _ in range(2):
        leg.ring()
    for _ in range(2):
        leg.answer()
    leg.ring()
    for _ in range(2):
        leg.hangup()
    leg.answer()
    assert said(leg) == ["ring", "answer", "end"]
    await asyncio.sleep(0)
    kinds = [type(event) for event in pbx.events if type(event) in (LegCreated, LegRinging, LegAnswered, LegEnded)]
    assert kinds == [LegCreated, LegAnswered, LegEnded]


@pytest.mark.parametrize(
    ("state", "direction", "verb"),
    [
        (LegState.NEW, Direction.INCOMING, "reject"),
        (LegState.RINGING, Direction.INCOMING, "reject"),
        (LegState.ANSWERED, Direction.INCOMING, "end"),
        (LegState.NEW, Direction.OUTGOING, "end"),
        (LegState.RINGING, Direction.OUTGOING, "end"),
        (LegState.ANSWERED, Direction.OUTGOING, "end"),
    ],
)
async def test_hanging_up_refuses_cancels_or_ends_as_the_state_demands(
    state: LegState, direction: Direction, verb: str
) -> None:
    pbx = await prepared()
    leg = pbx.caller if direction is Direction.INCOMING else await pbx.callee(answered=False)
    leg.state = state
    leg.hangup(cause.BUSY)
    assert said(leg) == [verb]
    assert (leg.cause, leg.is_ended) == (cause.BUSY, True)


async def test_an_answer_without_a_common_codec_leaves_the_leg_as_it_was() -> None:
    pbx = await prepared("iLBC")
    with pytest.raises(MediaRefused):
        pbx.caller.answer()
    assert said(pbx.caller) == []
    assert pbx.caller.state is LegState.NEW


async def test_waiting_for_the_end_ends_with_it_however_many_wait() -> None:
    pbx = await prepared()
    waits = [asyncio.create_task(pbx.caller.until_ended()) for _ in range(3)]
    await asyncio.sleep(1)
    assert not any(wait.done() for wait in waits)
    pbx.caller.hung_up(cause.NORMAL)
    await asyncio.gather(*waits)
    await pbx.caller.until_ended()


async def test_what_plays_ends_with_its_reason_or_with_the_leg() -> None:
    pbx = await prepared()
    leg = pbx.caller
    leg.answer()
    first = leg.start_play(TONE)
    pbx.engine.finish_play(leg.media.endpoint, "finished")
    assert await first == "finished"
    second = leg.start_play(TONE)
    leg.stop_plays()
    assert await second == "stopped"
    third = leg.start_play(TONE)
    leg.hung_up(cause.NORMAL)
    assert await third == "stopped"
    await asyncio.sleep(1)
    plays = [play.play for play in pbx.engine.of(Play)]
    assert [stop.play for stop in pbx.engine.of(StopPlay)] == [plays[1]]
    assert pbx.engine.refused == []


async def test_a_leg_ends_with_the_last_report_of_its_endpoint() -> None:
    pbx = await prepared()
    pbx.caller.hung_up(cause.NORMAL)
    assert pbx.engine.of(DestroyEndpoint) == [DestroyEndpoint(pbx.caller.media.endpoint)]
    assert not [event for event in pbx.events if isinstance(event, LegEnded)]
    await asyncio.sleep(0)
    (ended,) = [event for event in pbx.events if isinstance(event, LegEnded)]
    assert ended.measured == Measured(), "nothing was measured before an answer"
    pbx.caller.give_up_report()
    assert len([event for event in pbx.events if isinstance(event, LegEnded)]) == 1
    assert pbx.services.legs == {}


async def test_progress_after_the_answer_and_answers_after_the_end_change_nothing() -> None:
    pbx = await prepared()
    leg = await pbx.callee()
    leg.progressed(b"")
    assert leg.is_answered
    leg.hangup()
    leg.accepted(sdp(PHONE_HOST, 41000))
    leg.progressed(sdp(PHONE_HOST, 41000))
    leg.hung_up(cause.BUSY)
    assert leg.is_ended
    assert leg.cause == cause.NORMAL


async def test_early_media_that_cannot_be_agreed_on_is_passed_over_and_the_answer_counts() -> None:
    pbx = await prepared()
    leg = await pbx.callee(answered=False)
    leg.progressed(b"nonsense")
    assert (leg.state, leg.has_early_media) == (LegState.RINGING, False)
    answer = answer_sdp(leg.media.offer(pbx.caller.media.offered_formats), PHONE_HOST, 41000, ("PCMA",))
    assert answer is not None
    leg.accepted(answer)
    assert leg.is_answered


async def test_an_answer_without_a_description_needs_early_media() -> None:
    pbx = await prepared()
    leg = await pbx.callee(answered=False)
    leg.accepted(b"")
    assert said(leg) == ["end"]
    assert leg.cause == cause.MEDIA_FAILED


async def test_a_leg_that_may_not_be_changed_now_says_so() -> None:
    pbx = await prepared()
    leg = await pbx.callee()
    assert isinstance(leg.side, ScriptedSide)
    assert leg.offer(pbx.caller.media.offered_formats)
    assert not leg.offer(pbx.caller.media.offered_formats)
    assert said(leg) == ["modify"]
    leg.hangup()
    assert not leg.offer(pbx.caller.media.offered_formats)


async def test_a_change_that_meets_a_peer_that_may_not_be_changed_now_is_to_be_tried_again() -> None:
    pbx = await prepared("PCMA", "iLBC", "telephone-event")
    callee = await pbx.callee()
    pbx.call.connect(pbx.caller, callee)
    pbx.caller.answer(callee.media.formats_for_other_side)
    assert isinstance(callee.side, ScriptedSide)
    callee.side.may_modify = False
    pbx.caller.offered(sdp(PHONE_HOST, 40000, ("iLBC",), version=2))
    assert pbx.caller_side.of("refuse_offer") == [491]


async def test_a_change_that_suits_nobody_is_refused() -> None:
    pbx = await prepared()
    pbx.caller.answer()
    pbx.caller.offered(sdp(PHONE_HOST, 40000, ("iLBC",), version=2))
    pbx.caller.offered(b"nonsense")
    assert pbx.caller_side.of("refuse_offer") == [488, 400]
    assert not pbx.caller.is_ended


@pytest.mark.parametrize(("status", "told"), [(488, 488), (491, 491), (408, 488), (500, 488)])
async def test_the_outcome_at_the_other_side_decides_about_a_change(status: int, told: int) -> None:
    pbx = await prepared("PCMA", "iLBC", "telephone-event")
    callee = await pbx.callee()
    pbx.call.connect(pbx.caller, callee)
    pbx.caller.answer(callee.media.formats_for_other_side)
    pbx.caller.offered(sdp(PHONE_HOST, 40000, ("iLBC",), version=2))
    assert said(callee) == ["modify"]
    callee.modified(status, b"")
    assert pbx.caller_side.of("refuse_offer") == [told]


async def test_an_asker_who_has_gone_meanwhile_is_not_answered() -> None:
    pbx = await prepared("PCMA", "iLBC", "telephone-event")
    callee = await pbx.callee()
    pbx.call.connect(pbx.caller, callee)
    pbx.caller.answer(callee.media.formats_for_other_side)
    pbx.caller.offered(sdp(PHONE_HOST, 40000, ("iLBC",), version=2))
    pbx.caller.hung_up(cause.NORMAL)
    callee.modified(488, b"")
    assert said(pbx.caller) == ["answer"]
