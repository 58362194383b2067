"""The mixing of a room as one would write it down; reference of `mixing.pyx`.

What each hears is the sum over all sources of gain x sound, where the gain of oneself is 0. A gain that changes glides
in a straight line within the tick. Sounds of another rate are summed first, clipped, and change their rate together.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from media.dsp.resample_ref import resample

Samples = NDArray[np.int16]
RATES = (8000, 16000, 24000, 48000)


@dataclass
class MixingReference:
    """One room whose members stay. `rates`, `talks` and `hears` by member; `gains[source, sink]`."""

    rates: list[int] = field(default_factory=list)
    talks: list[float] = field(default_factory=list)
    hears: list[float] = field(default_factory=list)
    gains: dict[tuple[int, int], float] = field(default_factory=dict)
    _loudness: list[float] = field(default_factory=list)
    _audibility: list[float] = field(default_factory=list)
    _before: dict[tuple[int, int], float] = field(default_factory=dict)
    _past: dict[tuple[str, int, int], list[Samples]] = field(default_factory=dict)

    def add(self, rate: int, talks: bool = True, hears: bool = True) -> int:
        self.rates.append(rate)
        self.talks.append(float(talks))
        self.hears.append(float(hears))
        self._loudness.append(0.0)
        self._audibility.append(0.0)
        return len(self.rates) - 1

    def tick(self, frames: list[Samples]) -> list[Samples]:
        """What everybody hears when everybody says these samples."""
        said = [_glide(frame, *change) for frame, *change in zip(frames, self._loudness, self.talks, strict=True)]
        sums = {rate: self._sum(said, rate) for rate in RATES if rate in self.rates}
        totals = {rate: self._total(sums, rate) for rate in sums}
        heard = [self._heard(totals, said, member) for member in range(len(frames))]
        self._loudness, self._audibility = list(self.talks), list(self.hears)
        self._forget_usual()
        return heard

    def _forget_usual(self) -> None:
        """A gain of 1 is none."""
        for source, sink in [pair for pair, gain in self.gains.items() if gain == 1]:
            del self.gains[source, sink]
            self._past.pop((f"{source}>{sink}", source, self.rates[sink]), None)
        self._before = dict(self.gains)

    def _sum(self, said: list[Samples], rate: int) -> NDArray[np.int64]:
        group = [each for each, own in zip(said, self.rates, strict=True) if own == rate]
        total: NDArray[np.int64] = np.sum(group, axis=0, dtype=np.int64)
        return total

    def _total(self, sums: dict[int, NDArray[np.int64]], rate: int) -> NDArray[np.int64]:
        total = sums[rate].copy()
        for other, each in sums.items():
            if other != rate:
                total += self._at_rate("sum", other, rate, other, _clip(each))
        return total

    def _heard(self, totals: dict[int, NDArray[np.int64]], said: list[Samples], member: int) -> Samples:
        rate = self.rates[member]
        heard = totals[rate] - said[member]
        for (source, sink), gain in self.gains.items():
            if sink == member:
                sound = self._at_rate(f"{source}>{sink}", self.rates[source], rate, source, said[source])
                before = self._before.get((source, sink), 1.0)
                heard = heard + _scaled(sound, before - 1, gain - 1)
        return _glide(_clip(heard), self._audibility[member], self.hears[member])

    def _at_rate(self, use: str, from_rate: int, to_rate: int, key: int, samples: Samples) -> Samples:
        """The tick before is converted once more, because its end is heard in this one."""
        if from_rate == to_rate:
            return samples
        past = self._past.setdefault((use, key, to_rate), [])
        past[:] = [*past[-1:], samples]
        return resample(np.concatenate(past), from_rate, to_rate)[-len(samples) * to_rate // from_rate :]


def _clip(samples: NDArray[np.int64]) -> Samples:
    clipped: Samples = np.clip(samples, -32768, 32767).astype(np.int16)
    return clipped


def _scaled(samples: Samples, gain: float, wanted: float) -> NDArray[np.int64]:
    line = gain + (wanted - gain) * np.arange(1, len(samples) + 1) / len(samples)
    return np.rint(samples * line).astype(np.int64)


def _glide(samples: Samples, gain: float, wanted: float) -> Samples:
    return samples if gain == wanted == 1 else _clip(_scaled(samples, gain, wanted))
