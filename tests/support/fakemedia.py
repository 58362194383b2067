"""A media engine without audio: records commands, answers at once, and tells what a test makes it tell.

It keeps the same books as the real engine (`tests/media/test_contract.py` runs against both), so a test that passes
with it cannot rest on something that the engine would refuse.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeVar

from media.api import (
    WHOLE_ROOM,
    AdjustPlay,
    Command,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    DigitReceived,
    Done,
    EndpointCreated,
    EndpointId,
    EngineReport,
    HostPort,
    JoinRoom,
    LeaveRoom,
    Listener,
    MeasureEndpoint,
    MediaEvent,
    Passes,
    PassOn,
    PauseRecording,
    Payload,
    Play,
    PlayEnded,
    PlayId,
    PlayToRoom,
    RecordingEnded,
    RecordingId,
    RecordingStarted,
    RecordRoom,
    Refused,
    Reply,
    RoomId,
    RoomPlayEnded,
    SendDigits,
    SetEcho,
    SetGain,
    StartRecording,
    StopPlay,
    StopPlayToRoom,
    StopRecording,
    StreamReport,
    StreamSpec,
)
from media.worker.placement import Placement

FIRST_PORT = 30000
MOST_DB = 20.0
MAX_DIGITS = 64
PLAYABLE = ("PCMU", "PCMA", "L16", "G722", "OPUS", "G729")
C = TypeVar("C")


class _Refusal(Exception):
    """Why a command is refused."""


@dataclass(slots=True, eq=False)
class FakeEndpoint:
    endpoint: EndpointId
    port: int
    host: str
    spec: StreamSpec | None = None
    room: RoomId | None = None
    talks: bool = True
    hears: bool = True
    play: PlayId | None = None
    echo: bool = False
    passes: Passes = Passes.NOTHING
    partner: EndpointId | None = None


class FakeMedia:
    """A `MediaEngine` double. Ports are 30000, 30002, … in the order of creation; `fail` refuses what comes next."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.endpoints: dict[EndpointId, FakeEndpoint] = {}
        self.refused: list[str] = []
        self.closed = False
        self.workers = 1
        self.codecs = PLAYABLE
        self.placement = Placement()
        self.recordings: dict[RecordingId, StartRecording | RecordRoom] = {}
        self.gains: dict[tuple[RoomId, EndpointId, EndpointId], float] = {}
        self.room_plays: dict[RoomId, PlayId] = {}
        self._listeners: list[Listener] = []
        self._made = 0
        self._failure = ""

    # --- what the code under test sees ------------------------------------------------------------------------------

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        replies = tuple(self._apply(command) for command in commands)
        await asyncio.sleep(0)
        return replies

    def submit(self, *commands: Command) -> None:
        for command in commands:
            reply = self._apply(command)
            if isinstance(reply, Refused):
                self.refused.append(reply.why)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def describe(self) -> EngineReport:
        rooms = {endpoint.room for endpoint in self.endpoints.values()} - {None}
        return EngineReport(len(self.endpoints), len(rooms), 0, 0, {}, 0.0, 0.0)

    async def close(self) -> None:
        self.closed = True

    # --- what a test does with it -----------------------------------------------------------------------------------

    def emit(self, event: MediaEvent) -> None:
        """Tell the listeners now."""
        for listener in self._listeners:
            listener(event)

    def press(self, endpoint: EndpointId, digits: str, duration_ms: int = 100) -> None:
        """The peer presses keys."""
        for digit in digits:
            self.emit(DigitReceived(endpoint, digit, duration_ms))

    def finish_play(self, endpoint: EndpointId, reason: str = "finished") -> None:
        """What plays to the endpoint comes to its end."""
        found = self.endpoints[endpoint]
        assert found.play is not None, f"nothing plays to endpoint {endpoint}"
        play, found.play = found.play, None
        self.emit(PlayEnded(endpoint, play, reason))

    def fail(self, why: str) -> None:
        """Refuse every command from now on with this sentence; "" to work again."""
        self._failure = why

    def of(self, kind: type[C]) -> list[C]:
        """The recorded commands of one kind."""
        return [command for command in self.commands if isinstance(command, kind)]

    def members(self, room: RoomId) -> set[EndpointId]:
        return {key for key, endpoint in self.endpoints.items() if endpoint.room == room}

    def hears(self, endpoint: EndpointId) -> EndpointId | None:
        """Whose audio goes to the peer of `endpoint` now: the first of those that it hears."""
        return next(iter(self.hears_all(endpoint)), None)

    def hears_all(self, endpoint: EndpointId) -> list[EndpointId]:
        """Everybody whose audio goes to the peer of `endpoint` now."""
        found = self.endpoints[endpoint]
        if found.room is None or found.play is not None or found.spec is None or not found.spec.direction.sends:
            return []
        others = self.members(found.room) - {endpoint} if found.hears else set()
        return [key for key in sorted(others) if self._is_heard(found.room, key, endpoint)]

    def _is_heard(self, room: RoomId, source: EndpointId, sink: EndpointId) -> bool:
        found = self.endpoints[source]
        gain_db = self.gains.get((room, source, sink), 0.0)
        return found.talks and gain_db > -math.inf and _is_heard(found)

    # --- the books --------------------------------------------------------------------------------------------------

    def _apply(self, command: Command) -> Reply:
        self.commands.append(command)
        if self.closed:
            return Refused("The media engine is closed.")
        if self._failure:
            return Refused(self._failure)
        try:
            return _HANDLERS[type(command)](self, command)
        except _Refusal as refusal:
            return Refused(str(refusal))

    def _find(self, endpoint: EndpointId) -> FakeEndpoint:
        if endpoint not in self.endpoints:
            raise _Refusal(f"There is no endpoint {endpoint}.")
        return self.endpoints[endpoint]

    def _later(self, event: MediaEvent) -> None:
        """Events never arrive before the reply to the command that caused them."""
        asyncio.get_running_loop().call_soon(self.emit, event)

    def _create(self, command: CreateEndpoint) -> Reply:
        if command.endpoint in self.endpoints:
            raise _Refusal(f"Endpoint {command.endpoint} exists already.")
        _check_host(command.host)
        if command.spec:
            _check_spec(command.spec, command.host)
        port = FIRST_PORT + 2 * self._made
        self._made += 1
        self.endpoints[command.endpoint] = FakeEndpoint(
            command.endpoint, port, command.host, command.spec, passes=command.passes
        )
        worker, ssrc = self.placement.create(command, (), range(self.workers)), 0x5A000000 + self._made
        fingerprint = f"sha-256 {':'.join(['0A'] * 32)}" if command.handshake else ""
        return EndpointCreated(command.endpoint, HostPort(command.host, port), port + 1, ssrc, worker, fingerprint)

    def _configure(self, command: ConfigureEndpoint) -> Reply:
        found = self._find(command.endpoint)
        _check_spec(command.spec, found.host, found.passes)
        found.spec = command.spec
        return Done()

    def _pass_on(self, command: PassOn) -> Reply:
        one, other = self._find(command.endpoint), self._find(command.other)
        if one.passes is not other.passes or one.passes is Passes.NOTHING:
            raise _Refusal(f"Endpoints {one.endpoint} and {other.endpoint} cannot be passed on to each other.")
        one.partner, other.partner = other.endpoint, one.endpoint
        return Done()

    def _measure(self, command: MeasureEndpoint) -> Reply:
        return StreamReport(self._find(command.endpoint).endpoint)

    def _destroy(self, command: DestroyEndpoint) -> Reply:
        found = self._find(command.endpoint)
        self._end_play(found)
        self._leave_room(found)
        del self.endpoints[command.endpoint]
        self.placement.destroy(command.endpoint)
        for number, each in list(self.recordings.items()):
            if isinstance(each, StartRecording) and not self.endpoints.keys() & {each.endpoint, *each.others}:
                self.end_recording(number)
        self._later(StreamReport(command.endpoint))
        return Done()

    def _join(self, command: JoinRoom) -> Reply:
        found = self._find(command.endpoint)
        self.placement.join(command)
        if found.room != command.room:
            self._leave_room(found)
        found.room, found.talks, found.hears = command.room, command.talks, command.hears
        return Done()

    def _leave(self, command: LeaveRoom) -> Reply:
        self._leave_room(self._find(command.endpoint))
        self.placement.leave(command.endpoint)
        return Done()

    def _leave_room(self, found: FakeEndpoint) -> None:
        """With the last member goes what plays and records there."""
        room, found.room = found.room, None
        if room is None:
            return
        for key in [key for key in self.gains if key[0] == room and found.endpoint in key[1:]]:
            del self.gains[key]
        if not self.members(room):
            self._end_room_play(room)
            for number, each in list(self.recordings.items()):
                if isinstance(each, RecordRoom) and each.room == room:
                    self.end_recording(number)

    def _check_room(self, room: RoomId) -> None:
        if not self.members(room):
            raise _Refusal(f"There is no room {room}.")

    def _gain(self, command: SetGain) -> Reply:
        self._check_room(command.room)
        for endpoint in (command.source, command.sink):
            if endpoint not in self.members(command.room):
                raise _Refusal(f"Endpoint {endpoint} is not in room {command.room}.")
        if command.gain_db > MOST_DB or command.source == command.sink:
            raise _Refusal(f"Endpoint {command.sink} cannot hear endpoint {command.source} at {command.gain_db:g} dB.")
        self.gains[command.room, command.source, command.sink] = command.gain_db
        return Done()

    def _play_to_room(self, command: PlayToRoom) -> Reply:
        self._check_room(command.room)
        self._end_room_play(command.room)
        self.room_plays[command.room] = command.play
        return Done()

    def _stop_in_room(self, command: StopPlayToRoom) -> Reply:
        self._check_room(command.room)
        if self.room_plays.get(command.room) == command.play:
            self._end_room_play(command.room)
        return Done()

    def _end_room_play(self, room: RoomId, reason: str = "stopped") -> None:
        play = self.room_plays.pop(room, None)
        if play is not None:
            self._later(RoomPlayEnded(room, play, reason))

    def _echo(self, command: SetEcho) -> Reply:
        self._find(command.endpoint).echo = command.on
        return Done()

    def _play(self, command: Play) -> Reply:
        found = self._find(command.endpoint)
        self._end_play(found)
        if found.spec and not any(payload.name.upper() in PLAYABLE for payload in found.spec.payloads):
            name = found.spec.payloads[0].name
            why = f"Nothing can be played in {name}: it cannot be encoded here."
            self._later(PlayEnded(found.endpoint, command.play, why))
        else:
            found.play = command.play
        return Done()

    def _stop(self, command: StopPlay) -> Reply:
        found = self._find(command.endpoint)
        if found.play == command.play:
            self._end_play(found)
        return Done()

    def _adjust(self, command: AdjustPlay) -> Reply:
        self._find(command.endpoint)
        if command.position_ms is not None and command.position_ms < 0:
            raise _Refusal(f"A sound has no position {command.position_ms} ms.")
        return Done()

    def _start_recording(self, command: StartRecording) -> Reply:
        for endpoint in (command.endpoint, *command.others):
            self._find(endpoint)
        if not command.path.endswith(".wav"):
            raise _Refusal(f"{command.path!r} does not end in .wav.")
        self.recordings[command.recording] = command
        self._later(RecordingStarted(command.endpoint, command.recording, command.path))
        return Done()

    def _record_room(self, command: RecordRoom) -> Reply:
        self._check_room(command.room)
        self.recordings[command.recording] = command
        self._later(RecordingStarted(WHOLE_ROOM, command.recording, command.path))
        return Done()

    def _pause_recording(self, command: PauseRecording) -> Reply:
        if command.endpoint != WHOLE_ROOM:
            self._find(command.endpoint)
        return Done()

    def _stop_recording(self, command: StopRecording) -> Reply:
        self.end_recording(command.recording)
        return Done()

    def end_recording(self, recording: RecordingId, reason: str = "finished", duration_ms: int = 1000) -> None:
        """One that runs comes to its end."""
        if (found := self.recordings.pop(recording, None)) is not None:
            endpoint = found.endpoint if isinstance(found, StartRecording) else WHOLE_ROOM
            self._later(RecordingEnded(endpoint, recording, found.path, duration_ms, reason))

    def _end_play(self, found: FakeEndpoint) -> None:
        if found.play is not None:
            self._later(PlayEnded(found.endpoint, found.play, "stopped"))
            found.play = None

    def _digits(self, command: SendDigits) -> Reply:
        found = self._find(command.endpoint)
        if not found.spec or not (found.spec.tones or any(map(_is_event, found.spec.payloads))):
            raise _Refusal(f"Endpoint {command.endpoint} has not negotiated telephone-event, so no digits can be sent.")
        if not command.digits or set(command.digits.upper()) - set("0123456789*#ABCD"):
            raise _Refusal(f"{command.digits!r} are not digits: 0-9, *, # and A-D can be sent.")
        if len(command.digits) > MAX_DIGITS:
            raise _Refusal(f"At most {MAX_DIGITS} digits can wait to be sent.")
        return Done()


_HANDLERS: dict[type, Callable[[FakeMedia, Any], Reply]] = {
    CreateEndpoint: FakeMedia._create,
    ConfigureEndpoint: FakeMedia._configure,
    MeasureEndpoint: FakeMedia._measure,
    DestroyEndpoint: FakeMedia._destroy,
    PassOn: FakeMedia._pass_on,
    JoinRoom: FakeMedia._join,
    LeaveRoom: FakeMedia._leave,
    SetGain: FakeMedia._gain,
    PlayToRoom: FakeMedia._play_to_room,
    StopPlayToRoom: FakeMedia._stop_in_room,
    SetEcho: FakeMedia._echo,
    Play: FakeMedia._play,
    StopPlay: FakeMedia._stop,
    AdjustPlay: FakeMedia._adjust,
    StartRecording: FakeMedia._start_recording,
    RecordRoom: FakeMedia._record_room,
    PauseRecording: FakeMedia._pause_recording,
    StopRecording: FakeMedia._stop_recording,
    SendDigits: FakeMedia._digits,
}


def _is_event(payload: Payload) -> bool:
    return payload.name.lower() == "telephone-event"


def _is_heard(endpoint: FakeEndpoint) -> bool:
    return endpoint.spec is not None and endpoint.spec.direction.receives and not endpoint.echo


def _check_host(host: str) -> int:
    try:
        return ip_address(host).version
    except ValueError:
        raise _Refusal(f"{host} is not an IP address.") from None


def _check_spec(spec: StreamSpec, host: str, passes: Passes = Passes.NOTHING) -> None:
    for address in (spec.remote.host, *spec.sources):
        if _check_host(address) != _check_host(host):
            raise _Refusal(f"{address} and the local address {host} are of different IP versions.")
    if not spec.payloads and passes is not Passes.DATAGRAMS:
        raise _Refusal("A stream has between 1 and 16 payload types, not 0.")
