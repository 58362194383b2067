"""The numbers to test a phone with, alone."""

import asyncio

from features.test_numbers import TONE, Echo, MilliwattTone
from media.api import Play
from pbx import cause
from tests.support.builders import codecs_of
from tests.support.fakepbx import FakePbx


async def test_the_echo_sends_back_what_it_hears_until_the_caller_hangs_up() -> None:
    pbx = FakePbx("10003246", codecs=("opus", "telephone-event"))
    pbx.start(Echo())
    await asyncio.sleep(1)
    (sdp,) = pbx.caller_side.of("answer")
    assert isinstance(sdp, bytes)
    assert codecs_of(sdp)[0] == "opus"
    assert pbx.engine.endpoints[pbx.caller.media.endpoint].echo
    pbx.caller.hung_up(cause.NORMAL)
    assert await pbx.until_ended() == cause.NORMAL


async def test_the_tone_plays_a_thousand_hertz() -> None:
    pbx = FakePbx("000064")
    pbx.start(MilliwattTone())
    await asyncio.sleep(1)
    (play,) = pbx.engine.of(Play)
    assert play.source == TONE
    assert TONE.steps == (((1000.0,), 1000),)
    pbx.caller.hung_up(cause.NORMAL)
    assert await pbx.until_ended() == cause.NORMAL


async def test_a_caller_without_an_offer_gets_ours() -> None:
    pbx = FakePbx("10003246", codecs=())
    pbx.start(Echo())
    await asyncio.sleep(1)
    (sdp,) = pbx.caller_side.of("answer")
    assert isinstance(sdp, bytes)
    assert codecs_of(sdp) == ["PCMA", "PCMU", "telephone-event"]
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()


async def test_the_tone_in_a_codec_that_we_do_not_speak_is_refused() -> None:
    pbx = FakePbx("000064", codecs=("opus",))
    pbx.start(MilliwattTone())
    assert await pbx.until_ended() == cause.NOT_ACCEPTABLE
    assert pbx.caller_side.said == [("reject", cause.NOT_ACCEPTABLE)]
