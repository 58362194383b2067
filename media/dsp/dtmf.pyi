import numpy as np
from numpy.typing import NDArray

class Tones:
    """A detector for Python: tests and measurements. The engine uses the struct."""

    def __init__(self, rate: int) -> None: ...
    def feed(self, pcm: NDArray[np.int16]) -> list[tuple[int, int]]:
        """(event of RFC 4733, how many ms it lasted or 0 when it begins) of each digit that begins or ends."""

    @property
    def suspects(self) -> bool:
        """What was fed last sounds like a digit, or one is on."""

def tone(event: int, rate: int, count: int, total: int, start: int = ...) -> bytes:
    """`count` samples, 16 bits in native order, from `start` on of a digit that lasts `total` samples."""
