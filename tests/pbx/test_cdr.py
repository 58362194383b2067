"""The history rows that the events of a call fold into."""

from collections.abc import Iterable

import pytest

from pbx import cause
from pbx.bus import Bus
from pbx.cause import Cause
from pbx.cdr import CdrRecorder
from pbx.events import (
    BridgeEnded,
    BridgeFormed,
    CallEnded,
    CallEvent,
    CallStarted,
    Direction,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegMoved,
    LegRinging,
    RecordingStarted,
    StageEntered,
    StageLeft,
)
from pbx.party import Party, PartyKind
from pbx.quality import Measured
from storage.records import CdrRow, StoredRecording

ANNA = Party(PartyKind.TERMINAL, "101", "Anna")
BORIS = Party(PartyKind.TERMINAL, "102", "Boris")
ECHO = Party.of_application("10003246", "Echo")
T = 1_700_000_000.0
CALLER, CALLEE, SECOND = 1, 2, 3


def fold(events: Iterable[CallEvent]) -> tuple[CdrRow, ...]:
    """The rows of the calls that end among `events`."""
    rows: list[CdrRow] = []
    recorder = CdrRecorder(rows.append)
    for event in events:
        recorder.observe(event)
    return tuple(rows)


def started(to: Party = BORIS) -> list[CallEvent]:
    return [
        CallStarted(T, "c1", "zvon-1700000000.1", ANNA, to),
        LegCreated(T, "c1", CALLER, ANNA, Direction.INCOMING, "in@phone"),
    ]


def rung(leg: int = CALLEE, to: Party = BORIS) -> list[CallEvent]:
    created = LegCreated(T + 0.1, "c1", leg, to, Direction.OUTGOING, f"out{leg}@zvon")
    return [created, LegRinging(T + 0.2, "c1", leg)]


def ended(outcome: Cause, at: float = T + 20) -> list[CallEvent]:
    return [LegEnded(at, "c1", CALLER, outcome), CallEnded(at, "c1", outcome)]


def stage(party: Party, word: str, at: float = T) -> list[CallEvent]:
    return [StageEntered(at, "c1", party, word)]


def left(at: float, outcome: Cause | None = cause.NORMAL, digits: str = "") -> list[CallEvent]:
    return [StageLeft(at, "c1", outcome, digits)]


def only_row(*parts: list[CallEvent]) -> CdrRow:
    (row,) = fold(event for part in parts for event in part)
    return row


@pytest.mark.row("CDR-3")
def test_an_answered_call_counts_talk_from_the_answer_of_the_callee() -> None:
    talk: list[CallEvent] = [
        LegAnswered(T + 5, "c1", CALLEE),
        LegAnswered(T + 5.1, "c1", CALLER),
        BridgeFormed(T + 5.1, "c1", 1, (CALLER, CALLEE)),
        LegEnded(T + 17.5, "c1", CALLEE, cause.NORMAL),
        BridgeEnded(T + 17.5, "c1", 1),
    ]
    assert only_row(started(), rung(), talk, ended(cause.NORMAL, T + 17.6)) == CdrRow(
        id="c1-1",
        linkedid="zvon-1700000000.1",
        started_at=T,
        answered_at=T + 5,
        ended_at=T + 17.5,
        talk_seconds=12.5,
        from_number="101",
        from_name="Anna",
        to_number="102",
        to_name="Boris",
        disposition="ANSWERED",
        stage="dial",
        cause="normal",
        sip_call_ids=("in@phone", "out2@zvon"),
    )


@pytest.mark.row("CDR-17")
@pytest.mark.parametrize(
    ("outcome", "disposition"),
    [
        (cause.BUSY, "BUSY"),
        (cause.DECLINED, "BUSY"),
        (cause.NO_ANSWER, "NOANSWER"),
        (cause.CANCELLED, "NOANSWER"),
        (cause.UNAVAILABLE, "FAILED"),
        (cause.NOT_ACCEPTABLE, "FAILED"),
        (cause.NORMAL, "NOANSWER"),
    ],
)
def test_a_call_without_answer_has_the_disposition_of_its_cause(outcome: Cause, disposition: str) -> None:
    row = only_row(started(), rung(), [LegEnded(T + 19, "c1", CALLEE, outcome)], ended(outcome))
    assert (row.disposition, row.cause) == (disposition, outcome.name)
    assert (row.answered_at, row.talk_seconds, row.ended_at) == (None, 0.0, T + 20)


def test_a_call_to_an_employee_without_a_registered_phone_leaves_a_row() -> None:
    row = only_row(started(), ended(cause.UNAVAILABLE, T + 0.01))
    assert (row.to_number, row.disposition, row.cause) == ("102", "FAILED", "unavailable")
    assert row.sip_call_ids == ("in@phone",)


def test_a_call_to_a_number_that_nobody_has_leaves_a_row() -> None:
    row = only_row(started(Party.unknown("999")), ended(cause.NOT_FOUND))
    assert (row.to_number, row.stage, row.disposition, row.cause) == ("999", "dial", "FAILED", "not_found")


def test_an_application_answers_but_nobody_talks() -> None:
    answered: list[CallEvent] = [LegAnswered(T + 1, "c1", CALLER)]
    row = only_row(started(ECHO), stage(ECHO, "application"), answered, ended(cause.NORMAL))
    assert (row.stage, row.disposition, row.to_name) == ("application", "ANSWERED", "Echo")
    assert (row.answered_at, row.talk_seconds) == (T + 1, 0.0)


def rows_of(*parts: list[CallEvent]) -> list[CdrRow]:
    return list(fold(event for part in parts for event in part))


MENU, QUEUE = Party.of_application("700", "Menu"), Party.of_application("500", "Sales")


def test_a_menu_takes_the_call_but_does_not_answer_it_and_keeps_what_was_dialled() -> None:
    """CDR-3: media that answers is no answer; CDR-19: who hangs up in a menu leaves a row."""
    taken: list[CallEvent] = [LegAnswered(T + 1, "c1", CALLER)]
    row = only_row(started(MENU), stage(MENU, "ivr"), taken, left(T + 9, None, "t,5"), ended(cause.CANCELLED, T + 9))
    assert (row.stage, row.disposition, row.answered_at, row.talk_seconds) == ("ivr", "NOANSWER", None, 0.0)
    assert (row.digits, row.ended_at) == ("t,5", T + 9)


def test_each_stage_of_a_call_has_its_row_and_the_talk_begins_where_somebody_answers() -> None:
    found = rows_of(
        started(MENU),
        stage(MENU, "ivr"),
        [LegAnswered(T + 1, "c1", CALLER)],
        left(T + 5, digits="1"),
        stage(BORIS, "dial", T + 5),
        rung(),
        [LegAnswered(T + 8, "c1", CALLEE), LegEnded(T + 20, "c1", CALLEE, cause.NORMAL)],
        left(T + 20),
        ended(cause.NORMAL),
    )
    assert [(row.stage, row.to_number, row.disposition, row.talk_seconds) for row in found] == [
        ("ivr", "700", "NOANSWER", 0.0),
        ("dial", "102", "ANSWERED", 12.0),
    ]
    assert (found[0].ended_at, found[1].started_at, found[1].answered_at) == (T + 5, T + 5, T + 8)
    assert {row.linkedid for row in found} == {"zvon-1700000000.1"}


def ring_of(ring: int, leg: int, to: Party, at: float) -> list[CallEvent]:
    return [LegCreated(at, "c1", leg, to, Direction.OUTGOING, f"out{leg}@zvon", attempt=ring)]


def test_every_try_of_a_queue_to_reach_an_agent_has_its_row() -> None:
    """QUE-31: one row of the queue, one an attempt; it is answered when an agent answers."""
    found = rows_of(
        started(QUEUE),
        stage(QUEUE, "queue"),
        ring_of(7, 2, BORIS, T + 1),
        [LegEnded(T + 16, "c1", 2, cause.NO_ANSWER)],
        ring_of(8, 3, BORIS, T + 17),
        [LegAnswered(T + 19, "c1", 3), LegEnded(T + 30, "c1", 3, cause.NORMAL)],
        left(T + 30),
        ended(cause.NORMAL, T + 30),
    )
    assert [(row.stage, row.to_number, row.disposition, row.talk_seconds) for row in found] == [
        ("queue", "500", "ANSWERED", 0.0),
        ("dial", "102", "NOANSWER", 0.0),
        ("dial", "102", "ANSWERED", 11.0),
    ]
    assert [row.ended_at for row in found] == [T + 30, T + 16, T + 30]


def test_a_caller_who_leaves_a_queue_ends_the_row_of_the_queue_and_not_that_of_the_agent() -> None:
    found = rows_of(
        started(QUEUE),
        stage(QUEUE, "queue"),
        ring_of(7, 2, BORIS, T + 1),
        [LegEnded(T + 16, "c1", 2, cause.NO_ANSWER)],
        left(T + 40, None),
        ended(cause.CANCELLED, T + 40),
    )
    assert [(row.cause, row.ended_at) for row in found] == [("cancelled", T + 40), ("no_answer", T + 16)]


def test_a_party_that_talks_already_and_is_sent_to_a_conference_is_answered_there() -> None:
    room = Party.of_application("800", "Daily")
    moved: list[CallEvent] = [LegMoved(T, "c1", CALLER, ANNA, "in@phone")]
    begun: list[CallEvent] = [CallStarted(T, "c1", "zvon-1700000000.1", ANNA, room, "transfer")]
    row = only_row(begun, moved, stage(room, "conference", T + 1), left(T + 61), ended(cause.NORMAL, T + 61))
    assert (row.stage, row.disposition, row.answered_at, row.talk_seconds) == ("conference", "ANSWERED", T + 1, 60.0)


def test_several_contacts_of_one_number_share_a_row_and_the_first_answer_counts() -> None:
    forks: list[CallEvent] = [
        LegAnswered(T + 4, "c1", SECOND),
        LegEnded(T + 4.1, "c1", CALLEE, cause.ANSWERED_ELSEWHERE),
        LegEnded(T + 9, "c1", SECOND, cause.NORMAL),
    ]
    row = only_row(started(), rung(), rung(SECOND), forks, ended(cause.NORMAL, T + 9))
    assert (row.talk_seconds, row.cause) == (5.0, "normal")
    assert row.sip_call_ids == ("in@phone", "out2@zvon", "out3@zvon")


def test_a_contact_that_answers_too_late_or_ends_last_changes_nothing() -> None:
    forks: list[CallEvent] = [
        LegAnswered(T + 4, "c1", SECOND),
        LegAnswered(T + 4.2, "c1", CALLEE),
        LegEnded(T + 9, "c1", SECOND, cause.NORMAL),
        LegEnded(T + 11, "c1", CALLEE, cause.ANSWERED_ELSEWHERE),
    ]
    row = only_row(started(), rung(), rung(SECOND), forks, ended(cause.NORMAL, T + 12))
    assert (row.answered_at, row.ended_at, row.talk_seconds) == (T + 4, T + 9, 5.0)


def test_each_number_that_was_tried_has_its_own_row() -> None:
    carol = Party(PartyKind.TERMINAL, "103", "Carol")
    tries = [*rung(), LegEnded(T + 3, "c1", CALLEE, cause.BUSY), *rung(SECOND, carol), LegAnswered(T + 6, "c1", SECOND)]
    first, second = fold([*started(), *tries, *ended(cause.NORMAL)])
    assert (first.id, first.to_number, first.disposition, first.cause, first.ended_at) == (
        ("c1-1", "102", "BUSY", "busy", T + 3)
    )
    assert (second.id, second.to_number, second.disposition, second.talk_seconds) == ("c1-2", "103", "ANSWERED", 14.0)
    assert first.linkedid == second.linkedid


def test_quality_of_both_sides_is_kept_and_that_of_a_lost_fork_is_not() -> None:
    legs: list[CallEvent] = [
        LegAnswered(T + 4, "c1", SECOND),
        LegEnded(T + 4, "c1", CALLEE, cause.ANSWERED_ELSEWHERE, Measured({"lost": 7.0})),
        LegEnded(T + 9, "c1", SECOND, cause.NORMAL, Measured({"jitter_ms": 2.0})),
        LegEnded(T + 9, "c1", CALLER, cause.NORMAL, Measured({"jitter_ms": 1.0})),
        CallEnded(T + 9, "c1", cause.NORMAL),
    ]
    assert only_row(started(), rung(), rung(SECOND), legs).quality == {"from_jitter_ms": 1.0, "to_jitter_ms": 2.0}


def test_a_wall_clock_that_is_set_back_makes_no_negative_times() -> None:
    row = only_row(started(), rung(), [LegAnswered(T + 5, "c1", CALLEE)], ended(cause.NORMAL, T - 3600))
    assert (row.ended_at, row.talk_seconds) == (T + 5, 0.0)


def test_a_call_has_no_row_before_it_ends() -> None:
    assert fold([*started(), *rung(), LegAnswered(T + 5, "c1", CALLEE)]) == ()


def test_events_of_calls_that_are_not_known_are_passed_over() -> None:
    assert fold([*rung(), *ended(cause.NORMAL)]) == ()


def test_the_recorder_hears_the_bus_and_forgets_a_call_that_has_ended() -> None:
    bus, rows = Bus(), list[CdrRow]()
    recorder = CdrRecorder(rows.append)
    recorder.attach(bus)
    for event in (*started(), *rung()):
        bus.publish(event)
    assert recorder.describe() == {"calls_in_progress": 1}
    for event in (*ended(cause.CANCELLED), LegEnded(T + 21, "c1", CALLEE, cause.CANCELLED)):
        bus.publish(event)
    assert [row.disposition for row in rows] == ["NOANSWER"]
    assert recorder.describe() == {"calls_in_progress": 0}


def recorded(id: str, at: float, *, is_kept: bool = True) -> list[CallEvent]:
    entry = StoredRecording(id, "c1", "zvon-1700000000.1", at, "101", "102") if is_kept else None
    return [RecordingStarted(at, "c1", 7, f"/rec/{id}.wav", entry)]


def test_a_row_names_the_recordings_of_what_was_said_in_it() -> None:
    talk: list[CallEvent] = [LegAnswered(T + 5, "c1", CALLEE), LegAnswered(T + 5.1, "c1", CALLER)]
    files = recorded("a", T + 5.2) + recorded("passing", T + 6, is_kept=False) + recorded("b", T + 9)
    assert only_row(started(), rung(), talk, files, ended(cause.NORMAL)).recording == "a b"
    assert only_row(started(), rung(), talk, ended(cause.NORMAL)).recording == ""


def test_a_message_belongs_to_the_row_of_the_mailbox_and_not_to_that_of_who_did_not_answer() -> None:
    voicemail = Party.of_application("voicemail", "Voicemail")
    events = [
        *started(), *stage(BORIS, "dial"), *rung(), LegEnded(T + 10, "c1", CALLEE, cause.NO_ANSWER), *left(T + 10),
        *stage(voicemail, "voicemail", T + 10), LegAnswered(T + 10.1, "c1", CALLER), *recorded("m", T + 12),
        *left(T + 20, None), *ended(cause.NORMAL),
    ]  # fmt: skip
    dialled, message = fold(events)
    assert (dialled.recording, dialled.disposition) == ("", "NOANSWER")
    assert (message.recording, message.stage, message.disposition) == ("m", "voicemail", "ANSWERED")
