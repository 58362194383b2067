"""What the engine thread says, as events of `media.api`."""

from collections.abc import Callable
from typing import Literal, TypeAlias

from media.api import DigitReceived, HostPort, MediaEvent, MediaSilent, PlayEnded, SourceLearned, StreamReport
from media.engine.reasons import NAMES
from media.engine.speaking import nothing_can_be_played
from media.engine.streams import Stream
from media.rtp.telephone_event import SYMBOLS

# What `ShardThread.drain` returns.
Counters: TypeAlias = tuple[int, int, int, float, float | None, int | None]
ShardEvent: TypeAlias = (
    tuple[Literal["digit"], int, int, int]
    | tuple[Literal["play_ended"], int, int, int]
    | tuple[Literal["learned"], int, str, int]
    | tuple[Literal["silent"], int, float]
    | tuple[Literal["digits_sent"], int, int]
    | tuple[Literal["released"], int]
    | tuple[Literal["handshake"], int, str, int, bytes]
    | tuple[Literal["freed"], int, Counters, dict[int, int], dict[int, int]]
)

ENDS = ("finished", "stopped")


class Notices:
    """Serial numbers back to endpoints: they stay valid until the final report, whoever has the id by then."""

    def __init__(
        self,
        freed: Callable[[Stream], None],
        play_ended: Callable[[Stream, PlayEnded], PlayEnded],
        handshake: Callable[[Stream, str, int, bytes], None],
    ) -> None:
        self.streams: dict[int, Stream] = {}
        self._freed, self._play_ended, self._handshake = freed, play_ended, handshake

    def event(self, notice: ShardEvent) -> MediaEvent | None:
        stream = self.streams[notice[1]]
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
            case ("released", _):
                return None
            case ("handshake", _, host, port, data):
                self._handshake(stream, host, port, data)
                return None
            case ("freed", serial, counters, dropped, not_carried):
                del self.streams[serial]
                self._freed(stream)
                return _report(stream, counters, dropped, not_carried)


def _reason(stream: Stream, how: int) -> str:
    return ENDS[how] if how < len(ENDS) else nothing_can_be_played(stream)


def _report(stream: Stream, counters: Counters, dropped: dict[int, int], not_carried: dict[int, int]) -> StreamReport:
    """What could not be carried is told by the name of its encoding as well."""
    received, sent, lost, jitter_ms, round_trip_ms, remote_lost = counters
    names = {payload.number: payload.name for payload in stream.spec.payloads} if stream.spec else {}
    counts = {NAMES[reason]: count for reason, count in dropped.items()}
    counts |= {f"no_codec_{names.get(number, number)}": count for number, count in not_carried.items()}
    return StreamReport(stream.endpoint, received, sent, lost, jitter_ms, round_trip_ms, counts, remote_lost)
