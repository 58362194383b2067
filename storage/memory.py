"""Storage that lasts as long as the process: the reference of the adapters, and the double in tests of other layers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic

from storage.match import has_happened, is_audited, is_wanted, matches, scanned, tallied
from storage.ports import AuditQuery, HappeningQuery, HistoryQuery, R, RecordingQuery, TallyQuery
from storage.records import (
    AuditEntry,
    CdrRow,
    Happening,
    Mailbox,
    MissedCall,
    Office,
    OfficeChange,
    OfficeVersion,
    Registration,
    Rollup,
    ScannedRow,
    StoredLetter,
    StoredRecording,
    StoredState,
    StoredSubscription,
    StoredText,
    Tally,
    VoiceMessage,
    changed,
    kind_of,
)

DAY_S = 86_400.0


class MemoryOffices:
    def __init__(self) -> None:
        self._office = Office()

    async def load(self) -> Office:
        return self._office

    async def save(self, office: Office) -> None:
        self._office = office

    async def change(self, change: OfficeChange) -> None:
        self._office = changed(self._office, change)


class MemoryVersions:
    def __init__(self) -> None:
        self._by_id: dict[int, OfficeVersion] = {}

    async def add(self, version: OfficeVersion, keep: int) -> None:
        self._by_id[version.id] = version
        for id in sorted(self._by_id)[:-keep]:
            del self._by_id[id]

    async def newest(self) -> Sequence[OfficeVersion]:
        return [replace(self._by_id[id], document="") for id in sorted(self._by_id, reverse=True)]

    async def get(self, id: int) -> OfficeVersion | None:
        return self._by_id.get(id)


class MemoryAudit:
    def __init__(self) -> None:
        self._entries: list[AuditEntry] = []

    async def add(self, entry: AuditEntry) -> None:
        self._entries.append(replace(entry, id=len(self._entries) + 1))

    async def query(self, query: AuditQuery) -> Sequence[AuditEntry]:
        return [each for each in reversed(self._entries) if is_audited(each, query)][: query.limit]


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
        if query.kind and not query.linkedid:
            of_kind = {id for id, rows in self._conversations().items() if kind_of(rows) == query.kind}
            found = [row for row in found if row.linkedid in of_kind]
        return found[query.offset : query.offset + query.limit]

    def _conversations(self) -> dict[str, list[CdrRow]]:
        found: dict[str, list[CdrRow]] = {}
        for row in self._rows.values():
            found.setdefault(row.linkedid, []).append(row)
        return found

    async def get(self, id: str) -> CdrRow | None:
        return self._rows.get(id)

    async def of_conversations(self, linkedids: Sequence[str]) -> Sequence[CdrRow]:
        found = (row for row in self._rows.values() if row.linkedid in set(linkedids))
        return sorted(found, key=lambda row: row.started_at)

    async def scan(self, from_at: float, to_at: float, after: ScannedRow | None, limit: int) -> Sequence[ScannedRow]:
        rows = sorted(map(scanned, self._rows.values()), key=lambda row: (row.started_at, row.id))
        known = (from_at, "") if after is None else (after.started_at, after.id)
        return [row for row in rows if row.started_at < to_at and (row.started_at, row.id) > known][:limit]

    async def tally(self, query: TallyQuery) -> Sequence[Tally]:
        return tallied(self._rows.values(), query)

    async def marks(self, first_day: int, end_day: int) -> Sequence[Rollup]:
        found: dict[int, list[int]] = {}
        for place, row in enumerate(self._rows.values(), 1):
            found.setdefault(int(row.started_at // DAY_S), []).append(place)
        return [Rollup(day, len(each), sum(each)) for day, each in sorted(found.items()) if first_day <= day < end_day]

    async def remove_before(self, at: float) -> int:
        old = [row.id for row in self._rows.values() if row.started_at < at]
        for id in old:
            del self._rows[id]
        return len(old)

    async def remove(self, ids: Sequence[str]) -> int:
        return sum(self._rows.pop(id, None) is not None for id in ids)


class MemoryRollups:
    def __init__(self) -> None:
        self._by_day: dict[int, Rollup] = {}

    async def load(self, first_day: int, end_day: int) -> Sequence[Rollup]:
        return [self._by_day[day] for day in sorted(self._by_day) if first_day <= day < end_day]

    async def save(self, rollup: Rollup) -> None:
        self._by_day[rollup.day] = rollup


class MemoryHappenings:
    def __init__(self) -> None:
        self._by_id: dict[str, Happening] = {}

    def put(self, id: str, happening: Happening | None) -> None:
        if happening is None:
            self._by_id.pop(id, None)
        else:
            self._by_id[id] = happening

    async def query(self, query: HappeningQuery) -> Sequence[Happening]:
        newest_first = sorted(self._by_id.values(), key=lambda each: (-each.at, each.id))
        return [each for each in newest_first if has_happened(each, query)][: query.limit or None]

    async def remove_before(self, at: float) -> int:
        old = [each.id for each in self._by_id.values() if each.at < at]
        for id in old:
            del self._by_id[id]
        return len(old)


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


class MemoryKept(Generic[R]):
    def __init__(self) -> None:
        self._by_id: dict[str, R] = {}

    async def load(self) -> Sequence[R]:
        return [self._by_id[id] for id in sorted(self._by_id)]

    def put(self, id: str, record: R | None) -> None:
        if record is not None:
            self._by_id[id] = record
        else:
            self._by_id.pop(id, None)


class MemoryRecordings:
    def __init__(self) -> None:
        self._by_id: dict[str, StoredRecording] = {}

    def put(self, id: str, recording: StoredRecording | None) -> None:
        if recording is not None:
            self._by_id[id] = recording
        else:
            self._by_id.pop(id, None)

    async def get(self, id: str) -> StoredRecording | None:
        return self._by_id.get(id)

    async def query(self, query: RecordingQuery) -> Sequence[StoredRecording]:
        found = [each for each in self._by_id.values() if is_wanted(each, query)]
        found.sort(key=lambda each: (each.started_at, each.id), reverse=not query.is_oldest_first)
        return found[query.offset : query.offset + query.limit]


class MemoryStorage:
    """One database that is never unavailable."""

    def __init__(self) -> None:
        self.offices = MemoryOffices()
        self.versions = MemoryVersions()
        self.audit = MemoryAudit()
        self.locations = MemoryLocations()
        self.cdrs = MemoryCdrs()
        self.rollups = MemoryRollups()
        self.texts = MemoryTexts()
        self.subscriptions = MemorySubscriptions()
        self.letters = MemoryKept[StoredLetter]()
        self.voice_messages = MemoryKept[VoiceMessage]()
        self.missed = MemoryKept[MissedCall]()
        self.happenings = MemoryHappenings()
        self.mailboxes = MemoryKept[Mailbox]()
        self.states = MemoryKept[StoredState]()
        self.recordings = MemoryRecordings()

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
