from typing import TypeAlias

Octets: TypeAlias = bytes | bytearray | memoryview

class Stream:
    """One received stream for Python: tests and measurements. The engine uses the struct.

    Raises ValueError for what cannot be opened. PCM is mono, 16 bits, native order, at `rate`.
    """

    def __init__(self, name: str, rate: int) -> None: ...
    def reset(self) -> None:
        """Another source: what waits is forgotten, the next packet is the first."""

    def put(
        self,
        sequence: int,
        timestamp: int,
        payload: Octets,
        arrival_ns: int,
        *,
        marker: bool = ...,
        comfort_noise: bool = ...,
    ) -> str:
        """What became of the packet: taken, late, duplicate or undecodable."""

    def pull(self, samples: int, now_ns: int) -> tuple[bytes, str]:
        """Exactly so many samples, and what they are: voice, concealed or silent."""

    def counters(self) -> dict[str, int]: ...
