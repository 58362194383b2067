"""Where a packet belongs on the master clock, plainly; `tracks.pyx` does the same.

A track is what one party said, as samples on the clock of the machine: a packet lies where it arrived, those that
follow it by their timestamps. Loss, silence suppression and hold leave gaps, which stay silent. When all packets of the
last seconds arrive later or earlier than their place says, the clocks of both sides drift, and the place moves.
"""

import numpy as np
from numpy.typing import NDArray

WINDOW = 256  # packets: 5 s
JUMP_MS = 500  # further away from its place, a packet begins a new stretch
DRIFT_MS = 20  # what is corrected
KEPT_MS = 2048  # between the first sample not yet read and the last one that may be placed


class TrackReference:
    """`rate` of the samples, `clock` of the timestamps."""

    def __init__(self, rate: int, start: int) -> None:
        self.rate, self.start = rate, start
        self.size = KEPT_MS * rate // 1000
        self.samples: NDArray[np.int16] = np.zeros(self.size, dtype=np.int16)
        self.placed = self.late = 0
        self._anchored = False
        self._ssrc = self._timestamp = self._position = 0
        self._seen, self._least = 0, 0

    def put(self, arrived: int, ssrc: int, timestamp: int, clock: int, pcm: NDArray[np.int16]) -> None:
        """`arrived` is in samples of the master clock."""
        position = self._place(arrived, ssrc, timestamp, clock)
        skipped = max(0, self.start - position)
        if skipped >= len(pcm) or position + len(pcm) > self.start + self.size:
            self.late += 1
            return
        self.placed += 1
        for at in range(skipped, len(pcm)):
            self.samples[(position + at) % self.size] = pcm[at]

    def take(self, count: int) -> NDArray[np.int16]:
        """The next samples; what was not said is silence."""
        where = (self.start + np.arange(count)) % self.size
        found: NDArray[np.int16] = self.samples[where]
        self.samples[where] = 0
        self.start += count
        return found

    def _place(self, arrived: int, ssrc: int, timestamp: int, clock: int) -> int:
        if self._anchored and ssrc == self._ssrc:
            passed = (timestamp - self._timestamp + 2**31) % 2**32 - 2**31
            position = self._position + passed * self.rate // clock
            if abs(arrived - position) <= JUMP_MS * self.rate // 1000:
                return self._followed(arrived, timestamp, position)
        self._anchor(arrived, ssrc, timestamp)
        return arrived

    def _anchor(self, position: int, ssrc: int, timestamp: int) -> None:
        self._anchored, self._ssrc, self._timestamp, self._position = True, ssrc, timestamp, position
        self._seen, self._least = 0, 0

    def _followed(self, arrived: int, timestamp: int, position: int) -> int:
        """The least delay of a window is that of the way itself: what it differs from the place is drift."""
        delay = arrived - position
        self._least = delay if self._seen == 0 else min(self._least, delay)
        self._seen += 1
        if self._seen < WINDOW:
            return position
        drift, self._seen = self._least, 0
        if abs(drift) >= DRIFT_MS * self.rate // 1000:
            position += drift
        self._timestamp, self._position = timestamp, position
        return position
