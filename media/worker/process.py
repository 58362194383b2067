"""Starting one media worker and waiting for its end."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STOP_S = 2.0
POLL_S = 0.01


class WorkerProcess:
    """A child process; `link` is our end of its socket. The child ends when that closes."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._child = _spawn(theirs.fileno())
            except BaseException:
                ours.close()
                raise
        self.link = ours

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    def kill(self) -> None:
        """One that has nothing to finish."""
        self.link.close()
        self._child.kill()

    async def ended(self) -> None:
        """Return when the child is gone and reaped; one that does not go by itself is killed."""
        waited_s = 0.0
        while self._child.poll() is None:
            if waited_s >= STOP_S:
                self._child.kill()
            await asyncio.sleep(POLL_S)
            waited_s += POLL_S


def _spawn(fd: int) -> "subprocess.Popen[bytes]":
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return subprocess.Popen(
        [sys.executable, "-m", "media.worker", "--fd", str(fd)],
        pass_fds=[fd],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )
