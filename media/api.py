"""The media surface: every command, reply and event that crosses between call control and the engine.

Pure data (standard library only): the same records travel inside one process, over a unix socket to a media
worker, or into a test double. Identifiers are chosen by the caller, so a command never has to wait for a reply
to be referred to by the next one; commands of one sender are applied in order.

Directions are seen from Zvon: `SENDONLY` means that we send audio and expect none.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from frozen import dataclass
from media.intervals import Interval as Interval
from media.intervals import read_intervals as read_intervals
from media.stream import Direction as Direction
from media.stream import DtlsPeer as DtlsPeer
from media.stream import HostPort as HostPort
from media.stream import IceSpec as IceSpec
from media.stream import Passes as Passes
from media.stream import Payload as Payload
from media.stream import SrtpKeys as SrtpKeys
from media.stream import StreamSpec as StreamSpec

EndpointId = int
RoomId = int
PlayId = int
RecordingId = int
WHOLE_ROOM: EndpointId = 0


# --- what a Play command plays -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileSource:
    """A sound file: WAV, MP3, FLAC, Ogg Vorbis, Opus or WebM, any rate, or raw G.722 by its name (`.g722`); up to
    128 MiB and an hour. `loop` starts again without a gap; `start_ms` is where it begins the first time."""

    path: str
    loop: bool = False
    gain_db: float = 0.0
    start_ms: int = 0


@dataclass(frozen=True, slots=True)
class Playlist:
    """Files one after the other without a gap, each with its own gain. Those that cannot be played are left out, and
    the reason for which the play ends names the first of them."""

    files: tuple[FileSource, ...]
    loop: bool = False
    gain_db: float = 0.0
    start_ms: int = 0


@dataclass(frozen=True, slots=True)
class SharedSource:
    """Files that play on for ever, whether or not anybody listens: everybody hears the same position, as of a radio."""

    paths: tuple[str, ...]
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class ToneSource:
    """A cadence: steps of (frequencies in Hz, duration in ms); no frequency is silence; repeated when `loop`."""

    steps: tuple[tuple[tuple[float, ...], int], ...]
    loop: bool = True
    level_db: float = -10.0


PlaySource = FileSource | Playlist | SharedSource | ToneSource


# --- commands ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """Bind an RTP/RTCP port pair on local address `host`. Replied to with `EndpointCreated`.

    Endpoints that shall meet in a room are best on one media worker: those made by one `execute` are, and so are those
    of one non-zero `group` (a call). `port` asks for that very RTP port; 0 is any free one. `beside`: an endpoint
    of the same party, whose sound and pictures go together.
    """

    endpoint: EndpointId
    host: str
    spec: StreamSpec | None = None
    group: int = 0
    handshake: bool = False
    port: int = 0
    passes: Passes = Passes.NOTHING
    beside: EndpointId = 0


@dataclass(frozen=True, slots=True)
class ConfigureEndpoint:
    """Replace the stream parameters: first answer, re-INVITE, hold. Sequence numbers and timestamps continue."""

    endpoint: EndpointId
    spec: StreamSpec


@dataclass(frozen=True, slots=True)
class MeasureEndpoint:
    """Answered by a `StreamReport` of what there is so far, with the last `intervals` of its records at most."""

    endpoint: EndpointId
    intervals: int = 720


@dataclass(frozen=True, slots=True)
class DestroyEndpoint:
    """Close the ports, leave the room, stop what plays. Answered by a final `StreamReport` event."""

    endpoint: EndpointId


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Put an endpoint into a room (left implicitly when it is in another), as one of any number; a room exists while it
    has members. Each hears all others: two as directly as possible, more are mixed.

    `talks`: the others hear it, `hears`: it hears them; told once more for the room where it is, they change.
    `tells`: `TalkStarted` and `TalkStopped` of it are wanted, for which the room is mixed.
    """

    room: RoomId
    endpoint: EndpointId
    talks: bool = True
    hears: bool = True
    tells: bool = False


@dataclass(frozen=True, slots=True)
class PassOn:
    """What arrives at either of two endpoints leaves at the other, until one of them is destroyed. Both pass the same,
    and are on one worker."""

    endpoint: EndpointId
    other: EndpointId


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    endpoint: EndpointId


@dataclass(frozen=True, slots=True)
class SetGain:
    """How loud the member `sink` of a room hears the member `source`: 0 is unchanged, -inf not at all. Forgotten when
    one of them leaves."""

    room: RoomId
    source: EndpointId
    sink: EndpointId
    gain_db: float


@dataclass(frozen=True, slots=True)
class PlayToRoom:
    """Play to everybody who is in the room, while they go on talking. Ends with `RoomPlayEnded`, at the latest with the
    room; a new one ends the one before."""

    room: RoomId
    play: PlayId
    source: PlaySource


@dataclass(frozen=True, slots=True)
class StopPlayToRoom:
    room: RoomId
    play: PlayId


@dataclass(frozen=True, slots=True)
class SetEcho:
    """Send back what arrives, in the same codec."""

    endpoint: EndpointId
    on: bool = True


@dataclass(frozen=True, slots=True)
class Play:
    """Play to the endpoint's peer; what the room would send is suppressed meanwhile. Ends with `PlayEnded`."""

    endpoint: EndpointId
    play: PlayId
    source: PlaySource


@dataclass(frozen=True, slots=True)
class StopPlay:
    endpoint: EndpointId
    play: PlayId


@dataclass(frozen=True, slots=True)
class AdjustPlay:
    """Change what plays; None leaves as it is. A paused play is silent and covers the room as before. `position_ms` is
    counted from the beginning, beyond the end is the end; tones and shared sources have none."""

    endpoint: EndpointId
    play: PlayId
    paused: bool | None = None
    position_ms: int | None = None
    gain_db: float | None = None


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record what the party at `endpoint` says, and those at the `others`, of the same worker, into the file `path`
    (.wav). Parties that are relayed stay relayed.

    `stereo`: two parties, one on each channel; otherwise all are mixed. Gaps stay silent, so all lie on one clock.
    `format`: "wav", or "mp3" or "opus", into which the file is converted in the end, with that suffix. `max_s`: 0 is as
    long as it takes. `max_silence_s`: one that is not stereo ends after so much silence (0: never), and the silence at
    its end is cut off however it ends; nothing is left where nothing was said. Answered by `RecordingStarted`, or at
    once by `RecordingEnded`; ends when all parties are gone.
    """

    endpoint: EndpointId
    recording: RecordingId
    path: str
    others: tuple[EndpointId, ...] = ()
    stereo: bool = False
    format: str = "wav"
    max_s: float = 0.0
    max_silence_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordRoom:
    """Record all that is said in a room, whoever is in it, into one file; it ends with the room. Otherwise as
    `StartRecording`; its events, and the commands that pause and stop it, have the endpoint `WHOLE_ROOM`."""

    room: RoomId
    recording: RecordingId
    path: str
    format: str = "wav"
    max_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """What is said while it is paused is left out of the file."""

    endpoint: EndpointId
    recording: RecordingId
    paused: bool = True


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Answered by `RecordingEnded` when the file is complete. Nothing happens when it has ended already."""

    endpoint: EndpointId
    recording: RecordingId


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Send digits (`0-9*#A-D`) by RFC 4733 or as tones, each `duration_ms` long with `gap_ms` between."""

    endpoint: EndpointId
    digits: str
    duration_ms: int = 100
    gap_ms: int = 60


RoomCommand = SetGain | PlayToRoom | StopPlayToRoom | RecordRoom
EndpointCommand = (
    CreateEndpoint
    | ConfigureEndpoint
    | MeasureEndpoint
    | DestroyEndpoint
    | PassOn
    | JoinRoom
    | LeaveRoom
    | SetEcho
    | Play
    | StopPlay
    | AdjustPlay
    | StartRecording
    | PauseRecording
    | StopRecording
    | SendDigits
)
Command = EndpointCommand | RoomCommand


# --- replies -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndpointCreated:
    """`worker`: those of different ones meet in a room with more delay, and `StartRecording` cannot have both.
    `fingerprint`: of the certificate that it shows in handshakes, as SDP writes it; empty when it takes part
    in none."""

    endpoint: EndpointId
    rtp: HostPort
    rtcp_port: int
    ssrc: int
    worker: int = 0
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The command was accepted; its effect is there from the next tick on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The command could not be carried out; `why` is a sentence for the log."""

    why: str


# --- events --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """One RFC 4733 event, reported once, when it ends or after it has lasted."""

    endpoint: EndpointId
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class PlayEnded:
    """`reason` is "finished", "stopped" or a sentence that says what was wrong with the source."""

    endpoint: EndpointId
    play: PlayId
    reason: str


@dataclass(frozen=True, slots=True)
class RoomPlayEnded:
    """`reason` as of `PlayEnded`."""

    room: RoomId
    play: PlayId
    reason: str


@dataclass(frozen=True, slots=True)
class TalkStarted:
    """The peer has begun to talk, 60 ms ago."""

    endpoint: EndpointId


@dataclass(frozen=True, slots=True)
class TalkStopped:
    """The peer has been quiet for half a second, or may not talk any more."""

    endpoint: EndpointId


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    endpoint: EndpointId
    recording: RecordingId
    path: str


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """`path` is the complete file. `reason` is "finished" or a sentence that says why it ended before its time."""

    endpoint: EndpointId
    recording: RecordingId
    path: str
    duration_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class SourceLearned:
    """RTP is now accepted from and sent to `source` (symmetric RTP)."""

    endpoint: EndpointId
    source: HostPort


@dataclass(frozen=True, slots=True)
class MediaSilent:
    """Nothing has arrived for `silent_s` seconds, longer than the stream may be silent; told again after that time."""

    endpoint: EndpointId
    silent_s: float


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What was measured at an endpoint since its creation: of the peer's stream, and (`remote_…`) of ours as the peer
    reports it (RFC 3550 §6.4, RFC 3611 §4.7); None is not known.

    `mos`: how the peer sounds by the E-model (ITU-T G.107), 1 to 4.4; `worst_mos` in the worst five seconds.
    `late`: packets that the jitter buffer could not wait for, `buffer_ms` its delay, where the sound is decoded here.
    `burst_loss_percent` within bursts, which last `burst_ms` on average, `gap_loss_percent` between them. `silent_s`:
    since its last packet. `intervals`: five seconds each, at most an hour, for `read_intervals`.
    """

    endpoint: EndpointId
    received: int = 0
    sent: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
    round_trip_ms: float | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    remote_lost: int | None = None
    remote_loss_percent: float | None = None
    remote_jitter_ms: float | None = None
    mos: float | None = None
    worst_mos: float | None = None
    remote_mos: float | None = None
    burst_ms: float = 0.0
    burst_loss_percent: float = 0.0
    gap_loss_percent: float = 0.0
    silent_s: float | None = None
    late: int | None = None
    buffer_ms: float | None = None
    buffer_most_ms: float | None = None
    intervals: bytes = b""


Reply = EndpointCreated | StreamReport | Done | Refused


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """A media worker died and these of its endpoints could not be brought back: they do not exist any more."""

    worker: int
    endpoints: tuple[EndpointId, ...]


MediaEvent = (
    DigitReceived
    | PlayEnded
    | RoomPlayEnded
    | TalkStarted
    | TalkStopped
    | RecordingStarted
    | RecordingEnded
    | SourceLearned
    | MediaSilent
    | StreamReport
    | EngineFailed
)
Listener = Callable[[MediaEvent], None]


@dataclass(frozen=True, slots=True)
class EngineReport:
    """`zvon status` of one engine: lateness of ticks in µs, drop reasons by name."""

    endpoints: int
    rooms: int
    packets_in: int
    packets_out: int
    dropped: Mapping[str, int]
    late_p50_us: float
    late_p99_us: float


class MediaEngine(Protocol):
    """One engine, embedded or behind a worker's socket. Four methods; everything else is data."""

    @property
    def codecs(self) -> tuple[str, ...]:
        """Encoding names that can be converted on this machine."""

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        """Carry out the commands in order, in one exchange; one reply each."""

    def submit(self, *commands: Command) -> None:
        """The same without waiting: for commands whose reply nobody needs. A refusal is logged and counted."""

    def listen(self, listener: Listener) -> None:
        """Events are given to `listener`, on the event loop's thread, in order."""

    async def describe(self) -> EngineReport: ...

    async def close(self) -> None: ...


def conversion(source: Path, target: Path) -> list[str]:
    """The command that makes an MP3 or Ogg Opus file, by the suffix of `target`, of a sound file, with the lowest
    priority. The target appears complete or not at all; what went wrong is the last line on standard error."""
    return [sys.executable, "-m", "media.record.convert", str(source), str(target)]


def taking(source: Path, target: Path) -> list[str]:
    """The command that makes a WAV file of the sound library of any sound file and prints its seconds; ends as
    `conversion` does."""
    return [sys.executable, "-m", "media.files.take", str(source), str(target)]


def measuring(files: Sequence[str]) -> list[str]:
    """The command that prints for each file, as a line of JSON, its seconds and why it cannot be played, or nothing."""
    return [sys.executable, "-m", "media.files.measure", *files]


def saying(language: str, target: Path) -> list[str]:
    """The command that makes a WAV file of the text on its standard input and prints its seconds; ends as
    `conversion` does."""
    return [sys.executable, "-m", "media.synthesis.say", language, str(target)]


def faxing() -> list[str]:
    """The command of a process that sends and receives faxes (`media/fax/process.py`)."""
    return [sys.executable, "-m", "media.fax.process"]


def pages(source: Path, target: Path) -> list[str]:
    """The command that makes a PDF of the pages of a fax; ends as `conversion` does."""
    return [sys.executable, "-m", "media.fax.pages", str(source), str(target)]


def recognition(models: Mapping[str, str]) -> list[str]:
    """The command of a process that finds phrases in recordings while they grow (`media/recognition/process.py`).
    `models`: folders of speech models by language."""
    return [sys.executable, "-m", "media.recognition.process", json.dumps(dict(models))]
