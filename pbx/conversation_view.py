"""What became of a conversation as a whole (CDR-16, CDR-20): all its rows of history as one line.

A missed conversation is one from outside that no person took; that an agent missed a call which another one took is
told by the agent's row, and does not make the conversation a missed one (AMB-6).
"""

from collections.abc import Sequence

from pbx.cdr import RINGS
from pbx.control.history import ConversationView
from pbx.conversations import client_of
from storage.records import CdrRow, ConversationKind, MissedCall, is_human_answer, is_incoming, kind_of

APPLICATIONS = frozenset(("application", "voicemail", "fax"))
CALLED_BACK = {"client": "client_called_back", "callback": "called_back"}  # by `MissedCall.closed_by`


def conversation(rows: Sequence[CdrRow], missed: MissedCall | None = None) -> ConversationView:
    """The view of all rows of one linkedid, in any order; `missed` is its entry among the missed calls."""
    rows = sorted(rows, key=lambda row: row.started_at)
    first, people = rows[0], [row for row in rows if is_human_answer(row) and row.answered_at is not None]
    called = next((row for row in rows if is_incoming(row)), None)
    answered_at = min((row.answered_at for row in people if row.answered_at is not None), default=None)
    ended_at = max(row.ended_at for row in rows)
    is_answered = any(row.disposition == "ANSWERED" for row in rows)
    is_transferred = any(row.stage == "transfer" and row.transfer != "consultation" for row in people)
    kind = kind_of(rows)
    return ConversationView(
        linkedid=first.linkedid,
        started_at=first.started_at,
        ended_at=ended_at,
        from_number=client_of(called) if called is not None else first.from_number,
        from_name=first.from_name,
        to_number=called.external_number if called is not None and called.provider_in else first.to_number,
        to_name="" if called is not None and called.provider_in else first.to_name,
        kind=kind,
        status=_status(kind, people, missed, is_transferred=is_transferred, is_answered=is_answered),
        disposition="ANSWERED" if is_answered else rows[-1].disposition,
        answered_by=tuple(dict.fromkeys(row.to_number for row in people if row.stage not in RINGS)),
        is_transferred=is_transferred,
        waited_s=(ended_at if answered_at is None else answered_at) - first.started_at,
        talk_seconds=sum(row.talk_seconds for row in rows),
        recordings=tuple(id for row in rows for id in row.recording.split()),
        rows=len(rows),
    )


def _status(
    kind: ConversationKind,
    people: Sequence[CdrRow],
    missed: MissedCall | None,
    *,
    is_transferred: bool,
    is_answered: bool,
) -> str:
    if people and any(row.stage not in APPLICATIONS for row in people):
        return "transfer" if is_transferred else "ok"
    if people or (is_answered and kind == "internal"):
        return "application"
    if kind == "outgoing":
        return "failed"
    return CALLED_BACK.get(missed.closed_by, "missed") if missed is not None else "missed"
