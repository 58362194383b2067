"""A conversation as one line of the history."""

from dataclasses import replace

import pytest

from pbx.conversation_view import conversation, newest_conversations
from storage.match import matches
from storage.ports import HistoryQuery
from storage.records import CdrRow

T = 1_700_000_000.0


def row(id: str, start: float, end: float, to: str, disposition: str = "NOANSWER", **more: object) -> CdrRow:
    found = CdrRow(f"a-{id}", "a", T + start, T + end, "101", to, disposition)
    return replace(found, **more)  # type: ignore[arg-type]


FROM_OUTSIDE = {"from_number": "+79161234567", "external_number": "74950000000", "provider_in": "telco"}
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


def test_a_call_from_outside_that_nobody_took_is_missed_and_has_waited_to_its_end() -> None:
    found = conversation([MENU, replace(QUEUE, disposition="NOANSWER", answered_at=None), MISSED])
    assert (found.kind, found.disposition, found.waited_s, found.answered_by) == ("missed", "NOANSWER", 40.0, ())


@pytest.mark.parametrize(("over", "kind"), [({}, "internal"), ({"provider_out": "telco"}, "outgoing")])
def test_calls_of_our_own_are_internal_or_outgoing_also_without_an_answer(over: dict[str, str], kind: str) -> None:
    found = conversation([row("1", 0, 5, "102", "BUSY", **over)])
    assert (found.kind, found.disposition, found.from_number, found.to_number) == (kind, "BUSY", "101", "102")


def test_conversations_are_found_by_any_of_their_rows_and_shown_whole() -> None:
    others = [replace(row("1", 100, 110, "102"), id=f"{id}-1", linkedid=id) for id in ("b", "c")]
    kept = [*others, TAKEN, MISSED, MENU]

    def history(query: HistoryQuery, limit: int) -> list[CdrRow]:
        return [each for each in kept if matches(each, query)]

    assert [each.linkedid for each in newest_conversations(history, HistoryQuery(), 0)] == ["b", "c", "a"]
    (found,) = newest_conversations(history, HistoryQuery(number="202"), 5)
    assert (found.linkedid, found.rows) == ("a", 3)
    assert len(newest_conversations(history, HistoryQuery(), 2)) == 2
