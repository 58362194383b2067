"""Who is in which room, and how its members hear each other: relayed, mixed, or not at all.

The choice is made again whenever somebody comes or goes, speaks another codec, or is to be heard otherwise. Numbering
and timestamps of what each party gets go on over every change.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import nlargest

from media.api import EndpointId, JoinRoom, PlayId, RecordingId, RoomId, SetGain
from media.engine.shard import ShardThread
from media.engine.speaking import NARROW_HZ
from media.engine.strategy import Side, goes_over, route_table
from media.engine.streams import PLAYED_HZ, Refusal, Stream
from media.engine.voices import RoomBox
from media.engine.voicing import adapt_voice, drop_voice, hz_of

TALKS, HEARS, TELLS = 1, 2, 4
EQUAL = TALKS | HEARS
MOST_DB = 20.0


@dataclass(slots=True, eq=False)
class Member:
    """`hz` is the highest rate of which it can make use."""

    stream: Stream
    role: int
    hz: int = NARROW_HZ


@dataclass(slots=True, eq=False)
class Room:
    """`box` is there while it is mixed, at no more than `most_hz`. `gains` by source and sink, as factors."""

    number: RoomId
    members: dict[EndpointId, Member] = field(default_factory=dict)
    gains: dict[tuple[EndpointId, EndpointId], float] = field(default_factory=dict)
    plays: set[PlayId] = field(default_factory=set)
    recordings: set[RecordingId] = field(default_factory=set)
    box: RoomBox | None = None
    most_hz: int = NARROW_HZ

    @property
    def played_hz(self) -> int:
        """The rate of what is played to all of them."""
        return min(PLAYED_HZ, max((member.hz for member in self.members.values()), default=NARROW_HZ))


class Rooms:
    """By number; a room is there while it has members. Who is in `before_gone` is told when the last one has left."""

    def __init__(self, shard: ShardThread) -> None:
        self._shard = shard
        self._rooms: dict[RoomId, Room] = {}
        self.before_gone: list[Callable[[Room], None]] = []

    def __len__(self) -> int:
        return len(self._rooms)

    def find(self, number: RoomId) -> Room:
        """Raises `Refusal`."""
        try:
            return self._rooms[number]
        except KeyError:
            raise Refusal(f"There is no room {number}.") from None

    def join(self, stream: Stream, command: JoinRoom) -> None:
        role = (TALKS if command.talks else 0) | (HEARS if command.hears else 0) | (TELLS if command.tells else 0)
        if stream.room == command.room:
            self._set_role(self._rooms[command.room], stream, role)
            return
        self.leave(stream)
        room = self._rooms.setdefault(command.room, Room(command.room))
        room.members[stream.endpoint] = Member(stream, role, hz_of(stream))
        stream.room = command.room
        self.adapt(room, stream)

    def leave(self, stream: Stream) -> None:
        if stream.room is None:
            return
        room = self._rooms[stream.room]
        stream.room = None
        del room.members[stream.endpoint]
        for pair in [pair for pair in room.gains if stream.endpoint in pair]:
            del room.gains[pair]
        if room.box is None:
            self._shard.unlink(stream.handle)
        drop_voice(self._shard, stream)
        if room.members:
            self.adapt(room)
        else:
            del self._rooms[room.number]
            for tell in self.before_gone:
                tell(room)
            self._close(room)

    def configured(self, stream: Stream) -> None:
        """It speaks otherwise from now on, or its peer does."""
        if stream.room is not None:
            room = self._rooms[stream.room]
            room.members[stream.endpoint].hz = hz_of(stream)
            self.adapt(room, stream)

    def set_gain(self, command: SetGain) -> None:
        room, gain_db = self.find(command.room), command.gain_db
        for endpoint in (command.source, command.sink):
            if endpoint not in room.members:
                raise Refusal(f"Endpoint {endpoint} is not in room {command.room}.")
        if math.isnan(gain_db) or gain_db > MOST_DB or command.source == command.sink:
            raise Refusal(f"Endpoint {command.sink} cannot hear endpoint {command.source} at {gain_db:g} dB.")
        pair, gain = (command.source, command.sink), 10 ** (gain_db / 20)
        if gain_db == 0:
            room.gains.pop(pair, None)
        else:
            room.gains[pair] = gain
        if room.box is not None:
            self._gain(room, pair, gain)
        self.adapt(room)

    # --- relayed or mixed -------------------------------------------------------------------------------------------

    def adapt(self, room: Room, *changed: Stream) -> None:
        """Choose again how the members hear each other; `changed`: those who came, or speak otherwise."""
        if self._is_mixed(room):
            self._mix(room, changed)
        else:
            self._close(room)
            self._link(room)

    def _is_mixed(self, room: Room) -> bool:
        members = list(room.members.values())
        if len(members) > 2 or room.plays or room.recordings:
            return True
        if len(members) < 2 or any(member.stream.profile is None for member in members):
            return False
        if room.gains or any(member.role != EQUAL for member in members):
            return True
        one, other = (_side(member.stream) for member in members)
        return not (goes_over(one, other) and goes_over(other, one))

    def _mix(self, room: Room, changed: Sequence[Stream]) -> None:
        box, most_hz = room.box, _second(room)
        if box is None or most_hz != room.most_hz:
            changed = [member.stream for member in room.members.values()]
        room.most_hz = most_hz
        if box is None:
            box = room.box = self._shard.open_room()
            for stream in changed:
                self._shard.unlink(stream.handle)
        for stream in changed:
            if stream.profile is not None:
                adapt_voice(self._shard, stream, box, most_hz, room.members[stream.endpoint].role)
        fresh = {stream.endpoint for stream in changed}
        for pair, gain in room.gains.items():
            if fresh.intersection(pair):
                self._gain(room, pair, gain)

    def _gain(self, room: Room, pair: tuple[EndpointId, EndpointId], gain: float) -> None:
        source, sink = (room.members[endpoint].stream for endpoint in pair)
        self._shard.gain(source.handle, sink.handle, gain)

    def _close(self, room: Room) -> None:
        """It is not mixed any more."""
        if room.box is not None:
            for member in room.members.values():
                drop_voice(self._shard, member.stream)
            self._shard.close_room(room.box)
            room.box = None

    def _link(self, room: Room) -> None:
        """Two whose packets go over as they come."""
        if len(room.members) != 2:
            return
        first, second = (member.stream for member in room.members.values())
        if first.profile and second.profile:
            there = route_table(first.profile, second.profile)
            back = route_table(second.profile, first.profile)
            self._shard.link(first.handle, second.handle, there, back)

    def _set_role(self, room: Room, stream: Stream, role: int) -> None:
        member = room.members[stream.endpoint]
        if member.role == role:
            return
        member.role = role
        if stream.voicing is not None:
            self._shard.role(stream.handle, role)
        self.adapt(room)


def _side(stream: Stream) -> Side:
    assert stream.profile is not None
    assert stream.spec is not None
    spec = stream.spec
    return Side(stream.profile, stream.sent, spec.ptime_ms, spec.tones, spec.keeps_digits)


def _second(room: Room) -> int:
    """What one member alone could make use of, nobody else says or hears."""
    return nlargest(2, (member.hz for member in room.members.values()))[-1]
