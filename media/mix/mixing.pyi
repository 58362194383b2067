from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

class Mixing:
    """One room of at most 64; members are numbered in the order in which they came."""

    def add(self, rate: int, talks: bool = True, hears: bool = True) -> int:
        """A member more; it fades in. Raises ValueError for rates other than 8, 16, 24 and 48 kHz."""

    def set_role(self, member: int, talks: bool, hears: bool) -> None: ...
    def set_gain(self, source: int, sink: int, gain: float) -> None: ...
    def forget(self, source: int, sink: int) -> None:
        """The source has gone."""

    def pairs(self, sink: int) -> int:
        """How many the member hears otherwise than unchanged."""

    def tick(self, frames: Sequence[NDArray[np.int16]]) -> list[NDArray[np.int16]]:
        """What everybody hears when everybody says these samples, 20 ms at the rate of each."""

class Talking:
    """Whether one member talks."""

    @property
    def talks(self) -> bool: ...
    def hears(self, samples: NDArray[np.int16]) -> bool:
        """One tick of 20 ms; whether that has changed."""
