"""One SIPp caller, one SIPp callee, one outcome each."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server
from tests.e2e.sipp import Plan, Sipp, play
from tests.e2e.ua import registered_port

# caller scenario, callee scenario, whether SIPp itself retransmits at that side
PAIRS = [
    ("caller_is_answered_and_hangs_up", "callee_answers"),
    ("caller_is_answered_and_callee_hangs_up", "callee_answers_and_hangs_up"),
    ("caller_is_told_486_busy", "callee_is_busy"),
    ("caller_is_told_603_declined", "callee_declines"),
    ("caller_gives_up_while_it_rings", "callee_rings_until_cancelled"),
    ("caller_gives_up_after_nobody_answered", "callee_rings_until_cancelled"),
    ("caller_holds_and_resumes", "callee_answers"),
    ("caller_changes_the_codec", "callee_refuses_the_first_reinvite_with_491"),
    ("caller_loses_the_first_200", "callee_answers"),
    ("caller_is_answered_and_hangs_up", "callee_loses_the_first_ack"),
    ("caller_is_answered_and_hangs_up", "callee_gives_reliable_early_media"),
    ("caller_acknowledges_early_media", "callee_gives_reliable_early_media"),
    ("caller_asks_for_too_short_an_interval", "callee_refreshes"),
    ("caller_is_answered_and_hangs_up", "callee_is_refreshed_by_update"),
    ("caller_is_answered_and_hangs_up", "callee_is_refreshed_by_reinvite"),
    ("caller_is_answered_and_callee_hangs_up", "callee_vanishes"),
    ("caller_sends_digits_by_info", "callee_answers"),
    ("caller_leaves_the_offer_to_the_server", "callee_answers"),
    ("caller_says_where_it_is", "callee_learns_where_the_caller_is"),
]
TALK_MS = {  # beyond 300
    "callee_loses_the_first_ack": 3000,
    "callee_refreshes": 1500,
    "callee_is_refreshed_by_update": 7500,
    "callee_is_refreshed_by_reinvite": 7500,
}
DEAF = {"caller_loses_the_first_200", "callee_loses_the_first_ack"}  # these play lost messages: no retransmission


def _caller(server: Server, scenario: str, to: str) -> Plan:
    return Plan(scenario, server.address, CALLER, keys={"from": "301", "to": to}, retransmit=scenario not in DEAF)


def _callee(server: Server, scenario: str, number: str, port: int) -> Plan:
    keys = {"number": number, "to": number, "from": number}
    return Plan(scenario, server.address, CALLEE, port, keys=keys, retransmit=scenario not in DEAF)


def _play_both(caller: Plan, callees: list[Plan], folder: Path) -> None:
    running = [Sipp(plan, folder) for plan in callees]
    try:
        play(caller, folder)
        for process in running:
            process.finish()
    finally:
        for process in running:
            process.end()


@pytest.mark.parametrize(("caller", "callee"), PAIRS, ids=[f"{caller}-{callee}" for caller, callee in PAIRS])
def test_a_call_goes_as_both_sides_play_it(server: Server, tmp_path: Path, caller: str, callee: str) -> None:
    talk_ms = TALK_MS.get(callee, 300)
    with registered_port(server.address, "401", CALLEE) as port:
        plan = replace(_caller(server, caller, "401"), talk_ms=talk_ms)
        _play_both(plan, [_callee(server, callee, "401", port)], tmp_path)
    assert server.json("calls") == []


def test_a_tcp_caller_reaches_a_udp_callee(server: Server, tmp_path: Path) -> None:
    with registered_port(server.address, "402", CALLEE) as port:
        plan = replace(_caller(server, "caller_is_answered_and_hangs_up", "402"), transport="t1")
        _play_both(plan, [_callee(server, "callee_answers", "402", port)], tmp_path)


def test_when_one_of_two_phones_answers_the_other_is_told_so(server: Server, tmp_path: Path) -> None:
    with (
        registered_port(server.address, "403", CALLEE) as first,
        registered_port(server.address, "403", CALLEE) as second,
    ):
        callees = [
            _callee(server, "callee_answers", "403", first),
            _callee(server, "callee_hears_that_another_phone_answered", "403", second),
        ]
        _play_both(_caller(server, "caller_is_answered_and_hangs_up", "403"), callees, tmp_path)


def test_a_phone_sends_a_call_on_to_another_number(server: Server, tmp_path: Path) -> None:
    with (
        registered_port(server.address, "403", CALLEE) as first,
        registered_port(server.address, "402", CALLEE) as second,
    ):
        sends_on = _callee(server, "callee_sends_the_call_on", "403", first)
        callees = [
            replace(sends_on, keys={"number": "403", "to": "402"}),
            _callee(server, "callee_learns_who_sent_the_call_on", "402", second),
        ]
        _play_both(_caller(server, "caller_is_answered_and_hangs_up", "403"), callees, tmp_path)


def test_a_callee_without_registration_is_unavailable(server: Server, tmp_path: Path) -> None:
    play(_caller(server, "caller_is_told_480_unavailable", "212"), tmp_path)


def test_a_number_that_does_not_exist_is_not_found(server: Server, tmp_path: Path) -> None:
    play(_caller(server, "caller_is_told_404_unknown", "999"), tmp_path)


def test_fifty_calls_a_second_are_all_answered(server: Server, tmp_path: Path) -> None:
    with registered_port(server.address, "404", CALLEE) as port:
        caller = replace(_caller(server, "caller_is_answered_and_hangs_up", "404"), calls=100, rate=50)
        callee = replace(_callee(server, "callee_answers", "404", port), calls=100)
        _play_both(caller, [callee], tmp_path)
    assert server.json("calls") == []
