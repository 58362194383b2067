"""The two clocks: monotonic seconds for machines, wall-clock UTC seconds for records."""

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Monotonic time is the event loop's, so that a virtual loop moves both."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wall: Callable[[], float] = time.time) -> None:
        self.now: Callable[[], float] = loop.time
        self.wall: Callable[[], float] = wall

    def wall_at(self, moment: float) -> float:
        """The wall-clock time of a monotonic moment."""
        return self.wall() + moment - self.now()

    def moment_at(self, wall: float) -> float:
        """The monotonic moment of a wall-clock time."""
        return self.now() + wall - self.wall()
