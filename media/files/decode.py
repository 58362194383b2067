"""Any sound file as 16-bit samples of one channel at the rate that is wanted; raises `BadSound` with a sentence."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frozen import dataclass
from media.files.bad import BadSound
from media.files.compressed import Compressed, is_compressed
from media.files.g722 import RawG722, is_g722
from media.files.rates import Floats, RateConverter
from media.files.wav import Wav, is_wav, parse_wav
from media.files.webm import Webm, is_webm

Samples = NDArray[np.int16]

MAX_BYTES = 128 * 1024 * 1024
MAX_MINUTES = 60


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A file with its content, which begins like a sound. `rate`: of the file itself."""

    path: str
    source: Wav | Compressed | RawG722 | Webm

    @property
    def rate(self) -> int:
        return self.source.rate

    def samples(self, rate: int) -> Samples:
        """All of it, once."""
        converter = RateConverter(self.source.rate, rate)
        limit, made = MAX_MINUTES * 60 * rate, 0
        parts: list[Samples] = []
        for block in _converted(self.source.blocks(), converter):
            made += len(block)
            if made > limit:
                raise BadSound(f"{self.path} lasts longer than {MAX_MINUTES} minutes; that is not played.")
            parts.append(_whole_numbers(block))
        if not made:
            raise BadSound(f"{self.path} has no audio in it.")
        return np.concatenate(parts)

    def seconds(self) -> float:
        """How long it is, by its samples and not by what it claims."""
        return len(self.samples(self.rate)) / self.rate


def read_sound(path: str, rate: int = 8000) -> Samples:
    """The whole file. Limits: `MAX_BYTES` of file, `MAX_MINUTES` of sound."""
    return load_sound(path).samples(rate)


def load_sound(path: str) -> SoundFile:
    """The file, to be decoded."""
    return SoundFile(path, _open(path, _load(path)))


def decode_sound(path: str, data: bytes, rate: int = 8000) -> Samples:
    """The same of a file with the content `data`."""
    return SoundFile(path, _open(path, data)).samples(rate)


def _open(path: str, data: bytes) -> Wav | Compressed | RawG722 | Webm:
    if not data:
        raise BadSound(f"{path} is empty.")
    if is_wav(data):
        return parse_wav(path, data)
    if is_g722(path):  # first, since its octets may look like those of anything
        return RawG722(data)
    if is_compressed(data):
        return Compressed(path, data)
    if is_webm(data):
        return Webm(path, data)
    raise BadSound(f"{path} is not a sound that can be played: WAV, MP3, FLAC, Ogg Vorbis, Opus and WebM can be.")


def _load(path: str) -> bytes:
    file = Path(path)
    try:
        size = file.stat().st_size
        if not file.is_file():
            raise BadSound(f"{path} is not a file.")
        if size > MAX_BYTES:
            raise BadSound(f"{path} has {size >> 20} MiB; more than {MAX_BYTES >> 20} MiB are not played.")
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES)  # it may grow meanwhile
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadSound(f"{path} cannot be read: {why}.") from error


def _converted(blocks: Iterator[Floats], converter: RateConverter) -> Iterator[Floats]:
    for block in blocks:
        yield converter.feed(block)
    yield converter.finish()


def _whole_numbers(block: Floats) -> Samples:
    return np.clip(np.rint(block * 32768), -32768, 32767).astype(np.int16)
