"""G.722 at 64 kbit/s in plain Python, block by block as the recommendation has it: reference of `g722.pyx`.

Capital names in the comments are the blocks of ITU-T G.722 clause 6. An octet holds two samples of 16 kHz: two bits of
the higher sub-band above six of the lower one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from media.codec.g722_tables import ILB, ILN, ILP, Q6, QM2, QM4, QM6, QMF, RH2, RL42, WH, WL

LOWEST, HIGHEST = -16384, 16383
LINE = [*QMF, *reversed(QMF)]


def sat(value: int) -> int:
    return max(-32768, min(32767, value))


def sign_matches(one: int, other: int) -> bool:
    return (one < 0) == (other < 0)


@dataclass
class Band:
    """The adaptive predictor and quantizer step of one sub-band, the same in encoder and decoder."""

    is_low: bool
    scale: int  # DETL, DETH
    log_scale: int = 0  # NBL, NBH
    predicted: int = 0  # SL, SH
    zeros: int = 0  # SZL, SZH
    a: list[int] = field(default_factory=lambda: [0, 0])  # poles
    b: list[int] = field(default_factory=lambda: [0] * 6)
    d: list[int] = field(default_factory=lambda: [0] * 6)  # differences, newest first
    r: list[int] = field(default_factory=lambda: [0, 0])  # reconstructed
    p: list[int] = field(default_factory=lambda: [0, 0])  # partially reconstructed

    def adapt(self, code: int) -> None:
        """After a code of 4 bits (low) or 2 bits (high): INVQAL, LOGSCL, SCALEL, then the predictor."""
        if self.is_low:
            difference, step, most, shift = (self.scale * QM4[code]) >> 15, WL[RL42[code]], 18432, 8
        else:
            difference, step, most, shift = (self.scale * QM2[code]) >> 15, WH[RH2[code]], 22528, 10
        self.log_scale = max(0, min(most, ((self.log_scale * 127) >> 7) + step))
        fraction, places = ILB[(self.log_scale >> 6) & 31], shift - (self.log_scale >> 11)
        self.scale = (fraction >> places if places >= 0 else fraction << -places) << 2
        self._predict(difference)

    def _predict(self, difference: int) -> None:
        recons, partial = sat(self.predicted + difference), sat(self.zeros + difference)  # RECONS, PARREC
        self.a = self._poles(partial)
        self.b = self._zeros(difference)
        self.d = [difference, *self.d[:5]]
        self.r = [recons, self.r[0]]
        self.p = [partial, self.p[0]]
        poles = sat(sum((a * sat(2 * r)) >> 15 for a, r in zip(self.a, self.r, strict=True)))  # FILTEP
        self.zeros = sat(sum((b * sat(2 * d)) >> 15 for b, d in zip(self.b, self.d, strict=True)))  # FILTEZ
        self.predicted = sat(poles + self.zeros)

    def _poles(self, partial: int) -> list[int]:
        first, second = self.a
        likely = sign_matches(partial, self.p[0])
        turned = sat(-sat(first << 2) if likely else sat(first << 2))  # UPPOL2
        second = (turned >> 7) + (128 if sign_matches(partial, self.p[1]) else -128) + ((second * 32512) >> 15)
        second = max(-12288, min(12288, second))
        first = sat((192 if likely else -192) + ((first * 32640) >> 15))  # UPPOL1
        most = sat(15360 - second)
        return [max(-most, min(most, first)), second]

    def _zeros(self, difference: int) -> list[int]:
        """UPZERO"""
        step = 0 if difference == 0 else 128
        return [
            sat((step if sign_matches(difference, d) else -step) + ((b * 32640) >> 15))
            for b, d in zip(self.b, self.d, strict=True)
        ]


def quantize_low(error: int, scale: int) -> int:
    """QUANTL: six bits."""
    size = error if error >= 0 else -(error + 1)
    interval = next((i for i in range(1, 30) if size < (Q6[i] * scale) >> 12), 30)
    return ILN[interval] if error < 0 else ILP[interval]


def quantize_high(error: int, scale: int) -> int:
    """QUANTH: two bits."""
    size = error if error >= 0 else -(error + 1)
    outer = size >= (564 * scale) >> 12
    return (0 if outer else 1) if error < 0 else (2 if outer else 3)


class Encoder:
    def __init__(self) -> None:
        self.line = [0] * 24
        self.low, self.high = Band(True, 32), Band(False, 8)

    def encode(self, samples: Iterable[int]) -> bytes:
        """One octet for each two samples."""
        pairs = iter(samples)
        return bytes(self._octet(int(first), int(second)) for first, second in zip(pairs, pairs, strict=True))

    def _octet(self, first: int, second: int) -> int:
        self.line = [*self.line[2:], first, second]
        even = sum(h * x for h, x in zip(LINE[0::2], self.line[0::2], strict=True))
        odd = sum(h * x for h, x in zip(LINE[1::2], self.line[1::2], strict=True))
        low = quantize_low(sat(((even + odd) >> 14) - self.low.predicted), self.low.scale)
        self.low.adapt(low >> 2)
        high = quantize_high(sat(((odd - even) >> 14) - self.high.predicted), self.high.scale)
        self.high.adapt(high)
        return high << 6 | low


class Decoder:
    def __init__(self) -> None:
        self.line = [0] * 24
        self.low, self.high = Band(True, 32), Band(False, 8)

    def decode(self, payload: bytes) -> list[int]:
        return [sample for octet in payload for sample in self._samples(octet)]

    def _samples(self, octet: int) -> tuple[int, int]:
        low, high = octet & 0x3F, octet >> 6
        rlow = max(LOWEST, min(HIGHEST, self.low.predicted + ((self.low.scale * QM6[low]) >> 15)))
        self.low.adapt(low >> 2)
        rhigh = max(LOWEST, min(HIGHEST, self.high.predicted + ((self.high.scale * QM2[high]) >> 15)))
        self.high.adapt(high)
        self.line = [*self.line[2:], rlow + rhigh, rlow - rhigh]
        first = sum(h * x for h, x in zip(LINE[1::2], self.line[1::2], strict=True))
        second = sum(h * x for h, x in zip(LINE[0::2], self.line[0::2], strict=True))
        return sat(first >> 11), sat(second >> 11)
