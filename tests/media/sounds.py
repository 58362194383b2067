"""WAV files for tests, honest and lying."""

import struct

import numpy as np
from numpy.typing import NDArray

from media.codec import g711
from media.rtp.packet import RtpPacket


def sine(frequency_hz: float, seconds: float, rate: int = 8000, level: float = 8000.0) -> NDArray[np.int16]:
    return (level * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate * seconds)) / rate)).astype(np.int16)


def wav(
    audio: bytes, *, coding: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, claimed: int | None = None
) -> bytes:
    """A RIFF file whose data chunk claims `claimed` bytes, by default what it has."""
    frame = channels * bits // 8
    format_chunk = struct.pack("<HHIIHH", coding, channels, rate, rate * frame, frame, bits)
    length = len(audio) if claimed is None else claimed
    body = b"WAVE" + b"fmt " + struct.pack("<I", 16) + format_chunk
    body += b"LIST" + struct.pack("<I", 3) + b"abc\0"  # an odd chunk with its pad byte
    body += b"data" + struct.pack("<I", length) + audio
    return b"RIFF" + struct.pack("<I", len(body)) + body


def heard(packets: list[RtpPacket]) -> NDArray[np.int16]:
    """What a phone would play."""
    decoders = {0: g711.decode_ulaw, 8: g711.decode_alaw}
    audio = b"".join(decoders[packet.payload_type](packet.payload) for packet in packets)
    return np.frombuffer(audio, dtype=np.int16)


def strongest_hz(samples: NDArray[np.int16], count: int = 1) -> list[int]:
    """The loudest frequencies, in Hz, ascending."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    found: list[int] = []
    for bin_number in np.argsort(spectrum)[::-1]:
        frequency = round(float(bin_number) * 8000 / len(samples))
        if all(abs(frequency - other) > 40 for other in found):
            found.append(frequency)
        if len(found) == count:
            break
    return sorted(found)


def level_dbov(samples: NDArray[np.int16]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) / 32768))
