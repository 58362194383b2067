from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Octets: TypeAlias = bytes | bytearray | memoryview

def available(name: str) -> bool:
    """Can the encoding be converted on this machine?"""

class Codec:
    """One coder for Python: tests, measurements, conversion of files. The engine uses the struct.

    PCM is mono, 16 bits, native order, at `rate`. Raises ValueError for what cannot be opened.
    """

    def __init__(
        self,
        name: str,
        rate: int,
        *,
        bitrate: int = 0,
        max_rate: int = 0,
        loss_percent: int = 0,
        complexity: int = 0,
        fec: bool = False,
        dtx: bool = False,
        cbr: bool = False,
    ) -> None:
        """The settings are for Opus; 0 is the usual value."""

    @property
    def rate(self) -> int: ...
    @property
    def clock_rate(self) -> int: ...
    def duration(self, payload: Octets) -> int | None:
        """Samples that a payload holds; None for what is none."""

    def decode(self, payload: Octets, room: int = ...) -> bytes | None:
        """Samples; None for what cannot be decoded into `room` samples."""

    def encode(self, samples: NDArray[np.int16], room: int = ...) -> bytes:
        """The payload, empty when there is nothing to send."""

    def recover(self, samples: int, following: Octets | None = None) -> bytes | None:
        """The codec's own substitute for samples lost before `following`; None when it has none."""
