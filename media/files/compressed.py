"""MP3, FLAC, Ogg Vorbis and Opus, decoded by libsndfile in blocks, so that nobody's claim about a length matters."""

import io
from collections.abc import Iterator

import numpy as np
import soundfile
from numpy.typing import NDArray

from media.files.bad import BadSound
from media.files.wav import BLOCK_FRAMES, MAX_CHANNELS, MAX_RATE, MIN_RATE

Floats = NDArray[np.float32]


def is_compressed(data: bytes) -> bool:
    """By its first bytes: a name proves nothing, and libsndfile need not see anything else."""
    return data.startswith((b"fLaC", b"OggS", b"ID3")) or (len(data) > 2 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)


class Compressed:
    """A file that libsndfile can read; raises `BadSound`."""

    def __init__(self, path: str, data: bytes) -> None:
        self._path = path
        try:
            self._file = soundfile.SoundFile(io.BytesIO(data))
        except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
            raise BadSound(f"{path} is damaged, or no audio although it begins like it.") from None
        self.rate = self._file.samplerate
        if not MIN_RATE <= self.rate <= MAX_RATE:
            raise BadSound(f"{path} has {self.rate} samples a second; {MIN_RATE} to {MAX_RATE} can be played.")
        if not 1 <= self._file.channels <= MAX_CHANNELS:
            raise BadSound(f"{path} has {self._file.channels} channels; one to {MAX_CHANNELS} can be played.")

    def blocks(self) -> Iterator[Floats]:
        """Its samples between -1 and 1, channels mixed, until they end or are damaged."""
        with self._file as file:
            while True:
                try:
                    block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
                except (soundfile.SoundFileError, RuntimeError):
                    raise BadSound(f"{self._path} is damaged in the middle.") from None
                if not len(block):
                    return
                yield np.nan_to_num(block.mean(axis=1))
