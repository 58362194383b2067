"""Playlists, places in a sound, pauses, gain, and music that everybody hears at the same place."""

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest

from media.api import AdjustPlay, FileSource, Play, PlayEnded, Playlist, SharedSource, StopPlay
from tests.media.peer import PCMA, Events, Peer, accept, embedded, open_endpoint, peers
from tests.media.sounds import heard, level_dbov, sine, strongest_hz, wav

pytestmark = pytest.mark.real_loop


def _file(path: Path, frequency: float, seconds: float) -> str:
    path.write_bytes(wav(sine(frequency, seconds).tobytes()))
    return str(path)


def _sweep(path: Path, seconds: float) -> str:
    """Each sample says where it stands: a ramp of 1 in 8 samples."""
    path.write_bytes(wav((np.arange(int(8000 * seconds)) // 8 * 8 % 30000).astype(np.int16).tobytes()))
    return str(path)


async def test_the_files_of_a_list_follow_each_other_without_a_gap(tmp_path: Path) -> None:
    files = tuple(FileSource(_file(tmp_path / f"{n}.wav", 800, 0.0475)) for n in range(4))  # 38 periods each
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, Playlist(files)))
        samples = heard(await a.receive_many(10))[: 4 * 380].astype(float)
        assert np.max(np.abs(np.diff(samples))) < 2 * math.pi * 800 / 8000 * 8000 * 1.15
        assert (await events.wait(PlayEnded)).reason == "finished"


async def test_a_list_goes_round_and_leaves_out_what_cannot_be_played(tmp_path: Path) -> None:
    good = FileSource(_file(tmp_path / "good.wav", 600, 0.1))
    bad = FileSource(str(tmp_path / "missing.wav"))
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, Playlist((bad, good))))
        assert strongest_hz(heard(await a.receive_many(5))) == [600]
        reason = (await events.wait(PlayEnded)).reason
        assert reason == f"{tmp_path}/missing.wav cannot be read: No such file or directory."
        await accept(engine, Play(1, 2, Playlist((bad, good), loop=True)))
        assert strongest_hz(heard(await a.receive_many(20))) == [600]
        await accept(engine, StopPlay(1, 2))
        stopped = await events.wait(PlayEnded, lambda event: event.play == 2)
        assert stopped.reason == "stopped"


async def test_a_sound_begins_where_it_is_told_to_and_goes_where_it_is_sent(tmp_path: Path) -> None:
    path = _sweep(tmp_path / "ramp.wav", 2)
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(path, start_ms=500)))
        first = heard([await a.receive()])[0]
        assert first == pytest.approx(4000, abs=100)
        await accept(engine, AdjustPlay(1, 1, position_ms=1500))
        later = heard(await a.receive_many(3))[-1]
        assert later == pytest.approx(12000, abs=600)
        await accept(engine, AdjustPlay(1, 1, position_ms=99_000))
        assert (await events.wait(PlayEnded)).reason == "finished"


async def test_a_paused_sound_is_silent_and_goes_on_where_it_was(tmp_path: Path) -> None:
    path = _sweep(tmp_path / "ramp.wav", 2)
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(path)))
        before = await a.receive_many(5)
        await accept(engine, AdjustPlay(1, 1, paused=True))
        while not await a.hears_nothing():
            pass
        await asyncio.sleep(0.2)
        await accept(engine, AdjustPlay(1, 1, paused=False))
        after = await a.receive()
        gone = (after.timestamp - before[-1].timestamp) & 0xFFFFFFFF
        assert gone >= 8 * 250, "time passes in the timestamps"
        assert heard([after])[0] - heard(before)[-1] < 8 * 100, "the sound does not"


async def test_a_pause_asked_for_while_the_file_is_read_is_kept(tmp_path: Path) -> None:
    path = _file(tmp_path / "long.wav", 500, 30)
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(path)), AdjustPlay(1, 1, paused=True))
        await asyncio.sleep(0.3)
        assert await a.hears_nothing()
        await accept(engine, AdjustPlay(1, 1, paused=False))
        assert strongest_hz(heard(await a.receive_many(5))) == [500]


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 6.0])
async def test_the_gain_is_what_was_asked_for_at_the_start_and_later(gain_db: float, tmp_path: Path) -> None:
    path = _file(tmp_path / "a.wav", 500, 5)
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, FileSource(path, gain_db=gain_db)))
        plain = level_dbov(sine(500, 1))
        assert level_dbov(heard(await a.receive_many(10))) == pytest.approx(plain + gain_db, abs=0.3)
        await accept(engine, AdjustPlay(1, 1, gain_db=-gain_db))
        await a.receive_many(3)
        assert level_dbov(heard(await a.receive_many(10))) == pytest.approx(plain, abs=0.3)


async def test_too_loud_is_cut_and_not_turned_over(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.wav", 500, 1)
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, Playlist((FileSource(path),), gain_db=30.0)))
        samples = heard(await a.receive_many(10)).astype(float)
        assert np.abs(samples).max() > 32000
        assert strongest_hz(samples.astype(np.int16)) == [500]


async def test_everybody_hears_shared_music_at_the_same_place_whenever_they_came(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(-9000, 9000, 16000).astype(np.int16)
    (tmp_path / "one.wav").write_bytes(wav(noise.tobytes()))
    music = SharedSource((str(tmp_path / "one.wav"), str(tmp_path / "one.wav")))
    async with peers(Peer(), Peer(), Peer(payload_type=8)) as (a, b, c), embedded() as engine:
        for number, peer in ((1, a), (2, b)):
            await open_endpoint(engine, number, peer.spec())
        await open_endpoint(engine, 3, c.spec(PCMA))
        await accept(engine, Play(1, 1, music))
        await a.receive_many(7)
        await accept(engine, Play(2, 2, music), Play(3, 3, music))
        theirs = await b.receive_many(4)
        mine = [packet.payload for packet in await a.receive_many(8)]
        start = mine.index(theirs[0].payload)
        assert mine[start : start + 4] == [packet.payload for packet in theirs]
        in_the_other_law = heard(await c.receive_many(4))
        assert np.abs(in_the_other_law - heard(theirs).astype(int)).max() < 600  # the laws round differently


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 60])
async def test_shared_music_has_no_gap_at_any_packet_time(ptime_ms: int, tmp_path: Path) -> None:
    from dataclasses import replace

    music = SharedSource((_file(tmp_path / "tune.wav", 800, 0.09875),))  # 79 periods: goes round while we listen
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, replace(a.spec(), ptime_ms=ptime_ms))
        await accept(engine, Play(1, 1, music))
        samples = heard(await a.receive_many(600 // ptime_ms)).astype(float)
        assert np.max(np.abs(np.diff(samples))) < 2 * math.pi * 800 / 8000 * 8000 * 1.15
