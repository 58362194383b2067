"""Digits between phones of every kind, by real packets: RFC 4733 events, tones in the audio, SIP INFO (EXT-9)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from bench.wire import Address, audio_of, sdp
from media.dsp.dtmf import Tones
from media.dsp.dtmf import tone as key_tone
from tests.e2e.audio import Packet, RtpSocket, Samples, exchange, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, Site, running, terminal
from tests.e2e.ua import Call, Phone, registered

EVENTS = "0123456789*#ABCD"
WITH, WITHOUT = (8, 101), (8,)
SIGNAL = re.compile(r"Signal=(.)")

# How a phone sends and takes digits: its terminal as caller and as callee, the payload types that it offers or answers.
CALLERS = {"events": ("301", WITH), "tones": ("301", WITHOUT), "info": ("303", WITHOUT)}
CALLEES = {"events": ("404", WITH), "tones": ("403", WITH), "info": ("402", WITH)}
SETTINGS = {"301": "auto", "303": "auto_info", "402": "info", "403": "inband", "404": "rfc4733"}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose terminals have all five settings."""
    entries = [
        terminal(number, dtmf=setting, trust=CALLER if number.startswith("3") else CALLEE)
        for number, setting in SETTINGS.items()
    ]
    with running(Site.write(tmp_path_factory.mktemp("digits"), "\n".join(entries), sip="qualify = 0")) as server:
        yield server


@dataclass
class Party:
    """A phone in a call, and everything that it is told of digits."""

    way: str
    phone: Phone
    rtp: RtpSocket
    call: Call
    to: Address
    packets: list[Packet] = field(default_factory=list)
    signals: str = ""

    def take_signals(self) -> None:
        """Answer every INFO that comes, until none does for a while, or the call ends."""
        while (message := self.phone.receive(0.5)) is not None:
            if message.method == "BYE":
                self.phone.put_back(message)
                return
            assert (message.method, message.first("content-type")) == ("INFO", "application/dtmf-relay")
            found = SIGNAL.search(message.body)
            assert found is not None, message.body
            self.signals += found[1]
            self.phone.reply(message, 200)

    def told(self, way: str) -> str:
        """The digits that came by that way, one for each press."""
        if way == "info":
            return self.signals
        if way == "tones":
            return "".join(EVENTS[event] for event, ms in Tones(8000).feed(sound_of(self.packets)) if not ms)
        pressed: dict[int, str] = {}
        for packet in self.packets:
            if packet.payload_type == 101:
                pressed[packet.timestamp] = EVENTS[packet.payload[0]]
        return "".join(pressed.values())


def press(one: Party, other: Party, digit: str) -> None:
    """As a phone of that way does it, while both talk."""
    sound = tone(300, 0.4, level=0.05)
    if one.way == "tones":
        sound[1600:2400] = np.frombuffer(key_tone(EVENTS.index(digit), 8000, 800, 800), np.int16)
    elif one.way == "events":
        event = EVENTS.index(digit)
        one.rtp.send_event(one.to, [bytes([event, 10, *ms.to_bytes(2)]) for ms in (160, 320, 480)], 101)
        one.rtp.send_event(one.to, [bytes([event, 0x8A, *(640).to_bytes(2)])] * 3, 101, again=True)
    else:
        body = f"Signal={digit}\r\nDuration=120\r\n"
        one.call.request("INFO", body, [("Content-Type", "application/dtmf-relay")])
        one.phone.expect(200)
    talk(one, other, sound)
    other.take_signals()


def talk(one: Party, other: Party, sound: Samples) -> None:
    still = np.zeros(len(sound), np.int16)
    mine, theirs = exchange([(one.rtp, one.to, sound), (other.rtp, other.to, still)])
    one.packets += mine
    other.packets += theirs


@contextmanager
def conversation(office: Server, ours: str, theirs: str) -> Iterator[tuple[Party, Party]]:
    """Two phones of those ways talk."""
    (caller, offered), (callee, answered) = CALLERS[ours], CALLEES[theirs]
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE, ssrc=0x55) as there,
        Phone(office.address, caller, host=CALLER) as a,
        registered(office.address, callee, host=CALLEE) as b,
    ):
        outgoing = a.dial(callee, offer=sdp(here.address, offered))
        incoming = b.wait_for_call()
        described = audio_of(incoming.invite.body if incoming.invite else "")
        assert (101 in described.payloads) == (theirs == "events")
        incoming.reply(200, sdp(there.address, [each for each in answered if each in described.payloads]))
        answer = outgoing.expect(200)
        outgoing.acknowledge()
        b.expect("ACK")
        assert (101 in audio_of(answer.body).payloads) == (ours == "events")
        one = Party(ours, a, here, outgoing, audio_of(answer.body).address)
        other = Party(theirs, b, there, incoming, described.address)
        talk(one, other, tone(300, 0.3, level=0.05))
        yield one, other


@pytest.mark.row("EXT-9")
@pytest.mark.parametrize("theirs", CALLEES)
@pytest.mark.parametrize("ours", CALLERS)
def test_each_press_reaches_the_other_phone_once_and_in_its_own_way(office: Server, ours: str, theirs: str) -> None:
    with conversation(office, ours, theirs) as (one, other):
        for source, sink, digits in ((one, other, "*4"), (other, one, "#8")):
            for digit in digits:
                press(source, sink, digit)
            talk(source, sink, np.zeros(3200, np.int16))
            for way in ("events", "tones", "info"):
                assert sink.told(way) == (digits if way == sink.way else ""), (sink.way, way)
            sink.packets, sink.signals = [], ""
        one.call.hang_up()
        other.call.expect_hang_up()
    assert office.json("history", "--number", CALLEES[theirs][0])[0]["digits"] == "*4#8"


@pytest.mark.row("FEAT-1")
@pytest.mark.parametrize("way", ["events", "tones"])
def test_the_other_phone_is_told_nothing_of_a_code_and_what_is_none_when_that_is_known(
    office: Server, way: str
) -> None:
    with conversation(office, way, way) as (one, other):
        for digit in "5*":
            press(one, other, digit)
        talk(one, other, tone(300, 0.3, level=0.05))
        assert other.told(way) == "5", "the other one may be the first of a code"
        talk(one, other, tone(300, 2.5, level=0.05))
        other.take_signals()
        assert other.told(way) == "5*"
        press(one, other, "*")
        press(one, other, "0")
        for each in ("events", "tones", "info"):
            assert other.told(each) == ("5*" if each == way else ""), each
        other.call.expect_hang_up()
    assert office.json("history", "--number", CALLEES[way][0])[0]["digits"] == "5**0"
