"""Where branches, tags and Call-IDs come from. The core never makes randomness: a source is given to the stack."""

import zlib
from typing import Protocol

MAGIC_COOKIE = "z9hG4bK"  # RFC 3261 §8.1.1.7


class IdSource(Protocol):
    """Tokens carry the worker's name first, so that a router in front may find the owner of a message."""

    def branch(self) -> str:
        """A branch with the magic cookie, unique in space and time."""

    def tag(self) -> str:
        """A tag with at least 32 bits of randomness (RFC 3261 §19.3)."""

    def stable_tag(self, *parts: str) -> str:
        """The same tag for the same parts, not to be guessed without a key of ours (RFC 3261 §8.2.7)."""

    def call_id(self) -> str: ...

    def fraction(self) -> float:
        """A number in [0, 1) for the random waits of RFC 3261 §14.1."""


class CountingIds:
    """Predictable tokens for tests: `z9hG4bKw0-1`, `w0-2`, …"""

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
