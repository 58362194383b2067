"""Commands become records for the engine thread, its events become `media.api` events.

Synchronous, one thread: that of an event loop (embedded) or of a media worker. Everything is checked here, so the
engine thread never has to refuse.
"""

import errno
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from media.api import (
    WHOLE_ROOM,
    AdjustPlay,
    Command,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Done,
    EndpointCreated,
    EndpointId,
    EngineReport,
    HostPort,
    JoinRoom,
    LeaveRoom,
    MeasureEndpoint,
    MediaEvent,
    Passes,
    PassOn,
    PauseRecording,
    Play,
    PlayEnded,
    PlayToRoom,
    RecordingEnded,
    RecordRoom,
    Refused,
    Reply,
    SendDigits,
    SetEcho,
    SetGain,
    StartRecording,
    StopPlay,
    StopPlayToRoom,
    StopRecording,
    StreamSpec,
)
from media.config import EngineConfig
from media.engine.announcements import Announcements
from media.engine.clock import late_percentile_us
from media.engine.handshakes import Handshakes
from media.engine.hearing import DIALLED, Dialling, adapt_ear
from media.engine.notices import Notices, report_of
from media.engine.plays import Plays
from media.engine.reasons import NAMES
from media.engine.recordings import Recordings, endpoints_of
from media.engine.rooms import Rooms
from media.engine.shard import Handle, ShardThread
from media.engine.speaking import adapt_speaker
from media.engine.strategy import Profile, passed_table
from media.engine.streams import (
    Refusal,
    Stream,
    check_address,
    check_digits,
    check_spec,
    flags,
    is_other_sound,
    permitted,
    rtcp_target,
    takes,
)
from media.files.sounds import SoundCache
from media.rtp.ports import PortQueue

DONE = Done()
PASSES = tuple(Passes)  # as the engine thread counts them


class Control:
    """One engine: `apply` commands, read `events` when `fileno` is readable, `close` it in the end."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._shard = ShardThread(config.idle_s, config.dscp)
        self._handshakes = Handshakes(self._shard)
        self._sounds = SoundCache()
        self._plays = Plays(self._shard, self._sounds, self._tell)
        self._dialling = Dialling(self._shard)
        self._rooms = Rooms(self._shard)
        self._announcements = Announcements(self._shard, self._rooms, self._sounds, self._tell)
        self._recordings = Recordings(self._shard, self._rooms, self._tell)
        self._streams: dict[EndpointId, Stream] = {}
        self._ports: dict[str, PortQueue] = {}
        self._notices = Notices(
            self._give_back_port, self._play_ended, self._handshakes.receive, self._sends, self._announcements.ended
        )
        self._own_events: deque[MediaEvent] = deque()

    def apply(self, commands: Iterable[Command]) -> list[Reply]:
        """Carry out in order."""
        return [self._apply_one(command) for command in commands]

    def fileno(self) -> int:
        return self._shard.fileno()

    def events(self) -> list[MediaEvent]:
        """Everything that has happened since the last time, in order."""
        drained = self._shard.drain()
        self._plays.start_loaded()
        self._announcements.start_loaded()
        own = [self._own_events.popleft() for _ in range(len(self._own_events))]
        for over in own:
            if isinstance(over, RecordingEnded):
                self._recordings.ended(over)
        return own + [event for notice in drained if (event := self._notices.event(notice)) is not None]

    @property
    def deadline(self) -> float | None:
        """When `expire` is due, on the monotonic clock; None: nothing waits for time to pass."""
        return self._handshakes.deadline

    def expire(self) -> None:
        """What is due has not happened."""
        self._handshakes.expire()

    def report(self) -> EngineReport:
        packets_in, packets_out, dropped, late = self._shard.counters()
        return EngineReport(
            endpoints=len(self._streams),
            rooms=len(self._rooms),
            packets_in=packets_in,
            packets_out=packets_out,
            dropped={name: count for name, count in zip(NAMES, dropped, strict=True) if count},
            late_p50_us=late_percentile_us(late, 50),
            late_p99_us=late_percentile_us(late, 99),
        )

    def close(self) -> None:
        """Stop the engine and close every socket; nothing is reported any more."""
        self._sounds.close()
        self._shard.close()
        self._recordings.close()
        self._streams.clear()

    def _apply_one(self, command: Command) -> Reply:
        if self._shard.overloaded:
            return Refused("The media engine is overloaded.")
        try:
            return HANDLERS[type(command)](self, command)
        except Refusal as refusal:
            return Refused(str(refusal))

    def _stream(self, endpoint: EndpointId) -> Stream:
        try:
            return self._streams[endpoint]
        except KeyError:
            raise Refusal(f"There is no endpoint {endpoint}.") from None

    # --- endpoints --------------------------------------------------------------------------------------------------

    def _create(self, command: CreateEndpoint) -> Reply:
        if command.endpoint in self._streams:
            raise Refusal(f"Endpoint {command.endpoint} exists already.")
        check_address(command.host)
        profile = check_spec(command.spec, command.host, command.passes) if command.spec else None
        beside = self._streams.get(command.beside)
        opener = partial(
            self._shard.open,
            demux=command.handshake,
            passes=PASSES.index(command.passes),
            beside=beside.handle if beside is not None else None,
        )
        handle = self._open(command.host, command.port, opener)
        stream = Stream(command.endpoint, command.host, handle, passes=command.passes)
        self._streams[command.endpoint] = stream
        self._notices.streams[handle.serial] = stream
        fingerprint = self._handshakes.add(stream) if command.handshake else ""
        if command.spec and profile:
            self._apply_spec(stream, command.spec, profile)
        rtp = HostPort(command.host, handle.port)
        return EndpointCreated(command.endpoint, rtp, handle.port + 1, handle.ssrc, fingerprint=fingerprint)

    def _open(self, host: str, wanted: int, opener: Callable[[str, int], Handle]) -> Handle:
        """The first pair of the queue that nobody else has, or the one that is wanted."""
        queue = self._ports.get(host)
        if queue is None:
            queue = self._ports[host] = PortQueue(
                self._config.first_port, self._config.last_port, self._config.quarantine_s
            )
        now = time.monotonic()
        if wanted and not queue.claim(wanted):
            raise Refusal(f"RTP port {wanted} of {host} is in use or not of our range.")
        while (port := wanted or queue.take(now)) is not None:
            try:
                return opener(host, port)
            except OSError as error:
                queue.give_back(port, now)
                if wanted or error.errno != errno.EADDRINUSE:
                    raise Refusal(_open_failed(host, port, error)) from error
        raise Refusal(
            f"No RTP ports are free on {host} between {self._config.first_port} and {self._config.last_port}."
        )

    def _give_back_port(self, stream: Stream) -> None:
        self._ports[stream.host].give_back(stream.handle.port, time.monotonic())

    def _configure(self, command: ConfigureEndpoint) -> Reply:
        stream = self._stream(command.endpoint)
        self._apply_spec(stream, command.spec, check_spec(command.spec, stream.host, stream.passes))
        return DONE

    def _apply_spec(self, stream: Stream, spec: StreamSpec, profile: Profile) -> None:
        self._handshakes.check(stream, spec)
        before, was = stream.profile, stream.spec
        stream.spec, stream.profile = spec, profile
        if spec.crypto:
            stream.keys.apply(self._shard, stream.handle, spec.crypto)
        if stream.plays or stream.voicing is not None:
            adapt_speaker(self._shard, stream)
        self._shard.configure(
            stream.handle,
            profile.table,
            (spec.remote.host, spec.remote.port),
            rtcp_target(spec),
            permitted(spec.remote.host, spec.sources),
            flags(spec),
            spec.ptime_ms,
            spec.silence_s,
            takes(spec),
        )
        self._handshakes.configure(stream, spec)
        adapt_ear(self._shard, stream)
        if before is not profile or was is None or is_other_sound(was, spec):
            self._rooms.configured(stream)
        if before is not profile:
            self._link_partner(stream)
            self._recordings.configured(stream)

    def _sends(self, stream: Stream, number: int) -> None:
        """The peer has begun to send audio of another payload type."""
        if not stream.is_gone:
            stream.sends = number
            adapt_ear(self._shard, stream)
            self._rooms.configured(stream)

    def _play_ended(self, stream: Stream, event: PlayEnded) -> PlayEnded | None:
        if event.play != DIALLED:
            return self._plays.ended(stream, event)
        self._dialling.ended(stream, is_finished=event.reason == "finished")
        return None

    def _pass_on(self, command: PassOn) -> Reply:
        stream, other = self._stream(command.endpoint), self._stream(command.other)
        if stream.passes is not other.passes or stream.passes is Passes.NOTHING or stream is other:
            raise Refusal(f"Endpoints {command.endpoint} and {command.other} cannot be passed on to each other.")
        for each in (stream, other):
            self._part(each)
        stream.partner, other.partner = other, stream
        self._link_partner(stream)
        return DONE

    def _link_partner(self, stream: Stream) -> None:
        """Choose how payload types go over, once both know what they speak."""
        other = stream.partner
        if other is not None and stream.profile and other.profile:
            there, back = passed_table(stream.profile, other.profile), passed_table(other.profile, stream.profile)
            self._shard.link(stream.handle, other.handle, there, back)

    def _part(self, stream: Stream) -> None:
        if stream.partner is not None:
            stream.partner.partner = None
            stream.partner = None
            self._shard.unlink(stream.handle)

    def _measure(self, command: MeasureEndpoint) -> Reply:
        stream = self._stream(command.endpoint)
        return report_of(stream, self._shard.measure(stream.handle, command.intervals))

    def _destroy(self, command: DestroyEndpoint) -> Reply:
        stream = self._stream(command.endpoint)
        self._rooms.leave(stream)
        self._part(stream)
        self._plays.forget_loading(stream)
        self._recordings.gone(stream)
        stream.is_gone = True
        del self._streams[command.endpoint]
        self._handshakes.remove(stream)
        self._shard.remove(stream.handle)
        return DONE

    # --- rooms ------------------------------------------------------------------------------------------------------

    def _join(self, command: JoinRoom) -> Reply:
        self._rooms.join(self._stream(command.endpoint), command)
        return DONE

    def _leave(self, command: LeaveRoom) -> Reply:
        self._rooms.leave(self._stream(command.endpoint))
        return DONE

    def _gain(self, command: SetGain) -> Reply:
        self._rooms.set_gain(command)
        return DONE

    def _play_to_room(self, command: PlayToRoom) -> Reply:
        self._announcements.play(command)
        return DONE

    def _stop_in_room(self, command: StopPlayToRoom) -> Reply:
        self._announcements.stop(command)
        return DONE

    # --- sound ------------------------------------------------------------------------------------------------------

    def _echo(self, command: SetEcho) -> Reply:
        self._shard.echo(self._stream(command.endpoint).handle, command.on)
        return DONE

    def _play(self, command: Play) -> Reply:
        self._plays.play(self._stream(command.endpoint), command)
        return DONE

    def _stop(self, command: StopPlay) -> Reply:
        self._plays.stop(self._stream(command.endpoint), command)
        return DONE

    def _adjust(self, command: AdjustPlay) -> Reply:
        self._plays.adjust(self._stream(command.endpoint), command)
        return DONE

    def _start_recording(self, command: StartRecording) -> Reply:
        self._recordings.start(command, [self._stream(endpoint) for endpoint in endpoints_of(command)])
        return DONE

    def _record_room(self, command: RecordRoom) -> Reply:
        self._recordings.start_room(command)
        return DONE

    def _pause_recording(self, command: PauseRecording) -> Reply:
        if command.endpoint != WHOLE_ROOM:
            self._stream(command.endpoint)
        self._recordings.pause(command)
        return DONE

    def _stop_recording(self, command: StopRecording) -> Reply:
        self._recordings.stop(command)
        return DONE

    def _tell(self, event: MediaEvent) -> None:
        self._own_events.append(event)
        self._shard.nudge()

    def _digits(self, command: SendDigits) -> Reply:
        stream = self._stream(command.endpoint)
        events = check_digits(command, stream.digits_waiting)
        if stream.spec is not None and stream.spec.tones:
            self._dialling.press(stream, events, command.duration_ms, command.gap_ms)
            return DONE
        if stream.profile is None or stream.profile.event is None:
            raise Refusal(f"Endpoint {command.endpoint} has not negotiated telephone-event, so no digits can be sent.")
        stream.digits_waiting += len(events)
        self._shard.digits(stream.handle, events, command.duration_ms, command.gap_ms)
        return DONE


HANDLERS: dict[type, Callable[[Control, Any], Reply]] = {
    CreateEndpoint: Control._create,
    ConfigureEndpoint: Control._configure,
    MeasureEndpoint: Control._measure,
    DestroyEndpoint: Control._destroy,
    PassOn: Control._pass_on,
    JoinRoom: Control._join,
    LeaveRoom: Control._leave,
    SetGain: Control._gain,
    PlayToRoom: Control._play_to_room,
    StopPlayToRoom: Control._stop_in_room,
    SetEcho: Control._echo,
    Play: Control._play,
    StopPlay: Control._stop,
    AdjustPlay: Control._adjust,
    StartRecording: Control._start_recording,
    RecordRoom: Control._record_room,
    PauseRecording: Control._pause_recording,
    StopRecording: Control._stop_recording,
    SendDigits: Control._digits,
}


def _open_failed(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "Too many files are open: raise the limit of open files (ulimit -n) to carry more calls."
    return f"Port {port} of {host} cannot be opened: {error.strerror}."
