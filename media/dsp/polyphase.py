"""Filters for changes of the sampling rate: one for each pair of rates, made once.

The signal is thought to be stuffed with zeros to the least common multiple of both rates, filtered there (Kaiser
window) and thinned out. The pass band ends at 0.85 of the lower Nyquist frequency, the stop band begins at it, so that
nothing is folded back. The delay depends on the lower of both rates only (`delay_ms`).
"""

from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

RATES = (8000, 16000, 24000, 48000)
WEIGHT_BITS = 14
PASS_EDGE = 0.85  # of the lower Nyquist frequency
STOP_DB = 68.0
HALF_SPAN = 28  # samples of the lower rate on each side of the middle: STOP_DB within the transition (Kaiser)


def ratio(from_rate: int, to_rate: int) -> tuple[int, int]:
    """(up, down) in lowest terms."""
    common = gcd(from_rate, to_rate)
    return to_rate // common, from_rate // common


def delay_ms(from_rate: int, to_rate: int) -> float:
    """How much later a sound comes out than it went in; 3.5 ms where 8 kHz is the lower rate, less for others."""
    return 0.0 if from_rate == to_rate else 1000 * HALF_SPAN / min(from_rate, to_rate)


@cache
def prototype(from_rate: int, to_rate: int) -> NDArray[np.float64]:
    """The low pass at the common multiple of both rates, of odd length; its gain makes up for the zeros."""
    up, _ = ratio(from_rate, to_rate)
    middle = HALF_SPAN * from_rate * up // min(from_rate, to_rate)
    # Cut in the middle between both edges, in cycles of a sample.
    cut = min(from_rate, to_rate) / (from_rate * up) * (1 + PASS_EDGE) / 4
    at = np.arange(-middle, middle + 1)
    beta = 0.1102 * (STOP_DB - 8.7)
    taps = 2 * cut * np.sinc(2 * cut * at) * np.kaiser(2 * middle + 1, beta)
    scaled: NDArray[np.float64] = taps * (up / taps.sum())
    return scaled


@cache
def weights(from_rate: int, to_rate: int) -> NDArray[np.int16]:
    """[phase][tap] in units of 2**-WEIGHT_BITS, the oldest sample first; each phase has the gain 1 exactly."""
    up, _ = ratio(from_rate, to_rate)
    taps = prototype(from_rate, to_rate)
    padded = np.concatenate([taps, np.zeros(-len(taps) % up)])
    exact = padded.reshape(-1, up).T[:, ::-1]
    rounded = np.rint(exact / exact.sum(axis=1, keepdims=True) * (1 << WEIGHT_BITS)).astype(np.int64)
    largest = rounded.argmax(axis=1)
    rounded[np.arange(up), largest] += (1 << WEIGHT_BITS) - rounded.sum(axis=1)
    return np.ascontiguousarray(rounded.astype(np.int16))
