"""Requests about the history of calls beyond its plain rows."""

from dataclasses import field

from frozen import dataclass
from storage.ports import HistoryQuery
from storage.records import CdrRow, ConversationKind, StoredRecording


@dataclass(frozen=True, slots=True)
class ConversationView:
    """All rows of a conversation as one line (CDR-16, CDR-20). `to_number` is the outside number that was called, if
    any. `status`: "ok", "transfer" (answered, and sent on), "application" (a mailbox or another application took it),
    "missed", "client_called_back" and "called_back" (missed, but somebody talked to the client later), "failed" (called
    in vain). `answered_by`: who took it, in order. `waited_s`: until a person answered, or in vain."""

    linkedid: str
    started_at: float
    ended_at: float
    from_number: str
    from_name: str
    to_number: str
    to_name: str
    kind: ConversationKind
    status: str
    disposition: str
    answered_by: tuple[str, ...]
    is_transferred: bool
    waited_s: float
    talk_seconds: float
    recordings: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class GetConversations:
    """→ list of `ConversationView`: whole conversations with a row that is wanted, newest first; `limit` and `offset`
    count conversations."""

    query: HistoryQuery = field(default_factory=HistoryQuery)


@dataclass(frozen=True, slots=True)
class GetRow:
    """→ `CdrRow` or nil."""

    id: str


@dataclass(frozen=True, slots=True)
class NumbersOf:
    """→ list of numbers: the terminals and mobiles of people, of employee groups, and of who is in location groups or
    in one within them, by their ids."""

    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted."""

    rows: int
    recordings: int


@dataclass(frozen=True, slots=True)
class ForgetHistory:
    """→ `Forgotten`. Delete one row, or all rows of a conversation (CDR-22). Messages in mailboxes stay."""

    id: str = ""
    linkedid: str = ""
    with_recordings: bool = False


@dataclass(frozen=True, slots=True)
class AddHistory:
    """→ int: how many of the rows, of another system (CDR-24), were not there yet. The files of `recordings` are in
    their places already."""

    rows: tuple[CdrRow, ...]
    recordings: tuple[StoredRecording, ...] = ()


HistoryRequest = GetConversations | GetRow | NumbersOf | ForgetHistory | AddHistory
HISTORY_REQUESTS: dict[str, type[HistoryRequest]] = {
    "conversations": GetConversations,
    "row": GetRow,
    "numbers of": NumbersOf,
    "forget history": ForgetHistory,
    "add history": AddHistory,
}
