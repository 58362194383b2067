"""A recording on its way to the disk: a WAV file that can be heard up to the last seconds whatever happens.

It is written beside its name (`.part`) and gets the name when it is complete. The header is set right every few
seconds; after a crash `recover` does it for what was left behind.
"""

import os
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

HEADER = 44
MAX_AUDIO = 0xFFFFFFFF - HEADER - 8  # RIFF counts with 32 bits: 37 hours of stereo at 8 kHz
SET_RIGHT_S = 5.0
LONGEST_GAP_S = 10.0
PART = ".part"


def wav_header(rate: int, channels: int, audio_bytes: int) -> bytes:
    frame = 2 * channels
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", HEADER - 8 + audio_bytes, b"WAVE", b"fmt ", 16, 1, channels, rate, rate * frame, frame, 16),
        *(b"data", audio_bytes),
    )


class WavFile:
    """Opened to be written; an unfinished file of that name and kind goes on, with the time between as silence."""

    def __init__(self, path: str, rate: int, channels: int) -> None:
        self.path, self._rate, self._channels = Path(path), rate, channels
        self._part = self.path.with_name(self.path.name + PART)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._set_right_at = time.monotonic()
        try:
            self.audio_bytes = self._go_on()
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def duration_ms(self) -> int:
        return self.frames * 1000 // self._rate

    @property
    def frames(self) -> int:
        return self.audio_bytes // (2 * self._channels)

    def write(self, samples: bytes | memoryview) -> None:
        """All of it, or OSError: what does not fit is cut off at a frame."""
        if self.audio_bytes + len(samples) > MAX_AUDIO:
            raise OSError(27, "File too large")
        view = memoryview(samples)
        while len(view):
            written = os.write(self._fd, view)
            self.audio_bytes += written
            view = view[written:]
        if time.monotonic() - self._set_right_at >= SET_RIGHT_S:
            self._set_right()

    def shorten(self, frames: int) -> None:
        """Keep no more than the first so many frames."""
        self.audio_bytes = min(self.audio_bytes, frames * 2 * self._channels)

    def close(self) -> None:
        """Complete it as far as it goes. Harmless when repeated."""
        if self._fd < 0:
            return
        try:
            self.audio_bytes -= self.audio_bytes % (2 * self._channels)
            os.ftruncate(self._fd, HEADER + self.audio_bytes)
            self._set_right()
        finally:
            os.close(self._fd)
            self._fd = -1
        self._part.rename(self.path)

    def _go_on(self) -> int:
        status = os.fstat(self._fd)
        header = os.pread(self._fd, HEADER, 0)
        fresh = wav_header(self._rate, self._channels, 0)
        if status.st_size < HEADER or header[8:40] != fresh[8:40]:
            os.ftruncate(self._fd, 0)
            os.write(self._fd, fresh)
            return 0
        frame = 2 * self._channels
        audio = (status.st_size - HEADER) // frame * frame
        gap_s = min(max(0.0, time.time() - status.st_mtime), LONGEST_GAP_S)
        audio += int(gap_s * self._rate) * frame
        os.ftruncate(self._fd, HEADER + audio)
        os.lseek(self._fd, 0, os.SEEK_END)
        return audio

    def _set_right(self) -> None:
        os.pwrite(self._fd, wav_header(self._rate, self._channels, self.audio_bytes), 0)
        self._set_right_at = time.monotonic()


def recover(folder: Path) -> list[Path]:
    """Complete the recordings that a crash left in a folder and those below it; their paths. Files that are no
    recordings are left alone."""
    found = []
    for part in sorted(folder.rglob(f"*.wav{PART}")):
        try:
            with part.open("rb") as file:
                header = file.read(HEADER)
            if len(header) == HEADER and header[:4] == b"RIFF" and header[36:40] == b"data":
                channels, rate = struct.unpack_from("<HI", header, 22)
                found.append(_completed(part, rate, channels))
        except (OSError, ValueError, ZeroDivisionError):
            continue  # the next start tries again
    return found


def _completed(part: Path, rate: int, channels: int) -> Path:
    frame = 2 * channels
    audio = (part.stat().st_size - HEADER) // frame * frame
    with part.open("r+b") as file:
        file.truncate(HEADER + audio)
        file.write(wav_header(rate, channels, audio))
    path = part.with_name(part.name.removesuffix(PART))
    part.rename(path)
    return path
