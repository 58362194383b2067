"""G.711 in numpy, written from the decision values of the recommendation: reference of `g711.pyx`.

Samples have 16 bits; µ-law uses the upper 14, A-law the upper 13. A code stands for the interval between two decision
values; a negative sample is coded as the mirror image of a positive one (µ-law by its magnitude, A-law by its
one's complement, so that 0 and -1 lie on different sides).
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Codes = NDArray[np.uint8]

ULAW_BIAS = 132  # 33 in units of 14 bits
ULAW_CLIP = 32635


def decode_ulaw(codes: Codes) -> Samples:
    """ITU-T G.711 table 2: all bits are inverted on the line."""
    plain = (~codes).astype(np.int32) & 0xFF
    magnitude = ((2 * (plain & 15) + 33) << ((plain >> 4) & 7)) - 33
    return np.where(plain & 128, -4 * magnitude, 4 * magnitude).astype(np.int16)


def decode_alaw(codes: Codes) -> Samples:
    """ITU-T G.711 table 1: even bits are inverted on the line."""
    plain = codes.astype(np.int32) ^ 0x55
    segment, step = (plain >> 4) & 7, plain & 15
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return np.where(plain & 128, 8 * magnitude, -8 * magnitude).astype(np.int16)


def encode_ulaw(samples: Samples) -> Codes:
    wide = samples.astype(np.int32)
    magnitude = np.minimum(np.abs(wide), ULAW_CLIP) + ULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 15
    sign = np.where(wide < 0, 128, 0)
    codes: Codes = (~(sign | (segment << 4) | step) & 0xFF).astype(np.uint8)
    return codes


def encode_alaw(samples: Samples) -> Codes:
    wide = samples.astype(np.int32)
    magnitude = np.where(wide < 0, ~wide, wide) >> 4
    segment = np.where(magnitude < 32, magnitude >> 4, np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3)
    step = (magnitude >> np.maximum(segment - 1, 0)) & 15
    sign = np.where(wide < 0, 0, 128)
    codes: Codes = ((sign | (segment << 4) | step) ^ 0x55).astype(np.uint8)
    return codes
