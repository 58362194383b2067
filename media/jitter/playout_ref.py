"""`playout.pyx` plainly: the order in which packets are played, and what is counted."""

from dataclasses import dataclass, field

SLOTS = 64
FIXED_MS = 60


@dataclass
class PlayoutReference:
    """Payloads are PCM already, `bytes` of `frame` samples each."""

    frame: int
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("late", "duplicate", "reordered", "lost"), 0))
    waiting: dict[int, bytes] = field(default_factory=dict)
    next: int | None = None
    highest: int = 0
    playing: bool = False
    first_ns: int = 0

    def put(self, sequence: int, payload: bytes, arrival_ns: int) -> str:
        if self.next is not None and abs(_ahead(sequence, self.next)) >= SLOTS:
            self.next, self.playing, self.waiting = None, False, {}
        if self.next is None:
            self.next, self.highest, self.first_ns = sequence, sequence - 1, arrival_ns
        if _ahead(sequence, self.next) < 0 and not self.playing and _ahead(self.highest, sequence) < SLOTS:
            self.next = sequence
        if _ahead(sequence, self.next) < 0:
            return self._counted("late")
        if sequence in self.waiting:
            return self._counted("duplicate")
        if _ahead(sequence, self.highest) < 0:
            self.counts["reordered"] += 1
        else:
            self.highest = sequence
        self.waiting[sequence] = payload
        return "taken"

    def pull(self, now_ns: int) -> tuple[bytes, str]:
        """One frame."""
        if self.next is not None and self.waiting and not self.playing:
            self.playing = now_ns - self.first_ns >= FIXED_MS * 1_000_000
        if self.next is None or not self.playing:
            return bytes(2 * self.frame), "silent"
        if not self.waiting:
            self.playing, self.first_ns = False, now_ns
            return bytes(2 * self.frame), "silent"
        payload = self.waiting.pop(self.next, None)
        self.next = (self.next + 1) & 0xFFFF
        if payload is not None:
            return payload, "voice"
        self.counts["lost"] += 1
        return bytes(2 * self.frame), "concealed"

    def _counted(self, name: str) -> str:
        self.counts[name] += 1
        return name


def _ahead(sequence: int, of: int) -> int:
    return (sequence - of + 0x8000) % 0x10000 - 0x8000
