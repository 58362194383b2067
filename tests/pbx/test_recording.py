"""Recordings as apps use them, and what the bus hears of them."""

import asyncio
import os
from pathlib import Path

import pytest

from features.test_numbers import BEEP, RecordAndPlayBack
from media.api import EngineFailed, FileSource, PauseRecording, Play, StartRecording, StopRecording
from pbx import cause
from pbx.events import BusEvent, RecordingEnded, RecordingStarted
from pbx.recording import Wanted
from tests.support.fakepbx import FakePbx


def listening(pbx: FakePbx) -> list[BusEvent]:
    heard: list[BusEvent] = []
    pbx.bus.subscribe((RecordingStarted, RecordingEnded), heard.append)
    return heard


async def test_a_conversation_is_recorded_with_its_parties_apart() -> None:
    pbx = FakePbx("102")
    heard = listening(pbx)
    callee = await pbx.callee()
    bridge = pbx.call.connect(pbx.caller, callee)
    recording = bridge.record(Wanted(Path("/rec/a.wav"), stereo=True, format="mp3"))
    (start,) = pbx.engine.of(StartRecording)
    assert start == StartRecording(
        pbx.caller.media.endpoint, recording.id, "/rec/a.wav", (callee.media.endpoint,), stereo=True, format="mp3"
    )
    await asyncio.sleep(1)
    recording.pause()
    recording.resume()
    assert [each.paused for each in pbx.engine.of(PauseRecording)] == [True, False]
    recording.stop()
    outcome = await recording.ended
    assert (outcome.path, outcome.reason) == ("/rec/a.wav", "finished")
    assert [type(event) for event in heard] == [RecordingStarted, RecordingEnded]
    recording.stop()
    assert len(pbx.engine.of(StopRecording)) == 1
    assert pbx.services.recordings == {}
    callee.hung_up(cause.NORMAL)
    pbx.caller.hung_up(cause.NORMAL)


async def test_a_recording_that_fails_is_told_and_the_call_goes_on() -> None:
    pbx = FakePbx("102")
    heard = listening(pbx)
    await pbx.prepare(pbx.call)
    recording = pbx.caller.record(Wanted(Path("/rec/a.wav")))
    pbx.engine.end_recording(recording.id, "/rec/a.wav cannot be written: the disk is full.")
    assert (await recording.ended).reason.endswith("the disk is full.")
    (event,) = [each for each in heard if isinstance(each, RecordingEnded)]
    assert event.reason.endswith("the disk is full.")
    assert not pbx.caller.is_ended
    pbx.caller.hung_up(cause.NORMAL)


async def test_a_worker_that_dies_ends_the_recordings_of_its_endpoints() -> None:
    pbx = FakePbx("102")
    await pbx.prepare(pbx.call)
    recording = pbx.caller.record(Wanted(Path("/rec/a.wav")))
    pbx.engine.emit(EngineFailed(0, (99,)))
    assert not recording.ended.done()
    pbx.engine.emit(EngineFailed(0, (pbx.caller.media.endpoint,)))
    assert (await recording.ended).reason == "The media worker died."


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_the_recording_number_plays_back_what_it_recorded_and_keeps_nothing(
    hangs_up: bool, tmp_path: Path
) -> None:
    pbx = FakePbx("000065")
    pbx.services.recordings_folder = tmp_path
    pbx.start(RecordAndPlayBack())
    await asyncio.sleep(1)
    endpoint = pbx.caller.media.endpoint
    assert [each.source for each in pbx.engine.of(Play)] == [BEEP]
    pbx.engine.finish_play(endpoint)
    await asyncio.sleep(1)
    (start,) = pbx.engine.of(StartRecording)
    path = Path(start.path)
    assert path.parent == tmp_path / "2023/11/14/22", "by year, month, day and hour"
    os.makedirs(path.parent)
    os.mknod(path)
    if hangs_up:
        pbx.caller.hung_up(cause.NORMAL)
    else:
        pbx.engine.end_recording(start.recording)
        await asyncio.sleep(1)
        assert pbx.engine.of(Play)[1].source == FileSource(start.path)
        pbx.engine.finish_play(endpoint)
    assert await pbx.until_ended() == cause.NORMAL
    await asyncio.sleep(1)
    assert os.listdir(path.parent) == []
