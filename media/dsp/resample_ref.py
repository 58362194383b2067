"""Change of the sampling rate as in the textbook: stuff with zeros, filter, thin out. Reference of `resample.pyx`."""

import numpy as np
from numpy.typing import NDArray

from media.dsp.polyphase import WEIGHT_BITS, ratio, weights


def resample(samples: NDArray[np.int16], from_rate: int, to_rate: int) -> NDArray[np.int16]:
    """A whole signal, with silence before it; as long as the signal itself."""
    if from_rate == to_rate:
        return samples
    up, down = ratio(from_rate, to_rate)
    stuffed = np.zeros(len(samples) * up, dtype=np.int64)
    stuffed[::up] = samples
    taps = weights(from_rate, to_rate)[:, ::-1].T.reshape(-1).astype(np.int64)
    filtered = np.convolve(stuffed, taps)[: len(stuffed) : down]
    rounded = (filtered + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS
    clipped: NDArray[np.int16] = np.clip(rounded, -32768, 32767).astype(np.int16)
    return clipped
