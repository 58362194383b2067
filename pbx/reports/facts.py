"""Conversations out of rows of the history: what all reports about calls are made of.

A conversation is everything with one linkedid. Only people, conferences and mailboxes answer (`is_human_answer`); a
menu or a queue that goes off the hook does not.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from storage.records import ScannedRow, is_human_answer, is_incoming

IN, OUT, INTERNAL = "in", "out", "internal"
BEFORE_PEOPLE = frozenset(("incoming", "ivr", "outworktimes"))  # greeting, menu, off-hours


class Conversation:
    """`line`: the external number that was called or shown; `client`: who is outside; `reached_at`: the first human
    answer, of `reached`; `through`: it came past greeting and menu."""

    __slots__ = (
        *("linkedid", "direction", "provider", "line", "client", "caller", "started_at", "ended_at", "reached_at"),
        *("reached", "talk_s", "through", "last_at", "last_stage", "last_cause", "stages"),
    )

    def __init__(self, row: ScannedRow) -> None:
        self.linkedid, self.caller = row.linkedid, row.from_number
        self.direction = INTERNAL
        self.provider = self.line = self.client = self.reached = ""
        self.started_at, self.ended_at = row.started_at, row.ended_at
        self.reached_at: float | None = None
        self.talk_s, self.through = 0.0, False
        self.last_at, self.last_stage, self.last_cause = row.started_at, row.stage, row.cause
        self.stages: set[str] = set()

    def add(self, row: ScannedRow) -> None:
        if row.started_at < self.started_at:
            self.started_at, self.caller = row.started_at, row.from_number
        if row.ended_at > self.ended_at:
            self.ended_at = row.ended_at
        if is_incoming(row) and (row.provider_in or self.direction is not IN):
            self._comes_in(row)
        elif row.provider_out and self.direction is not IN:
            self.direction, self.provider, self.line = OUT, row.provider_out, row.external_number
            self.client = row.to_number
        if is_human_answer(row):
            at = row.answered_at if row.answered_at is not None else row.started_at
            if self.reached_at is None or at < self.reached_at:
                self.reached_at, self.reached = at, row.to_number
        self.talk_s += row.talk_seconds
        self.stages.add(row.stage)
        self.through = self.through or row.stage not in BEFORE_PEOPLE
        if row.started_at >= self.last_at:
            self.last_at, self.last_stage, self.last_cause = row.started_at, row.stage, row.cause

    def _comes_in(self, row: ScannedRow) -> None:
        """Over a provider, or beyond a gateway that told who calls."""
        self.direction, self.provider = IN, row.provider_in
        self.line = row.external_number if row.provider_in else self.line or row.to_number
        self.client = row.from_number if row.provider_in else row.external_number


def fold(rows: Iterable[ScannedRow], into: dict[str, Conversation]) -> None:
    """Add rows, in any order, to the conversations that they belong to."""
    for row in rows:
        found = into.get(row.linkedid)
        if found is None:
            found = into[row.linkedid] = Conversation(row)
        found.add(row)


def bucket(at: float, zone: tzinfo, step: str) -> str:
    """The hour or day of a moment on the office's clock; "" for one bucket of all."""
    if not step:
        return ""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:00" if step == "hour" else "%Y-%m-%d")


def departments(groups: Iterable[tuple[str, Iterable[str]]], owners: Mapping[str, str]) -> dict[str, str]:
    """Terminal → the group of employees that its owner belongs to."""
    group_of = {user: name for name, members in groups for user in members}
    return {number: group_of.get(owner, "") for number, owner in owners.items()}
