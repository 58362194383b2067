"""Moments: ISO 8601 in UTC outside, seconds since the epoch inside."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query

from web.answers import refused

Moment = Annotated[
    str, Query(max_length=40, description="2026-11-22T09:00:00Z; UTC without a zone.", examples=["2026-11-22"])
]


def utc(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_moments(values: dict[str, Any]) -> dict[str, Any]:
    """Whatever is named `…_at` as ISO 8601."""
    return {name: utc(value) if name.endswith("_at") else value for name, value in values.items()}


def seconds_of(text: str, field: str) -> float | None:
    """A moment of a request; "" is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise refused(422, f'must be a time such as 2026-11-22T09:00:00Z, not "{text}"', field) from None
