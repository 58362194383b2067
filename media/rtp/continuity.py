"""One uninterrupted outgoing RTP stream from changing feeds, in plain Python: reference of `outgoing.pxd`."""

from frozen import dataclass

JUMP_AHEAD = 3000
JUMP_BACK = 100


@dataclass(frozen=True, slots=True)
class Stamp:
    sequence: int
    timestamp: int
    marker: bool


@dataclass(slots=True)
class Outgoing:
    """`stamp` renumbers a packet of a feed; None for one from before the switch to that feed."""

    sequence: int
    timestamp: int
    _started: bool = False
    _sent_ns: int = 0
    _feed: int = 0
    _sequence_shift: int = 0
    _timestamp_shift: int = 0
    _first_sequence: int = 0
    _packets: int = 0

    def stamp(self, feed: int, sequence: int, timestamp: int, rate: int, now_ns: int) -> Stamp | None:
        fresh = not self._started or feed != self._feed or self._jumped(sequence)
        if fresh:
            self._anchor(feed, sequence, timestamp, rate, now_ns)
        stamp = Stamp(
            sequence=(sequence + self._sequence_shift) & 0xFFFF,
            timestamp=(timestamp + self._timestamp_shift) & 0xFFFFFFFF,
            marker=fresh,
        )
        if self._packets <= JUMP_BACK and _signed(stamp.sequence - self._first_sequence) < 0:
            return None
        if fresh or _signed(stamp.sequence - self.sequence) > 0:
            self.sequence, self.timestamp, self._sent_ns = stamp.sequence, stamp.timestamp, now_ns
        self._started = True
        self._packets += 1
        return stamp

    def _jumped(self, sequence: int) -> bool:
        step = _signed(sequence + self._sequence_shift - self.sequence)
        return step > JUMP_AHEAD or step < -JUMP_BACK

    def _anchor(self, feed: int, sequence: int, timestamp: int, rate: int, now_ns: int) -> None:
        passed = max((now_ns - self._sent_ns) // 1000 * rate // 1_000_000, rate // 50) if self._started else 0
        self._feed, self._packets = feed, 0
        self._first_sequence = (self.sequence + 1) & 0xFFFF
        self._sequence_shift = self._first_sequence - sequence
        self._timestamp_shift = self.timestamp + passed - timestamp


def _signed(difference: int) -> int:
    return (difference + (1 << 15)) % (1 << 16) - (1 << 15)
