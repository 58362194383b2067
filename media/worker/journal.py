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
    EndpointCreated,
    EndpointId,
    JoinRoom,
    LeaveRoom,
    MediaEvent,
    PassOn,
    Play,
    PlayEnded,
    PlayId,
    RecordingEnded,
    Refused,
    Reply,
    SetEcho,
    StartRecording,
    StopPlay,
    StopRecording,
)

Purpose = type[Command]
LASTING: frozenset[Purpose] = frozenset({ConfigureEndpoint, PassOn, JoinRoom, SetEcho, Play, StartRecording})


class Journal:
    """`note` what was done, `observe` what happened; `commands` bring an empty worker to the same state."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointId, dict[Purpose, Command]] = {}

    def __contains__(self, endpoint: EndpointId) -> bool:
        return endpoint in self._endpoints

    @property
    def endpoints(self) -> tuple[EndpointId, ...]:
        return tuple(self._endpoints)

    def commands(self) -> list[Command]:
        """All endpoints first, so that whatever names another one finds it."""
        held = [list(kept.values()) for kept in self._endpoints.values()]
        return [kept[0] for kept in held] + [command for kept in held for command in kept[1:]]

    def note_all(self, commands: Sequence[Command], replies: Sequence[Reply]) -> None:
        """What was refused did not happen."""
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(command, CreateEndpoint) and isinstance(reply, EndpointCreated):
                self._endpoints[command.endpoint] = {CreateEndpoint: replace(command, port=reply.rtp.port)}
            elif not isinstance(reply, Refused):
                self.note(command)

    def note(self, command: Command) -> None:
        """A command other than `CreateEndpoint`, which needs its reply."""
        kept = self._endpoints.get(command.endpoint)
        if kept is None:
            return
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

    def forget(self, endpoint: EndpointId) -> None:
        self._endpoints.pop(endpoint, None)

    def _left(self, command: LeaveRoom) -> None:
        self._endpoints[command.endpoint].pop(JoinRoom, None)

    def _stop(self, command: StopPlay) -> None:
        self._stopped(command.endpoint, command.play)

    def _recorded(self, over: RecordingEnded | StopRecording) -> None:
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
