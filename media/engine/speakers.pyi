from media.codec.catalogue import Coding
from media.files.sounds import Sound

class SpeakerBox:
    """How one endpoint is spoken to: `coding` in packets of `packet_ms`, as payload type `number`."""

    def __init__(self, coding: Coding, number: int, packet_ms: int) -> None: ...

class BroadcastBox:
    """A sound at `rate` in one codec, encoded once for all who hear it; `gain` is a factor."""

    def __init__(self, sound: Sound, rate: int, gain: float, coding: Coding, packet_ms: int) -> None: ...
