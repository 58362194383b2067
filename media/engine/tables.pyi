from collections.abc import Iterable, Sequence

class PayloadTable:
    def __init__(
        self,
        entries: Sequence[tuple[int, int, int]],
        audio_type: int,
        event_type: int,
        event_rate: int,
        idle: tuple[int, int],
        impairment: tuple[float, float],
    ) -> None: ...

class RouteTable:
    def __init__(self, routes: Iterable[tuple[int, int, int]]) -> None: ...
