"""What plays to whom: sources become players of the engine thread, files by way of the loader's thread."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from media.api import (
    AdjustPlay,
    FileSource,
    MediaEvent,
    Play,
    PlayEnded,
    PlayId,
    Playlist,
    SharedSource,
    StopPlay,
    ToneSource,
)
from media.engine.shard import ShardThread
from media.engine.speaking import Broadcasts, adapt_speaker, nothing_can_be_played, release_speaker, sound_hz
from media.engine.streams import Refusal, Stream
from media.engine.tones import BadTone, compile_tone
from media.files.bad import BadSound
from media.files.sounds import Loaded, Sound, SoundCache, Wanted

STOPPED = "stopped"
MAX_GAIN_DB = 40.0
MAX_FILES = 1000
Files = FileSource | Playlist | SharedSource


@dataclass(slots=True)
class Loading:
    """A play whose files are being read for `rate`, and what was asked of it meanwhile."""

    command: Play
    rate: int
    paused: bool | None = None
    position_ms: int | None = None
    gain_db: float | None = None


class Plays:
    """`tell` takes events for call control and wakes whoever reads them."""

    def __init__(self, shard: ShardThread, sounds: SoundCache, tell: Callable[[MediaEvent], None]) -> None:
        self._shard, self._sounds, self._tell = shard, sounds, tell
        self._loaded: deque[tuple[Stream, Loading, Loaded]] = deque()  # from the loader's thread
        self._broadcasts = Broadcasts()
        self._problems: dict[tuple[int, PlayId], str] = {}  # of files that were left out, told at the end

    def play(self, stream: Stream, command: Play) -> None:
        """Begin, or tell why not; what played before is stopped."""
        self.forget_loading(stream)
        if stream.profile and stream.profile.spoken is None:
            self.end(stream, command.play, nothing_can_be_played(stream))
        elif isinstance(command.source, ToneSource):
            self._play_tone(stream, command, command.source)
        else:
            self._play_files(stream, command, command.source)

    def stop(self, stream: Stream, command: StopPlay) -> None:
        if stream.loading is not None and stream.loading.command.play == command.play:
            self.forget_loading(stream)
        else:
            self._shard.stop(stream.handle, command.play)

    def adjust(self, stream: Stream, command: AdjustPlay) -> None:
        """Change what plays, or what will when it has been read; raises `Refusal`."""
        if command.gain_db is not None:
            _check_gain(command.gain_db)
        if command.position_ms is not None and command.position_ms < 0:
            raise Refusal(f"A sound has no position {command.position_ms} ms.")
        loading = stream.loading
        if loading is not None and loading.command.play == command.play:
            for name in ("paused", "position_ms", "gain_db"):
                if (value := getattr(command, name)) is not None:
                    setattr(loading, name, value)
        else:
            self._adjust(stream, command.play, command)

    def start_loaded(self) -> None:
        """Begin what has been read meanwhile."""
        while self._loaded:
            self._start(*self._loaded.popleft())

    def forget_loading(self, stream: Stream) -> None:
        """What is still being read shall not be played any more."""
        if stream.loading is not None:
            self.end(stream, stream.loading.command.play, STOPPED)
            stream.loading = None

    def end(self, stream: Stream, play: PlayId, reason: str) -> None:
        stream.plays.discard(play)
        self._tell(PlayEnded(stream.endpoint, play, reason))

    def ended(self, stream: Stream, event: PlayEnded) -> PlayEnded:
        """The event as it is told: with what had to be left out."""
        stream.plays.discard(event.play)
        release_speaker(self._shard, stream)
        problem = self._problems.pop((stream.handle.serial, event.play), "")
        return PlayEnded(event.endpoint, event.play, problem) if problem and event.reason == "finished" else event

    # --- inside -------------------------------------------------------------------------------------------------------

    def _play_tone(self, stream: Stream, command: Play, source: ToneSource) -> None:
        try:
            steps = compile_tone(source)
        except BadTone as bad:
            self.end(stream, command.play, str(bad))
        else:
            self._speak(stream, command.play)
            self._shard.play_tones(stream.handle, command.play, steps, source.loop)

    def _play_files(self, stream: Stream, command: Play, source: Files) -> None:
        rate = sound_hz(stream, shared=isinstance(source, SharedSource))
        wanted = wanted_files(source, rate)
        loading = Loading(command, rate)
        found = self._sounds.find(wanted)
        if found is not None:
            self._begin(stream, loading, found)
            return
        stream.loading = loading
        stream.plays.add(command.play)
        self._sounds.load(wanted, partial(self._when_loaded, stream, loading))

    def _when_loaded(self, stream: Stream, loading: Loading, loaded: Loaded) -> None:
        """On the loader's thread: hand over to the control thread."""
        self._loaded.append((stream, loading, loaded))
        self._shard.nudge()

    def _start(self, stream: Stream, loading: Loading, loaded: Loaded) -> None:
        if stream.loading is not loading:
            return  # stopped or replaced meanwhile, and reported then
        stream.loading = None
        if isinstance(loaded, BadSound):
            self.end(stream, loading.command.play, str(loaded))
        else:
            self._begin(stream, loading, loaded)

    def _begin(self, stream: Stream, loading: Loading, sound: Sound) -> None:
        command, source = loading.command, loading.command.source
        assert not isinstance(source, ToneSource)
        if sound.problem:
            self._problems[stream.handle.serial, command.play] = sound.problem
        self._speak(stream, command.play)
        shared = isinstance(source, SharedSource)
        loop, gain, start_ms = how_to_play(source)
        rate = loading.rate
        broadcast = self._broadcasts.join(stream, sound, rate, gain) if shared else None
        self._shard.play_samples(
            stream.handle, command.play, sound, rate, loop, gain, start_ms * rate // 1000, shared, broadcast
        )
        self._adjust(stream, command.play, loading)

    def _speak(self, stream: Stream, play: PlayId) -> None:
        """The engine is about to need an encoder."""
        stream.plays.add(play)
        adapt_speaker(self._shard, stream)

    def _adjust(self, stream: Stream, play: PlayId, change: AdjustPlay | Loading) -> None:
        gain = None if change.gain_db is None else factor_of(change.gain_db)
        if (change.paused, change.position_ms, gain) != (None, None, None):
            self._shard.adjust(stream.handle, play, change.paused, change.position_ms, gain)


def how_to_play(source: Files) -> tuple[bool, float, int]:
    """Whether it begins again at its end, how loud, and where it begins. A file has its gain already."""
    loop, start_ms = (True, 0) if isinstance(source, SharedSource) else (source.loop, source.start_ms)
    return loop, factor_of(0.0 if isinstance(source, FileSource) else source.gain_db), start_ms


def wanted_files(source: Files, rate: int) -> Wanted:
    """The files to read; raises `Refusal`."""
    if isinstance(source, FileSource):
        files: tuple[tuple[str, float], ...] = ((source.path, source.gain_db),)
    elif isinstance(source, Playlist):
        files = tuple((each.path, each.gain_db) for each in source.files)
        _check_gain(source.gain_db)
    else:
        files = tuple((path, 0.0) for path in source.paths)
        _check_gain(source.gain_db)
    if not 1 <= len(files) <= MAX_FILES:
        raise Refusal(f"Between 1 and {MAX_FILES} files can be played one after the other, not {len(files)}.")
    for _, gain_db in files:
        _check_gain(gain_db)
    if not isinstance(source, SharedSource) and source.start_ms < 0:
        raise Refusal(f"A sound has no position {source.start_ms} ms.")
    return Wanted(files, rate)


def _check_gain(gain_db: float) -> None:
    if not math.isfinite(gain_db) or gain_db > MAX_GAIN_DB:
        raise Refusal(f"A gain of {gain_db:g} dB is not possible; {MAX_GAIN_DB:g} dB is the most.")


def factor_of(gain_db: float) -> float:
    return float(10 ** (gain_db / 20)) if gain_db else 1.0
