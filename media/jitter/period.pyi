import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

def period_of(sound: Samples, window: int, most: int, rate: int) -> tuple[int, float] | None:
    """(lag, how alike); None when `sound` is too short."""

def lag_for(sound: Samples, rate: int, alike: float, most: int) -> int:
    """The period by which `sound` may change its length; 0 when it does not come again so alike."""

def changed(sound: Samples, lag: int, rate: int, longer: bool) -> bytes:
    """`sound` shorter or longer by `lag`, which is one that `lag_for` gave."""
