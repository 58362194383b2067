"""Several media workers as one `MediaEngine`: starts them, places endpoints, restarts what dies.

A worker's death costs its endpoints: listeners get `EngineFailed`, commands to it are refused with a sentence, and a
new worker takes its place at once, after repeated deaths with growing pauses.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from media.api import (
    Command,
    CreateEndpoint,
    DestroyEndpoint,
    EndpointCreated,
    EngineFailed,
    EngineReport,
    JoinRoom,
    LeaveRoom,
    Listener,
    MediaEvent,
    Refused,
    Reply,
)
from media.config import EngineConfig
from media.worker.client import WorkerEngine, WorkerFailed
from media.worker.placement import Placement
from media.worker.process import WorkerProcess

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 5.0
STEADY_S = 30.0  # alive for so long: the next death is the first again
NOBODY = -1
DOWN = Refused("The media worker is being started again.")
APART = "Endpoint {endpoint} and room {room} are on different media workers; create them with one group."


@dataclass(slots=True, eq=False)
class _Worker:
    index: int
    config: EngineConfig
    engine: WorkerEngine | None = None
    process: WorkerProcess | None = None
    started_at_s: float = 0.0
    pause_s: float = 0.0


class MediaSupervisor:
    """A `MediaEngine` over worker processes. `start` returns when all of them are ready."""

    def __init__(self, config: EngineConfig) -> None:
        count = config.workers or spare_cores()
        self._workers = [_Worker(index, part) for index, part in enumerate(split_ports(config, count))]
        self._placement = Placement()
        self._listeners: list[Listener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self) -> None:
        """Raises `WorkerFailed` when a worker does not come up."""
        try:
            await asyncio.gather(*map(self._start_one, self._workers))
        except BaseException:
            await self.close()
            raise

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        places = self._place(commands)
        if len(set(places)) == 1 and isinstance(places[0], int):
            return await self._execute_on(places[0], commands)
        return await self._scatter(commands, places)

    def submit(self, *commands: Command) -> None:
        for command, place in zip(commands, self._place(commands), strict=True):
            engine = self._workers[place].engine if isinstance(place, int) and place != NOBODY else None
            if engine is None:
                log.warning("media command refused: %s", place.why if isinstance(place, Refused) else DOWN.why)
            else:
                engine.submit(command)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def describe(self) -> EngineReport:
        """The sum of the workers that are up; lateness is that of the worst."""
        engines = [worker.engine for worker in self._workers if worker.engine]
        reports = await asyncio.gather(*(engine.describe() for engine in engines), return_exceptions=True)
        return merge_reports([report for report in reports if isinstance(report, EngineReport)])

    async def close(self) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*map(self._stop_one, self._workers))

    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that are up."""
        return tuple(worker.process.pid for worker in self._workers if worker.process and worker.engine)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _place(self, commands: Sequence[Command]) -> list[int | Refused]:
        return [self._place_one(command, commands) for command in commands]

    def _place_one(self, command: Command, together: Sequence[Command]) -> int | Refused:
        """The worker for one command, or why there is none."""
        placement = self._placement
        if isinstance(command, CreateEndpoint):
            if command.endpoint in placement.endpoints:
                return Refused(f"Endpoint {command.endpoint} exists already.")
            alive = [worker.index for worker in self._workers if worker.engine]
            return placement.create(command, together, alive) if alive else DOWN
        place = placement.endpoints.get(command.endpoint, NOBODY)
        if place == NOBODY:
            return Refused(f"There is no endpoint {command.endpoint}.")
        if isinstance(command, JoinRoom) and not placement.join(command):
            return Refused(APART.format(endpoint=command.endpoint, room=command.room))
        if isinstance(command, LeaveRoom):
            placement.leave(command.endpoint)
        elif isinstance(command, DestroyEndpoint):
            placement.destroy(command.endpoint)
        return place

    async def _execute_on(self, place: int, commands: Sequence[Command]) -> tuple[Reply, ...]:
        engine = self._workers[place].engine
        if engine is None:
            return tuple(DOWN for _ in commands)
        replies = await engine.execute(*commands)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, Refused):
                self._undo(command)
        return tuple(replace(each, worker=place) if isinstance(each, EndpointCreated) else each for each in replies)

    def _undo(self, command: Command) -> None:
        """What was refused did not happen."""
        if isinstance(command, CreateEndpoint):
            self._placement.destroy(command.endpoint)
        elif isinstance(command, JoinRoom):
            self._placement.leave(command.endpoint)

    async def _scatter(self, commands: Sequence[Command], places: Sequence[int | Refused]) -> tuple[Reply, ...]:
        """Each worker gets its part, in order; the replies come back in the order of the commands."""
        parts: dict[int, list[int]] = {}
        for at, place in enumerate(places):
            if isinstance(place, int):
                parts.setdefault(place, []).append(at)
        answers = await asyncio.gather(
            *(self._execute_on(place, [commands[at] for at in part]) for place, part in parts.items())
        )
        replies = {at: place for at, place in enumerate(places) if isinstance(place, Refused)} | {
            at: reply
            for part, answer in zip(parts.values(), answers, strict=True)
            for at, reply in zip(part, answer, strict=True)
        }
        return tuple(replies[at] for at in range(len(commands)))

    # --- processes --------------------------------------------------------------------------------------------------

    async def _start_one(self, worker: _Worker) -> None:
        worker.process = WorkerProcess()
        engine = WorkerEngine(worker.process.link, lambda: self._lost(worker))
        engine.listen(self._tell)
        try:
            await engine.start(worker.config)
        except BaseException:
            await engine.close()
            await worker.process.ended()
            raise
        worker.engine = engine
        worker.started_at_s = asyncio.get_running_loop().time()

    async def _stop_one(self, worker: _Worker) -> None:
        if worker.engine:
            await worker.engine.close()
            worker.engine = None
        if worker.process:
            await worker.process.ended()
            worker.process = None

    def _lost(self, worker: _Worker) -> None:
        """The socket closed by itself."""
        if self._closing or worker.engine is None:
            return  # one that never came up is told by `start`
        worker.engine = None
        endpoints = self._placement.lost(worker.index)
        log.error("media worker %d died with %d endpoints; starting another", worker.index, len(endpoints))
        task = asyncio.ensure_future(self._restart(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._tell(EngineFailed(worker.index, endpoints))

    async def _restart(self, worker: _Worker) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - worker.started_at_s > STEADY_S:
            worker.pause_s = 0.0
        while worker.engine is None:
            if worker.process:
                await worker.process.ended()
            await asyncio.sleep(worker.pause_s)
            worker.pause_s = min(max(FIRST_PAUSE_S, 2 * worker.pause_s), LAST_PAUSE_S)
            try:
                await self._start_one(worker)
            except (WorkerFailed, OSError) as error:
                log.error("media worker %d cannot be started: %s", worker.index, error)

    def _tell(self, event: MediaEvent) -> None:
        for listener in self._listeners:
            listener(event)


def spare_cores() -> int:
    """One core is for signalling."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def split_ports(config: EngineConfig, count: int) -> list[EngineConfig]:
    """Every worker its own part of the range, so that none has to ask another; an even number of ports each."""
    first = config.first_port + config.first_port % 2
    pairs = max(1, (config.last_port - first + 1) // 2 // count)
    return [
        replace(config, first_port=first + 2 * pairs * index, last_port=first + 2 * pairs * (index + 1) - 1)
        for index in range(count)
    ]


def merge_reports(reports: Sequence[EngineReport]) -> EngineReport:
    dropped: dict[str, int] = {}
    for report in reports:
        for name, count in report.dropped.items():
            dropped[name] = dropped.get(name, 0) + count
    return EngineReport(
        endpoints=sum(report.endpoints for report in reports),
        rooms=sum(report.rooms for report in reports),
        packets_in=sum(report.packets_in for report in reports),
        packets_out=sum(report.packets_out for report in reports),
        dropped=dropped,
        late_p50_us=max((report.late_p50_us for report in reports), default=0.0),
        late_p99_us=max((report.late_p99_us for report in reports), default=0.0),
    )
