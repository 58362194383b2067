"""Five seconds of one endpoint, as the engine records them."""

import struct

from frozen import dataclass

_RECORD = struct.Struct("=9H")  # `Interval` of media/engine/measures.pxd
_NOT_KNOWN = 0xFFFF
INTERVAL_S = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """`lost`, `jitter_ms`, `mos`: of what the peer sent; `remote_…`: of what it got, as it reports. None: not known."""

    received: int
    sent: int
    lost: int
    jitter_ms: float
    round_trip_ms: int | None
    mos: float | None
    remote_loss_percent: float | None
    remote_jitter_ms: float | None
    remote_mos: float | None


def read_intervals(data: bytes) -> tuple[Interval, ...]:
    """The records of a `StreamReport`, oldest first."""
    return tuple(_interval(*record) for record in _RECORD.iter_unpack(data))


def _interval(received: int, sent: int, lost: int, jitter: int, trip: int, mos: int, *remote: int) -> Interval:
    loss, remote_jitter, remote_mos = remote
    return Interval(
        received,
        sent,
        lost,
        jitter / 10,
        None if trip == _NOT_KNOWN else trip,
        _scaled(mos, 1000),
        _scaled(loss, 100),
        _scaled(remote_jitter, 10),
        _scaled(remote_mos, 1000),
    )


def _scaled(value: int, scale: int) -> float | None:
    return None if value == _NOT_KNOWN else value / scale
