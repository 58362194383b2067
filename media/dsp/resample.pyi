import numpy as np
from numpy.typing import NDArray

class Rate:
    """One resampler for Python: tests, measurements, files. The engine uses the struct.

    Raises ValueError for rates other than 8, 16, 24 and 48 kHz, unless both are equal.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None: ...
    def convert(self, samples: NDArray[np.int16]) -> bytes:
        """The next samples at the new rate, 16 bits, native order; what went before is remembered."""
