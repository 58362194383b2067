"""WAV files: what is in them, and their samples in blocks.

Read: PCM of 8 to 32 bits, floating point, A-law and µ-law, up to 8 channels (mixed into one), any usual rate.
Everything else is a `BadSound` with a sentence. A `data` chunk of length 0 or close to 2^32 is how streaming writers
say "until the end of the file"; so does a recorder that was cut short.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frozen import dataclass
from media.codec import g711
from media.files.bad import BadSound

Floats = NDArray[np.float32]

MAX_CHANNELS = 8
MIN_RATE, MAX_RATE = 4000, 192_000
PCM, FLOAT, ALAW, MULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
BITS = {PCM: (8, 16, 24, 32), FLOAT: (32, 64), ALAW: (8,), MULAW: (8,)}
UNKNOWN_LENGTHS = (0, 0x7FFFFFFF, 0x7FFFF000)
BLOCK_FRAMES = 65536


@dataclass(frozen=True, slots=True)
class Wav:
    """A WAV file that can be played: `audio` is what its data chunk holds, whole frames of it."""

    coding: int
    channels: int
    rate: int
    bits: int
    audio: memoryview

    @property
    def frames(self) -> int:
        return len(self.audio) // self.frame_bytes

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8

    def blocks(self) -> Iterator[Floats]:
        """Its samples between -1 and 1, channels mixed."""
        size = BLOCK_FRAMES * self.frame_bytes
        for at in range(0, len(self.audio), size):
            samples = _linear(self.coding, self.bits, self.audio[at : at + size])
            yield samples.reshape(-1, self.channels).mean(axis=1, dtype=np.float32) if self.channels > 1 else samples


def is_wav(data: bytes) -> bool:
    return len(data) >= 12 and data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def parse_wav(path: str, data: bytes) -> Wav:
    """The file with the content `data`; raises `BadSound`."""
    chunks = dict(reversed(list(_chunks(data))))  # the first of each name counts
    if b"fmt " not in chunks:
        raise BadSound(f"{path} has no format chunk, or it is cut off.")
    coding, channels, rate, bits = _parse_format(path, data, *chunks[b"fmt "])
    _check(path, coding, channels, rate, bits)
    if b"data" not in chunks:
        raise BadSound(f"{path} has no audio in it.")
    audio = _audio(path, data, *chunks[b"data"])
    frame = channels * bits // 8
    return Wav(coding, channels, rate, bits, audio[: len(audio) // frame * frame])


def _chunks(data: bytes) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Name, start and claimed length of each chunk; one of unknown length is the last."""
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], (at + 8, length)
        at += 8 + length + length % 2


def _parse_format(path: str, data: bytes, start: int, length: int) -> tuple[int, int, int, int]:
    if length < 16 or start + 16 > len(data):
        raise BadSound(f"{path} has no format chunk, or it is cut off.")
    coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, start)
    if coding == EXTENSIBLE and length >= 26 and start + 26 <= len(data):
        (coding,) = struct.unpack_from("<H", data, start + 24)
    return coding, channels, rate, bits


def _check(path: str, coding: int, channels: int, rate: int, bits: int) -> None:
    if bits not in BITS.get(coding, ()):
        raise BadSound(
            f"{path} has coding {coding} with {bits} bits; "
            "PCM of 8 to 32 bits, floating point, A-law and µ-law can be played."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadSound(f"{path} has {channels} channels; one to {MAX_CHANNELS} can be played.")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise BadSound(f"{path} has {rate} samples a second; {MIN_RATE} to {MAX_RATE} can be played.")


def _audio(path: str, data: bytes, start: int, claimed: int) -> memoryview:
    present = len(data) - start
    if claimed in UNKNOWN_LENGTHS or claimed >= 0xFFFFF000:
        claimed = present
    if claimed > present:
        raise BadSound(f"{path} is cut off: it claims {claimed} bytes of audio and has {present}.")
    return memoryview(data)[start : start + claimed]


def _linear(coding: int, bits: int, audio: memoryview) -> Floats:
    if coding in (ALAW, MULAW):
        decoded = (g711.decode_alaw if coding == ALAW else g711.decode_ulaw)(bytes(audio))
        return _scaled(np.frombuffer(decoded, dtype=np.int16), 16)
    if coding == FLOAT:
        values = np.frombuffer(audio, dtype="<f4" if bits == 32 else "<f8")
        clipped: Floats = np.nan_to_num(np.clip(values, -1, 1)).astype(np.float32)  # not a number: silence
        return clipped
    if bits == 8:
        return _scaled(np.frombuffer(audio, dtype=np.uint8).astype(np.int16) - 128, 8)
    if bits == 24:
        wide = np.zeros((len(audio) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(audio, dtype=np.uint8).reshape(-1, 3)
        return _scaled(wide.view("<i4")[:, 0], 32)
    return _scaled(np.frombuffer(audio, dtype=f"<i{bits // 8}"), bits)


def _scaled(samples: NDArray[Any], bits: int) -> Floats:
    scaled: Floats = samples.astype(np.float32) / np.float32(2 ** (bits - 1))
    return scaled
