"""Calls that are recorded while they are relayed."""

import asyncio
import errno
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    HostPort,
    JoinRoom,
    PauseRecording,
    Payload,
    RecordingEnded,
    RecordingStarted,
    StartRecording,
    StopRecording,
    StreamSpec,
)
from media.codec import g711
from media.record import recorder
from tests.media.peer import PCMA, PCMU, Events, Peer, accept, created, embedded, open_endpoint, peers, refused
from tests.media.sounds import sine, strongest_hz

pytestmark = pytest.mark.real_loop
G722 = Payload(9, "G722")


async def _talk(*talkers: tuple[Peer, HostPort, int], seconds: float, start: int = 0) -> None:
    """Each says a tone, a packet every 20 ms."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(round(seconds * 50)):
        for peer, to, hz in talkers:
            at = (start + number) * 160
            samples = (8000 * np.sin(2 * np.pi * hz * np.arange(at, at + 160) / 8000)).astype(np.int16)
            law = g711.encode_alaw if peer.payload_type == 8 else g711.encode_ulaw
            peer.send(to, law(samples))
        await asyncio.sleep(max(0.0, begun + (number + 1) * 0.02 - loop.time()))


def _loud(samples: NDArray[np.int16]) -> list[bool]:
    """By 100 ms."""
    whole = samples[: len(samples) // 800 * 800].astype(int)
    return [bool(each) for each in np.abs(whole).reshape(-1, 800).max(axis=1) > 1000]


async def _room(engine: object, *sides: Peer) -> list[HostPort]:
    from media.engine.embedded import EmbeddedEngine

    assert isinstance(engine, EmbeddedEngine)
    payloads = [PCMA if peer.payload_type == 8 else PCMU for peer in sides]
    replies = await accept(
        engine,
        *(
            CreateEndpoint(n + 1, "127.0.0.1", peer.spec(payload))
            for n, (peer, payload) in enumerate(zip(sides, payloads, strict=True))
        ),
    )
    await accept(engine, *(JoinRoom(1, n + 1) for n in range(len(sides))))
    return [created(reply).rtp for reply in replies]


async def test_each_party_of_a_relayed_call_has_a_channel_of_its_own_on_one_clock(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")
    async with peers(Peer(), Peer(payload_type=8)) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, to_b = await _room(engine, a, b)
        await accept(engine, StartRecording(1, 7, path, (2,), stereo=True))
        assert await events.wait(RecordingStarted) == RecordingStarted(1, 7, path)
        await _talk((a, to_a, 500), seconds=0.5)
        await _talk((b, to_b, 900), seconds=0.5)
        await _talk((a, to_a, 500), (b, to_b, 900), seconds=0.5)
        await accept(engine, StopRecording(1, 7))
        ended = await events.wait(RecordingEnded)
        assert (ended.recording, ended.path, ended.reason) == (7, path, "finished")
        assert len(await b.receive_many(40)) == 40, "relayed as before"
        assert (await b.receive()).payload_type == 8
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 8000
    assert ended.duration_ms == pytest.approx(1500, abs=150)
    assert len(samples) == pytest.approx(ended.duration_ms * 8, abs=8)
    one, other = _loud(samples[:, 0]), _loud(samples[:, 1])
    assert sum(one[7:9]) == 0, "the gap is kept"
    assert sum(other[:4]) == 0
    assert sum(one) in (10, 11, 12)
    assert strongest_hz(np.ascontiguousarray(samples[:4000, 0])) == pytest.approx([500], abs=4)
    assert strongest_hz(np.ascontiguousarray(samples[5600:8000, 1])) == pytest.approx([900], abs=4)


async def test_a_mono_recording_has_everybody_in_it(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, to_b = await _room(engine, a, b)
        await accept(engine, StartRecording(1, 7, path, (2,)), StartRecording(2, 8, str(tmp_path / "leg.wav")))
        await _talk((a, to_a, 500), (b, to_b, 900), seconds=0.6)
        await accept(engine, StopRecording(1, 7), StopRecording(2, 8))
        await events.wait(RecordingEnded, lambda event: event.recording == 7)
        await events.wait(RecordingEnded, lambda event: event.recording == 8)
    both, _ = soundfile.read(path, dtype="int16")
    leg, _ = soundfile.read(tmp_path / "leg.wav", dtype="int16")
    assert (both.ndim, leg.ndim) == (1, 1)
    assert strongest_hz(both, 2) == pytest.approx([500, 900], abs=4)
    assert strongest_hz(leg) == pytest.approx([900], abs=4)


async def test_what_is_said_while_it_is_paused_is_left_out(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec())
        await accept(engine, StartRecording(1, 7, path))
        await _talk((a, to_a, 500), seconds=0.5)
        await accept(engine, PauseRecording(1, 7))
        await _talk((a, to_a, 1500), seconds=0.7)
        await accept(engine, PauseRecording(1, 7, paused=False))
        await _talk((a, to_a, 500), seconds=0.5)
        await accept(engine, StopRecording(1, 7), StopRecording(1, 99))
        ended = await events.wait(RecordingEnded)
    samples, _ = soundfile.read(path, dtype="int16")
    assert ended.duration_ms == pytest.approx(1000, abs=300)
    spectrum = np.abs(np.fft.rfft(samples))
    hz = np.fft.rfftfreq(len(samples), 1 / 8000)
    assert spectrum[np.abs(hz - 1500) < 20].max() < 0.35 * spectrum[np.abs(hz - 500) < 20].max()


async def test_a_party_that_leaves_is_silent_and_the_last_one_ends_the_recording(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, to_b = await _room(engine, a, b)
        await accept(engine, StartRecording(1, 7, path, (2,), stereo=True))
        await _talk((a, to_a, 500), (b, to_b, 900), seconds=0.4)
        await accept(engine, DestroyEndpoint(1))
        await _talk((b, to_b, 900), seconds=0.4)
        assert events.of(RecordingEnded) == []
        await accept(engine, DestroyEndpoint(2))
        assert (await events.wait(RecordingEnded)).reason == "finished"
        # The same tap for somebody else, at once: nothing of it is in the other's file.
        to_c = await open_endpoint(engine, 3, a.spec())
        await accept(engine, StartRecording(3, 8, str(tmp_path / "other.wav"), max_s=0.4))
        await _talk((a, to_c, 700), seconds=1.2)
        limited = await events.wait(RecordingEnded, lambda event: event.recording == 8)
        assert limited.duration_ms == pytest.approx(500, abs=400)
    samples, _ = soundfile.read(path, dtype="int16")
    assert len(samples) / 8000 == pytest.approx(0.8, abs=0.15)
    assert sum(_loud(samples[:, 1])) >= 7
    assert sum(_loud(samples[:, 0])) <= 5


async def test_wideband_is_recorded_as_wideband_and_a_change_of_codec_goes_on(tmp_path: Path) -> None:
    from media.codec.coder import Codec

    path = str(tmp_path / "call.wav")
    async with peers(Peer(payload_type=9)) as (a,), embedded() as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec(G722))
        await accept(engine, StartRecording(1, 7, path))
        codec, tone = Codec("G722", 16000), sine(5000, 0.6, 16000)
        for number in range(30):
            a.send(to_a, codec.encode(tone[number * 320 : (number + 1) * 320]))
            await asyncio.sleep(0.02)
        await accept(engine, ConfigureEndpoint(1, a.spec(PCMU)))
        a.payload_type = 0
        await asyncio.sleep(0.15)
        await _talk((a, to_a, 700), seconds=0.5)
        await accept(engine, StopRecording(1, 7))
        await events.wait(RecordingEnded)
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16000
    assert strongest_hz(np.ascontiguousarray(samples[1600:8000])) == pytest.approx([2500], abs=4), (
        "5000 Hz at twice the rate"
    )
    assert strongest_hz(np.ascontiguousarray(samples[-7000:-1000])) == pytest.approx([350], abs=4)


@pytest.mark.parametrize(("format", "suffix"), [("mp3", ".mp3"), ("opus", ".opus")])
async def test_a_recording_is_converted_when_it_is_over(format: str, suffix: str, tmp_path: Path) -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec())
        await accept(engine, StartRecording(1, 7, str(tmp_path / "call.wav"), format=format))
        await _talk((a, to_a, 500), seconds=0.6)
        await accept(engine, StopRecording(1, 7))
        ended = await events.wait(RecordingEnded, timeout_s=60)  # it gives way to all others
    assert (ended.path, ended.reason) == (str(tmp_path / f"call{suffix}"), "finished")
    assert os.listdir(tmp_path) == [f"call{suffix}"]
    assert soundfile.info(ended.path).duration == pytest.approx(0.6, abs=0.25)


async def test_a_disk_that_fills_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = itertools.count()

    def full(fd: int, data: memoryview) -> int:
        if next(room) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    path = str(tmp_path / "call.wav")
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, _ = await _room(engine, a, b)
        await accept(engine, StartRecording(1, 7, path, (2,), stereo=True))
        await events.wait(RecordingStarted)
        monkeypatch.setattr("media.record.wav_file.os.write", full)
        await _talk((a, to_a, 500), seconds=2.4)
        ended = await events.wait(RecordingEnded)
        monkeypatch.undo()
        assert ended.reason == f"{path} cannot be written: the disk is full."
        while not await b.hears_nothing():
            pass
        a.send(to_a, b"the call goes on")
        assert (await b.receive()).payload == b"the call goes on"
    assert soundfile.info(path).frames > 0, "what was written can be heard"


async def test_what_cannot_be_recorded_is_refused_or_ends_at_once(tmp_path: Path) -> None:
    spec = StreamSpec(HostPort("127.0.0.1", 9), (Payload(98, "SPEEX"),))
    async with embedded() as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, "127.0.0.1", spec), CreateEndpoint(2, "127.0.0.1"))
        for command, why in (
            (StartRecording(1, 7, "/tmp/a.wav"), "What is said in SPEEX cannot be recorded here."),
            (StartRecording(2, 7, "/tmp/a.ogg"), "'/tmp/a.ogg' does not end in .wav."),
            (StartRecording(2, 7, "/tmp/a.wav", format="aac"), "Recordings can be wav, mp3 or opus, not aac."),
            (StartRecording(2, 7, "/tmp/a.wav", (9,)), "There is no endpoint 9."),
        ):
            (reply,) = await engine.execute(command)
            assert refused(reply) == why
        (tmp_path / "file").touch()
        await accept(engine, StartRecording(2, 7, str(tmp_path / "file" / "a.wav")))
        ended = await events.wait(RecordingEnded)
        assert ended.reason == f"{tmp_path}/file/a.wav cannot be written: File exists."
        await accept(engine, StartRecording(2, 7, str(tmp_path / "a.wav")))
        (reply,) = await engine.execute(StartRecording(2, 7, str(tmp_path / "b.wav")))
        assert refused(reply) == "Recording 7 exists already."


async def test_files_are_complete_when_the_engine_is_closed(tmp_path: Path) -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        to_a = await open_endpoint(engine, 1, a.spec())
        await accept(engine, StartRecording(1, 7, str(tmp_path / "call.wav")))
        await _talk((a, to_a, 500), seconds=1.3)
    assert recorder.BLOCK_MS == 500
    assert soundfile.info(tmp_path / "call.wav").duration == pytest.approx(1.3, abs=0.3)


async def test_a_recording_ends_after_silence_which_is_cut_off(tmp_path: Path) -> None:
    path = str(tmp_path / "message.wav")
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec())
        await accept(engine, StartRecording(1, 7, path, max_silence_s=1.0))
        await events.wait(RecordingStarted)
        await _talk((a, to_a, 500), seconds=1.0)
        ended = await events.wait(RecordingEnded, timeout_s=6.0)
        assert ended.reason == "finished"
        assert ended.duration_ms == pytest.approx(1500, abs=250), "half a second of silence stays"
    samples, _ = soundfile.read(path, dtype="int16")
    assert len(samples) == pytest.approx(ended.duration_ms * 8, abs=8)
    assert sum(_loud(samples)) in (9, 10, 11, 12)


async def test_a_recording_in_which_nobody_says_anything_is_empty_however_it_ends(tmp_path: Path) -> None:
    path = str(tmp_path / "message.wav")
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, StartRecording(1, 7, path, max_silence_s=10.0))
        await events.wait(RecordingStarted)
        await asyncio.sleep(1.0)
        await accept(engine, StopRecording(1, 7))
        ended = await events.wait(RecordingEnded)
        assert (ended.duration_ms, ended.reason) == (0, "finished")
