"""Timer values of RFC 3261 §17 and the queue of deadlines that a stack keeps."""

import heapq
import math
from typing import Protocol

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class TimerConfig:
    """Seconds. T1 is the round-trip estimate, T2 the longest retransmit interval, T4 the life of a message in the
    network (RFC 3261 Table 4). `patience_s` ends a request of ours earlier than 64*T1; 0 does not."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    patience_s: float = 0.0

    @property
    def give_up(self) -> float:
        """64*T1: timers B, F, H, J, L, M."""
        return self.patience_s or 64 * self.t1

    @property
    def wait_d(self) -> float:
        """Timer D: at least 32 s for unreliable transports."""
        return max(32.0, 64 * self.t1)


DEFAULT_TIMERS = TimerConfig()
_FORGET_STEP_S = 0.25


def forget_at(now: float, wait_s: float) -> float:
    """When a transaction is over that only waits for repetitions (timers D and I to M): `wait_s` from now or a little
    later, so that one waking ends many of them."""
    return math.ceil((now + wait_s) / _FORGET_STEP_S) * _FORGET_STEP_S


_SMALL = 1024  # entries that are kept without looking


class Timed(Protocol):
    """A machine that wants `on_timer` at `deadline` (monotonic seconds; None: not at all). `queued_at` is the queue's
    note of the moment it last put the machine down for."""

    queued_at: float | None

    @property
    def deadline(self) -> float | None: ...


class TimerQueue:
    """Deadlines of many machines, cancelled lazily: an entry counts only while its machine wants exactly that moment.

    Whoever changes a machine's deadline pushes it again; the old entry is skipped when it comes up.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._count = 0
        self._limit = _SMALL

    def push(self, machine: Timed) -> None:
        """Note the machine's deadline; free when it has not changed."""
        deadline = machine.deadline
        if deadline == machine.queued_at:
            return
        machine.queued_at = deadline
        if deadline is not None:
            self._count += 1
            heapq.heappush(self._heap, (deadline, self._count, machine))
            if len(self._heap) > self._limit:
                self._compact()

    def _compact(self) -> None:
        """Let go of entries that no longer count: a session timer's would hold an ended session for half an hour. What
        a machine wants is asked of its note: with a hundred thousand of them its deadline would take too long."""
        kept = [entry for entry in self._heap if entry[2].queued_at == entry[0]]
        self._heap = kept
        heapq.heapify(kept)
        self._limit = max(_SMALL, 2 * len(kept))

    def deadline(self) -> float | None:
        """The earliest moment at which `due` may return something; entries that no longer count are removed."""
        heap = self._heap
        while heap and heap[0][2].deadline != heap[0][0]:
            self._drop(*heapq.heappop(heap))
        return heap[0][0] if heap else None

    def due(self, now: float) -> Timed | None:
        """Take out one machine whose deadline has come, or None."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, machine = heapq.heappop(heap)
            if machine.deadline == at:
                machine.queued_at = None
                return machine
            self._drop(at, 0, machine)
        return None

    @staticmethod
    def _drop(at: float, _: int, machine: Timed) -> None:
        """An entry that no longer counts is gone: the same moment may be wanted again later."""
        if machine.queued_at == at:
            machine.queued_at = None

    def __len__(self) -> int:
        return len(self._heap)
