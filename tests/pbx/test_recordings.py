"""The index of recordings: from the first moment of a recording to the file that somebody downloads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pbx import cause
from pbx.archive import EXPORTS, Archive
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.messages import ControlError
from pbx.conversion import ConversionFailed, Converter
from pbx.events import BusEvent, CallEnded, CallLinked, CallStarted, RecordingEnded, RecordingFailed, RecordingStarted
from pbx.mailbox_settings import MailboxSettings
from pbx.mailboxes import Mailboxes
from pbx.party import Party, PartyKind
from pbx.recording import Wanted
from pbx.recordings import TRIES, Recordings, file_name
from storage.memory import MemoryStorage
from storage.ports import RecordingQuery
from storage.records import RecordingPolicy, StoredRecording
from tests.media.sounds import sine, wav
from tests.support.fakepbx import FakePbx
from tests.support.polling import eventually

T = 1_700_000_000.0  # 14 November 2023, 22:13:20 UTC
ENTRY = StoredRecording("2023/11/14/22/c1-call-1", "c1", "zvon-1.1", T, "+7 (495) 123-45-67", "102", "Иван")
ANNA = Party(PartyKind.TERMINAL, "101", "Anna")


class Rig:
    def __init__(self, data: Path, storage: MemoryStorage | None = None) -> None:
        self.data, self.storage, self.bus = data, storage or MemoryStorage(), Bus()
        clock = Clock(asyncio.get_running_loop())
        folder, exports = data / "recordings", data / EXPORTS
        settings = MailboxSettings(self.storage.mailboxes, data / "greetings", clock.now)
        self.mailboxes = Mailboxes(self.storage.voice_messages, settings, folder, self.bus, clock)
        self.archive = Archive(RecordingPolicy, self.storage, self.bus, clock, self.mailboxes, folder, exports)
        self.recordings = self.archive.recordings

    def write(self, recording: StoredRecording, seconds: float = 2.0) -> Path:
        file = self.recordings.file(recording)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wav(sine(440, seconds).tobytes()))
        return file

    async def found(self) -> StoredRecording:
        (only,) = await self.storage.recordings.query(RecordingQuery())
        return only


@asynccontextmanager
async def archive(data: Path, storage: MemoryStorage | None = None) -> AsyncIterator[Rig]:
    rig = Rig(data, storage)
    await rig.archive.start()
    try:
        yield rig
    finally:
        await rig.archive.close()


@pytest.mark.row("REC-8")
async def test_a_conversation_that_is_kept_is_told_with_its_place_and_its_parties() -> None:
    pbx = FakePbx("102")
    callee = await pbx.callee()
    bridge = pbx.call.connect(pbx.caller, callee)
    heard: list[RecordingStarted | RecordingEnded] = []
    pbx.bus.subscribe((RecordingStarted, RecordingEnded), heard.append)  # type: ignore[arg-type]
    path = pbx.recording_path(pbx.call, "call")
    recording = bridge.record(Wanted(path, stereo=True, format="opus", keep="call"))
    await asyncio.sleep(1)
    recording.stop()
    await recording.ended
    began, done = (event.entry for event in heard)
    assert began is not None
    assert began.id == f"2023/11/14/22/{path.stem}"
    assert (began.from_number, began.to_number, began.channels, began.caller_channel) == ("101", "102", 2, 1)
    assert (began.call, began.state, began.format, began.suffix) == (pbx.call.id, "running", "opus", ".wav")
    assert done == replace(began, state="done", seconds=1.0)
    callee.hung_up(cause.NORMAL)
    pbx.caller.hung_up(cause.NORMAL)


@pytest.mark.real_loop
async def test_the_index_follows_a_recording_and_its_conversation(tmp_path: Path) -> None:
    async with archive(tmp_path) as rig:
        rig.bus.publish(CallStarted(T, "c1", "zvon-1.1", ANNA, ANNA))
        rig.bus.publish(RecordingStarted(T, "c1", 1, "x.wav", ENTRY))
        assert await rig.found() == ENTRY
        rig.bus.publish(CallLinked(T + 1, "c1", "zvon-1.0"))
        assert (await rig.found()).linkedid == "zvon-1.0"
        done = replace(ENTRY, linkedid="zvon-1.0", state="done", seconds=5.0)
        rig.bus.publish(RecordingEnded(T + 5, "c1", 1, "x.wav", 5.0, "finished", done))
        rig.bus.publish(CallEnded(T + 5, "c1", cause.NORMAL))
        rig.bus.publish(CallLinked(T + 6, "c1", "zvon-1.9"))
        assert await rig.found() == done
        rig.bus.publish(RecordingStarted(T, "c1", 2, "passing.wav"))
        assert await rig.found() == done


@pytest.mark.real_loop
async def test_recordings_of_a_crash_are_completed_at_the_next_start(tmp_path: Path) -> None:
    storage = MemoryStorage()
    cut = replace(ENTRY, id="2023/11/14/22/c1-call-2")
    gone = replace(ENTRY, id="2023/11/14/22/c1-call-3")
    left = replace(ENTRY, id="2023/11/14/22/c1-message-4", kind="message")
    for each in (cut, gone, left):
        storage.recordings.put(each.id, each)
    before = Rig(tmp_path, storage)
    before.write(cut)
    before.write(left, seconds=3.0)
    async with archive(tmp_path, storage) as rig:
        assert await storage.recordings.get(cut.id) == replace(cut, state="done", seconds=2.0)
        assert await storage.recordings.get(gone.id) == replace(gone, state="failed")
        (message,) = rig.mailboxes.messages("102")
        assert (message.id, message.seconds) == (left.id, 3.0)


@pytest.mark.real_loop
async def test_a_file_that_could_not_be_converted_at_once_is_converted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx.recordings.AGAIN_S", 0.01)
    done = replace(ENTRY, state="done", seconds=2.0, format="opus")
    async with archive(tmp_path) as rig:
        source = rig.write(done)
        rig.bus.publish(RecordingEnded(T, "c1", 1, str(source), 2.0, "no room", done))
        await eventually(lambda: not source.exists(), within_s=60)  # the conversion gives way to all others
        assert (await rig.found()).suffix == ".opus"
        assert source.with_suffix(".opus").read_bytes().startswith(b"OggS")


@pytest.mark.row("REC-7")
@pytest.mark.real_loop
async def test_a_file_that_cannot_be_converted_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.recordings.AGAIN_S", 0.0)
    tried: list[Path] = []

    class Failing(Converter):
        async def convert(self, source: Path, target: Path) -> None:
            tried.append(source)
            raise ConversionFailed("no encoder")

    bus, storage = Bus(), MemoryStorage()
    recordings = Recordings(storage.recordings, tmp_path, tmp_path / EXPORTS, bus, Failing())
    done = replace(ENTRY, state="done", seconds=2.0, format="mp3")
    bus.publish(RecordingEnded(T, "c1", 1, "x.wav", 2.0, "finished", done))
    await eventually(lambda: len(tried) == TRIES)
    await asyncio.sleep(0.05)
    assert len(tried) == TRIES
    assert await storage.recordings.get(done.id) == done
    await recordings.close()


@pytest.mark.real_loop
async def test_a_recording_is_given_out_as_mp3_under_a_name_for_people(tmp_path: Path) -> None:
    done = replace(ENTRY, state="done", seconds=2.0)
    async with archive(tmp_path) as rig:
        rig.write(done)
        rig.storage.recordings.put(done.id, done)
        first = await rig.archive.as_mp3(done.id, "Europe/Moscow")
        assert first.name == "2023-11-15_01-13-20_+74951234567_102.mp3"
        (made,) = (tmp_path / EXPORTS).iterdir()
        assert first.path == str(made)
        assert int.from_bytes(made.read_bytes()[:2]) & 0xFFE6 == 0xFFE2, "MPEG, layer III"
        made.write_bytes(b"made once")
        assert (await rig.archive.as_mp3(done.id, "UTC")).path == first.path
        assert made.read_bytes() == b"made once"
        with pytest.raises(ControlError, match="there is no recording 2023/nothing"):
            await rig.archive.as_mp3("2023/nothing", "UTC")
        rig.recordings.file(done).unlink()
        with pytest.raises(ControlError, match=f"the file of the recording {done.id} is not there"):
            await rig.archive.as_mp3(done.id, "UTC")


@pytest.mark.row("REC-13")
@pytest.mark.real_loop
async def test_nothing_outside_the_folder_of_recordings_is_given_out(tmp_path: Path) -> None:
    (tmp_path / "secret.mp3").write_bytes(b"secret")
    async with archive(tmp_path) as rig:
        link = rig.write(replace(ENTRY, id="2023/link", suffix=".mp3"))
        link.unlink()
        link.symlink_to(tmp_path / "secret.mp3")
        for id in ("../secret", "2023/../../secret", "2023/link", "2023"):
            rig.storage.recordings.put(id, replace(ENTRY, id=id, state="done", suffix=".mp3"))
            with pytest.raises(ControlError, match=f"the file of the recording {id} is not there"):
                await rig.archive.as_mp3(id, "UTC")


async def test_recordings_that_fail_are_told_once_until_one_ends_as_it_should(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    told: list[BusEvent] = []
    rig.bus.subscribe((RecordingFailed,), told.append)
    full = "/rec/a.wav cannot be written: the disk is full."
    for call, why in (("c1", full), ("c2", full), ("c3", "finished"), ("c4", full)):
        rig.bus.publish(RecordingEnded(T, call, 1, "/rec/a.wav", 1.0, why, None))
    assert told == [RecordingFailed(T, "c1", full), RecordingFailed(T, "c4", full)]
    described = rig.recordings.describe()
    assert (described["ended"], described["cut_short"], described["last_error"]) == (4, 3, full)


@pytest.mark.real_loop
async def test_one_that_is_mp3_already_is_given_out_as_it_is(tmp_path: Path) -> None:
    done = replace(ENTRY, state="done", suffix=".mp3", format="mp3")
    async with archive(tmp_path) as rig:
        file = rig.write(done)
        rig.storage.recordings.put(done.id, done)
        assert (await rig.archive.as_mp3(done.id, "UTC")).path == str(file)


@pytest.mark.real_loop
async def test_what_is_no_sound_cannot_be_converted_and_is_told(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(b"no sound at all")
    with pytest.raises(ConversionFailed, match=r"a\.wav could not be converted to mp3: .*a\.wav"):
        await Converter().convert(source, tmp_path / "b" / "a.mp3")
    assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.real_loop
async def test_a_conversion_that_nobody_waits_for_any_more_ends(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(wav(sine(440, 600).tobytes()))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Converter().convert(source, tmp_path / "a.mp3")
    await asyncio.sleep(1)
    assert not (tmp_path / "a.mp3").exists()


@pytest.mark.parametrize(
    ("caller", "called", "name"),
    [
        ("101", "102", "2023-11-14_22-13-20_101_102"),
        ("", "sip:anna@x/../y", "2023-11-14_22-13-20_unknown_sipannaxy"),
        ("anonymous", "*8", "2023-11-14_22-13-20_anonymous_*8"),
    ],
)
def test_a_file_name_holds_nothing_but_the_date_and_numbers(caller: str, called: str, name: str) -> None:
    assert file_name(T, caller, called, "UTC") == name
