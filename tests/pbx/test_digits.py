"""Digits of phones by RFC 4733, tones and INFO: each press counts once, and reaches the other side once (EXT-9)."""

import asyncio

import pytest

from media.api import ConfigureEndpoint, DigitReceived, SendDigits
from pbx.digits import SAME_PRESS_S, Digits, Way, reaches, way_of
from sipcore.events import InfoDigit
from tests.support.builders import BASIC, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall

PLAIN = ("PCMA", "PCMU")
CODE_S = 2.6  # until a digit with which codes begin is known to be none


def press(call: PhoneCall, digit: str) -> None:
    """INFO with that digit inside the call."""
    call.inform(digit)


def by_audio(office: VirtualOffice, number: str, digit: str) -> None:
    endpoint = office.leg_of(number).media.endpoint
    office.engine.emit(DigitReceived(endpoint, digit, 100))


async def talk(office: VirtualOffice, *codecs: str) -> tuple[PhoneCall, PhoneCall]:
    """101 calls 102, a phone with these codecs."""
    a, b = await office.registered("101"), await office.registered("102", codecs=codecs or BASIC)
    return await office.connect(a, b)


async def test_digits_by_info_are_in_the_trail_of_the_call_and_go_on_as_events() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await talk(office, *PLAIN)
        for digit in "1*#":
            press(ring, digit)
            await asyncio.sleep(0.3)
        await asyncio.sleep(CODE_S)
        (running,) = office.pbx.calls.values()
        assert running.digits == "1*#"
        peer = office.leg_of("101").media.endpoint
        assert office.engine.of(SendDigits) == [SendDigits(peer, digit) for digit in "1*#"]
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("first", ["info", "audio"])
async def test_a_press_that_comes_both_ways_counts_once(first: str) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await talk(office)
        for digit in "55":
            for way in ("info", "audio") if first == "info" else ("audio", "info"):
                if way == "info":
                    press(call, digit)
                else:
                    by_audio(office, "101", digit)
                await asyncio.sleep(0.2)
        (running,) = office.pbx.calls.values()
        assert running.digits == "55"
        peer = office.leg_of("102").media.endpoint
        assert office.engine.of(SendDigits) == [SendDigits(peer, "5")] * 2
        call.hangup()
        await ring.until_over()


def test_presses_pair_up_only_with_the_other_way_and_not_for_long() -> None:
    digits = Digits()
    assert digits.is_new("1", by_info=False, now=0.0)
    assert digits.is_new("1", by_info=False, now=0.1)
    assert not digits.is_new("1", by_info=True, now=0.2)
    assert not digits.is_new("1", by_info=True, now=0.3)
    assert digits.is_new("1", by_info=True, now=0.4)
    assert digits.is_new("2", by_info=False, now=0.5)
    assert digits.is_new("2", by_info=True, now=0.5 + SAME_PRESS_S)


@pytest.mark.parametrize(
    ("setting", "with_events", "without"),
    [
        ("auto", Way.EVENTS, Way.TONES),
        ("auto_info", Way.EVENTS, Way.INFO),
        ("rfc4733", Way.EVENTS, Way.NONE),
        ("info", None, Way.INFO),
        ("inband", None, Way.TONES),
    ],
)
def test_each_setting_is_a_way_with_and_without_rfc_4733(setting: str, with_events: Way | None, without: Way) -> None:
    assert way_of(setting, has_events=False) is without
    assert with_events is None or way_of(setting, has_events=True) is with_events


Phones = tuple[str, tuple[str, ...], Way]
PARTIES: tuple[Phones, ...] = (
    ("auto", BASIC, Way.EVENTS),
    ("auto", PLAIN, Way.TONES),
    ("auto_info", PLAIN, Way.INFO),
    ("info", BASIC, Way.INFO),
    ("inband", BASIC, Way.TONES),
)


@pytest.mark.parametrize("one", PARTIES, ids=lambda each: f"{each[0]}-{each[2].name}")
@pytest.mark.parametrize("other", PARTIES, ids=lambda each: f"{each[0]}-{each[2].name}")
async def test_the_other_side_gets_each_press_once_and_in_its_own_way(one: Phones, other: Phones) -> None:
    """Who is called is offered what the caller has."""
    way = Way.TONES if other[2] is Way.EVENTS and one[1] is PLAIN else other[2]
    async with open_office(terminal("101", dtmf=one[0]), terminal("102", dtmf=other[0])) as office:
        a, b = await office.registered("101", codecs=one[1]), await office.registered("102", codecs=other[1])
        call, ring = await office.connect(a, b)
        for digit in "15#":
            if one[2] is Way.INFO:
                press(call, digit)
            else:
                by_audio(office, "101", digit)
            await asyncio.sleep(0.3)
        await asyncio.sleep(CODE_S)
        endpoint = office.leg_of("102").media.endpoint
        sent = [] if way is Way.INFO else [SendDigits(endpoint, digit) for digit in "15#"]
        assert office.engine.of(SendDigits) == sent
        told = [event.digit for event in ring.heard if isinstance(event, InfoDigit)]
        assert told == (list("15#") if way is Way.INFO else [])
        assert all(each.spec.keeps_digits for each in office.engine.of(ConfigureEndpoint)), "both may use codes"
        tones = {each.endpoint: each.spec.tones for each in office.engine.of(ConfigureEndpoint)}
        assert tones == {office.leg_of("101").media.endpoint: one[2] is Way.TONES, endpoint: way is Way.TONES}
        (running,) = office.pbx.calls.values()
        assert running.digits == "15#"
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("one", Way)
@pytest.mark.parametrize("other", Way)
@pytest.mark.parametrize("by_info", [False, True])
def test_the_engine_carries_what_both_have_in_common(one: Way, other: Way, by_info: bool) -> None:
    """Of parties that may not use codes."""
    assert reaches(one, other, by_info=by_info) is (
        (one, other) == (Way.EVENTS, Way.EVENTS) or ((one, other) == (Way.TONES, Way.TONES) and not by_info)
    )


@pytest.mark.parametrize("setting", ["info", "inband"])
async def test_who_sends_digits_another_way_is_neither_offered_rfc_4733_nor_answered_with_it(setting: str) -> None:
    async with open_office(terminal("101", dtmf=setting), terminal("102", dtmf=setting)) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        offered, answered = b.requests("INVITE")[0].body, a.responses(200)[-1].body
        assert b"telephone-event" not in offered + answered
        assert b"PCMA" in offered
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("codecs", [BASIC, PLAIN])
async def test_a_phone_that_is_set_to_rfc_4733_is_offered_it_by_whoever_calls_and_sent_digits_in_no_other_way(
    codecs: tuple[str, ...],
) -> None:
    async with open_office(terminal("101", dtmf="info"), terminal("102", dtmf="rfc4733")) as office:
        a, b = await office.registered("101", codecs=PLAIN), await office.registered("102", codecs=codecs)
        call, ring = await office.connect(a, b)
        press(call, "7")
        await asyncio.sleep(0.3)
        endpoint = office.leg_of("102").media.endpoint
        assert office.engine.of(SendDigits) == ([SendDigits(endpoint, "7")] if codecs is BASIC else [])
        assert not [event for event in ring.heard if isinstance(event, InfoDigit)]
        call.hangup()
        await ring.until_over()
