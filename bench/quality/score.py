"""What speech is worth after a network: ITU-T P.862 as MOS-LQO (P.862.1), by the package `pesq`."""

import numpy as np
from numpy.typing import NDArray
from pesq import pesq

Samples = NDArray[np.int16]


def mos(spoken: Samples, heard: Samples) -> float:
    """1.0 to 4.55, of speech at 8 kHz; G.711 alone is about 4.45."""
    return float(pesq(8000, spoken, heard, "nb"))
