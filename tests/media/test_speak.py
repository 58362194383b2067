"""Whatever the engine can encode can be played to: tones, files, music that many hear."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media.api import (
    AdjustPlay,
    ConfigureEndpoint,
    FileSource,
    Payload,
    Play,
    PlayEnded,
    Playlist,
    SharedSource,
    StopPlay,
    ToneSource,
)
from media.codec.catalogue import packet_ms
from tests.media.codecs import G722, L16, L16_48, OPUS, WIDEBAND, each_codec, sound_of, tones_of
from tests.media.peer import PCMA, PCMU, Events, Peer, accept, embedded, open_endpoint, peers
from tests.media.sounds import level_dbov, sine, wav

pytestmark = pytest.mark.real_loop

TONE = ToneSource((((600.0,), 1000),))


@each_codec()
async def test_a_tone_is_heard_at_its_level_in_every_codec(payload: Payload) -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec(payload))
        await accept(engine, Play(1, 1, TONE))
        packets = await a.receive_many(25)
        assert {packet.payload_type for packet in packets} == {payload.number}
        samples, rate = sound_of(packets, payload)
        assert tones_of(samples[rate // 10 :], rate) == [600]
        assert level_dbov(samples[rate // 10 :]) == pytest.approx(-10.0, abs=1.0)


@each_codec()
@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 50, 60])
async def test_packets_are_as_long_as_was_agreed_and_their_timestamps_say_so(payload: Payload, ptime_ms: int) -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, replace(a.spec(payload), ptime_ms=ptime_ms))
        await accept(engine, Play(1, 1, TONE))
        packets = await a.receive_many(6)
        used_ms = packet_ms(payload, ptime_ms)
        steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(packets)}
        assert steps == {payload.clock_rate * used_ms // 1000}
        samples, rate = sound_of(packets, payload)
        assert len(samples) == 6 * rate * used_ms // 1000


def test_packets_fit_into_an_ethernet_frame_and_opus_has_its_own_lengths() -> None:
    assert [packet_ms(OPUS, each) for each in (10, 20, 30, 40, 50, 60, 200)] == [10, 20, 20, 40, 40, 60, 60]
    assert [packet_ms(L16_48, each) for each in (10, 20, 60)] == [10, 10, 10]
    assert [packet_ms(L16, each) for each in (20, 50, 60)] == [20, 40, 40]
    assert [packet_ms(PCMU, each) for each in (5, 25, 60, 80)] == [10, 20, 60, 60]


@each_codec(*WIDEBAND)
async def test_wideband_is_played_wideband(payload: Payload, tmp_path: Path) -> None:
    path = tmp_path / "high.wav"
    path.write_bytes(wav(sine(6000, 1.0, rate=16000).tobytes(), rate=16000))
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec(payload))
        await accept(engine, Play(1, 1, FileSource(str(path))))
        samples, rate = sound_of(await a.receive_many(25), payload)
        assert tones_of(samples[rate // 10 :], rate) == [6000]
        assert await events.wait(PlayEnded) == PlayEnded(1, 1, "finished")


@each_codec()
async def test_a_sound_begins_at_its_place_and_ends_in_its_time(payload: Payload, tmp_path: Path) -> None:
    for name, hz in (("first", 500), ("second", 1000)):
        (tmp_path / f"{name}.wav").write_bytes(wav(sine(hz, 0.2).tobytes()))
    files = tuple(FileSource(str(tmp_path / f"{name}.wav")) for name in ("first", "second"))
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec(payload))
        await accept(engine, Play(1, 1, Playlist(files, start_ms=200)))
        assert (await events.wait(PlayEnded)).reason == "finished"
        packets = await a.receive_rest()
        samples, rate = sound_of(packets, payload)
        assert tones_of(samples[rate // 20 : rate // 5], rate) == [1000]


@each_codec(PCMA, G722, OPUS, L16_48)
@pytest.mark.parametrize("ptime_ms", [10, 20, 60])
async def test_shared_music_is_encoded_once_for_everybody(payload: Payload, ptime_ms: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(-9000, 9000, 80000).astype(np.int16)
    (tmp_path / "noise.wav").write_bytes(wav(noise.tobytes(), rate=16000))
    music = SharedSource((str(tmp_path / "noise.wav"),))
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        for number, peer in ((1, a), (2, b)):
            await open_endpoint(engine, number, replace(peer.spec(payload), ptime_ms=ptime_ms))
        await accept(engine, Play(1, 1, music))
        await a.receive_many(7)
        await accept(engine, Play(2, 2, music))
        theirs = [packet.payload for packet in await b.receive_many(6)]
        mine = [packet.payload for packet in await a.receive_many(12)]
        start = mine.index(theirs[0])
        assert mine[start : start + 6] == theirs, "coders that adapt cannot agree by chance"


@each_codec(G722, OPUS)
async def test_shared_music_goes_on_when_its_codec_or_its_loudness_changes(payload: Payload, tmp_path: Path) -> None:
    (tmp_path / "tune.wav").write_bytes(wav(sine(700, 4.0, rate=16000).tobytes(), rate=16000))
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec(payload))
        await accept(engine, Play(1, 1, SharedSource((str(tmp_path / "tune.wav"),))))
        samples, rate = sound_of(await a.receive_many(20), payload)
        before = level_dbov(samples[rate // 5 :])
        await accept(engine, AdjustPlay(1, 1, gain_db=-12.0))
        await a.receive_many(3)
        samples, rate = sound_of(await a.receive_many(20), payload)
        assert level_dbov(samples[rate // 5 :]) == pytest.approx(before - 12, abs=1.0)
        await accept(engine, ConfigureEndpoint(1, a.spec(PCMU)))
        packets = [each for each in await a.receive_many(25) if each.payload_type == 0]
        samples, rate = sound_of(packets, PCMU)
        assert tones_of(samples, rate) == [700]


async def test_what_is_sent_after_a_pause_of_the_encoder_begins_a_talkspurt(tmp_path: Path) -> None:
    dtx = replace(OPUS, fmtp="usedtx=1")
    silence, speech = bytes(2 * 16000), sine(500, 0.5, rate=16000).tobytes()
    (tmp_path / "a.wav").write_bytes(wav(speech + silence + silence + speech, rate=16000))
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec(dtx))
        await accept(engine, Play(1, 1, FileSource(str(tmp_path / "a.wav"))))
        await events.wait(PlayEnded, timeout_s=5.0)
        packets = await a.receive_rest()
        gaps = [
            (after.marker, after.sequence - before.sequence & 0xFFFF)
            for before, after in itertools.pairwise(packets)
            if after.timestamp - before.timestamp & 0xFFFFFFFF > 960
        ]
        assert gaps
        assert set(gaps) == {(True, 1)}


async def test_one_play_after_the_other_is_one_stream_of_packets() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec(G722))
        await accept(engine, Play(1, 1, TONE))
        first = await a.receive_many(5)
        await accept(engine, StopPlay(1, 1))
        await events.wait(PlayEnded)
        await accept(engine, Play(1, 2, TONE))
        packets = first + await a.receive_many(8)
        assert [b.sequence - a.sequence & 0xFFFF for a, b in itertools.pairwise(packets)] == [1] * 12
        assert len({packet.ssrc for packet in packets}) == 1
