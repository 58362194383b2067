"""Packets that wait for their turn, in order, with their times on one clock; plainly. `packets.pyx` does the same.

Sequence numbers and timestamps are unrolled. A sequence number far from the others must be followed by its successor to
be believed, and then the sender has begun anew (RFC 3550, A.1). A timestamp that differs from the clock by half a
second means no such pause or hurry: senders begin their timestamps anew after hold, or stop them meanwhile. The packet
then gets the time at which it came.
"""

from dataclasses import dataclass
from enum import StrEnum

SLOTS = 64
DROPOUT = 3000  # sequence numbers that may be missing
JUMP_MS = 500
OLDEST_MS = 4000  # a packet between others is no further behind


class Put(StrEnum):
    TAKEN = "taken"
    LATE = "late"  # after its turn
    DUPLICATE = "duplicate"
    STRANGE = "strange"  # far from the others, and alone


@dataclass
class Packet:
    """`sequence` is unrolled, `time` is that of the first sample, in samples."""

    sequence: int
    time: int
    payload: bytes
    comfort_noise: bool


class Packets:
    """`next` is the number of the packet whose turn it is; `fresh`: the last one that was put is the first."""

    def __init__(self, rate: int, clock_rate: int) -> None:
        self.rate, self.clock_rate = rate, clock_rate
        self.reordered = self.resets = 0
        self.forget()

    def forget(self) -> None:
        """The next packet is the first."""
        self.waiting: dict[int, Packet] = {}
        self.started = self.fresh = self._taken = False
        self.gap = 0  # packets that were missing when the last one came
        self.next = self._highest = 0
        self._seen: dict[int, int] = {}  # slot -> sequence number
        self._suspect = -1
        self._clock, self._timestamp, self._arrival = 1 << 32, 0, 0

    def put(self, sequence: int, timestamp: int, payload: bytes, comfort_noise: bool, now: int) -> tuple[Put, Packet]:
        """What becomes of a packet that came at `now` (samples)."""
        ahead = self._ahead(sequence)
        packet = Packet(self._highest + ahead, 0, payload, comfort_noise)
        if not -SLOTS < ahead < DROPOUT and sequence != self._suspect:
            self._suspect = (sequence + 1) & 0xFFFF
            return Put.STRANGE, packet
        if not -SLOTS < ahead < DROPOUT:
            self.resets += 1
            self.forget()
        self.fresh = not self.started
        if self.fresh:
            self.started = True
            packet.sequence = self.next = self._highest = (1 << 16) + sequence  # none before is negative
            self._timestamp, self._arrival, ahead = timestamp, now, 0
        if self._seen.get(packet.sequence % SLOTS) == packet.sequence:
            return Put.DUPLICATE, packet
        if not self._timed(packet, timestamp, ahead, now):
            return Put.STRANGE, packet
        self.gap = max(0, ahead - 1)
        return self._placed(packet, ahead), packet

    def _ahead(self, sequence: int) -> int:
        return _signed(sequence - self._highest, 16) if self.started else 0

    def _timed(self, packet: Packet, timestamp: int, ahead: int, now: int) -> bool:
        """Give it its time; False for one between others whose timestamp does not lie near theirs."""
        clock = self._clock + _signed(timestamp - self._timestamp, 32)
        further = self._samples(clock) - self._samples(self._clock)
        if ahead < 0 and not -OLDEST_MS * self.rate // 1000 < further <= 0:
            return False
        if ahead > 0 and abs(further - (now - self._arrival)) > JUMP_MS * self.rate // 1000:
            clock = self._clock + (now - self._arrival) * self.clock_rate // self.rate
            self.resets += 1
        if ahead >= 0:
            self._highest = packet.sequence
            self._clock, self._timestamp, self._arrival = clock, timestamp, now
        packet.time = self._samples(clock)
        return True

    def _placed(self, packet: Packet, ahead: int) -> Put:
        self._seen[packet.sequence % SLOTS] = packet.sequence
        if packet.sequence < self.next:
            if self._taken:
                return Put.LATE
            self.next = packet.sequence
        self.reordered += ahead < 0
        for old in [each for each in self.waiting if each <= packet.sequence - SLOTS]:
            del self.waiting[old]
        self.waiting[packet.sequence] = packet
        return Put.TAKEN

    def first(self) -> Packet | None:
        """The one to be played next, if any waits."""
        return self.waiting[min(self.waiting)] if self.waiting else None

    def take(self, packet: Packet) -> int:
        """`packet`, which is the first, is played; says how many before it never came."""
        lost = packet.sequence - self.next
        del self.waiting[packet.sequence]
        self.next, self._taken = packet.sequence + 1, True
        return lost

    def _samples(self, clock: int) -> int:
        return clock * self.rate // self.clock_rate


def _signed(value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half
