"""The engine in this process: for tests, and for sites that want one process only."""

import asyncio
import logging
import time

from media.api import Command, EngineReport, Listener, MediaEvent, Refused, Reply
from media.codec.catalogue import convertible
from media.config import EngineConfig
from media.engine.control import Control

log = logging.getLogger(__name__)


class EmbeddedEngine:
    """A `MediaEngine` whose thread lives here. Made on the thread of a running event loop."""

    def __init__(self, config: EngineConfig) -> None:
        self._control = Control(config)
        self._listeners: list[Listener] = []
        self._refused = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._control.fileno(), self._read_events)
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def codecs(self) -> tuple[str, ...]:
        return convertible()

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        return tuple(self._apply(commands))

    def submit(self, *commands: Command) -> None:
        for command, reply in zip(commands, self._apply(commands), strict=True):
            if isinstance(reply, Refused):
                self._refused += 1
                log.warning("media command refused: %s (%s)", reply.why, type(command).__name__)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def describe(self) -> EngineReport:
        return self._control.report()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._control.fileno())
        self._control.close()

    def _apply(self, commands: tuple[Command, ...]) -> list[Reply]:
        if self._closed:
            return [Refused("The media engine is closed.") for _ in commands]
        replies = self._control.apply(commands)
        self._set_timer()
        return replies

    def _read_events(self) -> None:
        for event in self._control.events():
            self._tell(event)
        self._set_timer()

    def _set_timer(self) -> None:
        """Wake when the engine's control has to act by itself; rarely."""
        deadline = self._control.deadline
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._closed:
            self._timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), self._expire)

    def _expire(self) -> None:
        self._control.expire()
        self._set_timer()

    def _tell(self, event: MediaEvent) -> None:
        for listener in self._listeners:
            listener(event)
