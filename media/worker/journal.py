"""What one media worker has been told and still holds: what its successor has to be told again. Pure.

A command replaces the earlier one with the same purpose at the same endpoint, so the journal is as large as what exists
and not as long as what happened. What is over at once, such as digits that were sent, is not kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from media.api import (
    Command,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    EndpointCommand,
    EndpointCreated,
    EndpointId,
    JoinRoom,
    LeaveRoom,
    MediaEvent,
    PassOn,
    Play,
    PlayEnded,
    PlayId,
    PlayToRoom,
    RecordingEnded,
    RecordRoom,
    Refused,
    Reply,
    RoomCommand,
    RoomId,
    RoomPlayEnded,
    SetEcho,
    SetGain,
    StartRecording,
    StopPlay,
    StopPlayToRoom,
    StopRecording,
)

Purpose = type[Command]
LASTING: frozenset[Purpose] = frozenset({ConfigureEndpoint, PassOn, JoinRoom, SetEcho, Play, StartRecording})


class Journal:
    """`note` what was done, `observe` what happened; `commands` bring an empty worker to the same state."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointId, dict[Purpose, EndpointCommand]] = {}
        self._rooms: dict[RoomId, dict[object, RoomCommand]] = {}

    def __contains__(self, endpoint: EndpointId) -> bool:
        return endpoint in self._endpoints

    @property
    def endpoints(self) -> tuple[EndpointId, ...]:
        return tuple(self._endpoints)

    def commands(self) -> list[Command]:
        """All endpoints first, so that whatever names another one finds it; what is about rooms in the end."""
        held = [list(kept.values()) for kept in self._endpoints.values()]
        of_rooms = [command for kept in self._rooms.values() for command in kept.values()]
        return [kept[0] for kept in held] + [command for kept in held for command in kept[1:]] + of_rooms

    def note_all(self, commands: Sequence[Command], replies: Sequence[Reply]) -> None:
        """What was refused did not happen."""
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(command, CreateEndpoint) and isinstance(reply, EndpointCreated):
                self._endpoints[command.endpoint] = {CreateEndpoint: replace(command, port=reply.rtp.port)}
            elif not isinstance(reply, Refused):
                self.note(command)

    def note(self, command: Command) -> None:
        """A command other than `CreateEndpoint`, which needs its reply."""
        if isinstance(command, RoomCommand):
            self._note_of_room(command)
            return
        kept = self._endpoints.get(command.endpoint)
        if kept is None:
            return
        if isinstance(command, JoinRoom):
            self._leave_room(command.endpoint, but=command.room)
        if type(command) in LASTING:
            kept.pop(type(command), None)  # behind all others: a play of before may depend on the earlier order
            kept[type(command)] = command
        elif (forget := FORGETTING.get(type(command))) is not None:
            forget(self, command)

    def observe(self, event: MediaEvent) -> None:
        if isinstance(event, PlayEnded):
            self._stopped(event.endpoint, event.play)
        elif isinstance(event, RecordingEnded):
            self._recorded(event)
        elif isinstance(event, RoomPlayEnded):
            self._stopped_in_room(event)

    def forget(self, endpoint: EndpointId) -> None:
        self._leave_room(endpoint)
        self._endpoints.pop(endpoint, None)

    # --- rooms ------------------------------------------------------------------------------------------------------

    def _note_of_room(self, command: RoomCommand) -> None:
        kept = self._rooms.setdefault(command.room, {})
        if isinstance(command, SetGain):
            kept[command.source, command.sink] = command
        elif isinstance(command, PlayToRoom):
            kept[PlayToRoom] = command
        elif isinstance(command, RecordRoom):
            kept[command.recording] = command
        else:
            self._stopped_in_room(command)

    def _stopped_in_room(self, over: RoomPlayEnded | StopPlayToRoom) -> None:
        kept = self._rooms.get(over.room, {})
        playing = kept.get(PlayToRoom)
        if isinstance(playing, PlayToRoom) and playing.play == over.play:
            del kept[PlayToRoom]

    def _leave_room(self, endpoint: EndpointId, but: RoomId | None = None) -> None:
        """Gains of the endpoint are forgotten, and with the last member everything about the room."""
        joined = self._endpoints.get(endpoint, {}).pop(JoinRoom, None)
        if not isinstance(joined, JoinRoom) or joined.room == but:
            return
        kept = self._rooms.get(joined.room, {})
        for key, command in list(kept.items()):
            if isinstance(command, SetGain) and endpoint in (command.source, command.sink):
                del kept[key]
        if joined.room in self._rooms and not self._has_members(joined.room):
            del self._rooms[joined.room]

    def _has_members(self, room: RoomId) -> bool:
        joined = (kept.get(JoinRoom) for kept in self._endpoints.values())
        return any(isinstance(each, JoinRoom) and each.room == room for each in joined)

    def _left(self, command: LeaveRoom) -> None:
        self._leave_room(command.endpoint)

    # --- endpoints --------------------------------------------------------------------------------------------------

    def _stop(self, command: StopPlay) -> None:
        self._stopped(command.endpoint, command.play)

    def _recorded(self, over: RecordingEnded | StopRecording) -> None:
        for of_room in self._rooms.values():
            of_room.pop(over.recording, None)
        kept = self._endpoints.get(over.endpoint, {})
        running = kept.get(StartRecording)
        if isinstance(running, StartRecording) and running.recording == over.recording:
            del kept[StartRecording]

    def _destroyed(self, command: DestroyEndpoint) -> None:
        self.forget(command.endpoint)

    def _stopped(self, endpoint: EndpointId, play: PlayId) -> None:
        kept = self._endpoints.get(endpoint, {})
        playing = kept.get(Play)
        if isinstance(playing, Play) and playing.play == play:
            del kept[Play]


FORGETTING: dict[Purpose, Callable[..., None]] = {
    LeaveRoom: Journal._left,
    StopPlay: Journal._stop,
    StopRecording: Journal._recorded,
    DestroyEndpoint: Journal._destroyed,
}
