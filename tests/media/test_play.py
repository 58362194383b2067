"""Tones and files as a phone hears them."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    FileSource,
    JoinRoom,
    Play,
    PlayEnded,
    SendDigits,
    StopPlay,
    StreamReport,
    ToneSource,
)
from media.codec import g711
from media.engine.tones import BadTone, amplitude, compile_tone
from tests.media.peer import PCMA, PCMU, Events, Peer, accept, created, embedded, open_endpoint, peers
from tests.media.sounds import heard, level_dbov, sine, strongest_hz, wav

pytestmark = pytest.mark.real_loop


def tone(*frequencies: float, ms: int = 1000, loop: bool = True, level_db: float = -10.0) -> ToneSource:
    return ToneSource(((frequencies, ms),), loop, level_db)


@pytest.mark.parametrize("payload", [PCMU, PCMA])
async def test_a_tone_has_its_frequencies_and_its_level(payload: object) -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec(PCMU if payload is PCMU else PCMA))
        await accept(engine, Play(1, 1, tone(350.0, 440.0)))
        samples = heard(await a.receive_many(25))
        assert strongest_hz(samples, 2) == [350, 440]
        assert level_dbov(samples) == pytest.approx(-10.0, abs=0.3)


async def test_a_tone_is_continuous_over_packets_and_over_its_repetition() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, tone(1000 / 3, ms=70)))
        samples = heard(await a.receive_many(20)).astype(float)
        largest_step = 2 * math.pi * (1000 / 3) / 8000 * amplitude(-10.0, 1)
        assert np.max(np.abs(np.diff(samples))) < largest_step * 1.15  # the rest is quantisation
        assert strongest_hz(samples.astype(np.int16))[0] == pytest.approx(333, abs=3)


async def test_a_cadence_has_its_pauses_and_ends_when_it_does_not_repeat() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        source = ToneSource((((425.0,), 60), ((), 40), ((950.0,), 60)), loop=False)
        await accept(engine, Play(1, 3, source))
        samples = heard(await a.receive_many(8))
        loud = [bool(np.abs(samples[at : at + 160].astype(int)).max() > 1000) for at in range(0, 1280, 160)]
        assert loud == [True, True, True, False, False, True, True, True]
        assert await events.wait(PlayEnded) == PlayEnded(1, 3, "finished")
        assert await a.hears_nothing()


async def test_packets_of_a_tone_are_paced_and_numbered() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, tone(440.0)))
        packets = await a.receive_many(20)
        steps = {
            ((b.sequence - a.sequence) & 0xFFFF, b.timestamp - a.timestamp) for a, b in itertools.pairwise(packets)
        }
        assert {(step, passed & 0xFFFFFFFF) for step, passed in steps} == {(1, 160)}
        report = await engine.describe()
        assert report.packets_out <= 21


@pytest.mark.parametrize(("ptime_ms", "size"), [(10, 80), (20, 160), (30, 240), (40, 320), (60, 480)])
async def test_the_packet_time_of_the_stream_is_kept(ptime_ms: int, size: int) -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, replace(a.spec(), ptime_ms=ptime_ms))
        await accept(engine, Play(1, 1, tone(440.0)))
        packets = await a.receive_many(4)
        assert {len(packet.payload) for packet in packets} == {size}
        assert (packets[3].timestamp - packets[0].timestamp) & 0xFFFFFFFF == 3 * size


async def test_a_tone_goes_on_in_the_other_law_after_a_re_invite() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec(PCMU))
        await accept(engine, Play(1, 1, tone(700.0)))
        first = await a.receive_many(10)
        await accept(engine, ConfigureEndpoint(1, a.spec(PCMA)))
        packets = first + await a.receive_many(15)
        assert {packet.payload_type for packet in packets} == {0, 8}
        assert [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)] == [1] * 24
        assert strongest_hz(heard(packets)) == [700]


async def test_a_play_begun_before_the_answer_is_heard_from_its_beginning() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, None)
        await accept(engine, Play(1, 1, tone(600.0, ms=100, loop=False)))
        assert await a.hears_nothing()
        await accept(engine, ConfigureEndpoint(1, a.spec()))
        assert len(await a.receive_many(5)) == 5
        assert (await events.wait(PlayEnded)).reason == "finished"


FILES = {
    "pcm.wav": wav(sine(1000, 0.4).tobytes()),
    "alaw.wav": wav(g711.encode_alaw(sine(1000, 0.4)), coding=6, bits=8),
    "ulaw.wav": wav(g711.encode_ulaw(sine(1000, 0.4)), coding=7, bits=8),
    "stereo.wav": wav(np.repeat(sine(1000, 0.4), 2).tobytes(), channels=2),
    "wide.wav": wav(sine(1000, 0.4, rate=16000).tobytes(), rate=16000),
    "streamed.wav": wav(sine(1000, 0.4).tobytes(), claimed=0xFFFFFFFF),
}


@pytest.mark.parametrize("name", FILES)
async def test_files_of_every_supported_kind_are_heard(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(str(tmp_path / name))))
        samples = heard(await a.receive_many(20))
        assert strongest_hz(samples) == [1000]
        assert level_dbov(samples) == pytest.approx(level_dbov(sine(1000, 0.4)), abs=0.5)
        assert await events.wait(PlayEnded) == PlayEnded(1, 1, "finished")


async def test_a_looped_file_has_no_gap_at_its_seam(tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(wav(sine(800, 0.0475).tobytes()))  # 38 periods, not a multiple of a packet
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(str(path), loop=True)))
        samples = heard(await a.receive_many(25)).astype(float)
        assert np.max(np.abs(np.diff(samples))) < 2 * math.pi * 800 / 8000 * 8000 * 1.15
        assert strongest_hz(samples.astype(np.int16)) == [800]


BAD_FILES = {
    "empty.wav": (b"", "is empty"),
    "text.wav": (b"this is no audio, whatever the name says", "is not a sound that can be played: WAV, MP3"),
    "headless.wav": (b"RIFF\x04\0\0\0WAVE", "has no format chunk"),
    "no-data.wav": (FILES["pcm.wav"][:44], "has no audio"),
    "nothing.wav": (wav(b""), "has no audio"),
    "truncated.wav": (wav(sine(1000, 0.1).tobytes(), claimed=99999), "is cut off: it claims 99999 bytes"),
    "mp3-inside.wav": (wav(b"\xff" * 400, coding=85, bits=0), "coding 85"),
    "12-bit.wav": (wav(b"\1" * 300, bits=12), "with 12 bits"),
    "many.wav": (wav(b"\1" * 1200, channels=9), "has 9 channels"),
    "no-channel.wav": (wav(b"\1" * 1200, channels=0), "has 0 channels"),
    "slow.wav": (wav(b"\1" * 400, rate=3999), "3999 samples a second"),
    "no-rate.wav": (wav(b"\1" * 400, rate=0), "0 samples a second"),
    "damaged.mp3": (b"ID3" + bytes(500), "is damaged"),
}


@pytest.mark.parametrize("name", BAD_FILES)
async def test_a_file_that_cannot_be_played_ends_with_a_sentence(name: str, tmp_path: Path) -> None:
    content, why = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(str(tmp_path / name))))
        reason = (await events.wait(PlayEnded)).reason
        assert why in reason
        assert reason.startswith(str(tmp_path / name))
        assert reason.endswith(".")


@pytest.mark.parametrize("path", ["/nowhere/to/be/found.wav", "/", "bad\0name.wav"])
async def test_a_path_without_a_readable_file_ends_with_a_sentence(path: str) -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(path)))
        assert (await events.wait(PlayEnded)).reason.endswith(".")


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "greeting.wav"
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        for number, frequency in ((1, 500), (2, 1500)):
            path.write_bytes(wav(sine(frequency, 0.1 * number).tobytes()))
            await accept(engine, Play(1, number, FileSource(str(path))))
            assert strongest_hz(heard(await a.receive_many(5 * number))) == [frequency]
            await events.wait(PlayEnded, lambda event, number=number: event.play == number)  # type: ignore[misc]


async def test_a_play_whose_file_is_still_being_read_can_be_stopped_or_lose_its_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(sine(500, 30).tobytes()))
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec()), CreateEndpoint(2, "127.0.0.1", a.spec()))
        await accept(engine, Play(1, 1, FileSource(str(path))), StopPlay(1, 1))
        await accept(engine, Play(2, 2, FileSource(str(path))), DestroyEndpoint(2))
        await events.wait(StreamReport)
        assert {(event.play, event.reason) for event in events.of(PlayEnded)} == {(1, "stopped"), (2, "stopped")}
        assert await a.hears_nothing()


async def test_what_plays_covers_the_room_and_the_room_comes_back() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        one, two = await accept(engine, *(CreateEndpoint(n, "127.0.0.1", peer.spec()) for n, peer in ((1, a), (2, b))))
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2), Play(2, 1, tone(440.0)))
        await b.receive_many(2)
        a.send(created(one).rtp, b"covered")
        assert b"covered" not in [packet.payload for packet in await b.receive_many(4)]
        events = Events(engine)
        await accept(engine, StopPlay(2, 1))
        await events.wait(PlayEnded)
        while not await b.hears_nothing():
            pass
        a.send(created(one).rtp, b"uncovered")
        assert (await b.receive()).payload == b"uncovered"
        assert created(two).ssrc


async def test_digits_are_sent_into_a_playing_tone_in_one_sequence() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, tone(440.0)))
        packets = await a.receive_many(3)
        await accept(engine, SendDigits(1, "9", duration_ms=40, gap_ms=20))
        packets += await a.receive_many(12)
        assert [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)] == [1] * 14
        assert [packet.payload_type for packet in packets].count(101) == 4
        assert packets[-1].payload_type == 0


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (ToneSource(()), "between 1 and 64 steps"),
        (tone(4000.0), "4000 Hz"),
        (tone(-1.0), "-1 Hz"),
        (tone(440.0, ms=0), "0 ms"),
        (tone(440.0, level_db=3.0), "3 dBov"),
        (tone(1.0, 2.0, 3.0, 4.0, 5.0), "at most 4 frequencies"),
    ],
)
async def test_a_tone_that_cannot_be_made_ends_with_a_sentence(source: ToneSource, why: str) -> None:
    with pytest.raises(BadTone, match=why.replace("(", r"\(")):
        compile_tone(source)
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, source))
        assert why in (await events.wait(PlayEnded)).reason
