"""One media worker that comes back: its process, what it carries, and its rebirth.

A worker that dies is replaced at once by the spare one (`spare.py`), after repeated deaths with growing pauses. Its
successor is told again what it carried (`journal.py`) and binds the same ports, so peers notice a gap and nothing else.
Commands wait meanwhile. When no successor comes up in time, or it cannot take something over, the endpoints concerned
are `gone`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from media.api import (
    Command,
    CreateEndpoint,
    DestroyEndpoint,
    EndpointId,
    EngineReport,
    Listener,
    MediaEvent,
    Refused,
    Reply,
    StreamReport,
)
from media.config import EngineConfig
from media.worker.client import WorkerEngine, WorkerFailed
from media.worker.journal import Journal
from media.worker.process import WorkerProcess
from media.worker.spare import Spare

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 5.0
STEADY_S = 30.0  # alive for so long: the next death is the first again
PATIENCE_S = 5.0  # nobody listens to silence for longer
DOWN = Refused("The media worker is being started again.")

Gone = Callable[[int, tuple[EndpointId, ...]], None]


class KeptWorker:
    """`tell` hears the worker's events, `gone` of endpoints that did not survive its death."""

    def __init__(self, index: int, config: EngineConfig, spare: Spare, tell: Listener, gone: Gone) -> None:
        self.index, self._config, self._spare, self._tell, self._gone = index, config, spare, tell, gone
        self._journal = Journal()
        self._engine: WorkerEngine | None = None
        self._process: WorkerProcess | None = None
        self.is_up = False
        self._up = asyncio.Event()  # the same, to wait for
        self._reviving: asyncio.Task[None] | None = None
        self._meanwhile: list[Command] = []  # came while a successor was told what there was
        self._started_at_s = 0.0
        self._pause_s = 0.0

    @property
    def codecs(self) -> tuple[str, ...]:
        """What it can convert, as far as it has said so."""
        return self._engine.codecs if self._engine is not None else ()

    @property
    def pid(self) -> int | None:
        """None while there is no worker."""
        return self._process.pid if self._process and self.is_up else None

    def _set_up(self, is_up: bool) -> None:
        self.is_up = is_up
        (self._up.set if is_up else self._up.clear)()

    async def start(self) -> None:
        """Raises `WorkerFailed` when the worker does not come up."""
        self._engine = await self._started(WorkerProcess())
        self._set_up(True)

    async def stop(self) -> None:
        if self._reviving is not None:
            self._reviving.cancel()
            await asyncio.gather(self._reviving, return_exceptions=True)
        engine, self._engine = self._engine, None
        self._set_up(False)
        if engine is not None:
            await engine.close()
        if self._process is not None:
            await self._process.ended()

    async def describe(self) -> EngineReport | None:
        """None when it is down."""
        try:
            return await self._engine.describe() if self._engine is not None else None
        except WorkerFailed:
            return None

    # --- commands ---------------------------------------------------------------------------------------------------

    async def execute(self, commands: Sequence[Command]) -> list[Reply]:
        """Carry out, if need be by the successor of a worker that died over it."""
        replies: list[Reply] = []
        while len(replies) < len(commands):
            rest = commands[len(replies) :]
            if not await self._is_up_in_time():
                return replies + [DOWN for _ in rest]
            engine = self._engine
            assert engine is not None
            answers = await engine.execute(*rest)
            done = len(rest) if engine is self._engine else _undisturbed(answers)
            self._journal.note_all(rest[:done], answers[:done])
            replies += answers[:done]
        return replies

    async def _is_up_in_time(self) -> bool:
        if self.is_up:
            return True
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    def submit(self, command: Command) -> None:
        """While the worker is down its successor is told."""
        if isinstance(command, CreateEndpoint):
            log.warning("media command refused: an endpoint is created by `execute`")
            return
        self._journal.note(command)
        if self._engine is None:
            if isinstance(command, DestroyEndpoint):
                self._tell(StreamReport(command.endpoint))  # its counters died with the worker
        elif self.is_up:
            self._engine.submit(command)
        else:
            self._meanwhile.append(command)

    # --- death and rebirth ------------------------------------------------------------------------------------------

    async def _started(self, process: WorkerProcess) -> WorkerEngine:
        self._process = process
        engine = WorkerEngine(process.link, lambda: self._lost(engine))
        engine.listen(self._heard)
        try:
            await engine.start(self._config)
        except BaseException:
            await engine.close()
            await process.ended()
            raise
        self._started_at_s = asyncio.get_running_loop().time()
        return engine

    def _heard(self, event: MediaEvent) -> None:
        self._journal.observe(event)
        self._tell(event)

    def _lost(self, engine: WorkerEngine) -> None:
        """The socket closed by itself."""
        if engine is not self._engine:
            return  # one that never came up is told by `start`
        self._engine = None
        self._set_up(False)
        log.error("media worker %d died with %d endpoints; starting another", self.index, len(self._journal.endpoints))
        if self._reviving is None or self._reviving.done():
            self._reviving = asyncio.ensure_future(self._revive())

    async def _revive(self) -> None:
        loop = asyncio.get_running_loop()
        died_at_s = loop.time()
        if died_at_s - self._started_at_s > STEADY_S:
            self._pause_s = 0.0
        while not self.is_up:
            if self._process is not None:
                await self._process.ended()
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(max(FIRST_PAUSE_S, 2 * self._pause_s), LAST_PAUSE_S)
            if loop.time() - died_at_s > PATIENCE_S:
                self._give_up(self._journal.endpoints)
            try:
                self._engine = await self._started(self._spare.take() or WorkerProcess())
            except (WorkerFailed, OSError) as error:
                log.error("media worker %d cannot be started: %s", self.index, error)
            else:
                await self._take_over(self._engine)
        count = len(self._journal.endpoints)
        log.warning("media worker %d is back with %d endpoints in %.2f s", self.index, count, loop.time() - died_at_s)

    async def _take_over(self, engine: WorkerEngine) -> None:
        """Tell the successor what there was. It may die too, over something that killed its predecessor."""
        self._meanwhile.clear()
        commands = self._journal.commands()
        replies = await engine.execute(*commands)
        if engine is not self._engine:
            return
        refused = [
            command.endpoint
            for command, reply in zip(commands, replies, strict=True)
            if isinstance(command, CreateEndpoint) and isinstance(reply, Refused)
        ]
        self._give_up(tuple(refused))
        engine.submit(*self._meanwhile)
        self._meanwhile.clear()
        self._set_up(True)

    def _give_up(self, endpoints: tuple[EndpointId, ...]) -> None:
        for endpoint in endpoints:
            self._journal.forget(endpoint)
        if endpoints:
            log.error("media worker %d: %d endpoints are lost", self.index, len(endpoints))
            self._gone(self.index, endpoints)


def _undisturbed(replies: Sequence[Reply]) -> int:
    """How many commands the worker had carried out before it died."""
    return next((at for at, reply in enumerate(replies) if isinstance(reply, Refused)), len(replies))
