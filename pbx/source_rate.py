"""How much new work one source may bring before it has proven to be somebody (SEC-9).

A source that once authenticated, or is trusted by its address, is not counted: a whole company may stand behind one
address and start all its phones at once. What a stranger sends beyond the rate is answered with 503 and Retry-After.
"""

from collections import Counter, OrderedDict

from conf.networks import source_key

MAX_SOURCES = 10_000
WINDOW_S = 1.0


class SourceRate:
    """`limit`: requests of one source in a second, 0 = any number. `source` is an IP address as text."""

    def __init__(self, limit: int, *, max_sources: int = MAX_SOURCES) -> None:
        self._limit, self._max_sources = limit, max_sources
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._window_at = 0.0
        self.postponed = 0

    def proved(self, source: str) -> None:
        """`source` showed who it is; what proved itself longest ago is forgotten first."""
        key = source_key(source)
        self._proven[key] = None
        self._proven.move_to_end(key)
        if len(self._proven) > self._max_sources:
            self._proven.popitem(last=False)

    def is_proven(self, source: str) -> bool:
        return source_key(source) in self._proven

    def exceeds(self, source: str, now: float) -> bool:
        """Whether one more request of `source` that begins something is more than it may bring; it is counted."""
        if not self._limit:
            return False
        if now - self._window_at >= WINDOW_S:
            self._window_at = now
            self._counts.clear()
        key = source_key(source)
        if key in self._proven:
            return False
        if key not in self._counts and len(self._counts) >= self._max_sources:
            return False  # invented addresses: each has sent one request
        self._counts[key] += 1
        if self._counts[key] <= self._limit:
            return False
        self.postponed += 1
        return True

    def describe(self) -> dict[str, object]:
        """Live dump: sources that proved themselves; requests of strangers that were told to come back later."""
        return {"proven_sources": len(self._proven), "postponed": self.postponed}
