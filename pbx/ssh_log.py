"""Sign-ins over SSH that failed, as the SSH server of this machine writes them down (SEC-12)."""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path

POLL_S = 1.0
MOST = 1 << 20  # octets that are read at a time; what is older is skipped
# What OpenSSH says once for each try; names are those that strangers have chosen, so the address is taken from the end.
_FAILED = re.compile(
    rb"sshd(?:-session)?\[\d+\]: (?:Failed \w+ for|Invalid user) .*from ([0-9a-fA-F.:]{2,45}) port \d+"
)
# Each wrong password of an unknown user is told as both.
_AGAIN = re.compile(rb"sshd(?:-session)?\[\d+\]: Failed \w+ for invalid user ")


class SshLog:
    """Follows the file from its end at the start, through rotations; where there is none, or it may not be read,
    nothing is told. `failed` hears of the address of each failure."""

    def __init__(self, file: Path, failed: Callable[[str], None]) -> None:
        self._file, self._failed = file, failed
        self._place: tuple[int, int] | None = None  # the file, and how far it was read

    async def watch(self) -> None:
        """For ever."""
        while True:
            for source in await asyncio.to_thread(self._news):
                self._failed(source)
            await asyncio.sleep(POLL_S)

    def _news(self) -> list[str]:
        try:
            with self._file.open("rb") as log:
                stat = _stat(log.fileno())
                is_first, before = self._place is None, self._place or stat
                at = before[1] if before[0] == stat[0] and before[1] <= stat[1] else 0
                log.seek(max(at, stat[1] - MOST))
                text = b"" if is_first else log.read(MOST)
                whole = text[: text.rfind(b"\n") + 1]
                self._place = stat[0], stat[1] if is_first else log.tell() - (len(text) - len(whole))
        except OSError:
            self._place = self._place or (0, 0)
            return []
        return failures_in(whole)


def failures_in(text: bytes) -> list[str]:
    """The addresses of the failures in lines of the log."""
    lines = (line for line in text.splitlines() if not _AGAIN.search(line))
    return [found[1].decode() for line in lines if (found := _FAILED.search(line))]


def _stat(file: int) -> tuple[int, int]:
    stat = os.fstat(file)
    return stat.st_ino, stat.st_size
