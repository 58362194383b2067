"""What became of a conversation as a whole (CDR-16): all its rows of history as one line.

A missed conversation is one from outside that no person took; that an agent missed a call which another one took is
told by the agent's row, and does not make the conversation a missed one (AMB-6).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pbx.cdr import RINGS
from pbx.conversations import client_of, is_human_answer
from storage.ports import HistoryQuery
from storage.records import CdrRow


@dataclass(frozen=True, slots=True)
class ConversationView:
    """`to_number` is the outside number that was called, if any. `kind`: internal, outgoing, incoming or missed.
    `answered_by`: who took it, in order. `waited_s`: until a person answered, or in vain."""

    linkedid: str
    started_at: float
    ended_at: float
    from_number: str
    from_name: str
    to_number: str
    to_name: str
    kind: str
    disposition: str
    answered_by: tuple[str, ...]
    is_transferred: bool
    waited_s: float
    talk_seconds: float
    recordings: tuple[str, ...]
    rows: int


def conversation(rows: Sequence[CdrRow]) -> ConversationView:
    """The view of all rows of one linkedid, in any order."""
    rows = sorted(rows, key=lambda row: row.started_at)
    first, people = rows[0], [row for row in rows if is_human_answer(row) and row.answered_at is not None]
    called = next((row for row in rows if row.provider_in), None)
    answered_at = min((row.answered_at for row in people if row.answered_at is not None), default=None)
    ended_at = max(row.ended_at for row in rows)
    is_answered = any(row.disposition == "ANSWERED" for row in rows)
    return ConversationView(
        linkedid=first.linkedid,
        started_at=first.started_at,
        ended_at=ended_at,
        from_number=client_of(first) if called is not None else first.from_number,
        from_name=first.from_name,
        to_number=called.external_number if called is not None else first.to_number,
        to_name="" if called is not None else first.to_name,
        kind=_kind(rows, is_missed=answered_at is None),
        disposition="ANSWERED" if is_answered else rows[-1].disposition,
        answered_by=tuple(dict.fromkeys(row.to_number for row in people if row.stage not in RINGS)),
        is_transferred=any(row.stage == "transfer" for row in rows),
        waited_s=(ended_at if answered_at is None else answered_at) - first.started_at,
        talk_seconds=sum(row.talk_seconds for row in rows),
        recordings=tuple(id for row in rows for id in row.recording.split()),
        rows=len(rows),
    )


def _kind(rows: Sequence[CdrRow], *, is_missed: bool) -> str:
    if any(row.provider_in for row in rows):
        return "missed" if is_missed else "incoming"
    return "outgoing" if any(row.provider_out for row in rows) else "internal"


def newest_conversations(
    history: Callable[[HistoryQuery, int], Iterable[CdrRow]], query: HistoryQuery, limit: int
) -> list[ConversationView]:
    """Conversations with a row that the query wants, `limit` at most (0: all), each with all its rows."""
    ids: dict[str, None] = {}
    for row in history(query, 0):
        ids[row.linkedid] = None
        if len(ids) == limit:
            break
    return [conversation(list(history(HistoryQuery(linkedid=id), 0))) for id in ids]
