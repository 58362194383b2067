"""WAV files as the player needs them: 16-bit samples, mono, 8000 Hz.

Read: PCM of 16 bits, A-law and µ-law, one or two channels (mixed), 8 or 16 kHz. Everything else is a `BadSound` with a
sentence. A `data` chunk of length 0 or close to 2^32 is how streaming writers say "until the end of the file".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.codec import g711

Samples = NDArray[np.int16]

MAX_BYTES = 128 * 1024 * 1024
PCM, ALAW, MULAW, EXTENSIBLE = 1, 6, 7, 0xFFFE
BITS = {PCM: 16, ALAW: 8, MULAW: 8}
UNKNOWN_LENGTHS = (0, 0x7FFFFFFF, 0x7FFFF000)


class BadSound(Exception):
    """The file cannot be played; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class _Format:
    coding: int
    channels: int
    rate: int
    bits: int


def read_wav(path: str) -> Samples:
    """The whole file, ready to be played; raises `BadSound`."""
    data = _load(path)
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise BadSound(f"{path} is not a WAV file.")
    chunks = dict(reversed(list(_chunks(data))))  # the first of each name counts
    if b"fmt " not in chunks:
        raise BadSound(f"{path} has no format chunk, or it is cut off.")
    sound = _check(path, _parse_format(path, data, *chunks[b"fmt "]))
    if b"data" not in chunks:
        raise BadSound(f"{path} has no audio in it.")
    return _samples(path, sound, _audio(path, data, *chunks[b"data"]))


def _load(path: str) -> bytes:
    file = Path(path)
    try:
        size = file.stat().st_size
        if not file.is_file():
            raise BadSound(f"{path} is not a file.")
        if size > MAX_BYTES:
            raise BadSound(f"{path} has {size >> 20} MiB; more than {MAX_BYTES >> 20} MiB are not played.")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadSound(f"{path} cannot be read: {why}.") from error


def _chunks(data: bytes) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Name, start and claimed length of each chunk; one of unknown length is the last."""
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], (at + 8, length)
        at += 8 + length + length % 2


def _parse_format(path: str, data: bytes, start: int, length: int) -> _Format:
    if length < 16 or start + 16 > len(data):
        raise BadSound(f"{path} has no format chunk, or it is cut off.")
    coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, start)
    if coding == EXTENSIBLE and length >= 26 and start + 26 <= len(data):
        (coding,) = struct.unpack_from("<H", data, start + 24)
    return _Format(coding, channels, rate, bits)


def _check(path: str, sound: _Format) -> _Format:
    if BITS.get(sound.coding) != sound.bits:
        raise BadSound(
            f"{path} has coding {sound.coding} with {sound.bits} bits; "
            "PCM of 16 bits, A-law and µ-law of 8 bits can be played."
        )
    if sound.channels not in (1, 2):
        raise BadSound(f"{path} has {sound.channels} channels; one or two can be played.")
    if sound.rate not in (8000, 16000):
        raise BadSound(f"{path} has {sound.rate} samples a second; 8000 or 16000 can be played.")
    return sound


def _audio(path: str, data: bytes, start: int, claimed: int) -> bytes:
    present = len(data) - start
    if claimed in UNKNOWN_LENGTHS or claimed >= 0xFFFFF000:
        claimed = present
    if claimed > present:
        raise BadSound(f"{path} is cut off: it claims {claimed} bytes of audio and has {present}.")
    return data[start : start + claimed]


def _samples(path: str, sound: _Format, audio: bytes) -> Samples:
    audio = audio[: len(audio) // (sound.channels * sound.bits // 8) * (sound.channels * sound.bits // 8)]
    if not audio:
        raise BadSound(f"{path} has no audio in it.")
    mono = _mono(_linear(sound.coding, audio), sound.channels)
    return _halve_rate(mono) if sound.rate == 16000 else mono


def _linear(coding: int, audio: bytes) -> Samples:
    if coding == PCM:
        return np.frombuffer(audio, dtype="<i2").astype(np.int16)
    decoded = g711.decode_alaw(audio) if coding == ALAW else g711.decode_ulaw(audio)
    return np.frombuffer(decoded, dtype=np.int16)


def _mono(samples: Samples, channels: int) -> Samples:
    if channels == 1:
        return samples
    mixed: Samples = (samples.reshape(-1, 2).astype(np.int32).sum(axis=1) // 2).astype(np.int16)
    return mixed


def _half_band(taps: int = 63) -> NDArray[np.float64]:
    """Low-pass at 3600 Hz for 16 kHz, windowed sinc; unity gain at zero."""
    n = np.arange(taps) - (taps - 1) / 2
    kernel = np.sinc(2 * 3600 / 16000 * n) * np.blackman(taps)
    unity: NDArray[np.float64] = kernel / kernel.sum()
    return unity


def _halve_rate(samples: Samples) -> Samples:
    filtered = np.convolve(samples.astype(np.float64), _half_band(), mode="same")[: len(samples)]
    return np.clip(np.rint(filtered[::2]), -32768, 32767).astype(np.int16)
