"""Comfort noise (RFC 3389) in plain Python: reference of `comfort.pyx`.

A payload is one octet of level (-dBov) and any number of reflection coefficients, N = 127 + k * 32768 / 258 (§3.2).
The coefficients are those of A(z) = 1 + sum(a z^-i): noise that falls with frequency begins with a negative one.

When to send: what is louder than -45 dBov is never taken for silence, whatever it is, so that steady tones and quiet
music are not cut off; below it, what stays within 8 dB of the lowest level of late is background. A description is
sent when the silence begins, when its level changes by 3 dB, and every second.
"""

from dataclasses import dataclass, field
from math import floor, log10, sqrt

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

ORDER = 10
GLIDE = 160
LOUDEST_DB = -45.0
ABOVE_FLOOR_DB = 8.0
ALWAYS_QUIET_DB = -65.0
RISE_DB_S = 4.0
HANGOVER_MS = 240
CHANGE_DB = 3.0
REPEAT_MS = 1000


@dataclass
class Noise:
    random: int = 1
    target: float = 0.0
    level: float = 0.0
    reflection: list[float] = field(default_factory=list)
    state: list[float] = field(default_factory=list)

    def update(self, payload: bytes) -> bool:
        if not payload:
            return False
        quiet = payload[0] & 127
        self.target = 0.0 if quiet == 127 else 32768.0 * 10.0 ** (-quiet / 20.0)
        self.reflection = [max(-0.98, min(0.98, 258.0 * (n - 127) / 32768.0)) for n in payload[1 : 1 + ORDER]]
        self.state = [*self.state, *[0.0] * ORDER][: len(self.reflection)]
        return True

    def make(self, samples: int) -> Samples:
        return np.array([self._sample() for _ in range(samples)], dtype=np.int16)

    def _sample(self) -> int:
        self.level += (self.target - self.level) / GLIDE
        self.random = (self.random * 1664525 + 1013904223) & 0xFFFFFFFF
        # Even noise of -1 to 1 has the power 1/3; the filter multiplies power by 1 / product(1 - k^2).
        gain = sqrt(3.0)
        for k in self.reflection:
            gain *= sqrt(1.0 - k * k)
        value = gain * (self.random / 2**31 - 1.0)
        passed = list[float]()
        for k, before in zip(reversed(self.reflection), reversed(self.state), strict=True):
            value -= k * before
            passed.append(before + k * value)
        if self.state:
            self.state = [value, *reversed(passed[1:])]
        return max(-32768, min(32767, floor(self.level * value + 0.5)))


def level_db(samples: Samples) -> float:
    """Against a square wave of full scale (dBov)."""
    power = float(np.mean(samples.astype(float) ** 2))
    return 10 * log10(power / 32768.0**2) if power else -127.0


def describe(samples: Samples, order: int) -> bytes:
    level = max(0, min(127, floor(0.5 - level_db(samples))))
    if level == 127 or not order:
        return bytes([level])
    count = len(samples)
    windowed = samples * (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(count) + 0.5) / count))
    r = [float(np.dot(windowed[lag:], windowed[: count - lag])) for lag in range(order + 1)]
    r[0] = r[0] * 1.001 + 1.0
    codes = [floor(k * 32768 / 258 + 127.5) for k in reflections(r)]
    return bytes([level, *(max(0, min(254, code)) for code in codes)])


def reflections(r: list[float]) -> list[float]:
    """Levinson and Durbin."""
    a, error, found = [1.0], r[0], list[float]()
    for i in range(1, len(r)):
        k = -sum(a[j] * r[i - j] for j in range(i)) / error
        padded = [*a, 0.0]
        a = [one + k * other for one, other in zip(padded, reversed(padded), strict=True)]
        error *= 1 - k * k
        found.append(k)
    return found


@dataclass
class Quiet:
    rate: int
    order: int
    floor_db: float = LOUDEST_DB
    told_db: float | None = None
    since_speech_ms: int = 0
    since_told_ms: int = 0

    def frame(self, samples: Samples) -> bytes | None:
        """None for speech, else the CN payload, empty for nothing."""
        db, ms = level_db(samples), len(samples) * 1000 // self.rate
        self.floor_db = min(db, self.floor_db + RISE_DB_S * ms / 1000)
        loud = db > LOUDEST_DB or (db > self.floor_db + ABOVE_FLOOR_DB and db > ALWAYS_QUIET_DB)
        self.since_speech_ms = 0 if loud else self.since_speech_ms + ms
        if self.since_speech_ms < HANGOVER_MS:
            self.told_db = None
            return None
        self.since_told_ms += ms
        known = self.told_db is not None and abs(db - self.told_db) < CHANGE_DB
        if known and self.since_told_ms < REPEAT_MS:
            return b""
        self.told_db, self.since_told_ms = db, 0
        return describe(samples, self.order)
