"""Which worker carries an endpoint. Pure. Endpoints that shall hear each other are best on one worker: where they are
not, one of them has a stand-in on that of the other (`spans.py`).

The rule for a new endpoint, first that applies:
1. endpoints of one non-zero `group` (a call) are together;
2. endpoints made by one `execute` are together, and join the endpoints and rooms that the same `execute` names;
3. otherwise the worker that is least `busy`, in tenths of a core, and of these the one with the fewest endpoints.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from media.api import (
    Command,
    CreateEndpoint,
    EndpointId,
    JoinRoom,
    PauseRecording,
    RecordingId,
    RoomCommand,
    RoomId,
    StopRecording,
)

Worker = int


class Placement:
    """Where everything is."""

    def __init__(self) -> None:
        self.endpoints: dict[EndpointId, Worker] = {}
        self.busy: dict[Worker, int] = {}
        self._load: Counter[Worker] = Counter()
        self._groups: dict[int, tuple[Worker, set[EndpointId]]] = {}
        self._group_of: dict[EndpointId, int] = {}
        self._rooms: dict[RoomId, tuple[Worker, set[EndpointId]]] = {}
        self._room_of: dict[EndpointId, RoomId] = {}
        self.recordings: dict[RecordingId, Worker] = {}

    def create(self, command: CreateEndpoint, together: Sequence[Command], workers: Iterable[Worker]) -> Worker:
        """Place an endpoint that is not placed yet; `workers`: which to choose from where there is a choice."""
        worker = self._choose(command, together, set(workers))
        self.endpoints[command.endpoint] = worker
        self._load[worker] += 1
        if command.group:
            self._groups.setdefault(command.group, (worker, set()))[1].add(command.endpoint)
            self._group_of[command.endpoint] = command.group
        return worker

    def join(self, command: JoinRoom) -> None:
        """Note a membership; the first member brings a room to its worker."""
        worker = self.endpoints.get(command.endpoint)
        if worker is None or self._room_of.get(command.endpoint) == command.room:
            return  # where there is no such endpoint, the worker that is asked will say so
        self.leave(command.endpoint)
        self._rooms.setdefault(command.room, (worker, set()))[1].add(command.endpoint)
        self._room_of[command.endpoint] = command.room

    def home_of(self, room: RoomId) -> Worker | None:
        """None: nobody is in it."""
        return self._rooms[room][0] if room in self._rooms else None

    def leave(self, endpoint: EndpointId) -> None:
        room = self._room_of.pop(endpoint, None)
        if room is not None:
            _remove(self._rooms, room, endpoint)

    def destroy(self, endpoint: EndpointId) -> None:
        self.leave(endpoint)
        worker = self.endpoints.pop(endpoint, None)
        if worker is not None:
            self._load[worker] -= 1
        group = self._group_of.pop(endpoint, None)
        if group is not None:
            _remove(self._groups, group, endpoint)

    def _choose(self, command: CreateEndpoint, together: Sequence[Command], workers: set[Worker]) -> Worker:
        if command.group in self._groups:
            return self._groups[command.group][0]
        for other in together:
            worker = self._company_of(other)
            if worker >= 0:
                return worker
        return min(workers, key=lambda worker: (self.busy.get(worker, 0), self._load[worker], worker))

    def place_of(self, command: Command) -> Worker:
        """The worker that carries what a command is about; -1: there is no such endpoint or room."""
        if isinstance(command, RoomCommand):
            return self._rooms[command.room][0] if command.room in self._rooms else -1
        if isinstance(command, PauseRecording | StopRecording):
            return self.recordings.get(command.recording, self.endpoints.get(command.endpoint, -1))
        return self.endpoints.get(command.endpoint, -1)

    def _company_of(self, command: Command) -> Worker:
        """Where the endpoints and rooms are that it names."""
        if isinstance(command, JoinRoom) and command.room in self._rooms:
            return self._rooms[command.room][0]
        return self.place_of(command)


def _remove(sets: dict[int, tuple[Worker, set[EndpointId]]], key: int, endpoint: EndpointId) -> None:
    members = sets[key][1]
    members.discard(endpoint)
    if not members:
        del sets[key]
