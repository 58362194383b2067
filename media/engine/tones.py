"""Tones for the engine: frequencies become phase steps, levels become amplitudes, durations become samples."""

import math

from media.api import ToneSource

SAMPLE_RATE = 8000
MAX_STEPS = 64
MAX_TONES = 4
FULL_SCALE = 32768

Step = tuple[tuple[int, ...], int, float]


class BadTone(Exception):
    """The tone cannot be made; the message is a sentence."""


def compile_tone(source: ToneSource) -> list[Step]:
    """(phase increments of 32 bits, samples, amplitude) of each step; raises `BadTone`.

    `level_db` is the level of all frequencies together in dBov: 0 is the power of a full-scale square wave, so a single
    sine reaches -3 at most (RFC 6464 §3).
    """
    if not source.steps or len(source.steps) > MAX_STEPS:
        raise BadTone(f"A tone has between 1 and {MAX_STEPS} steps, not {len(source.steps)}.")
    if not math.isfinite(source.level_db) or source.level_db > 0:
        raise BadTone(f"A tone cannot have {source.level_db:g} dBov; 0 is the loudest.")
    return [_step(frequencies, duration_ms, source.level_db) for frequencies, duration_ms in source.steps]


def _step(frequencies: tuple[float, ...], duration_ms: int, level_db: float) -> Step:
    if len(frequencies) > MAX_TONES:
        raise BadTone(f"A tone has at most {MAX_TONES} frequencies at once, not {len(frequencies)}.")
    if not 1 <= duration_ms <= 3_600_000:
        raise BadTone(f"A step of a tone cannot last {duration_ms} ms.")
    for frequency in frequencies:
        if not 0 < frequency < SAMPLE_RATE / 2:
            raise BadTone(f"A tone of {frequency:g} Hz cannot be made; telephone audio ends below 4000 Hz.")
    increments = tuple(round(frequency / SAMPLE_RATE * 2**32) for frequency in frequencies)
    return increments, duration_ms * SAMPLE_RATE // 1000, amplitude(level_db, len(frequencies))


def amplitude(level_db: float, count: int) -> float:
    """Of each of `count` sines whose power adds up to `level_db`; together they never exceed full scale."""
    if not count:
        return 0.0
    wanted = FULL_SCALE * math.sqrt(2 / count) * 10 ** (level_db / 20)
    return min(wanted, (FULL_SCALE - 1) / count)
