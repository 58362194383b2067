"""Lateness of ticks from the engine's histogram: four buckets an octave of microseconds."""

from collections.abc import Sequence


def bucket_limit_us(bucket: int) -> float:
    """The largest lateness that the bucket counts."""
    return float(2 ** (bucket / 4))


def late_percentile_us(buckets: Sequence[int], percent: float) -> float:
    """Upper limit of the bucket in which the percentile lies; 0 before the first tick."""
    wanted = sum(buckets) * percent / 100
    seen = 0
    for bucket, count in enumerate(buckets):
        seen += count
        if count and seen >= wanted:
            return bucket_limit_us(bucket)
    return 0.0
