"""Who talks, plainly; `talking.pxd` is the same in C."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEGIN_TICKS, END_TICKS = 3, 25
QUIETEST, LOUDEST, AUDIBLE = 107.0, 107374.0, 10737.0
ABOVE = 10.0
RISE = 1.02


def power_of(samples: NDArray[np.int16]) -> float:
    """Mean square."""
    return float(np.mean(samples.astype(np.float64) ** 2))


@dataclass
class TalkerReference:
    """The background falls quickly to what is quieter and rises slowly; speech stands `ABOVE` it for a while."""

    talks: bool = False
    loud: int = 0
    quiet: int = 0
    floor: float = LOUDEST

    def hears(self, power: float) -> bool:
        """One tick of 20 ms; whether who talks has changed."""
        floor = (self.floor + power) / 2 if power < self.floor else self.floor * RISE
        self.floor = min(max(floor, QUIETEST), LOUDEST)
        loud = power > max(AUDIBLE, ABOVE * self.floor)
        self.loud = min(self.loud + 1, BEGIN_TICKS) if loud else max(self.loud - 1, 0)
        self.quiet = 0 if loud else self.quiet + 1
        if self.talks == (self.quiet < END_TICKS if self.talks else self.loud == BEGIN_TICKS):
            return False
        self.talks, self.loud = not self.talks, 0
        return True
