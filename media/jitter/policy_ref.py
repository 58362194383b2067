"""How long a stream is to wait before it is played: a policy of numbers alone. Reference of `policy.pyx`.

A packet's transit is when it arrived less when its samples were made, on two clocks that have nothing in common: only
differences mean something. The fastest packet of the last seconds is the yardstick (drift of the clocks moves it), and
what the others took longer is their delay. A histogram of delays forgets slowly, so the target is what all but a small
part of the packets of late would have needed. Where packets get lost, it is at least the time of one, so that what
follows a gap is there to bridge it.
"""

from dataclasses import dataclass, field

BUCKET_MS = 4
BUCKETS = 128
START_MS = 40  # what is expected of a network that nobody knows yet
LEAST_MS = 8
MOST_MS = 400
FASTEST_S = 4  # a yardstick is held for one to two times as long
FORGET = 1 / 400  # of the histogram for each packet, once there have been so many
TOO_LATE = 1 / 64  # part of the packets that need not be waited for
FORGET_LOSS = 1 / 128
BRIDGE_LOSS = 1 / 100  # part of the packets lost from which gaps are to be bridged
BRIDGE_MS = 24


@dataclass
class Policy:
    """Times and delays are in samples of `rate`."""

    rate: int
    fastest: int = 0  # transit
    target: int = 0
    seen: int = 0
    loss: float = 0.0
    delays: list[float] = field(default_factory=lambda: [float(at == START_MS // BUCKET_MS) for at in range(BUCKETS)])

    def __post_init__(self) -> None:
        self.target = self._aim()
        self.restart()

    def restart(self) -> None:
        """The next transit has nothing to do with those before; what is known of the network stays."""
        self._windows: tuple[int, int, int] | None = None  # fastest of the one before, of this one; since when

    def arrived(self, transit: int, now: int, lost: int = 0) -> int:
        """The target after a packet came, and `lost` that were sent before it have not."""
        self._measure(transit, now)
        bucket = min(BUCKETS - 1, (transit - self.fastest) * 1000 // (self.rate * BUCKET_MS))
        self.seen += 1
        weight = max(FORGET, 1 / (self.seen + 1))
        self.delays = [mass * (1 - weight) for mass in self.delays]
        self.delays[bucket] += weight
        self.loss += ((1.0 if lost else 0.0) - self.loss) * FORGET_LOSS
        self.target = self._aim()
        return self.target

    def _measure(self, transit: int, now: int) -> None:
        before, current, since = self._windows or (transit, transit, now)
        if now - since >= FASTEST_S * self.rate:
            before, current, since = current, transit, now
        current = min(current, transit)
        self._windows = before, current, since
        self.fastest = min(before, current)

    def _aim(self) -> int:
        late, bucket = 0.0, BUCKETS
        while bucket > 0 and late + self.delays[bucket - 1] <= TOO_LATE:
            bucket -= 1
            late += self.delays[bucket]
        least = BRIDGE_MS if self.loss > BRIDGE_LOSS else LEAST_MS
        return max(least, min(MOST_MS, bucket * BUCKET_MS)) * self.rate // 1000
