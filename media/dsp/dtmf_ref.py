"""Digits as pairs of tones (ITU-T Q.23), heard and made; plainly. `dtmf.pyx` does the same.

Heard: eight Goertzel filters look at blocks of 12.75 ms, one begun every half of that. A block sounds like a digit when
one tone of each group stands out among its own, both have a level and a ratio as Q.24 asks for, and hardly anything
else is there. A digit begins with four such blocks in a row whose phases advance as those frequencies do: that tells a
frequency to a few hertz in so short a time, and speech does not keep it. So 40 ms are enough and 20 ms are not. It ends
with five blocks in a row that lack it: a pause of 40 ms ends it, an interruption of 10 ms does not.

Made: both tones with ramps, so that nothing clicks.
"""

from math import atan2, cos, floor, pi, remainder, sin

import numpy as np
from numpy.typing import NDArray

from frozen import dataclass

Samples = NDArray[np.int16]

ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = "123A456B789C*0#D"
EVENTS = "0123456789*#ABCD"  # by number, RFC 4733 §3.2
HALF_US = 6375  # of a block
LEAST_POWER = 135000.0  # of one tone: -39 dBov are -33 dBm0
QUIET = LEAST_POWER / 2  # a half with less power is taken as silence: most of a conversation is, and costs nothing then
ROW_LOUDER, COLUMN_LOUDER = 11.5, 5.0  # times, at most: 8 and 5 dB, and what the groups leak into each other
STANDS_OUT = 4.0  # times among its own group: 6 dB
PURE = 0.6  # part of the power that both tones are
OFF = 0.025  # of a frequency
BEGINS_AFTER, ENDS_AFTER = 4, 5  # blocks in a row with it, without it

ROW_PEAK, COLUMN_PEAK = 7344.0, 9246.0  # of the tones that are made: -10 and -8 dBm0
RAMP_MS = 2


@dataclass(frozen=True, slots=True)
class Press:
    """`duration_ms` is 0 when it begins."""

    event: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Block:
    """What a block sounds like: a key of KEYS or -1, and the phases of its tones at the end."""

    key: int = -1
    row: float = 0.0
    column: float = 0.0


class DetectorReference:
    def __init__(self, rate: int) -> None:
        self.rate, self.half = rate, rate * HALF_US // 1_000_000
        self._steps = [2 * pi * tone / rate for tone in (*ROWS, *COLUMNS)]
        self._turns = [step * self.half for step in self._steps]
        self._samples: list[int] = []
        self._before: list[tuple[float, float]] = [(0.0, 0.0)] * 8  # phasors of the half before
        self._energy_before = 0.0
        self._last = Block()
        self._alike = 0  # blocks in a row
        self._on, self._blocks, self._missed = -1, 0, 0

    @property
    def suspects(self) -> bool:
        """What was fed last sounds like a digit, or one is on."""
        return self._last.key >= 0 or self._on >= 0

    def feed(self, pcm: Samples) -> list[Press]:
        """At most 20 ms."""
        presses = list[Press]()
        for sample in pcm:
            self._samples.append(int(sample))
            if len(self._samples) == self.half:
                presses += self._judged(self._block())
                self._samples.clear()
        return presses

    def _judged(self, block: Block) -> list[Press]:
        follows = block.key >= 0 and block.key == self._last.key
        self._alike = self._alike + 1 if follows and self._steady(block) else int(block.key >= 0)
        self._last = block
        presses = self._went_on(block) if self._on >= 0 else []
        if self._alike >= BEGINS_AFTER and self._on < 0:
            self._on, self._blocks, self._missed = block.key, BEGINS_AFTER + 1, 0
            presses.append(self._press(0))
        return presses

    def _went_on(self, block: Block) -> list[Press]:
        self._blocks += 1
        self._missed = 0 if block.key == self._on else self._missed + 1
        if self._missed < ENDS_AFTER:
            return []
        press = self._press((self._blocks - self._missed) * HALF_US // 1000)
        self._on = -1
        return [press]

    def _press(self, duration_ms: int) -> Press:
        return Press(EVENTS.index(KEYS[self._on]), duration_ms)

    def _steady(self, block: Block) -> bool:
        """Do the phases advance by what half a block makes?"""
        return all(
            abs(remainder(now - then - self._turns[at], 2 * pi)) <= OFF * self._turns[at]
            for at, now, then in (
                (block.key // 4, block.row, self._last.row),
                (4 + block.key % 4, block.column, self._last.column),
            )
        )

    def _block(self) -> Block:
        """Of this half and the one before."""
        energy = float(sum(sample * sample for sample in self._samples))
        sounds = energy >= QUIET * self.half
        phasors = [self._phasor(step) if sounds else (0.0, 0.0) for step in self._steps]
        whole = [
            _sum(now, _turned(then, turn)) for now, then, turn in zip(phasors, self._before, self._turns, strict=True)
        ]
        power = (energy + self._energy_before) / (2 * self.half)
        self._before, self._energy_before = phasors, energy
        scale = 2.0 / (2 * self.half * 2 * self.half)
        powers = [scale * (real * real + imaginary * imaginary) for real, imaginary in whole]
        row, column = _loudest(powers[:4]), 4 + _loudest(powers[4:])
        if not _is_digit(powers, row, column, power):
            return Block()
        return Block(4 * row + column - 4, _phase(whole[row]), _phase(whole[column]))

    def _phasor(self, step: float) -> tuple[float, float]:
        """A Goertzel filter over this half: amplitude and phase of a tone at its end."""
        coefficient, last, before = 2.0 * cos(step), 0.0, 0.0
        for sample in self._samples:
            last, before = sample + coefficient * last - before, last
        return last - before * cos(step), before * sin(step)


def _is_digit(powers: list[float], row: int, column: int, power: float) -> bool:
    one, other = powers[row], powers[column]
    if min(one, other) < LEAST_POWER or one > other * ROW_LOUDER or other > one * COLUMN_LOUDER:
        return False
    if one + other < PURE * power:
        return False
    rest = [powers[at] * STANDS_OUT > (one if at < 4 else other) for at in range(8) if at not in (row, column)]
    return not any(rest)


def _turned(phasor: tuple[float, float], angle: float) -> tuple[float, float]:
    return (
        phasor[0] * cos(angle) - phasor[1] * sin(angle),
        phasor[0] * sin(angle) + phasor[1] * cos(angle),
    )


def _sum(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def _phase(phasor: tuple[float, float]) -> float:
    return atan2(phasor[1], phasor[0])


def _loudest(powers: list[float]) -> int:
    return powers.index(max(powers))


def tone(event: int, rate: int, count: int, total: int, start: int = 0) -> Samples:
    """`count` samples from `start` on of a digit that lasts `total`."""
    key = KEYS.index(EVENTS[event])
    made = np.empty(count, np.int16)
    ramp = RAMP_MS * rate // 1000
    for at in range(start, start + count):
        gain = max(0.0, min(1.0, (at + 0.5) / ramp, (total - at - 0.5) / ramp))
        row, column = 2 * pi * ROWS[key // 4] * at / rate, 2 * pi * COLUMNS[key % 4] * at / rate
        made[at - start] = floor(gain * (ROW_PEAK * sin(row) + COLUMN_PEAK * sin(column)) + 0.5)
    return made
