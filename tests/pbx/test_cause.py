"""The cause table: every outcome has one meaning in SIP, in Q.850 and in the call history."""

import pytest

from pbx import cause
from pbx.cause import Cause, Disposition

NAMED = {name: value for name, value in vars(cause).items() if isinstance(value, Cause) and not name.startswith("_")}


@pytest.mark.parametrize(
    ("outcome", "status", "q850", "disposition"),
    [
        (cause.NORMAL, 200, 16, "ANSWERED"),
        (cause.BUSY, 486, 17, "BUSY"),
        (cause.DECLINED, 603, 21, "BUSY"),
        (cause.NO_ANSWER, 480, 19, "NOANSWER"),
        (cause.CANCELLED, 487, 16, "NOANSWER"),
        (cause.ANSWERED_ELSEWHERE, 487, 26, "NOANSWER"),
        (cause.UNAVAILABLE, 480, 20, "FAILED"),
        (cause.NOT_FOUND, 404, 1, "FAILED"),
        (cause.FORBIDDEN, 403, 21, "FAILED"),
        (cause.NOT_ACCEPTABLE, 488, 65, "FAILED"),
        (cause.MEDIA_FAILED, 500, 47, "FAILED"),
        (cause.SERVER_ERROR, 500, 41, "FAILED"),
        (cause.SERVER_BUSY, 503, 42, "FAILED"),
    ],
)
def test_the_caller_is_told_what_the_contract_says(outcome: Cause, status: int, q850: int, disposition: str) -> None:
    assert (outcome.status, outcome.q850, outcome.disposition) == (status, q850, disposition)


def test_names_are_unique_and_every_cause_has_a_q850_text() -> None:
    assert len({named.name for named in NAMED.values()}) == len(NAMED)
    for named in (*NAMED.values(), *cause.BY_STATUS.values(), *cause.BY_CLASS.values()):
        assert named.text


@pytest.mark.parametrize(
    ("status", "q850"),
    # RFC 3398 §8.2.6.1; 406, 413 … in the table's order
    [
        *((400, 41), (402, 21), (403, 21), (404, 1), (405, 63), (406, 79), (407, 21), (408, 102), (410, 22)),
        *((413, 127), (414, 127), (416, 127), (420, 127), (421, 127), (423, 127), (480, 18), (481, 41)),
        *((482, 25), (483, 25), (484, 28), (485, 1), (486, 17), (500, 41), (501, 79), (502, 38), (503, 41)),
        *((504, 102), (505, 127), (513, 127), (600, 17), (603, 21), (604, 1)),
    ],
)
def test_a_status_maps_to_the_q850_value_of_rfc_3398(status: int, q850: int) -> None:
    assert Cause.from_refusal(status).q850 == q850


@pytest.mark.parametrize(
    ("received", "told"),
    [
        (486, 486),
        (600, 486),
        (603, 603),
        (607, 603),
        (480, 480),
        (404, 404),
        (484, 484),
        (488, 488),
        (415, 488),
        (606, 488),
    ],
)
def test_what_concerns_the_caller_is_passed_on(received: int, told: int) -> None:
    assert Cause.from_refusal(received).status == told


@pytest.mark.parametrize(("received", "told"), [(401, 403), (407, 403), (408, 480), (503, 480), (420, 500), (491, 500)])
def test_what_concerns_only_our_own_request_is_not_passed_on(received: int, told: int) -> None:
    assert Cause.from_refusal(received).status == told


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, cause.NORMAL), (202, cause.NORMAL), (499, cause.SERVER_ERROR), (599, cause.SERVER_ERROR)],
)
def test_an_unknown_status_counts_as_the_first_of_its_class(status: int, expected: Cause) -> None:
    assert Cause.from_refusal(status) == expected


@pytest.mark.parametrize("status", [0, -5, 99, 100, 700, 10**9])
def test_a_status_of_no_class_is_a_server_error(status: int) -> None:
    assert Cause.from_refusal(status) == cause.SERVER_ERROR


def test_a_redirection_is_not_followed_and_counts_as_unavailable() -> None:
    assert Cause.from_refusal(302).status == 480


@pytest.mark.parametrize("status", [486, 600, 603, 487])
def test_busy_declined_and_cancelled_are_final_for_every_route(status: int) -> None:
    assert not Cause.from_refusal(status).may_retry


@pytest.mark.parametrize("status", [408, 480, 403, 404, 500, 503, 504])
def test_a_route_that_does_not_reach_the_callee_lets_the_next_one_try(status: int) -> None:
    assert Cause.from_refusal(status).may_retry


def test_the_reason_header_carries_q850_or_says_that_the_call_was_answered_elsewhere() -> None:
    assert cause.BUSY.reason_header == 'Q.850;cause=17;text="User busy"'
    assert cause.NO_ANSWER.reason_header == 'Q.850;cause=19;text="No answer from user"'
    assert cause.ANSWERED_ELSEWHERE.reason_header == 'SIP;cause=200;text="Call completed elsewhere"'


def test_only_the_end_of_a_conversation_counts_as_answered() -> None:
    """Hung up, or cut because of what it costs."""
    answered = [named.name for named in NAMED.values() if named.disposition is Disposition.ANSWERED]
    assert answered == ["normal", "limit_reached"]


@pytest.mark.parametrize(
    ("q850", "status"),
    # RFC 3398 §7.2.4.1, in the table's order
    [
        *((1, 404), (2, 404), (3, 404), (17, 486), (18, 480), (19, 480), (20, 480), (21, 403), (22, 410), (23, 410)),
        *((26, 404), (28, 484), (31, 480), (55, 403), (57, 403), (65, 488), (70, 488), (87, 403)),
    ],
)
def test_the_cause_of_a_gateway_is_told_as_rfc_3398_says(q850: int, status: int) -> None:
    found = Cause.from_refusal(500, f'Q.850;cause={q850};text="x"')
    assert (found.status, found.q850) == (status, q850)
    assert f"cause={q850};" in found.reason_header, "and goes on as it came"


@pytest.mark.parametrize("q850", sorted(cause.STATUS_OF_Q850))
def test_every_known_cause_has_a_text_and_a_meaning(q850: int) -> None:
    found = Cause.from_refusal(503, f"Q.850;cause={q850}")
    assert found.text
    assert found.status >= 400
    assert found.disposition is not Disposition.ANSWERED


@pytest.mark.parametrize(
    ("reason", "q850"),
    [
        ("", 0),
        ("Q.850;cause=17", 17),
        ("q.850 ; cause=17", 17),
        ('SIP;cause=480;text="a,b", Q.850;cause=1', 1),
        ("Q.850", 0),
        ("Q.850;cause=-1", 0),
        ("Q.850;cause=99999999999999999999", 0),
        ("<<>>", 0),
        (",,,;;;", 0),
    ],
)
def test_a_reason_is_read_or_says_nothing(reason: str, q850: int) -> None:
    assert cause.q850_of(reason) == q850


@pytest.mark.parametrize("status", [486, 487, 600, 603])
def test_what_a_person_decided_is_not_overruled(status: int) -> None:
    assert Cause.from_refusal(status, "Q.850;cause=41") == Cause.from_refusal(status)


def test_a_cause_that_nobody_knows_leaves_the_status() -> None:
    assert Cause.from_refusal(404, "Q.850;cause=200") == Cause.from_refusal(404)


@pytest.mark.parametrize(("reason", "q850"), [("Q.850;cause=31", 31), ("", 16), ("Q.850;cause=500", 16)])
def test_the_cause_of_a_bye_goes_on_to_the_other_side(reason: str, q850: int) -> None:
    found = Cause.of_hang_up(reason)
    assert (found.name, found.q850, found.disposition) == ("normal", q850, Disposition.ANSWERED)
