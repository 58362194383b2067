"""What the engine thread says, as events of `media.api`."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from media.api import (
    DigitReceived,
    HostPort,
    MediaEvent,
    MediaSilent,
    PlayEnded,
    PlayId,
    RoomPlayEnded,
    SourceLearned,
    StreamReport,
    TalkStarted,
    TalkStopped,
)
from media.engine.reasons import NAMES
from media.engine.speaking import nothing_can_be_played
from media.engine.streams import Stream
from media.rtp.telephone_event import SYMBOLS

# What `ShardThread.drain` returns.
Measured: TypeAlias = dict[str, Any]  # figures of a `StreamReport`; what was dropped by number
ShardEvent: TypeAlias = (
    tuple[Literal["digit"], int, int, int]
    | tuple[Literal["play_ended"], int, int, int]
    | tuple[Literal["learned"], int, str, int]
    | tuple[Literal["silent"], int, float]
    | tuple[Literal["digits_sent"], int, int]
    | tuple[Literal["room_play_ended"], int, int, int]
    | tuple[Literal["talks"], int, bool]
    | tuple[Literal["sends"], int, int]
    | tuple[Literal["handshake"], int, str, int, bytes]
    | tuple[Literal["freed"], int, Measured]
)

ENDS = ("finished", "stopped")


class Notices:
    """Serial numbers back to endpoints: they stay valid until the final report, whoever has the id by then."""

    def __init__(
        self,
        freed: Callable[[Stream], None],
        play_ended: Callable[[Stream, PlayEnded], PlayEnded | None],
        handshake: Callable[[Stream, str, int, bytes], None],
        sends: Callable[[Stream, int], None],
        room_play_ended: Callable[[int, PlayId, str], RoomPlayEnded],
    ) -> None:
        self.streams: dict[int, Stream] = {}
        self._freed, self._play_ended, self._handshake, self._sends = freed, play_ended, handshake, sends
        self._room_play_ended = room_play_ended

    def event(self, notice: ShardEvent) -> MediaEvent | None:
        if notice[0] == "room_play_ended":
            _, room, play, how = notice
            return self._room_play_ended(room, play, ENDS[how])
        return self._of_stream(self.streams[notice[1]], notice)

    def _of_stream(self, stream: Stream, notice: ShardEvent) -> MediaEvent | None:
        endpoint = stream.endpoint
        match notice:
            case ("digit", _, event, duration_ms):
                return DigitReceived(endpoint, SYMBOLS[event], duration_ms)
            case ("play_ended", _, play, how):
                return self._play_ended(stream, PlayEnded(endpoint, play, _reason(stream, how)))
            case ("learned", _, host, port):
                return SourceLearned(endpoint, HostPort(host, port))
            case ("silent", _, silent_s):
                return MediaSilent(endpoint, silent_s)
            case ("digits_sent", _, count):
                stream.digits_waiting -= count
                return None
            case ("talks", _, talks):
                return TalkStarted(endpoint) if talks else TalkStopped(endpoint)
            case ("sends", _, number):
                self._sends(stream, number)
                return None
            case ("handshake", _, host, port, data):
                self._handshake(stream, host, port, data)
                return None
            case ("freed", serial, measured):
                del self.streams[serial]
                self._freed(stream)
                return report_of(stream, measured)
        return None


def _reason(stream: Stream, how: int) -> str:
    return ENDS[how] if how < len(ENDS) else nothing_can_be_played(stream)


def report_of(stream: Stream, measured: Measured) -> StreamReport:
    """What could not be carried is told by the name of its encoding as well."""
    names = {payload.number: payload.name for payload in stream.spec.payloads} if stream.spec else {}
    dropped = {NAMES[reason]: count for reason, count in measured.pop("dropped").items()}
    not_carried = measured.pop("not_carried").items()
    dropped |= {f"no_codec_{names.get(number, number)}": count for number, count in not_carried}
    return StreamReport(stream.endpoint, dropped=dropped, **measured)
