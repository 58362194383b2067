"""Waiting in real time for what threads and processes do by themselves."""

import asyncio
from collections.abc import Callable

PATIENCE_S = 20.0


async def eventually(is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Return as soon as it is so; fails when it is not in time."""
    async with asyncio.timeout(within_s):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
