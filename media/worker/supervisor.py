"""Several media workers as one `MediaEngine`: places endpoints, sends each worker its part, lets rooms span them.

A worker that dies comes back with what it carried (`kept.py`); listeners get `EngineFailed` only for endpoints that
did not.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import replace

from media.api import (
    Command,
    CreateEndpoint,
    DestroyEndpoint,
    Done,
    EndpointCreated,
    EndpointId,
    EngineFailed,
    EngineReport,
    JoinRoom,
    LeaveRoom,
    Listener,
    MediaEvent,
    RecordingEnded,
    RecordRoom,
    Refused,
    Reply,
    RoomCommand,
    SetGain,
    StartRecording,
)
from media.config import EngineConfig
from media.worker.kept import KeptWorker
from media.worker.load import Load
from media.worker.placement import Placement
from media.worker.spans import Spans
from media.worker.spare import Spare

log = logging.getLogger(__name__)

NOBODY = -1
DONE = Done()
Step = tuple[int, Command] | Reply | asyncio.Task[Reply | None]


class MediaSupervisor:
    """A `MediaEngine` over worker processes. `start` returns when all of them are ready."""

    def __init__(self, config: EngineConfig) -> None:
        count = config.workers or spare_cores()
        parts = enumerate(split_ports(config, count))
        self._spare = Spare()
        self._workers = [KeptWorker(index, part, self._spare, self._tell, self._gone) for index, part in parts]
        self._placement = Placement()
        self._spans = Spans(self._workers, self._placement)
        self._load = Load()
        self._listeners: list[Listener] = []

    async def start(self) -> None:
        """Raises `WorkerFailed` when a worker does not come up."""
        try:
            await asyncio.gather(*(worker.start() for worker in self._workers))
        except BaseException:
            await self.close()
            raise
        self._spare.prepare_later()

    @property
    def codecs(self) -> tuple[str, ...]:
        """All workers run on one machine."""
        return next((worker.codecs for worker in self._workers if worker.codecs), ())

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        steps = [self._step(command, commands) for command in commands]
        parts: dict[int, list[int]] = {}
        for at, step in enumerate(steps):
            if isinstance(step, tuple):
                parts.setdefault(step[0], []).append(at)
        replies: dict[int, Reply] = {at: step for at, step in enumerate(steps) if isinstance(step, Done | Refused)}
        waits = [self._execute_on(place, steps, part, replies) for place, part in parts.items()]
        if len(waits) == 1:
            await waits[0]
        elif waits:
            await asyncio.gather(*waits)
        for at, step in enumerate(steps):
            if isinstance(step, asyncio.Task):
                replies[at] = await step or DONE
        return tuple(replies[at] for at in range(len(commands)))

    def submit(self, *commands: Command) -> None:
        for command in commands:
            step = self._step(command, commands)
            if isinstance(step, tuple):
                self._workers[step[0]].submit(step[1])
            elif isinstance(step, Refused):
                log.warning("media command refused: %s", step.why)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def describe(self) -> EngineReport:
        """The sum of the workers that are up; lateness is that of the worst."""
        reports = await asyncio.gather(*(worker.describe() for worker in self._workers))
        whole = merge_reports([report for report in reports if report is not None])
        count = len(self._spans)
        return replace(whole, endpoints=whole.endpoints - 2 * count, rooms=whole.rooms - count)

    async def close(self) -> None:
        await self._spans.close()
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        await self._spare.close()

    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that are up."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _step(self, command: Command, together: Sequence[Command]) -> Step:
        """Which worker is to do what, or how the command ends without one; the task of what takes several."""
        placement = self._placement
        if isinstance(command, CreateEndpoint):
            return self._create(command, together)
        place = placement.place_of(command)
        if place == NOBODY:
            return Refused(_unknown(command))
        if isinstance(command, JoinRoom):
            return self._join(place, command)
        if isinstance(command, SetGain):
            of_links = self._spans.in_room(command)
            return (place, of_links) if of_links is not None else DONE
        if isinstance(command, LeaveRoom):
            self._spans.leave(command.endpoint)
            placement.leave(command.endpoint)
        elif isinstance(command, DestroyEndpoint):
            self._spans.leave(command.endpoint)
            placement.destroy(command.endpoint)
        elif isinstance(command, StartRecording | RecordRoom):
            placement.recordings[command.recording] = place
        return place, command

    def _create(self, command: CreateEndpoint, together: Sequence[Command]) -> Step:
        if command.endpoint in self._placement.endpoints:
            return Refused(f"Endpoint {command.endpoint} exists already.")
        alive = [worker for worker in self._workers if worker.is_up] or self._workers
        self._placement.busy = self._load.of(alive)
        return self._placement.create(command, together, [worker.index for worker in alive]), command

    def _join(self, place: int, command: JoinRoom) -> Step:
        """As any member where the room is on its worker, else by a stand-in."""
        self._spans.leave(command.endpoint, command.room)
        is_apart = self._spans.is_apart(command)
        self._placement.join(command)
        return (self._spans.join(command) or DONE) if is_apart else (place, command)

    async def _execute_on(self, place: int, steps: Sequence[Step], part: list[int], replies: dict[int, Reply]) -> None:
        """The steps of one worker, in order."""
        commands = [step[1] for at in part if isinstance(step := steps[at], tuple)]
        for at, command, reply in zip(part, commands, await self._workers[place].execute(commands), strict=True):
            if isinstance(reply, Refused):
                self._undo(command)
            replies[at] = reply if place == 0 else _of_worker(reply, place)

    def _undo(self, command: Command) -> None:
        """What was refused did not happen."""
        if isinstance(command, CreateEndpoint):
            self._placement.destroy(command.endpoint)
        elif isinstance(command, JoinRoom):
            self._placement.leave(command.endpoint)

    # --- events -----------------------------------------------------------------------------------------------------

    def _gone(self, worker: int, endpoints: tuple[EndpointId, ...]) -> None:
        for endpoint in endpoints:
            self._spans.gone(endpoint)
            self._placement.destroy(endpoint)
        members = tuple(endpoint for endpoint in endpoints if endpoint > 0)
        if members:
            self._tell(EngineFailed(worker, members))

    def _tell(self, event: MediaEvent) -> None:
        if isinstance(event, RecordingEnded):
            self._placement.recordings.pop(event.recording, None)
        heard = self._spans.heard(event)
        if heard is not None:
            for listener in self._listeners:
                listener(heard)


def _unknown(command: Command) -> str:
    if isinstance(command, RoomCommand):
        return f"There is no room {command.room}."
    return f"There is no endpoint {command.endpoint}."


def _of_worker(reply: Reply, worker: int) -> Reply:
    """Workers do not know their number: they say 0."""
    return replace(reply, worker=worker) if isinstance(reply, EndpointCreated) else reply


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
