"""How busy the workers are, by the kernel's accounting: endpoints that are mixed, converted or recorded need more than
others, so their number alone does not say who has room for more."""

import time
from collections.abc import Sequence

from media.worker.kept import KeptWorker

LOOK_S = 1.0  # how old what is known may be


class Load:
    """Looked at when somebody asks, at most once in `LOOK_S`."""

    def __init__(self) -> None:
        self._looked_at_s = 0.0
        self._used_s: dict[int, float] = {}
        self._busy: dict[int, int] = {}

    def of(self, workers: Sequence[KeptWorker]) -> dict[int, int]:
        """In tenths of a core, by number of the worker; what is not known is 0."""
        now_s = time.monotonic()
        passed_s = now_s - self._looked_at_s
        if passed_s >= LOOK_S:
            used_s = {worker.index: cpu_s(worker.pid) for worker in workers if worker.pid is not None}
            before_s = self._used_s
            self._busy = {
                index: max(0, int(10 * (used - before_s.get(index, used)) / passed_s)) for index, used in used_s.items()
            }
            self._used_s, self._looked_at_s = used_s, now_s
        return self._busy


def cpu_s(pid: int) -> float:
    """CPU time of a process (clock_getcpuclockid(3)); 0 when it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0
