"""Identifiers that are the same in every run."""

import zlib

from sipcore.ids import MAGIC_COOKIE


class CountingIds:
    """Predictable tokens: `z9hG4bKw0-1`, `w0-2`, …"""

    def __init__(self, worker: str = "w0") -> None:
        self._worker, self._count = worker, 0

    def _next(self) -> str:
        self._count += 1
        return f"{self._worker}-{self._count}"

    def branch(self) -> str:
        return MAGIC_COOKIE + self._next()

    def tag(self) -> str:
        return self._next()

    def stable_tag(self, *parts: str) -> str:
        return f"{self._worker}-{zlib.crc32(repr(parts).encode()):08x}"

    def call_id(self) -> str:
        return self._next()

    def fraction(self) -> float:
        self._count += 1
        return (self._count * 0.6180339887) % 1.0
