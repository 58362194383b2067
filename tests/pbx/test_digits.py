"""Digits of phones by RFC 4733 and INFO: each press counts once, and reaches the other side (EXT-9)."""

import asyncio

import pytest

from media.api import DigitReceived, SendDigits
from pbx.digits import SAME_PRESS_S, Digits
from sipcore.build import new_request
from tests.support.builders import BASIC, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall

PLAIN = ("PCMA", "PCMU")


def press(call: PhoneCall, digit: str) -> None:
    """INFO with that digit inside the call."""
    session = call.on
    assert session.dialog is not None
    made = session.dialog.request("INFO", extra=[("Content-Type", "application/dtmf-relay")])
    request = new_request(
        "INFO",
        made.uri,
        from_=session.dialog.local,
        to=session.dialog.remote,
        call_id=made.call_id,
        cseq=made.cseq.number,
        extra=[("Content-Type", "application/dtmf-relay")],
        body=f"Signal={digit}\r\nDuration=160\r\n".encode(),
    )
    phone = call.phone
    phone.stack.send(request, phone.flow, phone.driver.now(), user=asyncio.get_running_loop().create_future())
    phone.driver.kick()


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
        assert office.engine.of(SendDigits) == []  # the audio carries them on
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
