"""A network that loses, delays and reorders packets, the same way for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """What happens on the way; all of it may be nothing.

    Losses come in bursts of `burst` packets in the mean (1: independently of each other; the model is Gilbert's).
    Every packet waits up to `jitter_ms`, evenly; packets keep their order, as in a queue, except for the part
    `reorder` of them, which the next one overtakes. `drift_ppm`: how much slower the sender's clock runs.
    """

    loss: float = 0.0
    burst: float = 1.0
    jitter_ms: float = 0.0
    drift_ppm: float = 0.0
    reorder: float = 0.0

    def arrivals(self, count: int, ptime_ms: int, seed: int) -> list[tuple[float, int]]:
        """(ms, number) of the packets that arrive, in the order in which they do."""
        draw = random.Random(seed)
        lost = self._losses(draw)
        last, found = 0.0, []
        for number in range(count):
            sent = number * ptime_ms * (1 + self.drift_ppm / 1e6)
            at = sent + draw.uniform(0, self.jitter_ms)
            overtaken = draw.random() < self.reorder
            if next(lost):
                continue
            if overtaken:
                at = max(at, last) + 1.5 * ptime_ms
            else:
                at = last = max(at, last)
            found.append((at, number))
        return sorted(found)

    def _losses(self, draw: random.Random) -> Iterator[bool]:
        lost = False
        begin = self.loss / (self.burst * (1 - self.loss))
        while True:
            # With `burst` 1 a loss says nothing of the next packet.
            lost = draw.random() < (self.loss if self.burst <= 1 else 1 - 1 / self.burst if lost else begin)
            yield lost
