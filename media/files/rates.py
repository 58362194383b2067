"""Sounds at another rate: a polyphase low-pass in numpy, fed block by block. For files; the live path has its own."""

from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ZERO_CROSSINGS = 16  # of the kernel, each side: 90 dB of image rejection
PASSBAND = 0.92  # of half the lower rate; above it the filter falls
KAISER_BETA = 9.0
MOST_PHASES = 640  # enough for 11,025 to 48,000 Hz; odd rates would have thousands, and are met to a thousandth
A_BATCH = 16  # samples of one phase at least, so that odd rates with thousands of phases do not take minutes


class RateConverter:
    """From `source_hz` to `target_hz`: `feed` blocks of one channel, then `finish`. The delay of the filter is taken
    out again, so what is heard begins and ends where it did."""

    def __init__(self, source_hz: int, target_hz: int) -> None:
        ratio = Fraction(target_hz, source_hz).limit_denominator(max(1, MOST_PHASES * source_hz // target_hz))
        self._up, self._down = ratio.numerator, ratio.denominator
        self._bank = _bank(self._up, self._down)
        self._taps = self._bank.shape[1]
        before = self._taps // 2 - 1
        self._waiting: Floats = np.zeros(before, dtype=np.float32)  # samples from `_start` on
        self._start = -before
        self._made = self._fed = 0

    def feed(self, block: Floats) -> Floats:
        """What can be said after this block."""
        if self._up == self._down:
            return block
        self._fed += len(block)
        self._waiting = np.concatenate([self._waiting, block])
        ready = self._start + len(self._waiting) - self._taps // 2
        possible = (ready * self._up - 1) // self._down + 1 - self._made
        return self._make(possible if possible >= A_BATCH * self._up else 0)

    def finish(self) -> Floats:
        """The rest."""
        if self._up == self._down:
            return np.zeros(0, dtype=np.float32)
        self._waiting = np.concatenate([self._waiting, np.zeros(self._taps, dtype=np.float32)])
        return self._make(-(-self._fed * self._up // self._down) - self._made)

    def _make(self, count: int) -> Floats:
        """The next `count` samples; those of one phase of the filter are one product."""
        found = np.empty(count, dtype=np.float32)
        for k in range(min(self._up, count)):
            at = (self._made + k) * self._down
            first = at // self._up - self._taps // 2 + 1 - self._start
            found[k :: self._up] = self._windows(first, len(found[k :: self._up])) @ self._bank[at % self._up]
        self._made += count
        needed = max(0, self._made * self._down // self._up - self._taps // 2 + 1 - self._start)
        self._waiting, self._start = self._waiting[needed:], self._start + needed
        return found

    def _windows(self, first: int, count: int) -> Floats:
        step = self._waiting.itemsize
        return np.lib.stride_tricks.as_strided(
            self._waiting[first:], (count, self._taps), (self._down * step, step), writeable=False
        )


@lru_cache(maxsize=16)
def _bank(up: int, down: int) -> Floats:
    """One filter for each phase between two source samples; each has the gain 1 at zero."""
    half = ceil(ZERO_CROSSINGS * max(1.0, down / up) / PASSBAND)
    phase = np.arange(up)[:, None] / up
    distance = np.arange(-half + 1, half + 1)[None, :] - phase  # of each tap from the wanted moment, in source samples
    bandwidth = PASSBAND * min(1.0, up / down)
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, None)))
    kernel = np.sinc(bandwidth * distance) * window
    found: Floats = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
    return found
