"""What the server lives on moves into huge pages, what is hardly used does not."""

import ctypes
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from huge_pages import HUGE, collapse, stretches

MAPS = """\
55d000100000-55d000700000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f00001ff000 rw-p 00000000 00:00 0
7f0001000000-7f0001600000 r-xp 00000000 fe:00 1234                       /usr/lib/libpython3.11.so.1.0
7f0002000000-7f0002400000 rw-p 00000000 00:00 0
7f0003000000-7f0003400000 rw-s 00000000 00:01 77                         /dev/zero (deleted)
7ffc00000000-7ffc00400000 rw-p 00000000 00:00 0                          [stack]
"""


def test_whole_huge_pages_of_private_memory_are_found() -> None:
    assert list(stretches(MAPS)) == [0x55D000200000, 0x55D000400000, 0x7F0002000000, 0x7F0002200000]


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, 6 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        yield memory


def _figures(memory: mmap.mmap) -> dict[str, int]:
    """KiB by name, of the mapping in which this memory is (proc_pid_smaps(5))."""
    probe = ctypes.c_char.from_buffer(memory)
    address = ctypes.addressof(probe)
    del probe
    found: dict[str, int] = {}
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if span := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            is_ours = int(span[1], 16) <= address < int(span[2], 16)
        elif is_ours and (figure := re.match(r"(\w+): +(\d+) kB", line)):
            found[figure[1]] = int(figure[2])
    return found


def test_memory_in_use_moves_into_huge_pages_and_keeps_what_it_says(memory: mmap.mmap) -> None:
    said = b"zvon" * (len(memory) // 4)
    memory[:] = said
    if collapse() == 0:
        pytest.skip("this kernel makes no huge pages when asked to")
    assert _figures(memory)["AnonHugePages"] >= 4 * HUGE // 1024
    assert memory[:] == said


def test_memory_that_is_hardly_used_does_not_grow(memory: mmap.mmap) -> None:
    for at in range(0, len(memory), HUGE // 4):
        memory[at] = 1
    before = _figures(memory)["Rss"]
    collapse()
    assert _figures(memory)["Rss"] <= before + 64
