import numpy as np
from numpy.typing import NDArray

class Encoder:
    """One direction for tests; the engine has its own state."""

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """One octet for each two samples of 16 kHz."""

class Decoder:
    """One direction for tests; the engine has its own state."""

    def decode(self, payload: bytes) -> bytes:
        """16-bit samples in native order."""
