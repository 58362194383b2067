"""Repeats that are told together: the first at once, what comes within some minutes after it in one letter more."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Event = TypeVar("Event")
MOST = 100  # that are told one by one; of more only the latest


class Merged(Generic[Event]):
    """`tell` gets what there is to say, and how often it came. `close` tells what still waits."""

    def __init__(self, within_s: float, tell: Callable[[Sequence[Event], int], None]) -> None:
        self._within_s, self._tell = within_s, tell
        self._waiting: dict[str, tuple[list[Event], int, asyncio.TimerHandle]] = {}

    def add(self, key: str, event: Event) -> None:
        """Events of one key are repeats of each other."""
        if key not in self._waiting:
            self._wait(key)
            self._tell([event], 1)
            return
        events, count, timer = self._waiting[key]
        self._waiting[key] = [*events, event][-MOST:], count + 1, timer

    def close(self) -> None:
        for key in list(self._waiting):
            self._waiting[key][2].cancel()
            self._end(key)

    def _wait(self, key: str) -> None:
        timer = asyncio.get_running_loop().call_later(self._within_s, self._over, key)
        self._waiting[key] = [], 0, timer

    def _over(self, key: str) -> None:
        if self._end(key):
            self._wait(key)

    def _end(self, key: str) -> bool:
        events, count, _ = self._waiting.pop(key)
        if events:
            self._tell(events, count)
        return bool(events)
