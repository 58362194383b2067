"""Which RTP/RTCP port pair the next endpoint gets: one queue for each local address.

A pair that was used goes to the end of the queue and rests there for some seconds, so late packets of an old call
never reach a new one. The first pair is chosen at random, which spreads the ports of a restarted engine.
"""

import random
from collections import deque


class PortQueue:
    """Even ports of a range, the longest unused first. `now` is monotonic seconds."""

    def __init__(self, first_port: int, last_port: int, quarantine_s: float) -> None:
        ports = list(range(first_port + first_port % 2, last_port, 2))
        start = random.randrange(len(ports)) if ports else 0
        self._quarantine_s = quarantine_s
        self._waiting: deque[tuple[float, int]] = deque((0.0, port) for port in ports[start:] + ports[:start])

    def __len__(self) -> int:
        """Pairs that are not in use, resting ones included."""
        return len(self._waiting)

    def take(self, now: float) -> int | None:
        """A pair that has rested long enough, None when there is none."""
        if not self._waiting or self._waiting[0][0] > now:
            return None
        return self._waiting.popleft()[1]

    def claim(self, port: int) -> bool:
        """Take this very pair, rested or not; False when it is in use or none of ours."""
        for at, (_, waiting) in enumerate(self._waiting):
            if waiting == port:
                del self._waiting[at]
                return True
        return False

    def give_back(self, port: int, now: float) -> None:
        """A pair that was used, or that turned out to be another program's."""
        self._waiting.append((now + self._quarantine_s, port))
