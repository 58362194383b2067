"""Who is recorded: commands become taps in the engine and work for the recorder's thread."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from media.api import (
    WHOLE_ROOM,
    EndpointId,
    MediaEvent,
    PauseRecording,
    RecordingEnded,
    RecordingId,
    RecordRoom,
    StartRecording,
    StopRecording,
    StreamSpec,
)
from media.codec.catalogue import RATES, coding_of
from media.engine.rooms import Room, Rooms
from media.engine.shard import ShardThread
from media.engine.streams import Refusal, Stream
from media.engine.voices import RoomBox
from media.record.recorder import Begin, Formats, Recorder, Side

FORMATS = ("wav", "mp3", "opus")
NARROW, WIDE = 8000, 16000
MAX_SIDES = 16
OF_A_ROOM: Formats = tuple((group, "L16", rate) for group, rate in enumerate(RATES))


@dataclass(slots=True, eq=False)
class Recording:
    """One that has not ended: `sides` by the serial of their endpoints, or the `room`."""

    recording: RecordingId
    rate: int
    sides: dict[int, Stream]
    room: Room | None = None
    box: RoomBox | None = None


class Recordings:
    """`tell` takes events on any thread."""

    def __init__(self, shard: ShardThread, rooms: Rooms, tell: Callable[[MediaEvent], None]) -> None:
        self._shard, self._rooms, self._tell = shard, rooms, tell
        self._recorder: Recorder | None = None
        self._running: dict[RecordingId, Recording] = {}
        self._taps: dict[int, int] = {}  # serial of the endpoint or room -> its tap
        self._free: list[int] = []
        rooms.before_gone.append(self._room_gone)

    def close(self) -> None:
        """Complete all files. The engine must have stopped."""
        if self._recorder is not None:
            self._recorder.close()

    def start(self, command: StartRecording, streams: Iterable[Stream]) -> None:
        """Raises `Refusal` for what cannot be recorded."""
        sides = {stream.handle.serial: stream for stream in streams}
        self._check(command)
        _check_sides(command, sides.values())
        rate = max((_rate(stream) for stream in sides.values()), default=NARROW)
        parties = tuple(
            Side(self._tap(serial), serial, formats_of(stream.spec, rate)) for serial, stream in sides.items()
        )
        begin = Begin(
            command.endpoint,
            command.recording,
            command.path,
            command.format,
            parties,
            command.stereo,
            rate,
            _ms(command.max_s),
            0 if command.stereo else _ms(command.max_silence_s),
        )
        self._begin(begin, Recording(command.recording, rate, sides))
        for serial, stream in sides.items():
            self._shard.tap(stream.handle, self._taps[serial])

    def start_room(self, command: RecordRoom) -> None:
        """All that is said there; the room is mixed as long. Raises `Refusal`."""
        room = self._rooms.find(command.room)
        self._check(command)
        room.recordings.add(command.recording)
        self._rooms.adapt(room)
        box = room.box
        assert box is not None
        rate = WIDE if room.played_hz > NARROW else NARROW
        parties = (Side(self._tap(box.serial), box.serial, OF_A_ROOM),)
        begin = Begin(
            *(WHOLE_ROOM, command.recording, command.path, command.format, parties, False, rate, _ms(command.max_s))
        )
        self._begin(begin, Recording(command.recording, rate, {}, room, box))
        self._shard.tap_room(box, self._taps[box.serial])

    def pause(self, command: PauseRecording) -> None:
        if self._recorder is not None and command.recording in self._running:
            self._recorder.pause(command.recording, paused=command.paused)

    def stop(self, command: StopRecording) -> None:
        if self._recorder is not None and command.recording in self._running:
            self._recorder.end(command.recording)

    def configured(self, stream: Stream) -> None:
        """The party talks otherwise from now on."""
        serial = stream.handle.serial
        for running in self._running.values():
            if serial in running.sides and self._recorder is not None:
                formats = formats_of(stream.spec, running.rate)
                self._recorder.formats(running.recording, self._taps[serial], formats)

    def gone(self, stream: Stream) -> None:
        """The endpoint is about to be destroyed."""
        serial = stream.handle.serial
        for running in self._running.values():
            if serial in running.sides and self._recorder is not None:
                self._recorder.gone(running.recording, self._taps[serial])

    def ended(self, event: RecordingEnded) -> None:
        """Let go of taps that nobody needs any more."""
        running = self._running.pop(event.recording, None)
        if running is None:
            return
        for serial, stream in running.sides.items():
            if self._let_go(serial) and not stream.is_gone:
                self._shard.tap(stream.handle, None)
        if running.room is not None and running.box is not None:
            running.room.recordings.discard(running.recording)
            is_last = self._let_go(running.box.serial)
            if running.room.members:
                if is_last:
                    self._shard.tap_room(running.box, None)
                self._rooms.adapt(running.room)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, begin: Begin, running: Recording) -> None:
        if self._recorder is None:
            self._recorder = Recorder(self._tell)
            self._shard.record_into(self._recorder.taps.ring)
        self._running[begin.recording] = running
        self._recorder.begin(begin)

    def _room_gone(self, room: Room) -> None:
        for recording in room.recordings:
            box = self._running[recording].box
            if self._recorder is not None and box is not None:
                self._recorder.gone(recording, self._taps[box.serial])

    def _check(self, command: StartRecording | RecordRoom) -> None:
        if command.recording in self._running:
            raise Refusal(f"Recording {command.recording} exists already.")
        if command.format not in FORMATS:
            raise Refusal(f"Recordings can be wav, mp3 or opus, not {command.format}.")
        if Path(command.path).suffix != ".wav" or "\0" in command.path:
            raise Refusal(f"{command.path!r} does not end in .wav.")

    def _tap(self, serial: int) -> int:
        if serial not in self._taps:
            self._taps[serial] = self._free.pop() if self._free else len(self._taps)
        return self._taps[serial]

    def _let_go(self, serial: int) -> bool:
        """Whether nobody else records it."""
        for each in self._running.values():
            if serial in each.sides or (each.box is not None and each.box.serial == serial):
                return False
        self._free.append(self._taps.pop(serial))
        return True


def _check_sides(command: StartRecording, streams: Collection[Stream]) -> None:
    if len(streams) > MAX_SIDES or (command.stereo and len(streams) > 2):
        raise Refusal(f"{len(streams)} parties cannot be recorded into one file.")
    for stream in streams:
        if stream.spec is not None and not formats_of(stream.spec, WIDE):
            raise Refusal(f"What is said in {stream.codec} cannot be recorded here.")


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def formats_of(spec: StreamSpec | None, rate: int) -> Formats:
    """What of a stream can be decoded; Opus at no more than the rate of the file."""
    found = [(payload.number, coding_of(payload, rate)) for payload in spec.payloads] if spec is not None else []
    return tuple((number, coding.name, coding.rate) for number, coding in found if coding is not None)


def _rate(stream: Stream) -> int:
    """Wideband when the party's preferred codec is."""
    formats = formats_of(stream.spec, WIDE)
    return WIDE if formats and formats[0][2] > NARROW else NARROW


def endpoints_of(command: StartRecording) -> tuple[EndpointId, ...]:
    return (command.endpoint, *command.others)
