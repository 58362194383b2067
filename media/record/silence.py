"""How long a speaker has said nothing, as the samples of a recording tell."""

import numpy as np
from numpy.typing import NDArray

WINDOW_MS = 20
LOUD = 200.0  # root mean square: -44 dB below full scale, above the noise of a quiet room and below a low voice
AT_LEAST = 3  # windows in a row, or it is a click
KEPT_MS = 500  # of the silence after the last word


class Silence:
    """Fed with all samples of one channel in order. `start`: so many were there before, and are worth keeping."""

    def __init__(self, rate: int, start: int = 0) -> None:
        self._window = rate * WINDOW_MS // 1000
        self._kept = rate * KEPT_MS // 1000
        self._rest: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._position = self._last_word = start
        self._in_a_row = 0

    def feed(self, samples: NDArray[np.int16]) -> None:
        whole = np.concatenate((self._rest, samples))
        count = len(whole) // self._window
        windows = whole[: count * self._window].reshape(count, self._window).astype(np.float64)
        for level in np.sqrt((windows**2).mean(axis=1)):
            self._position += self._window
            self._in_a_row = self._in_a_row + 1 if level > LOUD else 0
            if self._in_a_row >= AT_LEAST:
                self._last_word = self._position
        self._rest = whole[count * self._window :]

    @property
    def length(self) -> int:
        """Samples since the last word; since the beginning when there was none."""
        return self._position + len(self._rest) - self._last_word

    @property
    def worth(self) -> int:
        """So many samples in all are worth keeping; none when nobody has said anything."""
        whole = self._position + len(self._rest)
        return min(self._last_word + self._kept, whole) if self._last_word else 0
