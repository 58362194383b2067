"""Who is recorded: commands become taps in the engine and work for the recorder's thread."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from media.api import (
    EndpointId,
    MediaEvent,
    PauseRecording,
    RecordingEnded,
    RecordingId,
    StartRecording,
    StopRecording,
    StreamSpec,
)
from media.codec.catalogue import coding_of
from media.engine.shard import ShardThread
from media.engine.streams import Refusal, Stream
from media.record.recorder import Begin, Formats, Recorder, Side

FORMATS = ("wav", "mp3", "opus")
NARROW, WIDE = 8000, 16000
MAX_SIDES = 16


@dataclass(slots=True, eq=False)
class Recording:
    """One that has not ended; `sides` by the serial of their endpoints."""

    recording: RecordingId
    rate: int
    sides: dict[int, Stream]


class Recordings:
    """`tell` takes events on any thread."""

    def __init__(self, shard: ShardThread, tell: Callable[[MediaEvent], None]) -> None:
        self._shard, self._tell = shard, tell
        self._recorder: Recorder | None = None
        self._running: dict[RecordingId, Recording] = {}
        self._taps: dict[int, int] = {}  # serial of the endpoint -> its tap
        self._free: list[int] = []

    def close(self) -> None:
        """Complete all files. The engine must have stopped."""
        if self._recorder is not None:
            self._recorder.close()

    def start(self, command: StartRecording, streams: Iterable[Stream]) -> None:
        """Raises `Refusal` for what cannot be recorded."""
        sides = {stream.handle.serial: stream for stream in streams}
        self._check(command, sides)
        rate = max((_rate(stream) for stream in sides.values()), default=NARROW)
        recorder = self._ready()
        running = Recording(command.recording, rate, sides)
        taps = {serial: self._tap(serial) for serial in sides}
        recorder.begin(
            Begin(
                command.endpoint,
                command.recording,
                command.path,
                command.format,
                tuple(Side(taps[serial], serial, formats_of(stream.spec, rate)) for serial, stream in sides.items()),
                command.stereo,
                rate,
                int(command.max_s * 1000),
                0 if command.stereo else int(command.max_silence_s * 1000),
            )
        )
        self._running[command.recording] = running
        for serial, stream in sides.items():
            self._shard.tap(stream.handle, taps[serial])

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
        for serial, stream in running.sides.items() if running is not None else ():
            if not any(serial in each.sides for each in self._running.values()):
                self._free.append(self._taps.pop(serial))
                self._untap(stream)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _ready(self) -> Recorder:
        if self._recorder is None:
            self._recorder = Recorder(self._tell)
            self._shard.record_into(self._recorder.taps.ring)
        return self._recorder

    def _check(self, command: StartRecording, sides: dict[int, Stream]) -> None:
        if command.recording in self._running:
            raise Refusal(f"Recording {command.recording} exists already.")
        if command.format not in FORMATS:
            raise Refusal(f"Recordings can be wav, mp3 or opus, not {command.format}.")
        if Path(command.path).suffix != ".wav" or "\0" in command.path:
            raise Refusal(f"{command.path!r} does not end in .wav.")
        if len(sides) > MAX_SIDES or (command.stereo and len(sides) > 2):
            raise Refusal(f"{len(sides)} parties cannot be recorded into one file.")
        for stream in sides.values():
            if stream.spec is not None and not formats_of(stream.spec, WIDE):
                raise Refusal(f"What is said in {stream.codec} cannot be recorded here.")

    def _tap(self, serial: int) -> int:
        if serial not in self._taps:
            self._taps[serial] = self._free.pop() if self._free else len(self._taps)
        return self._taps[serial]

    def _untap(self, stream: Stream) -> None:
        if not stream.is_gone:
            self._shard.tap(stream.handle, None)


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
