"""The guessing guard: who fails to authenticate too often waits, everybody else is served as before.

A source may fail `FREE_FAILURES` times; from then on one try a second is looked at. One failure is forgotten every
`FORGET_S`. An account that once gave the right password from a source is counted by itself there: one phone with a
wrong password does not slow down the office that shares its address, and whoever owns one account gains nothing for
guessing others.

Memory is bounded: what was seen longest ago goes first, so a flood of invented addresses costs nothing but its own
entries. An IPv6 source is its /64: a host owns a whole one.
"""

from collections import OrderedDict
from dataclasses import dataclass

from conf.networks import source_key

FREE_FAILURES = 10
MAX_FAILURES = 20  # more are not counted: after ten quiet minutes a source is free again
PAUSE_S = 1.0
FORGET_S = 60.0
MAX_SOURCES = 10_000


@dataclass(slots=True)
class _Record:
    failures: int
    counted_at: float
    next_try: float

    def forget(self, now: float) -> None:
        """Let the failures that are due go."""
        steps = int((now - self.counted_at) // FORGET_S)
        if steps > 0:
            self.failures = max(0, self.failures - steps)
            self.counted_at += steps * FORGET_S


class GuessingGuard:
    """Counts authentication failures. `source` is an IP address as text, `account` the user name that was tried."""

    def __init__(self, *, max_sources: int = MAX_SOURCES) -> None:
        self._max_sources = max_sources
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()  # accounts that gave the right password from their source
        self._failed = self._refused = self._evicted = 0

    def failed(self, source: str, now: float, account: str = "") -> None:
        """Wrong credentials came from `source`."""
        self._failed += 1
        key = self._key(source, account)
        record = self._records.pop(key, None)
        if record is None:
            self._make_room()
            record = _Record(0, now, now)
        record.forget(now)
        record.failures = min(record.failures + 1, MAX_FAILURES)
        if record.failures >= FREE_FAILURES:
            record.next_try = now + PAUSE_S
        self._records[key] = record

    def succeeded(self, source: str, now: float, account: str = "") -> None:
        """Right credentials of `account` came from `source`: from now on it is counted by itself there."""
        key = f"{source_key(source)} {account}"
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > self._max_sources:
            self._known.popitem(last=False)
        if self._records:
            self._records.pop(key, None)

    def may_try(self, source: str, now: float, account: str = "") -> bool:
        """Whether credentials from `source` are to be looked at now; True takes the slot of this second."""
        if not self._records or (record := self._records.get(key := self._key(source, account))) is None:
            return True
        record.forget(now)
        if record.failures < FREE_FAILURES:
            return True
        self._records.move_to_end(key)
        if now < record.next_try:
            self._refused += 1
            return False
        record.next_try = now + PAUSE_S
        return True

    def describe(self) -> dict[str, object]:
        """Live dump: sources remembered; failures, refused tries and sources dropped for room since the start."""
        return {
            "sources": len(self._records),
            "failed": self._failed,
            "refused": self._refused,
            "evicted": self._evicted,
        }

    def _key(self, source: str, account: str) -> str:
        key = source_key(source)
        known = f"{key} {account}"
        return known if known in self._known else key

    def _make_room(self) -> None:
        if len(self._records) >= self._max_sources:
            self._records.popitem(last=False)
            self._evicted += 1
