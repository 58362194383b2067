"""Storage that lasts as long as the process: the reference of the adapters, and the double in tests of other layers."""

from collections.abc import Sequence

from storage.match import matches
from storage.ports import HistoryQuery
from storage.records import CdrRow, Office, Registration, StoredSubscription, StoredText


class MemoryOffices:
    def __init__(self) -> None:
        self._office = Office()

    async def load(self) -> Office:
        return self._office

    async def save(self, office: Office) -> None:
        self._office = office


class MemoryLocations:
    def __init__(self) -> None:
        self._by_aor: dict[str, tuple[Registration, ...]] = {}

    async def load(self, now_at: float) -> Sequence[Registration]:
        return [each for aor in sorted(self._by_aor) for each in self._by_aor[aor] if each.expires_at > now_at]

    def put(self, aor: str, registrations: Sequence[Registration]) -> None:
        if registrations:
            self._by_aor[aor] = tuple(registrations)
        else:
            self._by_aor.pop(aor, None)


class MemoryCdrs:
    def __init__(self) -> None:
        self._rows: dict[str, CdrRow] = {}

    def append(self, row: CdrRow) -> None:
        self._rows.setdefault(row.id, row)

    async def query(self, query: HistoryQuery) -> Sequence[CdrRow]:
        appended_last_first = list(self._rows.values())[::-1]
        newest_first = sorted(appended_last_first, key=lambda row: -row.started_at)
        found = [row for row in newest_first if matches(row, query)]
        return found[query.offset : query.offset + query.limit]


class MemoryTexts:
    def __init__(self) -> None:
        self._texts: dict[str, StoredText] = {}

    async def load(self, now_at: float) -> Sequence[StoredText]:
        return [text for text in self._texts.values() if text.expires_at > now_at]

    async def add(self, text: StoredText) -> None:
        self._texts.setdefault(text.id, text)

    async def remove(self, ids: Sequence[str]) -> None:
        for id in ids:
            self._texts.pop(id, None)


class MemorySubscriptions:
    def __init__(self) -> None:
        self._by_id: dict[str, StoredSubscription] = {}

    async def load(self, now_at: float) -> Sequence[StoredSubscription]:
        return [self._by_id[id] for id in sorted(self._by_id) if self._by_id[id].expires_at > now_at]

    def put(self, id: str, subscription: StoredSubscription | None) -> None:
        if subscription is not None:
            self._by_id[id] = subscription
        else:
            self._by_id.pop(id, None)


class MemoryStorage:
    """One database that is never unavailable."""

    def __init__(self) -> None:
        self.offices = MemoryOffices()
        self.locations = MemoryLocations()
        self.cdrs = MemoryCdrs()
        self.texts = MemoryTexts()
        self.subscriptions = MemorySubscriptions()

    async def flush(self) -> None:
        """Nothing is ever behind."""

    async def close(self) -> None:
        """Nothing is open."""

    def describe(self) -> dict[str, object]:
        return {
            "rows_queued": 0,
            "rows_spooled": 0,
            "registrations_queued": 0,
            "last_error": "",
            "seconds_since_write": None,
        }
