"""Raw G.722 at 64 kbit/s, as sets of recorded prompts have it: octets and nothing else, so only the name tells."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from media.codec.g722 import Decoder
from media.files.rates import Floats

RATE = 16000
BLOCK_OCTETS = 1 << 15  # four seconds


def is_g722(path: str) -> bool:
    return Path(path).suffix == ".g722"


class RawG722:
    """Any octets are some sound."""

    rate = RATE

    def __init__(self, data: bytes) -> None:
        self._data = data

    def blocks(self) -> Iterator[Floats]:
        """Its samples between -1 and 1."""
        decoder = Decoder()
        for start in range(0, len(self._data), BLOCK_OCTETS):
            samples = np.frombuffer(decoder.decode(self._data[start : start + BLOCK_OCTETS]), np.int16)
            yield samples.astype(np.float32) / np.float32(32768)
