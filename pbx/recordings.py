"""The recordings of the office: which there are, where their files are, what becomes of them after the call.

Recordings that are kept are in the index from their first moment on, so that a crash loses none: what was running is
completed at the next start. Files that could not be converted at once are tried three times more (REC-7).
"""

import asyncio
import re
import wave
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from pbx.bus import Bus
from pbx.conversion import ConversionFailed, Converter
from pbx.events import BusEvent, CallEnded, CallLinked, CallStarted, RecordingEnded, RecordingFailed, RecordingStarted
from pbx.recording import FINISHED
from storage.ports import RecordingQuery, RecordingStore
from storage.records import StoredRecording

TRIES, AGAIN_S = 3, 300.0
MOST_RUNNING = 100_000
SUFFIXES = (".opus", ".mp3", ".wav")
_NOT_OF_A_NUMBER = re.compile(r"[^0-9A-Za-z+*]+")

log = structlog.get_logger("recording")


class Recordings:
    """One per server. `folder` is that of recordings, `exports` one for files that were asked for."""

    def __init__(self, store: RecordingStore, folder: Path, exports: Path, bus: Bus, converter: Converter) -> None:
        self._store, self._folder, self._exports, self._bus, self._converter = store, folder, exports, bus, converter
        self._of_call: dict[str, dict[str, StoredRecording]] = {}  # of calls in progress
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended, self._cut_short, self._last_error = 0, 0, ""
        self._is_failing = False
        bus.subscribe((RecordingStarted, RecordingEnded), self._told)
        bus.subscribe((CallStarted, CallLinked, CallEnded), self._call_told)

    async def restore(self) -> int:
        """Complete the entries of recordings that were running when the server ended; returns how many."""
        running = await self._store.query(RecordingQuery(state="running", limit=MOST_RUNNING))
        for recording in running:
            found, file = await asyncio.to_thread(self._found, recording)
            self._bus.publish(RecordingEnded(found.started_at, found.call, 0, file, found.seconds, "finished", found))
        return len(running)

    async def close(self) -> None:
        """What is not converted stays as it is."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def file(self, recording: StoredRecording) -> Path:
        return self._folder / f"{recording.id}{recording.suffix}"

    def describe(self) -> dict[str, object]:
        """`cut_short`: ended before their time, because of a full disk for example."""
        return {"ended": self._ended, "cut_short": self._cut_short, "last_error": self._last_error}

    async def get(self, id: str) -> StoredRecording | None:
        return await self._store.get(id)

    async def query(self, query: RecordingQuery) -> Sequence[StoredRecording]:
        return await self._store.query(query)

    async def as_mp3(self, recording: StoredRecording) -> Path:
        """The recording as MP3: its own file, or one that may be removed after an hour. Raises `ConversionFailed`."""
        source = self.file(recording)
        if not await asyncio.to_thread(self._is_ours, source):
            raise ConversionFailed(f"the file of the recording {recording.id} is not there")
        if recording.suffix == ".mp3":
            return source
        target = self._exports / f"{recording.id.replace('/', '_')}.mp3"
        if not await asyncio.to_thread(target.exists):
            await self._converter.convert(source, target)
        return target

    def _is_ours(self, file: Path) -> bool:
        """It is there, within the folder of recordings (REC-13)."""
        return file.is_file() and file.resolve().is_relative_to(self._folder.resolve())

    def add(self, recording: StoredRecording) -> None:
        """One whose file is in its place already."""
        self._store.put(recording.id, recording)

    def remove(self, recording: StoredRecording) -> None:
        """Take it out of the index; its file is the affair of who asks."""
        self._store.put(recording.id, None)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _told(self, event: BusEvent) -> None:
        assert isinstance(event, RecordingStarted | RecordingEnded)
        if isinstance(event, RecordingEnded):
            self._count(event)
        recording = event.entry
        if recording is None:
            return
        if event.call in self._of_call:
            self._of_call[event.call][recording.id] = recording
        if isinstance(event, RecordingStarted):
            self._store.put(recording.id, recording)
        else:
            self._complete(recording)

    def _count(self, event: RecordingEnded) -> None:
        self._ended += 1
        if event.reason == FINISHED:
            self._is_failing = False
            return
        self._cut_short += 1
        self._last_error = event.reason
        if not self._is_failing:
            self._is_failing = True
            self._bus.publish(RecordingFailed(event.at, event.call, event.reason))

    def _call_told(self, event: BusEvent) -> None:
        match event:
            case CallStarted():
                self._of_call[event.call] = {}
            case CallLinked():
                for recording in list(self._of_call.get(event.call, {}).values()):
                    moved = self._of_call[event.call][recording.id] = replace(recording, linkedid=event.linkedid)
                    self._store.put(moved.id, moved)
            case CallEnded():
                self._of_call.pop(event.call, None)

    def _complete(self, recording: StoredRecording) -> None:
        self._store.put(recording.id, recording)
        if recording.state == "done" and recording.suffix != f".{recording.format}":
            task = asyncio.ensure_future(self._convert(recording))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _convert(self, recording: StoredRecording) -> None:
        source = self.file(recording)
        converted = replace(recording, suffix=f".{recording.format}")
        for _ in range(TRIES):
            await asyncio.sleep(AGAIN_S)
            try:
                await self._converter.convert(source, self.file(converted))
            except (ConversionFailed, OSError) as error:
                log.warning("a recording could not be converted", file=str(source), why=str(error))
                continue
            self._store.put(converted.id, converted)
            await asyncio.to_thread(source.unlink, missing_ok=True)
            return
        log.error("a recording stays as it is", file=str(source), tries=TRIES)

    # --- after a crash ----------------------------------------------------------------------------------------------

    def _found(self, recording: StoredRecording) -> tuple[StoredRecording, str]:
        """The entry as its file is now, and the file."""
        for suffix in SUFFIXES:
            found = replace(recording, suffix=suffix)
            if (file := self.file(found)).exists():
                return replace(found, state="done", seconds=_seconds(file) or recording.seconds), str(file)
        return replace(recording, state="failed"), ""


def file_name(started_at: float, from_number: str, to_number: str, timezone: str) -> str:
    """The name of a file for people, without a suffix: date and both numbers (CDR-5)."""
    at = datetime.fromtimestamp(started_at, ZoneInfo(timezone))
    numbers = (_NOT_OF_A_NUMBER.sub("", number) or "unknown" for number in (from_number, to_number))
    return "_".join((f"{at:%Y-%m-%d_%H-%M-%S}", *numbers))


def _seconds(file: Path) -> float:
    """How long a WAV file is; 0 of another."""
    if file.suffix != ".wav":
        return 0.0
    try:
        with wave.open(str(file)) as sound:
            return float(round(sound.getnframes() / sound.getframerate(), 3))
    except (OSError, EOFError, wave.Error, ZeroDivisionError):
        return 0.0
