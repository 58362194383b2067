"""The period of a sound, and speech made shorter or longer by one of them; plainly. `period.pyx` does the same.

What is taken out or put in lies between two places from which the sound goes on alike, mixed over 10 ms: pitch and
timbre stay. Sums are whole numbers and quotients are IEEE doubles, so that both find the same lag.
"""

from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

LEAST_US, MOST_US = 2500, 15000  # of a period: 400 to 67 Hz
MIX_US = 10000
NEVER_ALIKE = -2.0


def samples_of(us: int, rate: int) -> int:
    return us * rate // 1_000_000


def rounded(value: float) -> int:
    return max(-32768, min(32767, floor(value + 0.5)))


def mixed(one: int, other: int, at: int, length: int) -> int:
    """From `one` to `other`, `at` of `length`."""
    weight = (at + 0.5) / length
    return rounded(one * (1.0 - weight) + other * weight)


def find_period(sound: Samples, window: int, most: int, rate: int) -> tuple[int, float]:
    """The lag at which the first `window` samples come again most alike, and how alike (-1 to 1).

    Looked for at every `stride`-th sample and lag, then closely. `sound` has `window + most` samples or more.
    """
    least, stride = samples_of(LEAST_US, rate), max(1, rate // 8000)
    lag, match = _best(sound, window, range(least, most + 1, stride), stride)
    if stride > 1:
        lag, match = _best(sound, window, range(max(least, lag - stride + 1), min(most, lag + stride - 1) + 1), 1)
    return lag, match


def _best(sound: Samples, window: int, lags: range, stride: int) -> tuple[int, float]:
    one = sound[:window:stride].astype(np.int64)
    power = int(one @ one)
    best, found = lags[0], NEVER_ALIKE
    for lag in lags:
        other = sound[lag : lag + window : stride].astype(np.int64)
        match = int(one @ other) / sqrt((power + 1.0) * (int(other @ other) + 1.0))
        if match > found:
            best, found = lag, match
    return best, found


def lag_for(sound: Samples, rate: int, alike: float, most: int) -> int:
    """The period by which `sound` may change its length, at most `most`; 0 when it does not come again so `alike`."""
    mix = samples_of(MIX_US, rate)
    most = min(most, samples_of(MOST_US, rate), len(sound) - mix)
    if most < samples_of(LEAST_US, rate):
        return 0
    lag, match = find_period(sound, mix, most, rate)
    return lag if match >= alike else 0


def shortened(sound: Samples, lag: int, rate: int) -> Samples:
    mix = samples_of(MIX_US, rate)
    head = [mixed(int(sound[at]), int(sound[lag + at]), at, mix) for at in range(mix)]
    return np.concatenate([np.array(head, np.int16), sound[lag + mix :]])


def lengthened(sound: Samples, lag: int, rate: int) -> Samples:
    mix = samples_of(MIX_US, rate)
    again = [mixed(int(sound[lag + at]), int(sound[at]), at, mix) for at in range(mix)]
    return np.concatenate([sound[:lag], np.array(again, np.int16), sound[mix:]])
