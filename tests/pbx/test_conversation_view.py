"""A conversation as one line of the history."""

from dataclasses import replace
from typing import Any

import pytest

from pbx.conversation_view import conversation
from storage.records import CdrRow, MissedCall

T = 1_700_000_000.0


def row(id: str, start: float, end: float, to: str, disposition: str = "NOANSWER", **more: Any) -> CdrRow:
    found = CdrRow(f"a-{id}", "a", T + start, T + end, "101", to, disposition)
    return replace(found, **more)


FROM_OUTSIDE: dict[str, Any] = {"from_number": "+79161234567", "external_number": "74950000000", "provider_in": "telco"}
MENU = row("1", 0, 10, "700", stage="ivr", **FROM_OUTSIDE)
QUEUE = row("2", 10, 40, "500", "ANSWERED", stage="queue", answered_at=T + 30, **FROM_OUTSIDE)
MISSED = row("3", 11, 20, "201", stage="dial", **FROM_OUTSIDE)
TAKEN = row("4", 21, 40, "202", "ANSWERED", answered_at=T + 30, talk_seconds=10.0, recording="r1", **FROM_OUTSIDE)
ONWARD = row("5", 40, 70, "203", "ANSWERED", stage="transfer", answered_at=T + 45, talk_seconds=25.0, recording="r2 r3")


@pytest.mark.row("CDR-16")
@pytest.mark.row("AMB-6")
def test_all_rows_of_a_conversation_are_one_line_and_an_agent_who_missed_it_does_not_make_it_missed() -> None:
    found = conversation([ONWARD, TAKEN, MISSED, MENU, QUEUE])
    assert (found.started_at, found.ended_at, found.rows) == (T, T + 70, 5)
    assert (found.from_number, found.to_number) == ("+79161234567", "74950000000")
    assert (found.kind, found.disposition) == ("incoming", "ANSWERED")
    assert MISSED.disposition == "NOANSWER"
    assert (found.waited_s, found.talk_seconds) == (30.0, 35.0)
    assert found.is_transferred
    assert found.recordings == ("r1", "r2", "r3")
    assert found.answered_by == ("202", "203")
    late = replace(MISSED, started_at=TAKEN.started_at + 5, ended_at=TAKEN.ended_at + 5)  # the last of its rows
    for rows in ([QUEUE, TAKEN, late], [QUEUE, late, TAKEN]):
        found = conversation(rows)
        assert (found.kind, found.disposition, found.answered_by) == ("incoming", "ANSWERED", ("202",))


def test_a_call_from_outside_that_nobody_took_is_missed_and_has_waited_to_its_end() -> None:
    found = conversation([MENU, replace(QUEUE, disposition="NOANSWER", answered_at=None), MISSED])
    assert (found.kind, found.disposition, found.waited_s, found.answered_by) == ("missed", "NOANSWER", 40.0, ())


@pytest.mark.parametrize(("over", "kind"), [({}, "internal"), ({"provider_out": "telco"}, "outgoing")])
def test_calls_of_our_own_are_internal_or_outgoing_also_without_an_answer(over: dict[str, str], kind: str) -> None:
    found = conversation([row("1", 0, 5, "102", "BUSY", **over)])
    assert (found.kind, found.disposition, found.from_number, found.to_number) == (kind, "BUSY", "101", "102")


GONE = replace(QUEUE, disposition="NOANSWER", answered_at=None)
OUT: dict[str, Any] = {"provider_out": "telco", "external_number": "74950000000"}
ANSWERED: dict[str, Any] = {"disposition": "ANSWERED", "answered_at": T + 5}
ENTRY = MissedCall("a", "+79161234567", "", "74950000000", "telco", T, 40.0, "queue", "500")


@pytest.mark.row("CDR-20")
@pytest.mark.parametrize(
    ("rows", "closed_by", "kind", "status", "waited_s"),
    [
        ([MENU, QUEUE, MISSED, TAKEN], "", "incoming", "ok", 30.0),
        ([MENU, QUEUE, TAKEN, ONWARD], "", "incoming", "transfer", 30.0),
        ([MENU, QUEUE, TAKEN, replace(ONWARD, disposition="BUSY")], "", "incoming", "ok", 30.0),
        ([MENU, GONE], "", "missed", "missed", 40.0),
        ([MENU, GONE], "hand", "missed", "missed", 40.0),
        ([MENU, GONE], "client", "missed", "client_called_back", 40.0),
        ([MENU, GONE], "callback", "missed", "called_back", 40.0),
        ([MENU, row("2", 10, 40, "201", stage="voicemail", recording="m", **ANSWERED, **FROM_OUTSIDE)],
         "", "incoming", "application", 5.0),
        ([row("1", 0, 9, "79161234567", "BUSY", **OUT)], "", "outgoing", "failed", 9.0),
        ([row("1", 0, 9, "79161234567", **ANSWERED, **OUT)], "", "outgoing", "ok", 5.0),
        ([row("1", 0, 9, "102", **ANSWERED), replace(ONWARD, transfer="consultation")], "", "internal", "ok", 5.0),
        ([row("1", 0, 9, "700", "ANSWERED", stage="ivr", answered_at=T)], "", "internal", "application", 9.0),
        ([row("1", 0, 9, "10003246", stage="application", **ANSWERED)], "", "internal", "application", 5.0),
        ([row("1", 0, 9, "102")], "", "internal", "missed", 9.0),
    ],
)  # fmt: skip
def test_what_became_of_a_conversation_is_one_word(
    rows: list[CdrRow], closed_by: str, kind: str, status: str, waited_s: float
) -> None:
    entry = replace(ENTRY, closed_by=closed_by, closed_at=T + 90 if closed_by else 0.0)
    found = conversation(rows, entry if kind == "missed" else None)
    assert (found.kind, found.status, found.waited_s) == (kind, status, waited_s)
