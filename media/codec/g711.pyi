from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = bytes | bytearray | memoryview

def encode_ulaw(samples: NDArray[np.int16]) -> bytes:
    """µ-law octets of 16-bit samples."""

def encode_alaw(samples: NDArray[np.int16]) -> bytes:
    """A-law octets of 16-bit samples."""

def decode_ulaw(codes: Codes) -> bytes:
    """16-bit samples, native order, of µ-law octets."""

def decode_alaw(codes: Codes) -> bytes:
    """16-bit samples, native order, of A-law octets."""

def ulaw_to_alaw(codes: Codes) -> bytes: ...
def alaw_to_ulaw(codes: Codes) -> bytes: ...
