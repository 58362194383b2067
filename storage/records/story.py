"""What rows of history mean together: who answered, where a conversation came from, what kind it is (CDR-3, CDR-20)."""

from collections.abc import Iterable
from typing import Literal, Protocol

ConversationKind = Literal["internal", "outgoing", "incoming", "missed"]

# Stages in which a person, a conference or a mailbox takes the call; menus, queues and announcements do not (CDR-3).
HUMAN = frozenset(
    ("dial", "group", "short", "transfer", "parking", "conference", "voicemail", "application", "fax", "queue")
)


class RowLike(Protocol):
    """The parts of a row that say where it belongs: `CdrRow` and `ScannedRow` have them."""

    @property
    def external_number(self) -> str: ...

    @property
    def provider_in(self) -> str: ...

    @property
    def provider_out(self) -> str: ...

    @property
    def disposition(self) -> str: ...

    @property
    def stage(self) -> str: ...

    @property
    def recording(self) -> str: ...


def is_human_answer(row: RowLike) -> bool:
    """A person answered, or a message was left; who hangs up at the greeting of a mailbox has reached nobody."""
    is_answered = row.disposition == "ANSWERED" and row.stage in HUMAN
    return is_answered and (row.stage != "voicemail" or bool(row.recording))


def is_incoming(row: RowLike) -> bool:
    """Over a provider, or beyond a gateway that told who calls."""
    return bool(row.provider_in) or (bool(row.external_number) and not row.provider_out)


def kind_of(rows: Iterable[RowLike]) -> ConversationKind:
    """Of a conversation, by all its rows. Missed is one from outside that no person took."""
    rows = list(rows)
    if any(map(is_incoming, rows)):
        return "incoming" if any(map(is_human_answer, rows)) else "missed"
    return "outgoing" if any(row.provider_out for row in rows) else "internal"
