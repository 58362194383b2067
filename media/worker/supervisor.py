"""Several media workers as one `MediaEngine`: places endpoints, sends each worker its part.

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
    StartRecording,
)
from media.config import EngineConfig
from media.worker.kept import KeptWorker
from media.worker.placement import Placement

log = logging.getLogger(__name__)

NOBODY = -1
APART = "Endpoint {endpoint} and room {room} are on different media workers; create them with one group."


class MediaSupervisor:
    """A `MediaEngine` over worker processes. `start` returns when all of them are ready."""

    def __init__(self, config: EngineConfig) -> None:
        count = config.workers or spare_cores()
        parts = enumerate(split_ports(config, count))
        self._workers = [KeptWorker(index, part, self._tell, self._gone) for index, part in parts]
        self._placement = Placement()
        self._listeners: list[Listener] = []

    async def start(self) -> None:
        """Raises `WorkerFailed` when a worker does not come up."""
        try:
            await asyncio.gather(*(worker.start() for worker in self._workers))
        except BaseException:
            await self.close()
            raise

    @property
    def codecs(self) -> tuple[str, ...]:
        """All workers run on one machine."""
        return next((worker.codecs for worker in self._workers if worker.codecs), ())

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        places = self._place(commands)
        if len(set(places)) == 1 and isinstance(places[0], int):
            return await self._execute_on(places[0], commands)
        return await self._scatter(commands, places)

    def submit(self, *commands: Command) -> None:
        for command, place in zip(commands, self._place(commands), strict=True):
            if isinstance(place, Refused):
                log.warning("media command refused: %s", place.why)
            else:
                self._workers[place].submit(command)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def describe(self) -> EngineReport:
        """The sum of the workers that are up; lateness is that of the worst."""
        reports = await asyncio.gather(*(worker.describe() for worker in self._workers))
        return merge_reports([report for report in reports if report is not None])

    async def close(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that are up."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _place(self, commands: Sequence[Command]) -> list[int | Refused]:
        return [self._place_one(command, commands) for command in commands]

    def _place_one(self, command: Command, together: Sequence[Command]) -> int | Refused:
        """The worker for one command, or why there is none."""
        placement = self._placement
        if isinstance(command, CreateEndpoint):
            if command.endpoint in placement.endpoints:
                return Refused(f"Endpoint {command.endpoint} exists already.")
            alive = [worker.index for worker in self._workers if worker.is_up]
            return placement.create(command, together, alive or range(len(self._workers)))
        place = placement.place_of(command)
        if place == NOBODY:
            return Refused(_unknown(command))
        if isinstance(command, JoinRoom) and not placement.join(command):
            return Refused(APART.format(endpoint=command.endpoint, room=command.room))
        if isinstance(command, LeaveRoom):
            placement.leave(command.endpoint)
        elif isinstance(command, DestroyEndpoint):
            placement.destroy(command.endpoint)
        elif isinstance(command, StartRecording | RecordRoom):
            placement.recordings[command.recording] = place
        return place

    async def _execute_on(self, place: int, commands: Sequence[Command]) -> tuple[Reply, ...]:
        replies = await self._workers[place].execute(commands)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, Refused):
                self._undo(command)
        return tuple([each if place == 0 else _of_worker(each, place) for each in replies])

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

    # --- events -----------------------------------------------------------------------------------------------------

    def _gone(self, worker: int, endpoints: tuple[EndpointId, ...]) -> None:
        for endpoint in endpoints:
            self._placement.destroy(endpoint)
        self._tell(EngineFailed(worker, endpoints))

    def _tell(self, event: MediaEvent) -> None:
        if isinstance(event, RecordingEnded):
            self._placement.recordings.pop(event.recording, None)
        for listener in self._listeners:
            listener(event)


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
