"""What travels between call control and a media worker: msgpack frames over a unix SOCK_SEQPACKET socket.

A frame is `[kind, number, body]`; the kernel keeps frames apart, so there is no length. Every record is one of
`media.api`, written as a map of its fields behind a tag. The first frame of either side names the version; two sides
of different versions do not talk.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec

from frozen import dataclass
from media.api import (
    AdjustPlay,
    Command,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    DigitReceived,
    Done,
    EndpointCreated,
    EngineFailed,
    EngineReport,
    FileSource,
    JoinRoom,
    LeaveRoom,
    MeasureEndpoint,
    MediaEvent,
    MediaSilent,
    PassOn,
    PauseRecording,
    Play,
    PlayEnded,
    PlayId,
    Playlist,
    PlaySource,
    PlayToRoom,
    RecordingEnded,
    RecordingStarted,
    RecordRoom,
    Refused,
    Reply,
    RoomPlayEnded,
    SendDigits,
    SetEcho,
    SetGain,
    SharedSource,
    SourceLearned,
    StartRecording,
    StopPlay,
    StopPlayToRoom,
    StopRecording,
    StreamReport,
    TalkStarted,
    TalkStopped,
    ToneSource,
)
from media.config import EngineConfig

VERSION = 1
MAX_FRAME = 128 * 1024  # below every system's default send buffer
HELLO, COMMANDS, DESCRIBE, EVENTS = range(4)

T = TypeVar("T")


class ProtocolError(Exception):
    """The other side sent what this version does not understand; the message is a sentence."""


SOURCES = (FileSource, ToneSource, Playlist, SharedSource)


@dataclass(frozen=True, slots=True)
class _Play:
    """`Play` with the class of its source: a union of untagged records cannot be told apart on the wire."""

    to: int
    play: PlayId
    kind: int
    source: msgspec.Raw


@dataclass(frozen=True, slots=True)
class _PlayToRoom(_Play):
    """The same of `PlayToRoom`."""


class _Tagged(Generic[T]):
    """Records of several classes, told apart by their place in a list."""

    def __init__(self, *classes: type) -> None:
        self._tags = {kind: tag for tag, kind in enumerate(classes)}
        self._decoders: list[msgspec.msgpack.Decoder[Any]] = [msgspec.msgpack.Decoder(kind) for kind in classes]

    def pack(self, records: Iterable[T]) -> list[tuple[int, T]]:
        return [(self._tags[type(record)], record) for record in records]

    def unpack(self, body: msgspec.Raw) -> list[T]:
        return [cast("T", self._decoders[tag].decode(raw)) for tag, raw in _LIST.decode(body)]


_ENCODER = msgspec.msgpack.Encoder()
_FRAME = msgspec.msgpack.Decoder(tuple[int, int, msgspec.Raw])
_LIST = msgspec.msgpack.Decoder(list[tuple[int, msgspec.Raw]])
_CONFIG = msgspec.msgpack.Decoder(EngineConfig)
_REPORT = msgspec.msgpack.Decoder(EngineReport)
_READ_SOURCE = [msgspec.msgpack.Decoder(kind) for kind in SOURCES]
_WELCOME = msgspec.msgpack.Decoder(tuple[str, tuple[str, ...]])

_COMMANDS: _Tagged[Any] = _Tagged(
    CreateEndpoint,
    ConfigureEndpoint,
    DestroyEndpoint,
    JoinRoom,
    LeaveRoom,
    SetEcho,
    _Play,
    StopPlay,
    SendDigits,
    _PlayToRoom,
    SetGain,
    StopPlayToRoom,
    RecordRoom,
    AdjustPlay,
    StartRecording,
    PauseRecording,
    StopRecording,
    MeasureEndpoint,
    PassOn,
)
_REPLIES: _Tagged[Reply] = _Tagged(EndpointCreated, Done, Refused, StreamReport)
_EVENTS: _Tagged[MediaEvent] = _Tagged(
    DigitReceived,
    PlayEnded,
    SourceLearned,
    MediaSilent,
    StreamReport,
    EngineFailed,
    RecordingStarted,
    RecordingEnded,
    RoomPlayEnded,
    TalkStarted,
    TalkStopped,
)


def parse_frame(data: bytes | memoryview) -> tuple[int, int, msgspec.Raw]:
    """Kind, number and undecoded body; raises `ProtocolError`."""
    try:
        return _FRAME.decode(data)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"A frame of the media protocol cannot be read: {error}.") from error


def hello(config: EngineConfig) -> bytes:
    return _ENCODER.encode((HELLO, VERSION, config))


def read_hello(body: msgspec.Raw) -> EngineConfig:
    return _CONFIG.decode(body)


def welcome(problem: str = "", codecs: tuple[str, ...] = ()) -> bytes:
    """The worker's first frame: what it can convert when it is ready, else a sentence that says why it is not."""
    return _ENCODER.encode((HELLO, VERSION, (problem, codecs)))


def read_welcome(body: msgspec.Raw) -> tuple[str, tuple[str, ...]]:
    return _WELCOME.decode(body)


def command_frame(number: int, commands: Sequence[Command]) -> bytes:
    """`number` comes back with the replies; 0 when nobody waits for them."""
    return _ENCODER.encode((COMMANDS, number, _COMMANDS.pack(map(_plain, commands))))


def read_commands(body: msgspec.Raw) -> list[Command]:
    return [_whole(command) if isinstance(command, _Play) else command for command in _COMMANDS.unpack(body)]


def reply_frame(number: int, replies: Sequence[Reply]) -> bytes:
    return _ENCODER.encode((COMMANDS, number, _REPLIES.pack(replies)))


def read_replies(body: msgspec.Raw) -> list[Reply]:
    return _REPLIES.unpack(body)


def event_frames(events: Sequence[MediaEvent]) -> list[bytes]:
    """As many frames as it takes: reports of long calls are large."""
    if not events:
        return []
    frame = _ENCODER.encode((EVENTS, 0, _EVENTS.pack(events)))
    if len(frame) <= MAX_FRAME or len(events) == 1:
        return [frame]
    half = len(events) // 2
    return event_frames(events[:half]) + event_frames(events[half:])


def read_events(body: msgspec.Raw) -> list[MediaEvent]:
    return _EVENTS.unpack(body)


def describe_frame(number: int) -> bytes:
    return _ENCODER.encode((DESCRIBE, number, None))


def report_frame(number: int, report: EngineReport) -> bytes:
    return _ENCODER.encode((DESCRIBE, number, report))


def read_report(body: msgspec.Raw) -> EngineReport:
    return _REPORT.decode(body)


def _plain(command: Command) -> Any:
    if not isinstance(command, Play | PlayToRoom):
        return command
    kind, source = SOURCES.index(type(command.source)), msgspec.Raw(_ENCODER.encode(command.source))
    if isinstance(command, Play):
        return _Play(command.endpoint, command.play, kind, source)
    return _PlayToRoom(command.room, command.play, kind, source)


def _whole(command: _Play) -> Command:
    source = cast("PlaySource", _READ_SOURCE[command.kind].decode(command.source))
    if isinstance(command, _PlayToRoom):
        return PlayToRoom(command.to, command.play, source)
    return Play(command.to, command.play, source)
