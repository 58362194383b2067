from typing import TypeAlias

Octets: TypeAlias = bytes | bytearray | memoryview

class Queue:
    """Packets for Python: tests. The engine uses the struct. Times are in samples."""

    def __init__(self, rate: int, clock_rate: int, store_size: int = ...) -> None: ...
    def put(self, sequence: int, timestamp: int, payload: Octets, comfort_noise: bool, now: int) -> tuple[str, int]:
        """What became of it, and its time if it was taken or is late."""

    def take(self) -> tuple[int, int, bytes, int] | None:
        """(sequence, time, payload, how many before it never came) of the first; None when none waits."""

    def counters(self) -> dict[str, int]: ...
