"""What the media engine measured on a leg: the figures of call history, also while the call goes on."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from frozen import dataclass
from media.api import MeasureEndpoint, MediaEngine, StreamReport

if TYPE_CHECKING:
    from pbx.leg import Leg


@dataclass(frozen=True, slots=True)
class Measured:
    """`quality` by name with its unit; `intervals`: the same for each five seconds (`media.api.read_intervals`);
    `audio_from`: where the party's audio came from."""

    quality: dict[str, float] = field(default_factory=dict)
    intervals: bytes = b""
    audio_from: str = ""


def quality_of(*reports: StreamReport) -> dict[str, float]:
    """The figures of a leg: its last report, before it those of endpoints that it had earlier. Names without `remote_`
    speak of what its party sent, the others of what it got, as it reports. What is not known is left out."""
    report = reports[0] if len(reports) == 1 else _joined(reports)
    found = {
        "received": float(report.received),
        "sent": float(report.sent),
        "lost": float(report.lost),
        "jitter_ms": report.jitter_ms,
        "burst_ms": report.burst_ms,
        "burst_loss_percent": report.burst_loss_percent,
    }
    known = (
        ("round_trip_ms", report.round_trip_ms),
        ("silent_s", report.silent_s),
        ("late", report.late),
        ("buffer_ms", report.buffer_ms),
        ("buffer_most_ms", report.buffer_most_ms),
        ("mos", report.mos),
        ("worst_mos", report.worst_mos),
        ("remote_lost", report.remote_lost),
        ("remote_loss_percent", report.remote_loss_percent),
        ("remote_jitter_ms", report.remote_jitter_ms),
        ("remote_mos", report.remote_mos),
    )
    for name, value in known:
        if value is not None:
            found[name] = float(value)
    for reason, count in report.dropped.items():
        found[f"dropped_{reason}"] = float(count)
    return {name: round(value, 2) for name, value in found.items()}


def _joined(reports: Sequence[StreamReport]) -> StreamReport:
    """The figures of several endpoints, one after the other, as if they had been one."""
    dropped: Counter[str] = Counter()
    for each in reports:
        dropped.update(each.dropped)
    return replace(
        reports[-1],
        received=sum(each.received for each in reports),
        sent=sum(each.sent for each in reports),
        lost=sum(each.lost for each in reports),
        jitter_ms=max(each.jitter_ms for each in reports),
        burst_ms=max(each.burst_ms for each in reports),
        burst_loss_percent=max(each.burst_loss_percent for each in reports),
        late=_sum(each.late for each in reports),
        buffer_ms=_mean((each.buffer_ms, each.received) for each in reports),
        buffer_most_ms=max((each.buffer_most_ms for each in reports if each.buffer_most_ms is not None), default=None),
        mos=_mean((each.mos, each.received) for each in reports),
        worst_mos=min((each.worst_mos for each in reports if each.worst_mos is not None), default=None),
        remote_lost=_sum(each.remote_lost for each in reports),
        remote_loss_percent=_mean((each.remote_loss_percent, each.sent) for each in reports),
        remote_mos=_mean((each.remote_mos, each.sent) for each in reports),
        dropped=dropped,
    )


def add_other(quality: dict[str, float], kind: str, report: StreamReport) -> None:
    """Packets of a stream besides sound, under the name of its kind."""
    for name, count in (("received", report.received), ("sent", report.sent), ("lost", report.lost)):
        quality[f"{kind}_{name}"] = quality.get(f"{kind}_{name}", 0.0) + count


async def measure(engine: MediaEngine, legs: Sequence["Leg"], intervals: int) -> dict[int, Measured]:
    """What is known now of legs that have an endpoint, by the id of the leg."""
    living = [leg for leg in legs if leg.media.is_created]
    commands = [MeasureEndpoint(leg.media.endpoint, intervals) for leg in living]
    replies = await engine.execute(*commands) if commands else ()
    return {
        leg.id: leg.measured(reply)
        for leg, reply in zip(living, replies, strict=True)
        if isinstance(reply, StreamReport)
    }


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mean(values: Iterable[tuple[float | None, int]]) -> float | None:
    """Weighted by packets."""
    known = [(value, max(weight, 1)) for value, weight in values if value is not None]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None
