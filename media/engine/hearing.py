"""Whose digits are tones in the audio (`StreamSpec.tones`): what the engine listens to, and the tones that it makes."""

import numpy as np

from frozen import dataclass
from media.codec.catalogue import Coding, coding_of
from media.dsp.dtmf import tone
from media.engine.shard import ShardThread
from media.engine.speaking import NARROW_HZ, adapt_speaker, nothing_can_be_played, release_speaker
from media.engine.streams import Refusal, Stream
from media.engine.voices import EarBox
from media.files.decode import Samples
from media.files.sounds import Sound

DIALLED = 1 << 62  # the play of our tones, no number of anybody else's


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the engine was told: the payload type, and how it is decoded."""

    number: int
    coding: Coding


def adapt_ear(shard: ShardThread, stream: Stream) -> None:
    """Let the engine listen to what the party sends, where its digits are tones."""
    wanted = _hearing(stream)
    if wanted != stream.hearing:
        stream.hearing = wanted
        shard.hear(stream.handle, EarBox(wanted.coding, wanted.number) if wanted else None)


def _hearing(stream: Stream) -> Hearing | None:
    payload = stream.sent if stream.spec is not None and stream.spec.tones else None
    coding = coding_of(payload, NARROW_HZ) if payload is not None else None
    return Hearing(payload.number, coding) if payload is not None and coding is not None else None


class Dialling:
    """Digits for parties that take them as tones: played to them, those of later commands after those before."""

    def __init__(self, shard: ShardThread) -> None:
        self._shard = shard

    def press(self, stream: Stream, events: bytes, duration_ms: int, gap_ms: int) -> None:
        """What plays now ends. Raises `Refusal`."""
        if stream.profile is not None and stream.profile.spoken is None:
            raise Refusal(nothing_can_be_played(stream))
        stream.digits_waiting += len(events)
        stream.dialled.append((events, duration_ms, gap_ms))
        if len(stream.dialled) == 1:
            self._next(stream)

    def ended(self, stream: Stream, *, is_finished: bool) -> None:
        """The tones have been played, or something else plays instead of the rest."""
        over = 1 if is_finished else len(stream.dialled)
        for _ in range(over):
            stream.digits_waiting -= len(stream.dialled.popleft()[0])
        if stream.dialled and not stream.is_gone:
            self._next(stream)
            return
        stream.plays.discard(DIALLED)
        release_speaker(self._shard, stream)

    def _next(self, stream: Stream) -> None:
        stream.plays.add(DIALLED)
        adapt_speaker(self._shard, stream)
        sound = Sound(pressed(*stream.dialled[0]))
        self._shard.play_samples(stream.handle, DIALLED, sound, NARROW_HZ, False)


def pressed(events: bytes, duration_ms: int, gap_ms: int) -> Samples:
    """The tones of the events, each with its gap behind it."""
    count = duration_ms * NARROW_HZ // 1000
    gap: Samples = np.zeros(gap_ms * NARROW_HZ // 1000, np.int16)
    tones = [np.frombuffer(tone(event, NARROW_HZ, count, count), np.int16) for event in events]
    return np.concatenate([part for each in tones for part in (each, gap)])
