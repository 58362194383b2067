"""The two clocks: monotonic seconds for machines, wall-clock UTC seconds for records."""

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Monotonic time is the event loop's, so that a virtual loop moves both."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wall: Callable[[], float] = time.time) -> None:
        self._loop, self._wall = loop, wall

    def now(self) -> float:
        return self._loop.time()

    def wall(self) -> float:
        return self._wall()

    def wall_at(self, moment: float) -> float:
        """The wall-clock time of a monotonic moment."""
        return self._wall() + moment - self._loop.time()

    def moment_at(self, wall: float) -> float:
        """The monotonic moment of a wall-clock time."""
        return self._loop.time() + wall - self._wall()
