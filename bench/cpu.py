"""CPU time and memory of a process with all its descendants, from the kernel's own accounting."""

import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on (proc(5): field 3 is index 0)."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def family(pid: int) -> tuple[int, ...]:
    """The process and every descendant of it that is alive."""
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except OSError:
                continue  # it ended while we looked
    found = [pid]
    for member in found:
        found += parents.get(member, [])
    return tuple(found)


def cpu_s(pid: int) -> float:
    """User and system time of the family so far, by the clocks of its processes (clock_getcpuclockid(3))."""
    return sum(time.clock_gettime(~member << 3 | 2) for member in family(pid))


def memory_kib(pid: int) -> int:
    """Proportional set size of the family: shared pages are counted once."""
    total = 0
    for member in family(pid):
        for line in (PROC / str(member) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


@dataclass(slots=True)
class Meter:
    """CPU time used between two looks."""

    pid: int
    _last_s: float = 0.0

    def start(self) -> None:
        self._last_s = cpu_s(self.pid)

    def used_s(self) -> float:
        return cpu_s(self.pid) - self._last_s
