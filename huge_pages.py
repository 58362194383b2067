"""The heap in pages of 2 MiB, where the kernel can (Linux 6.1 and later).

A call touches some thousand places all over the heap. In pages of 4 KiB nearly each of them costs a walk through the
page tables, in a virtual machine a walk through two: a tenth of what a call costs. Kernels make huge pages by
themselves only for memory that asks for them when it is mapped, which neither Python nor the C library does.
"""

import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path

HUGE = 2 << 20
MADV_COLLAPSE = 25  # madvise(2); not among the constants of `mmap`
MAPS = Path("/proc/self/maps")


def collapse() -> int:
    """Turn what this process uses now into huge pages; how many it has then, 0 where there are none.

    Only stretches that are at least half in use, so that memory grows by little. Some 4 ms of CPU for each.
    """
    try:
        maps = MAPS.read_text(encoding="ascii", errors="replace")
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    except (OSError, AttributeError):  # not Linux
        return 0
    used = ctypes.create_string_buffer(HUGE // mmap.PAGESIZE)

    def is_used(start: int) -> bool:
        found = libc.mincore(start, HUGE, used)
        return bool(found == 0 and 2 * sum(each & 1 for each in used.raw) >= len(used))

    return sum(is_used(start) and libc.madvise(start, HUGE, MADV_COLLAPSE) == 0 for start in stretches(maps))


def stretches(maps: str) -> Iterator[int]:
    """Where each whole huge page begins in the private writable memory of /proc/PID/maps (proc_pid_maps(5))."""
    for line in maps.splitlines():
        span, rights, _, _, _, *name = line.split(maxsplit=5)
        if rights == "rw-p" and name in ([], ["[heap]"]):
            first, last = (int(each, 16) for each in span.split("-"))
            yield from range(-(-first // HUGE) * HUGE, last - HUGE + 1, HUGE)
