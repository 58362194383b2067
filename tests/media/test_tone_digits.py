"""Digits as tones through the engine: told once, heard only by those whose digits are tones too, made on demand."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from media.api import DigitReceived, HostPort, JoinRoom, Payload, SendDigits, SetEcho, StreamSpec
from media.codec.g711 import encode_ulaw
from media.dsp.dtmf import Tones, tone
from media.rtp.packet import RtpPacket, parse_packet
from media.rtp.telephone_event import SYMBOLS
from tests.media.peer import EVENTS, PCMA, PCMU, Events, Peer, accept, embedded, open_endpoint, peers, refused
from tests.media.sounds import heard

Samples = NDArray[np.int16]

SILENCE: Samples = np.zeros(1600, np.int16)
G722 = Payload(9, "G722")


def tones_of(peer: Peer, *payloads: Payload) -> StreamSpec:
    """Of a phone whose digits are tones."""
    return replace(peer.spec(*(payloads or (PCMU,))), tones=True)


def keyed(digits: str, ms: int = 80) -> Samples:
    """A phone that presses these keys."""
    presses = [np.frombuffer(tone(SYMBOLS.index(digit), 8000, 8 * ms, 8 * ms), np.int16) for digit in digits]
    return np.concatenate([SILENCE, *[part for each in presses for part in (each, SILENCE[:640])], SILENCE])


async def say(peer: Peer, to: HostPort, sound: Samples) -> None:
    """In packets of 20 ms, one every 20 ms by the clock."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for at in range(0, len(sound) // 160 * 160, 160):
        peer.send(to, encode_ulaw(sound[at : at + 160]))
        await asyncio.sleep(max(0.0, begun + (at + 160) / 8000 - loop.time()))


def digits_in(packets: Sequence[RtpPacket]) -> str:
    """What is heard in their audio."""
    sound = heard([each for each in packets if each.payload_type in (0, 8)])
    return "".join(SYMBOLS[event] for event, ms in Tones(8000).feed(sound) if not ms)


def received(peer: Peer) -> list[RtpPacket]:
    """What has come so far: rooms that are mixed never fall silent."""
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(parse_packet(peer.rtp.recv(4096)))
    return found


def told(events: Events, endpoint: int) -> str:
    return "".join(event.digit for event in events.of(DigitReceived) if event.endpoint == endpoint)


@pytest.mark.real_loop
@pytest.mark.parametrize("echo", [False, True])
async def test_a_party_alone_is_heard_pressing_keys(echo: bool) -> None:
    async with embedded() as engine, peers(Peer()) as (peer,):
        events = Events(engine)
        there = await open_endpoint(engine, 1, tones_of(peer))
        await accept(engine, SetEcho(1, echo))
        await say(peer, there, keyed("15#"))
        assert told(events, 1) == "15#"
        assert [60 <= event.duration_ms <= 90 for event in events.of(DigitReceived)] == [True] * 3


@pytest.mark.real_loop
@pytest.mark.parametrize("packet", ["lost", "late", "twice"])
async def test_a_digit_is_told_once_though_a_packet_of_it_is_amiss_and_nothing_comes_after_it(packet: str) -> None:
    """A phone that sends nothing in pauses: 160 ms of a key, and then silence of the other kind."""
    async with embedded() as engine, peers(Peer()) as (peer,):
        events = Events(engine)
        there = await open_endpoint(engine, 1, tones_of(peer))
        sound = np.concatenate([SILENCE, np.frombuffer(tone(7, 8000, 1280, 1280), np.int16)])
        frames = [(number, encode_ulaw(frame)) for number, frame in enumerate(sound.reshape(-1, 160))]
        amiss = len(frames) - 4
        if packet == "late":
            frames[amiss], frames[amiss + 1] = frames[amiss + 1], frames[amiss]
        elif packet == "twice":
            frames.insert(amiss, frames[amiss])
        else:
            del frames[amiss]
        for number, payload in frames:
            peer.send(there, payload, sequence=number, timestamp=160 * number)
        event = await events.wait(DigitReceived)
        assert (event.digit, told(events, 1)) == ("7", "7")
        assert event.duration_ms == pytest.approx(140, abs=25)


@pytest.mark.real_loop
async def test_two_whose_digits_are_tones_are_relayed_and_each_press_is_heard_and_told_once() -> None:
    async with embedded() as engine, peers(Peer(), Peer()) as (one, other):
        events = Events(engine)
        there = await open_endpoint(engine, 1, tones_of(one))
        await open_endpoint(engine, 2, tones_of(other))
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        await say(one, there, keyed("7*"))
        assert told(events, 1) == "7*"
        assert told(events, 2) == ""
        packets = received(other)
        assert digits_in(packets) == "7*"
        assert len(packets) == len(keyed("7*")) // 160  # as they came


@pytest.mark.real_loop
async def test_tones_that_are_kept_are_told_and_nobody_hears_them() -> None:
    async with embedded() as engine, peers(Peer(), Peer()) as (one, other):
        events = Events(engine)
        there = await open_endpoint(engine, 1, replace(tones_of(one), keeps_digits=True))
        await open_endpoint(engine, 2, tones_of(other))
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        speech = np.tile(np.rint(3000 * np.sin(np.arange(160) * 2 * np.pi / 40)).astype(np.int16), 10)
        await say(one, there, np.concatenate([speech, keyed("*2"), speech]))
        assert told(events, 1) == "*2"
        packets = received(other)
        assert digits_in(packets) == ""
        assert np.abs(heard(packets).astype(int)).max() > 2000, "the speech before and after it is heard"
        loud = np.abs(heard(packets).astype(int)) > 4000  # the speech has no more than 3000
        assert np.count_nonzero(loud) < 2 * 8 * 20  # of 160 ms of tones


@pytest.mark.real_loop
@pytest.mark.parametrize("sink", [PCMU, G722], ids=["relayed", "mixed"])
async def test_events_that_are_kept_are_told_and_reach_nobody(sink: Payload) -> None:
    async with embedded() as engine, peers(Peer(), Peer()) as (one, other):
        events = Events(engine)
        there = await open_endpoint(engine, 1, replace(one.spec(PCMU, EVENTS), keeps_digits=True))
        await open_endpoint(engine, 2, other.spec(sink, EVENTS))
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        for number in range(6):
            duration = (160 * (number + 1)).to_bytes(2, "big")
            one.send(there, bytes([10, 0x8A if number > 2 else 10]) + duration, payload_type=101, timestamp=0x1000)
            await asyncio.sleep(0.02)
        await accept(engine, SendDigits(2, "5"))
        await asyncio.sleep(0.3)
        assert told(events, 1) == "*"
        assert {each.payload[0] for each in received(other) if each.payload_type == 101} == {5}


@pytest.mark.real_loop
@pytest.mark.parametrize("payload", [PCMU, PCMA, G722], ids=lambda each: each.name)
async def test_who_has_digits_in_another_way_does_not_hear_the_tones(payload: Payload) -> None:
    async with embedded() as engine, peers(Peer(), Peer()) as (one, other):
        events = Events(engine)
        there = await open_endpoint(engine, 1, tones_of(one))
        await open_endpoint(engine, 2, other.spec(payload, EVENTS))
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        speech = np.tile(np.rint(3000 * np.sin(np.arange(160) * 2 * np.pi / 40)).astype(np.int16), 10)
        await say(one, there, np.concatenate([speech, keyed("42"), speech]))
        assert told(events, 1) == "42"
        packets = received(other)
        assert digits_in(packets) == ""
        if payload is not G722:
            loud = np.abs(heard(packets).astype(int)) > 4000  # the speech has no more than 3000
            assert np.count_nonzero(loud) < 2 * 8 * 20  # of 160 ms of tones


@pytest.mark.real_loop
async def test_in_a_conference_nobody_hears_the_tones() -> None:
    async with embedded() as engine, peers(Peer(), Peer(), Peer()) as (one, other, third):
        events = Events(engine)
        there = await open_endpoint(engine, 1, tones_of(one))
        await open_endpoint(engine, 2, tones_of(other))
        await open_endpoint(engine, 3, third.spec(PCMA))
        await accept(engine, *(JoinRoom(1, each) for each in (1, 2, 3)))
        await say(one, there, keyed("99"))
        assert told(events, 1) == "99"
        assert digits_in(received(other)) == digits_in(received(third)) == ""


@pytest.mark.real_loop
@pytest.mark.parametrize("room", ["none", "relayed", "mixed"])
async def test_digits_that_are_sent_to_it_are_tones_in_what_it_hears(room: str) -> None:
    async with embedded() as engine, peers(Peer(), Peer()) as (one, other):
        await open_endpoint(engine, 1, tones_of(one))
        there = await open_endpoint(engine, 2, tones_of(other) if room == "relayed" else other.spec(PCMU, EVENTS))
        if room != "none":
            await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        talking = asyncio.ensure_future(say(other, there, np.full(8000, 500, np.int16)))
        await asyncio.sleep(0.1)
        await accept(engine, SendDigits(1, "19"), SendDigits(1, "d", duration_ms=200))
        await talking
        await asyncio.sleep(0.2)
        assert digits_in(received(one)) == "19D"


@pytest.mark.real_loop
async def test_events_of_the_one_are_told_and_do_not_reach_the_one_with_tones_by_themselves() -> None:
    """Call control presses them anew."""
    async with embedded() as engine, peers(Peer(), Peer()) as (one, other):
        events = Events(engine)
        there = await open_endpoint(engine, 1, one.spec(PCMU, EVENTS))
        await open_endpoint(engine, 2, tones_of(other))
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        for number in range(6):
            duration = (160 * (number + 1)).to_bytes(2, "big")
            event = bytes([5, 0x8A if number > 2 else 10]) + duration
            one.send(there, event, payload_type=101, timestamp=0x1000)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert told(events, 1) == "5"
        assert [each for each in received(other) if each.payload_type == 101] == []


@pytest.mark.real_loop
async def test_what_cannot_be_encoded_cannot_be_sent_tones_and_what_cannot_be_decoded_is_not_listened_to() -> None:
    async with embedded() as engine, peers(Peer()) as (peer,):
        there = await open_endpoint(engine, 1, tones_of(peer, Payload(97, "iLBC")))
        (reply,) = await engine.execute(SendDigits(1, "1"))
        assert "iLBC" in refused(reply)
        peer.send(there, bytes(38), payload_type=97)
