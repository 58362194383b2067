"""A worker process that is up and has not been told yet what it is for: a worker that dies has its successor at once.

To start a Python process takes a quarter of a second of a processor, on a busy machine several times that.
"""

import asyncio
import logging

from media.worker.process import WorkerProcess

log = logging.getLogger(__name__)

PREPARED_AFTER_S = 3.0  # a server that starts, or a worker that comes back, has the processor first


class Spare:
    """One process for all workers; the next one is prepared a while after it was taken."""

    def __init__(self) -> None:
        self._process: WorkerProcess | None = None
        self._timer: asyncio.TimerHandle | None = None

    def prepare_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._process is None:
            self._timer = asyncio.get_running_loop().call_later(PREPARED_AFTER_S, self._prepare)

    def _prepare(self) -> None:
        try:
            self._process = WorkerProcess()
        except OSError as error:
            log.warning("no spare media worker can be started: %s", error)

    def take(self) -> WorkerProcess | None:
        """None: there is none, or it died too."""
        process, self._process = self._process, None
        self.prepare_later()
        if process is not None and not process.is_running:
            process.link.close()
            return None
        return process

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.ended()
