"""Members of rooms that are mixed: at which rate each one is mixed, and how what it sends is decoded."""

from frozen import dataclass
from media.codec.catalogue import Coding, coding_of
from media.engine.shard import ShardThread
from media.engine.speaking import NARROW_HZ, adapt_speaker, release_speaker, speaking_to
from media.engine.streams import Stream
from media.engine.voices import RoomBox, VoiceBox

FULL_HZ = 48000


@dataclass(frozen=True, slots=True)
class Voicing:
    """What the engine was told: the serial of the room, the rate of mixing, what is decoded and how."""

    room: int
    rate: int
    number: int
    coding: Coding | None


def hz_of(stream: Stream) -> int:
    """The highest rate of which the party can make use, as one who talks or hears."""
    heard = coding_of(stream.sent) if stream.sent is not None else None
    spoken = speaking_to(stream, FULL_HZ)
    return max(heard.rate if heard else NARROW_HZ, spoken.coding.rate if spoken else NARROW_HZ)


def adapt_voice(shard: ShardThread, stream: Stream, room: RoomBox, most: int, role: int) -> None:
    """Let the engine mix it at no more than `most` Hz; what neither speaks nor hears anything is left out."""
    stream.most_hz = most
    adapt_speaker(shard, stream)
    wanted = _voicing(stream, room, most)
    if wanted == stream.voicing:
        return
    stream.voicing = wanted
    shard.voice(stream.handle, VoiceBox(room, wanted.rate, wanted.coding, wanted.number, role) if wanted else None)


def drop_voice(shard: ShardThread, stream: Stream) -> None:
    """It is not mixed any more."""
    if stream.voicing is not None:
        stream.voicing = None
        shard.voice(stream.handle, None)
    release_speaker(shard, stream)


def _voicing(stream: Stream, room: RoomBox, most: int) -> Voicing | None:
    payload, speaking = stream.sent, stream.speaking
    coding = coding_of(payload, most) if payload is not None else None
    if coding is None and speaking is None:
        return None
    rate = speaking.coding.rate if speaking is not None else coding.rate if coding is not None else NARROW_HZ
    return Voicing(room.serial, rate, payload.number if payload is not None else 0, coding)
