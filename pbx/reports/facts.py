"""Conversations out of rows of the history: what reports about calls are made of.

A conversation is everything with one linkedid. Only people, conferences and mailboxes answer (`is_human_answer`); a
menu or a queue that goes off the hook does not.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from functools import lru_cache

import msgspec

from storage.records import ScannedRow, is_human_answer, is_incoming

IN, OUT, INTERNAL = "in", "out", "internal"
BEFORE_PEOPLE = frozenset(("incoming", "ivr", "outworktimes"))  # greeting, menu, off-hours
LEFT = frozenset(("queue", "ivr"))
AT_ONCE_S = 1.0
QUARTER_S = 900.0  # clocks of all zones differ by whole ones


class Conversation(msgspec.Struct, array_like=True):
    """`line`: the external number that was called or shown; `client`: who is outside; `reached_at`: the first human
    answer; `through`: it came past greeting and menu; `left_at`: when the caller last gave up in a menu or a queue,
    `left_stage` in which."""

    linkedid: str
    started_at: float
    ended_at: float
    last_cause: str
    direction: str = INTERNAL
    provider: str = ""
    line: str = ""
    client: str = ""
    reached_at: float | None = None
    talk_s: float = 0.0
    through: bool = False
    left_at: float = 0.0
    left_stage: str = ""

    @classmethod
    def of(cls, row: ScannedRow) -> "Conversation":
        return cls(row.linkedid, row.started_at, row.ended_at, row.cause)

    def add(self, row: ScannedRow) -> None:
        """One more row of it; rows come in the order in which they began."""
        if row.ended_at > self.ended_at:
            self.ended_at = row.ended_at
        if is_incoming(row):
            self._comes_in(row.provider_in, row.external_number, row.from_number, row.to_number)
        elif row.provider_out:
            self._goes_out(row.provider_out, row.external_number, row.to_number)
        if is_human_answer(row):
            self._reached(row.answered_at if row.answered_at is not None else row.started_at)
        self.talk_s += row.talk_seconds
        self.through = self.through or row.stage not in BEFORE_PEOPLE
        self.last_cause = row.cause
        if row.stage in LEFT and row.cause == "cancelled" and row.disposition != "ANSWERED":
            self._left(row.ended_at, row.stage)

    def merge(self, later: "Conversation") -> None:
        """What the rows of a later time say of it."""
        self.ended_at = max(self.ended_at, later.ended_at)
        if later.direction == IN and later.provider:
            self._comes_in(later.provider, later.line, later.client, later.line)
        elif later.direction == IN:
            self._comes_in("", later.client, "", later.line)
        elif later.direction == OUT:
            self._goes_out(later.provider, later.line, later.client)
        if later.reached_at is not None:
            self._reached(later.reached_at)
        self.talk_s += later.talk_s
        self.through = self.through or later.through
        self.last_cause = later.last_cause
        self._left(later.left_at, later.left_stage)

    @property
    def abandoned_in(self) -> str:
        """Where the caller gave up before anybody answered: "queue", "ivr" or nowhere there. A menu that the caller
        came through ended earlier than the call."""
        is_lost = self.reached_at is None and self.ended_at - self.left_at < AT_ONCE_S
        return self.left_stage if is_lost else ""

    def _left(self, at: float, stage: str) -> None:
        if at > self.left_at:
            self.left_at, self.left_stage = at, stage

    def _comes_in(self, provider: str, external_number: str, from_number: str, to_number: str) -> None:
        """Over a provider, or beyond a gateway that told who calls."""
        if provider:
            self.direction, self.provider, self.line, self.client = IN, provider, external_number, from_number
        elif self.direction != IN:
            self.direction, self.provider, self.client = IN, "", external_number
            self.line = self.line or to_number

    def _goes_out(self, provider: str, line: str, client: str) -> None:
        if self.direction != IN:
            self.direction, self.provider, self.line, self.client = OUT, provider, line, client

    def _reached(self, at: float) -> None:
        if self.reached_at is None or at < self.reached_at:
            self.reached_at = at


Conversations = dict[str, Conversation]  # by linkedid
_decode = msgspec.msgpack.Decoder(list[Conversation]).decode


def fold(rows: Iterable[ScannedRow], into: Conversations) -> None:
    """Add rows, in the order in which they began, to the conversations that they belong to."""
    for row in rows:
        found = into.get(row.linkedid)
        if found is None:
            found = into[row.linkedid] = Conversation.of(row)
        found.add(row)


def pack(conversations: Conversations) -> bytes:
    """As they are kept."""
    return msgspec.msgpack.encode(list(conversations.values()))


def unpack(packed: bytes, into: Conversations) -> None:
    """Add those that were kept of a later time to what is known already."""
    for each in _decode(packed):
        found = into.setdefault(each.linkedid, each)
        if found is not each:
            found.merge(each)


def bucket(at: float, zone: tzinfo, step: str) -> str:
    """The hour or day of a moment on the office's clock; "" for one bucket of all."""
    return _bucket(at // QUARTER_S, zone, step) if step else ""


@lru_cache(maxsize=100_000)
def _bucket(quarter: float, zone: tzinfo, step: str) -> str:
    return datetime.fromtimestamp(quarter * QUARTER_S, zone).strftime(
        "%Y-%m-%d %H:00" if step == "hour" else "%Y-%m-%d"
    )


def departments(groups: Iterable[tuple[str, Iterable[str]]], owners: Mapping[str, str]) -> dict[str, str]:
    """Terminal → the group of employees that its owner belongs to."""
    group_of = {user: name for name, members in groups for user in members}
    return {number: group_of.get(owner, "") for number, owner in owners.items()}
