from media.codec.catalogue import Coding

class RoomBox:
    """A room that is mixed."""

    def __init__(self, serial: int) -> None: ...
    @property
    def serial(self) -> int: ...

class VoiceBox:
    """A member of `room` that is mixed at `rate`. What it sends as payload type `number` is decoded as `coding`; None:
    nothing that it sends can be. `role`: 1 talks, 2 hears, 4 whether it talks is told."""

    def __init__(self, room: RoomBox, rate: int, coding: Coding | None, number: int, role: int) -> None: ...

class EarBox:
    """Hears the digits in what a party sends as payload type `number`, decoded as `coding`."""

    def __init__(self, coding: Coding, number: int) -> None: ...
