"""The recorder's thread: takes packets from the ring, writes files, and never makes the engine wait.

Control gives it requests and hears of outcomes through `tell`, which may be called on any thread.
"""

import errno
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frozen import dataclass
from media.api import EndpointId, MediaEvent, RecordingEnded, RecordingId, RecordingStarted, conversion
from media.engine.priority import ask_for_precedence
from media.record.silence import Silence
from media.record.tracks import Taps, Track
from media.record.wav_file import WavFile

TURN_S = 0.1
STEP_NS = 500_000_000  # after a stall packets are laid down in such steps, for tracks keep two seconds only
BEHIND_MS = 500  # what is written lies so far back, so that late packets still find their place
BLOCK_MS = 500
LONGEST_STALL_NS = 60_000_000_000
FINISHED = "finished"

Formats = tuple[tuple[int, str, int], ...]  # payload type, encoding, PCM rate


@dataclass(frozen=True, slots=True)
class Side:
    """One party: its tap in the engine, and how what it says is coded."""

    tap: int
    serial: int
    formats: Formats


@dataclass(frozen=True, slots=True)
class Begin:
    """`stereo`: one channel for each of two sides, else all mixed into one."""

    endpoint: EndpointId
    recording: RecordingId
    path: str
    format: str
    sides: tuple[Side, ...]
    stereo: bool
    rate: int
    max_ms: int
    max_silence_ms: int = 0


@dataclass(slots=True, eq=False)
class Running:
    """A recording while it runs."""

    begin: Begin
    file: WavFile
    tracks: dict[int, Track]  # by tap, the order of the channels
    paused: bool = False
    ending: int | None = None  # where on the clock it ends
    reason: str = FINISHED
    gone: set[int] = field(default_factory=set)
    silence: Silence | None = None


class Recorder:
    """One for each engine; the thread begins with the first recording."""

    def __init__(self, tell: Callable[[MediaEvent], None]) -> None:
        self.taps = Taps()
        self._tell = tell
        self._drained_ns = time.monotonic_ns()
        self._requests: deque[Callable[[], None]] = deque()
        self._running: dict[RecordingId, Running] = {}
        self._converters = ThreadPoolExecutor(max_workers=1, thread_name_prefix="media-convert")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="media-recorder", daemon=True)
        self._thread.start()

    # --- for the control thread -------------------------------------------------------------------------------------

    def begin(self, begin: Begin) -> None:
        now_ns = time.monotonic_ns()
        self._requests.append(lambda: self._begin(begin, now_ns))

    def pause(self, recording: RecordingId, *, paused: bool) -> None:
        """What is said meanwhile is left out."""
        self._requests.append(lambda: self._pause(recording, paused))

    def end(self, recording: RecordingId) -> None:
        now_ns = time.monotonic_ns()
        self._requests.append(lambda: self._end_at(recording, now_ns, FINISHED))

    def formats(self, recording: RecordingId, tap: int, formats: Formats) -> None:
        """The party talks otherwise from now on."""
        self._requests.append(lambda: self._formats(recording, tap, formats))

    def gone(self, recording: RecordingId, tap: int) -> None:
        """The party has left: its channel stays silent, the last one ends the recording."""
        now_ns = time.monotonic_ns()
        self._requests.append(lambda: self._gone(recording, tap, now_ns))

    def close(self) -> None:
        """Complete all files."""
        self._stop.set()
        self._thread.join()
        self._converters.shutdown()

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        ask_for_precedence()
        while not self._stop.wait(TURN_S):
            self._turn()
        self._turn()
        for running in list(self._running.values()):
            self._write_until(running, _position(self._drained_ns, running.begin.rate))
            self._finish(running, "The media engine was closed.")

    def _turn(self) -> None:
        # Requests first: what they ask for holds for packets that were taken after them.
        for _ in range(len(self._requests)):
            self._requests.popleft()()
        now_ns = time.monotonic_ns()
        while self._drained_ns < now_ns:
            self._drained_ns = min(max(self._drained_ns + STEP_NS, now_ns - LONGEST_STALL_NS), now_ns)
            self.taps.drain(self._drained_ns)
            for running in list(self._running.values()):
                self._write(running, self._drained_ns)

    def _begin(self, begin: Begin, now_ns: int) -> None:
        start = _position(now_ns, begin.rate)
        try:
            file = WavFile(begin.path, begin.rate, 2 if begin.stereo else 1)
        except OSError as error:
            self._ended(begin, begin.path, 0, f"{begin.path} cannot be written: {_why(error)}.")
            return
        running = Running(begin, file, {side.tap: Track(begin.rate, start) for side in begin.sides})
        if begin.max_silence_ms:
            running.silence = Silence(begin.rate, file.frames)
        for side in begin.sides:
            running.tracks[side.tap].formats(side.formats)
            self.taps.add(side.tap, side.serial, running.tracks[side.tap])
        self._running[begin.recording] = running
        self._tell(RecordingStarted(begin.endpoint, begin.recording, begin.path))

    def _pause(self, recording: RecordingId, paused: bool) -> None:
        running = self._running.get(recording)
        if running is not None and running.paused is not paused:
            self._write_until(running, _position(time.monotonic_ns(), running.begin.rate))
            running.paused = paused

    def _formats(self, recording: RecordingId, tap: int, formats: Formats) -> None:
        if (running := self._running.get(recording)) is not None:
            running.tracks[tap].formats(formats)

    def _gone(self, recording: RecordingId, tap: int, now_ns: int) -> None:
        running = self._running.get(recording)
        if running is None:
            return
        running.gone.add(tap)
        if running.gone == running.tracks.keys():
            self._end_at(recording, now_ns, FINISHED)

    def _end_at(self, recording: RecordingId, now_ns: int, reason: str) -> None:
        """Written to the end when its last packets have come."""
        running = self._running.get(recording)
        if running is not None and running.ending is None:
            running.ending, running.reason = _position(now_ns, running.begin.rate), reason

    def _write(self, running: Running, now_ns: int) -> None:
        begin = running.begin
        now = _position(now_ns, begin.rate)
        until = now - begin.rate * BEHIND_MS // 1000
        if running.ending is not None and until >= running.ending:
            self._write_until(running, running.ending)
            self._finish(running, running.reason)
        elif until - _start(running) >= begin.rate * BLOCK_MS // 1000:
            self._write_until(running, until)
            if _is_over(running) and running.ending is None:
                running.ending = until

    def _write_until(self, running: Running, until: int) -> None:
        """A disk that takes no more ends the recording, not the call."""
        rate = running.begin.rate
        while (count := min(until - _start(running), rate)) > 0:
            samples = _together([track.take(count) for track in running.tracks.values()], running.begin.stereo)
            if running.paused:
                continue
            if running.silence is not None:
                running.silence.feed(samples)
            try:
                running.file.write(samples.data.cast("B"))
            except OSError as error:
                self._finish(running, f"{running.begin.path} cannot be written: {_why(error)}.")
                return

    def _finish(self, running: Running, reason: str) -> None:
        begin, file = running.begin, running.file
        if self._running.pop(begin.recording, None) is None:
            return
        for tap, track in running.tracks.items():
            self.taps.remove(tap, track)
        try:
            if running.silence is not None:
                file.shorten(running.silence.worth)
            file.close()
        except OSError as error:
            reason = f"{begin.path} cannot be completed: {_why(error)}." if reason == FINISHED else reason
        if begin.format == "wav":
            self._ended(begin, begin.path, file.duration_ms, reason)
        else:
            self._converters.submit(self._convert, begin, file.duration_ms, reason)

    def _convert(self, begin: Begin, duration_ms: int, reason: str) -> None:
        """On a thread that waits for a process: the WAV file stays when it cannot be converted."""
        source = Path(begin.path)
        target = source.with_suffix(f".{begin.format}")
        done = subprocess.run(
            conversion(source, target), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            source.unlink(missing_ok=True)
            self._ended(begin, str(target), duration_ms, reason)
        else:
            why = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            failed = f"{begin.path} could not be converted to {begin.format}: {why[0]}."
            self._ended(begin, begin.path, duration_ms, failed if reason == FINISHED else reason)

    def _ended(self, begin: Begin, path: str, duration_ms: int, reason: str) -> None:
        self._tell(RecordingEnded(begin.endpoint, begin.recording, path, duration_ms, reason))


def _position(now_ns: int, rate: int) -> int:
    """On the master clock, as `tracks.pyx` counts."""
    return now_ns // 1000 * rate // 1_000_000


def _is_over(running: Running) -> bool:
    """It is long enough, or nobody has said anything for long enough."""
    begin, silence = running.begin, running.silence
    if silence is not None and silence.length * 1000 >= begin.max_silence_ms * begin.rate:
        return True
    return bool(begin.max_ms) and running.file.duration_ms >= begin.max_ms


def _start(running: Running) -> int:
    return next(iter(running.tracks.values())).start


def _together(channels: list[NDArray[np.int16]], stereo: bool) -> NDArray[np.int16]:
    if len(channels) == 1:
        return np.repeat(channels[0], 2) if stereo else channels[0]
    if stereo:
        return np.ascontiguousarray(np.stack(channels, axis=1)).reshape(-1)
    mixed: NDArray[np.int16] = np.clip(np.sum(channels, axis=0, dtype=np.int32), -32768, 32767).astype(np.int16)
    return mixed


def _why(error: OSError) -> str:
    return "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or str(error)
