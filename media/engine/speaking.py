"""How endpoints are spoken to: which of the negotiated encodings the engine uses, and the encoders that do it."""

from weakref import WeakValueDictionary

from frozen import dataclass
from media.api import Payload
from media.codec.catalogue import Coding, coding_of, packet_ms
from media.engine.shard import ShardThread
from media.engine.speakers import BroadcastBox, SpeakerBox
from media.engine.streams import PLAYED_HZ, Stream
from media.files.sounds import Sound

NARROW_HZ = 8000
SHARED_HZ = 24000  # music is encoded once for all of its listeners


@dataclass(frozen=True, slots=True)
class Speaking:
    """One way to speak to an endpoint."""

    payload: Payload
    coding: Coding
    packet_ms: int


def speaking_to(stream: Stream, most: int) -> Speaking | None:
    """The way to speak to it, at no more than `most` Hz; None while that is unknown, or when there is none."""
    payload = stream.profile.spoken if stream.profile else None
    coding = coding_of(payload, most) if payload else None
    if payload is None or coding is None or stream.spec is None:
        return None
    return Speaking(payload, coding, packet_ms(payload, stream.spec.ptime_ms))


def adapt_speaker(shard: ShardThread, stream: Stream) -> None:
    """Let the engine have the encoder that suits what was negotiated."""
    wanted = speaking_to(stream, stream.most_hz)
    if wanted != stream.speaking:
        stream.speaking = wanted
        box = SpeakerBox(wanted.coding, wanted.payload.number, wanted.packet_ms) if wanted else None
        shard.speak(stream.handle, box)


def release_speaker(shard: ShardThread, stream: Stream) -> None:
    """A play has ended, or the room is not mixed any more: the encoder is needed for what is left, or not at all."""
    if stream.is_gone or stream.voicing is not None:
        return
    stream.most_hz = PLAYED_HZ
    if stream.plays:
        adapt_speaker(shard, stream)
    elif stream.speaking is not None:
        stream.speaking = None
        shard.speak(stream.handle, None)


def sound_hz(stream: Stream, *, shared: bool) -> int:
    """The rate at which a sound for the endpoint is wanted."""
    most = SHARED_HZ if shared else PLAYED_HZ
    speaking = speaking_to(stream, most)
    return min(most, speaking.coding.rate) if speaking else NARROW_HZ


def nothing_can_be_played(stream: Stream) -> str:
    return f"Nothing can be played in {stream.codec}: it cannot be encoded here."


class Broadcasts:
    """Encoders of shared sources, as long as somebody hears them."""

    def __init__(self) -> None:
        self._boxes: WeakValueDictionary[tuple[int, Coding, int, float], BroadcastBox] = WeakValueDictionary()

    def join(self, stream: Stream, sound: Sound, rate: int, gain: float) -> BroadcastBox | None:
        """The encoder of a sound that is made once for the endpoint and all others who are spoken to alike."""
        speaking = speaking_to(stream, SHARED_HZ)
        if speaking is None:
            return None
        key = id(sound), speaking.coding, speaking.packet_ms, gain
        box = self._boxes.get(key)
        if box is None:
            box = self._boxes[key] = BroadcastBox(sound, rate, gain, speaking.coding, speaking.packet_ms)
        return box
