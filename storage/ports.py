"""What call control may ask of storage. Adapters: `storage.memory` (reference, tests), `storage.sql`.

All writes are safe to call from the event loop: they queue and return; a writer batches them. Reads are awaited.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

from frozen import dataclass
from storage.records import (
    AuditEntry,
    CdrRow,
    ConversationKind,
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
)

R = TypeVar("R", StoredLetter, VoiceMessage, Mailbox, StoredState, MissedCall)


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Filters of `zvon history`, all optional, combined by AND; newest first. `number` matches either end (CDR-8),
    two numbers match answered calls between them in both directions (CDR-9), `with_unanswered` also those in vain
    (AMB-21); `linkedid` ignores the others (CDR-11). `source`, `target` and `line` are numbers at one end (CDR-12),
    `name` is a part of a name at either. Each set of `among` has a number of either end, as a whole. `kind` is that of
    the whole conversation, `provider` the way in or out (CDR-13). Times are UTC seconds, `from_at` inclusive, `to_at`
    exclusive. `number_length` is the office's: a number no longer than this is internal and matches as a whole, a
    longer one on its last nine digits."""

    number: str = ""
    number2: str = ""
    linkedid: str = ""
    from_at: float | None = None
    to_at: float | None = None
    limit: int = 50
    offset: int = 0
    number_length: int = 3
    source: str = ""
    target: str = ""
    line: str = ""
    name: str = ""
    among: tuple[tuple[str, ...], ...] = ()
    kind: ConversationKind | Literal[""] = ""
    provider: str = ""
    disposition: str = ""
    min_talk_s: float = 0.0
    with_unanswered: bool = False


TALLIED = ("provider_out", "external_number", "from_number", "to_number", "talk_seconds", "disposition", "cause")


@dataclass(frozen=True, slots=True)
class TallyQuery:
    """Rows that began in the period, counted by the columns `by` of `TALLIED`. `stage` "" is any; `is_outgoing`: only
    those over a provider; `min_talk_s` the talk that counts, `has_talk` any; `in_queues`: of conversations that have a
    row of the stage "queue" at one of these numbers in the period; `to_numbers`: those to one of these; None: all."""

    from_at: float
    to_at: float
    by: tuple[str, ...]
    stage: str = ""
    is_outgoing: bool = False
    has_talk: bool = False
    min_talk_s: float = 0.0
    in_queues: tuple[str, ...] | None = None
    to_numbers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RecordingQuery:
    """Filters of recordings, all optional, combined by AND; newest first unless `is_oldest_first`. Times are UTC
    seconds, `from_at` inclusive, `to_at` exclusive."""

    linkedid: str = ""
    state: str = ""
    from_at: float | None = None
    to_at: float | None = None
    limit: int = 50
    offset: int = 0
    is_oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Filters of the audit, all optional, combined by AND; newest first. `object` is an object or a whole kind of them
    ("terminals", "terminals/201"); `before_id` is where the next page begins, 0: with the newest."""

    user: str = ""
    object: str = ""
    before_id: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class HappeningQuery:
    """Filters of the journal of events, all optional, combined by AND. Times are UTC seconds, `from_at` inclusive,
    `to_at` exclusive; `limit` 0: all."""

    from_at: float | None = None
    to_at: float | None = None
    kinds: tuple[str, ...] = ()
    subject: str = ""
    limit: int = 0


class OfficeStore(Protocol):
    async def load(self) -> Office:
        """The office last applied; an empty one on a new database."""

    async def save(self, office: Office) -> None:
        """Replace the office in one transaction; raises `StorageUnavailable` with nothing changed."""

    async def change(self, change: OfficeChange) -> None:
        """Make the next office of the one that is stored, as `save` does; what stays is not written again."""


class VersionStore(Protocol):
    async def add(self, version: OfficeVersion, keep: int) -> None:
        """Store it with all versions before but the last `keep`; raises `StorageUnavailable`."""

    async def newest(self) -> Sequence[OfficeVersion]:
        """All of them without their documents, newest first."""

    async def get(self, id: int) -> OfficeVersion | None: ...


class AuditStore(Protocol):
    async def add(self, entry: AuditEntry) -> None:
        """Return when it is stored; raises `StorageUnavailable`."""

    async def query(self, query: AuditQuery) -> Sequence[AuditEntry]: ...


class LocationStore(Protocol):
    async def load(self, now_at: float) -> Sequence[Registration]:
        """Every binding that has not expired."""

    def put(self, aor: str, registrations: Sequence[Registration]) -> None:
        """Replace all bindings of one AOR (none: remove). Written behind."""


class CdrStore(Protocol):
    def append(self, row: CdrRow) -> None:
        """Queue one row. It is on disk at most half a second later; rows are kept and retried while the database is
        unavailable."""

    async def query(self, query: HistoryQuery) -> Sequence[CdrRow]: ...

    async def get(self, id: str) -> CdrRow | None: ...

    async def of_conversations(self, linkedids: Sequence[str]) -> Sequence[CdrRow]:
        """All rows of so many conversations, in the order in which they began."""

    async def scan(self, from_at: float, to_at: float, after: ScannedRow | None, limit: int) -> Sequence[ScannedRow]:
        """Rows that began in the period, by time and id; the next ones `after` one that is known. Raises
        `StorageUnavailable`."""

    async def tally(self, query: TallyQuery) -> Sequence[Tally]:
        """Sums, by their keys. Raises `StorageUnavailable`."""

    async def marks(self, first_day: int, end_day: int) -> Sequence[Rollup]:
        """Which rows each day of UTC has; days without rows are left out. Raises `StorageUnavailable`."""

    async def remove_before(self, at: float) -> int:
        """Delete the rows of calls that began before; returns how many. Raises `StorageUnavailable`."""

    async def remove(self, ids: Sequence[str]) -> int:
        """Delete rows; returns how many there were. Raises `StorageUnavailable`."""


class RollupStore(Protocol):
    async def load(self, first_day: int, end_day: int) -> Sequence[Rollup]: ...

    async def save(self, rollup: Rollup) -> None:
        """Replace that of the day; returns when it is stored. Raises `StorageUnavailable`."""


class HappeningStore(Protocol):
    def put(self, id: str, happening: Happening | None) -> None:
        """Keep one (None: remove). Written behind."""

    async def query(self, query: HappeningQuery) -> Sequence[Happening]:
        """Newest first."""

    async def remove_before(self, at: float) -> int:
        """Delete older ones; returns how many. Raises `StorageUnavailable`."""


class SubscriptionStore(Protocol):
    async def load(self, now_at: float) -> Sequence[StoredSubscription]:
        """Every subscription that has not expired."""

    def put(self, id: str, subscription: StoredSubscription | None) -> None:
        """Replace the one with that id (None: remove). Written behind."""


class KeptStore(Protocol[R]):
    """Records that are few enough to be read at once, by id."""

    async def load(self) -> Sequence[R]:
        """All of them, by id."""

    def put(self, id: str, record: R | None) -> None:
        """Replace the one with that id (None: remove). Written behind."""


class RecordingStore(Protocol):
    def put(self, id: str, recording: StoredRecording | None) -> None:
        """Replace the one with that id (None: remove). Written behind."""

    async def get(self, id: str) -> StoredRecording | None: ...

    async def query(self, query: RecordingQuery) -> Sequence[StoredRecording]: ...


class TextStore(Protocol):
    async def load(self, now_at: float) -> Sequence[StoredText]:
        """Every text that has not expired, in the order in which they were added."""

    async def add(self, text: StoredText) -> None:
        """Return when it is stored; raises `StorageUnavailable` with nothing changed. A second one with the same id
        changes nothing."""

    async def remove(self, ids: Sequence[str]) -> None:
        """Return when they are gone; raises `StorageUnavailable` with nothing changed."""


class Storage(Protocol):
    """One opened database."""

    @property
    def offices(self) -> OfficeStore: ...

    @property
    def versions(self) -> VersionStore: ...

    @property
    def audit(self) -> AuditStore: ...

    @property
    def locations(self) -> LocationStore: ...

    @property
    def cdrs(self) -> CdrStore: ...

    @property
    def rollups(self) -> RollupStore: ...

    @property
    def texts(self) -> TextStore: ...

    @property
    def subscriptions(self) -> SubscriptionStore: ...

    @property
    def letters(self) -> KeptStore[StoredLetter]: ...

    @property
    def voice_messages(self) -> KeptStore[VoiceMessage]: ...

    @property
    def mailboxes(self) -> KeptStore[Mailbox]: ...

    @property
    def happenings(self) -> HappeningStore: ...

    @property
    def missed(self) -> KeptStore[MissedCall]: ...

    @property
    def states(self) -> KeptStore[StoredState]: ...

    @property
    def recordings(self) -> RecordingStore: ...

    async def flush(self) -> None:
        """Return when everything queued so far is stored; raises `StorageUnavailable` when the database refuses. Rows
        of call history are safe on disk even then."""

    async def close(self) -> None:
        """Store what is queued, then close; never raises: what the database refuses is kept for the next start."""

    def describe(self) -> dict[str, object]:
        """Live dump: rows queued, last error, seconds since the last successful write."""


class StorageUnavailable(Exception):
    """The database cannot be reached or written; the message says which one, why and what to do."""
