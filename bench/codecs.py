"""What the codecs alone cost: CPU time of one frame of 20 ms, encoded and decoded, and of a change of the rate."""

import time
from collections.abc import Callable
from itertools import count

import numpy as np
from numpy.typing import NDArray

from bench.reference import reference_us
from bench.report import Measurement
from bench.site import Subject
from media.codec.coder import Codec, available
from media.dsp.resample import Rate
from media.jitter.playout import Stream

# Most CPU time for encoding and decoding one frame, us: twice what a core of 2024 needs, so that a mistake is seen.
CODECS = (
    ("PCMA", 8000, 8),
    ("G722", 16000, 70),
    ("opus", 8000, 200),
    ("opus", 16000, 320),
    ("opus", 48000, 450),
    ("G729", 8000, 180),
)
RATES = ((8000, 16000, 15), (16000, 8000, 12), (8000, 48000, 30), (48000, 8000, 15))
FRAMES = 50
ROUNDS = 8


def speech(rate: int) -> list[NDArray[np.int16]]:
    """A second like speech in what it costs: harmonics that move, pauses, noise."""
    at = np.arange(rate) / rate
    pitch = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * 2 * at)) / rate
    loudness = np.clip(np.sin(2 * np.pi * 3 * at), 0, 1)
    sound = loudness * sum(np.sin(n * pitch) / n for n in range(1, 16))
    noisy = 4000 * sound + np.random.default_rng(1).normal(0, 60, rate)
    return list(np.split(np.rint(noisy).astype(np.int16), FRAMES))


def _each_us(work: Callable[[int], object]) -> float:
    """The least of some rounds, for each frame: what disturbs only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time_ns()
        for index in range(FRAMES):
            work(index)
        best = min(best, (time.process_time_ns() - begun) / 1000 / FRAMES)
    return best


def codec_us(name: str, rate: int) -> tuple[float, float]:
    """(encode, decode) of one frame."""
    codec, frames = Codec(name, rate), speech(rate)
    payloads = [codec.encode(frame) for frame in frames]
    return _each_us(lambda index: codec.encode(frames[index])), _each_us(lambda index: codec.decode(payloads[index]))


def resample_us(from_rate: int, to_rate: int) -> float:
    """One frame from a rate to another."""
    rate, frames = Rate(from_rate, to_rate), speech(from_rate)
    return _each_us(lambda index: rate.convert(frames[index]))


def playout_us() -> float:
    """One packet of G.711 from its arrival to PCM."""
    codec, stream = Codec("PCMU", 8000), Stream("PCMU", 8000)
    payloads = [codec.encode(frame) for frame in speech(8000)]
    clock = count()

    def work(index: int) -> None:
        number = next(clock)
        stream.put(number & 0xFFFF, 160 * number & 0xFFFFFFFF, payloads[index], 20_000_000 * number)
        stream.pull(160, 20_000_000 * number)

    return _each_us(work)


def codecs(_: Subject) -> list[Measurement]:
    """M5, the codec alone."""
    unit_us, found = reference_us(), []
    for name, rate, most in CODECS:
        if not available(name):
            continue
        encode, decode = codec_us(name, rate)
        both = encode + decode
        work, note = f"{name} at {rate // 1000} kHz, a frame of 20 ms", f"encode {encode:.1f}, decode {decode:.1f} us"
        found.append(
            Measurement("M5", work, both, "us CPU", f"<= {most}", both <= most, both / unit_us, "reference units", note)
        )
    each = playout_us()
    work = "PCMU received: order, delay, decoding"
    found.append(Measurement("M5", work, each, "us CPU", "<= 4", each <= 4, each / unit_us, "reference units"))
    for one, other, most in RATES:
        each = resample_us(one, other)
        work = f"{one // 1000} to {other // 1000} kHz, a frame of 20 ms"
        found.append(
            Measurement("M5", work, each, "us CPU", f"<= {most}", each <= most, each / unit_us, "reference units")
        )
    return found
