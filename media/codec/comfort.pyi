import numpy as np
from numpy.typing import NDArray

class Noise:
    """Comfort noise for tests; the engine uses the struct."""

    def __init__(self, random: int = 1) -> None: ...
    def update(self, payload: bytes, spectrum: bool = True) -> bool:
        """Take over what a CN payload says; False when it says nothing."""

    def make(self, samples: int) -> bytes: ...

class Quiet:
    """What is sent of frames, for tests; the engine uses the struct."""

    def __init__(self, rate: int, order: int) -> None: ...
    def frame(self, samples: NDArray[np.int16]) -> bytes | None:
        """None for speech, else the CN payload, empty for nothing."""

def describe(samples: NDArray[np.int16], order: int) -> bytes:
    """The CN payload that says what at most 60 ms sound like."""
