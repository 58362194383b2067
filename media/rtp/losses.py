"""Which packets of a stream were lost, and whether in bursts (RFC 3611 §4.7.2): reference of `bursts.pxd`.

A packet that is overtaken is not lost: the fate of a number is decided when `WINDOW` more have come. A burst begins and
ends with a loss and has no `GMIN` packets in a row that came; a single loss is part of the gap around it.
"""

from dataclasses import dataclass

WINDOW = 16
GMIN = 16
MAX_DROPOUT = 3000
MAX_MISORDER = 100


@dataclass(slots=True)
class Losses:
    """Counts one incoming stream; `restart` at its end, or for another source, whose numbers begin anywhere."""

    received: int = 0
    lost: int = 0
    runs: int = 0  # of losses with no packet between
    duplicates: int = 0
    bursts: int = 0
    burst_packets: int = 0
    burst_lost: int = 0
    _highest: int = 0
    _arrived: int = 0  # bit n: the packet n before the highest has come
    _known: int = 0
    _good: int = 0  # came since the last loss
    _group_lost: int = 0  # of the burst that may be going on
    _group_packets: int = 0

    def restart(self) -> None:
        while self._known:
            self._known -= 1
            self._decide(self._arrived >> self._known & 1)
        self._close_group()
        self._good = 0

    def packet(self, sequence: int) -> None:
        step = (sequence - self._highest + 0x8000) % 0x10000 - 0x8000
        if self._known and not -MAX_MISORDER < step < MAX_DROPOUT:
            self.restart()
        if not self._known:
            self._highest, self._arrived, self._known = sequence, 1, 1
        elif step > 0:
            self._advance(step)
            self._highest = sequence
        elif -step < self._known:
            self.duplicates += self._arrived >> -step & 1
            self._arrived |= 1 << -step

    def _advance(self, step: int) -> None:
        for _ in range(min(step, WINDOW)):
            if self._known == WINDOW:
                self._decide(self._arrived >> (WINDOW - 1) & 1)
            else:
                self._known += 1
            self._arrived = self._arrived << 1 & 0xFFFF
        for _ in range(step - WINDOW):
            self._decide(0)
        self._arrived |= 1

    def _decide(self, came: int) -> None:
        if came:
            self.received += 1
            self._good += 1
            if self._good == GMIN:
                self._close_group()
            return
        self.lost += 1
        self.runs += self._good > 0 or not self._group_lost
        self._group_packets += self._good + 1 if self._group_lost else 1
        self._group_lost += 1
        self._good = 0

    def _close_group(self) -> None:
        if self._group_lost > 1:
            self.bursts += 1
            self.burst_packets += self._group_packets
            self.burst_lost += self._group_lost
        self._group_lost = self._group_packets = 0
