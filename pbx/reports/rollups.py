"""The conversations of a period, for reports: those of whole days are kept once they have been put together.

A day is that of UTC, whatever the office's clock shows: what is kept is no sum but the conversations themselves, so any
report of any step is made of it. Kept days are made again when the rows of the day are others than they were made of.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from math import ceil

from pbx.reports.facts import Conversation, Conversations, fold, pack, unpack
from storage.ports import Storage, StorageUnavailable
from storage.records import Rollup, ScannedRow

DAY_S = 86_400.0
PAGE = 20_000
DAYS = 30  # read at once
FORMAT = 2  # another one when `Conversation` means something else


class Rollups:
    """One per server; `wall` says which days are over."""

    def __init__(self, storage: Storage, wall: Callable[[], float]) -> None:
        self._history, self._kept, self._wall = storage.cdrs, storage.rollups, wall
        self._last_day = 0

    async def conversations(self, from_at: float, to_at: float) -> list[Conversation]:
        """Out of the rows that began in the period. Raises `StorageUnavailable`."""
        found: Conversations = {}
        first, end = ceil(from_at / DAY_S), int(to_at // DAY_S)
        if end <= first:
            await self._scan(from_at, to_at, found)
            return list(found.values())
        await self._scan(from_at, first * DAY_S, found)
        for begin in range(first, end, DAYS):
            await self._days(begin, min(begin + DAYS, end), found)
        await self._scan(end * DAY_S, to_at, found)
        return list(found.values())

    async def sweep(self) -> None:
        """Once a day: put together the day that is over."""
        day = int(self._wall() // DAY_S)
        if day != self._last_day:
            self._last_day = day
            with suppress(StorageUnavailable):  # the first report that needs it does
                await self._days(day - 1, day, {})

    async def _days(self, first: int, end: int, into: Conversations) -> None:
        marks = {each.day: each for each in await self._history.marks(first, end)}
        if not marks:
            return
        kept = {each.day: each for each in await self._kept.load(first, end)}
        for day, mark in sorted(marks.items()):
            known = kept.get(day)
            if known is None or (known.format, known.rows, known.sum) != (FORMAT, mark.rows, mark.sum):
                await self._make(mark, into)
            else:
                await asyncio.to_thread(unpack, known.packed, into)

    async def _make(self, mark: Rollup, into: Conversations) -> None:
        found: Conversations = {}
        await self._scan(mark.day * DAY_S, (mark.day + 1) * DAY_S, found)
        packed = await asyncio.to_thread(pack, found)
        if (mark.day + 1) * DAY_S <= self._wall():
            await self._kept.save(Rollup(mark.day, mark.rows, mark.sum, FORMAT, packed))
        await asyncio.to_thread(unpack, packed, into)

    async def _scan(self, from_at: float, to_at: float, into: Conversations) -> None:
        after: ScannedRow | None = None
        while page := await self._history.scan(from_at, to_at, after, PAGE):
            await asyncio.to_thread(fold, page, into)
            after = page[-1]
