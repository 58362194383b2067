"""The numbers to test a phone with, alone."""

import asyncio

import pytest

from features.test_numbers import TONE, Echo, MilliwattTone, SayOwnNumber
from media.api import Play
from pbx import cause
from pbx.codecs import USUAL
from pbx.party import Party, PartyKind
from tests.support.builders import codecs_of
from tests.support.fakepbx import FakePbx
from tests.support.prompts import keys_of


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
    assert codecs_of(sdp) == [*USUAL, "telephone-event", "telephone-event"]
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()


async def test_the_tone_in_a_codec_that_we_do_not_speak_is_refused() -> None:
    pbx = FakePbx("000064", codecs=("iLBC",))
    pbx.start(MilliwattTone())
    assert await pbx.until_ended() == cause.NOT_ACCEPTABLE
    assert pbx.caller_side.said == [("reject", cause.NOT_ACCEPTABLE)]


async def _own_number(caller: Party, language: str) -> list[list[str]]:
    """What is said to the caller, each time that something is."""
    pbx = FakePbx("000063")
    pbx.prompts.office_changed(language)
    pbx.caller.party = caller
    pbx.start(SayOwnNumber())
    for _ in range(2):
        await asyncio.sleep(1.5)
        pbx.engine.finish_play(pbx.caller.media.endpoint)
    assert await pbx.until_ended() == cause.NORMAL
    return [keys_of(play.source) for play in pbx.engine.of(Play)]


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("en", ["en:call-own-number", "en:number/2", "en:number/0", "en:number/7"]),
        ("ru", ["ru:call-own-number", "ru:number/2", "ru:number/0", "ru:number/7"]),
    ],
)
async def test_the_own_number_is_said_twice_in_the_language_of_the_office(language: str, spoken: list[str]) -> None:
    assert await _own_number(Party(PartyKind.TERMINAL, "207"), language) == [spoken, spoken]


async def test_a_caller_with_a_language_of_its_own_hears_that() -> None:
    said = await _own_number(Party(PartyKind.TERMINAL, "1", language="ru"), "en")
    assert said[0] == ["ru:call-own-number", "ru:number/1"]


async def test_a_caller_from_beyond_a_gateway_hears_its_outside_number() -> None:
    said = await _own_number(Party(PartyKind.TERMINAL, "301", presented="+7495"), "ru")
    assert said[0] == ["ru:call-own-number", "ru:word/plus", *(f"ru:number/{digit}" for digit in "7495")]
