"""What plays to whole rooms: a voice more among those who talk, heard by everybody."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from media.api import MediaEvent, PlayId, PlayToRoom, RoomId, RoomPlayEnded, StopPlayToRoom, ToneSource
from media.engine.plays import STOPPED, how_to_play, wanted_files
from media.engine.rooms import Room, Rooms
from media.engine.shard import ShardThread
from media.engine.tones import BadTone, compile_tone
from media.engine.voices import RoomBox
from media.files.bad import BadSound
from media.files.sounds import Loaded, Sound, SoundCache


@dataclass(frozen=True, slots=True, eq=False)
class Loading:
    """One whose files are being read."""

    command: PlayToRoom
    rate: int


class Announcements:
    """`tell` takes events for call control and wakes whoever reads them."""

    def __init__(
        self, shard: ShardThread, rooms: Rooms, sounds: SoundCache, tell: Callable[[MediaEvent], None]
    ) -> None:
        self._shard, self._rooms, self._sounds, self._tell = shard, rooms, sounds, tell
        self._loading: dict[RoomId, Loading] = {}
        self._loaded: deque[tuple[Loading, Loaded]] = deque()  # from the loader's thread
        self._heard: dict[tuple[int, PlayId], tuple[Room, str]] = {}  # by serial of the room; what was left out
        rooms.before_gone.append(self._gone)

    def play(self, command: PlayToRoom) -> None:
        """Begin, or tell why not; raises `Refusal`."""
        room, source = self._rooms.find(command.room), command.source
        if isinstance(source, ToneSource):
            self._play_tone(room, command, source)
            return
        loading = Loading(command, room.played_hz)
        wanted = wanted_files(source, loading.rate)
        self._forget_loading(command.room)
        found = self._sounds.find(wanted)
        if found is not None:
            self._begin(room, loading, found)
            return
        self._loading[command.room] = loading
        self._sounds.load(wanted, partial(self._when_loaded, loading))

    def stop(self, command: StopPlayToRoom) -> None:
        """Raises `Refusal`."""
        room, loading = self._rooms.find(command.room), self._loading.get(command.room)
        if loading is not None and loading.command.play == command.play:
            self._forget_loading(command.room)
        elif room.box is not None:
            self._shard.stop_in_room(room.box, command.play)

    def start_loaded(self) -> None:
        """Begin what has been read meanwhile."""
        while self._loaded:
            loading, loaded = self._loaded.popleft()
            number = loading.command.room
            if self._loading.get(number) is not loading:
                continue  # stopped or replaced meanwhile, and told then
            del self._loading[number]
            if isinstance(loaded, BadSound):
                self._tell(RoomPlayEnded(number, loading.command.play, str(loaded)))
            else:
                self._begin(self._rooms.find(number), loading, loaded)

    def ended(self, serial: int, play: PlayId, reason: str) -> RoomPlayEnded:
        """What the engine says, as it is told."""
        room, problem = self._heard.pop((serial, play))
        room.plays.discard(play)
        if room.members:
            self._rooms.adapt(room)
        return RoomPlayEnded(room.number, play, problem if problem and reason == "finished" else reason)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _play_tone(self, room: Room, command: PlayToRoom, source: ToneSource) -> None:
        self._forget_loading(room.number)
        try:
            steps = compile_tone(source)
        except BadTone as bad:
            self._tell(RoomPlayEnded(room.number, command.play, str(bad)))
            return
        self._shard.play_tones_to_room(self._enter(room, command.play, ""), command.play, steps, source.loop)

    def _begin(self, room: Room, loading: Loading, sound: Sound) -> None:
        play, source = loading.command.play, loading.command.source
        assert not isinstance(source, ToneSource)
        loop, gain, start_ms = how_to_play(source)
        box = self._enter(room, play, sound.problem)
        self._shard.play_samples_to_room(box, play, sound, loading.rate, loop, gain, start_ms * loading.rate // 1000)

    def _enter(self, room: Room, play: PlayId, problem: str) -> RoomBox:
        """From now on the room is mixed."""
        room.plays.add(play)
        self._rooms.adapt(room)
        assert room.box is not None
        self._heard[room.box.serial, play] = room, problem
        return room.box

    def _when_loaded(self, loading: Loading, loaded: Loaded) -> None:
        """On the loader's thread: hand over to the control thread."""
        self._loaded.append((loading, loaded))
        self._shard.nudge()

    def _forget_loading(self, room: RoomId) -> None:
        loading = self._loading.pop(room, None)
        if loading is not None:
            self._tell(RoomPlayEnded(room, loading.command.play, STOPPED))

    def _gone(self, room: Room) -> None:
        self._forget_loading(room.number)
