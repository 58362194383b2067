"""The two client transactions, by the clock: RFC 3261 §17.1, RFC 6026 §7.2."""

import pytest

from sipcore.actions import Received, Send
from sipcore.flow import Flow
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.transaction.client import ClientTransaction
from sipcore.transaction.client import State as ClientState
from sipcore.transaction.invite_client import InviteClientTransaction, State
from tests.support.schedule import START_S, TCP, UDP, data_of, first_lines, kinds, request, response, run_out

SEND, GONE = ["Send"], ["Finished"]
TIMED_OUT, FAILED = ["TimedOut", "Finished"], ["FlowFailed", "Finished"]
both_flows = pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])


def invite(flow: Flow = UDP) -> InviteClientTransaction:
    machine = InviteClientTransaction(("b", "INVITE"), request("INVITE"), flow)
    assert kinds(machine.start(START_S)) == SEND
    return machine


def options(flow: Flow = UDP) -> ClientTransaction:
    machine = ClientTransaction(("b", "OPTIONS"), request("OPTIONS"), flow)
    assert kinds(machine.start(START_S)) == SEND
    return machine


# --- INVITE ---------------------------------------------------------------------------------------------------------


def test_an_invite_is_repeated_by_timer_a_until_timer_b() -> None:
    machine = invite()
    times = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert run_out(machine) == [(at, SEND) for at in times] + [(32.0, TIMED_OUT)]
    assert machine.state is State.TERMINATED


def test_over_a_reliable_transport_only_timer_b_runs() -> None:
    assert run_out(invite(TCP)) == [(32.0, TIMED_OUT)]


def test_each_copy_of_the_invite_is_the_same() -> None:
    machine = InviteClientTransaction(("b", "INVITE"), request("INVITE"), UDP)
    first = data_of(machine.start(START_S))
    assert data_of(machine.on_timer(START_S + 0.5)) == first == [bytes(machine.request)]


@both_flows
def test_a_provisional_response_stops_the_timers(flow: Flow) -> None:
    machine = invite(flow)
    ringing = response(machine.request, 180)
    assert machine.receive(ringing, START_S + 0.2) == (Received(ringing),)
    assert machine.state is State.PROCEEDING
    assert machine.deadline is None
    assert kinds(machine.receive(ringing, START_S + 9.0)) == ["Received"]


@both_flows
def test_an_abandoned_invite_is_given_up_after_64_t1(flow: Flow) -> None:
    machine = invite(flow)
    machine.receive(response(machine.request, 180), START_S + 1.0)
    assert machine.abandon(START_S + 10.0) == ()
    assert machine.abandon(START_S + 20.0) == ()
    machine.receive(response(machine.request, 183), START_S + 21.0)
    assert run_out(machine) == [(42.0, TIMED_OUT)]


def test_an_invite_abandoned_before_any_response_is_given_up_after_the_first_one() -> None:
    machine = invite()
    machine.abandon(START_S + 0.1)
    assert machine.deadline == START_S + 0.5
    machine.receive(response(machine.request, 100), START_S + 1.0)
    assert run_out(machine) == [(33.0, TIMED_OUT)]


def test_a_failure_is_acknowledged_and_its_copies_again_until_timer_d() -> None:
    machine = invite()
    busy = response(machine.request, 486)
    actions = machine.receive(busy, START_S + 1.0)
    assert kinds(actions) == ["Send", "Received"]
    for at in (1.5, 31.0):
        assert data_of(machine.receive(busy, START_S + at)) == data_of(actions)
    assert kinds(machine.receive(response(machine.request, 200), START_S + 2.0)) == []
    assert run_out(machine) == [(33.0, GONE)]


def test_over_a_reliable_transport_timer_d_is_zero() -> None:
    machine = invite(TCP)
    actions = machine.receive(response(machine.request, 486), START_S + 1.0)
    assert kinds(actions) == ["Send", "Received", "Finished"]
    assert machine.deadline is None
    assert machine.receive(response(machine.request, 486), START_S + 2.0) == ()


def test_the_ack_of_a_failure_has_the_branch_of_the_invite_and_the_tag_of_the_response() -> None:
    source = request("INVITE", extra="Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n")
    machine = InviteClientTransaction(("b", "INVITE"), source, UDP)
    machine.start(START_S)
    ack = parse_message(data_of(machine.receive(response(source, 404, "xyz"), START_S + 1.0))[0])
    assert isinstance(ack, Request)
    assert (ack.method, str(ack.uri)) == ("ACK", str(source.uri))
    assert ack.headers.raw("via") == source.headers.raw("via")  # one Via, the same
    assert str(ack.cseq) == "1 ACK"
    assert (ack.from_.tag, ack.to.tag, ack.call_id) == ("a", "xyz", "call-1")
    assert ack.headers.values("route") == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]


@both_flows
def test_every_2xx_is_passed_up_until_timer_m_and_none_is_acknowledged_here(flow: Flow) -> None:
    machine = invite(flow)
    first, fork = response(machine.request, 200, "one"), response(machine.request, 200, "two")
    assert machine.receive(first, START_S + 1.0) == (Received(first),)
    assert machine.receive(fork, START_S + 2.0) == (Received(fork),)
    assert machine.receive(response(machine.request, 486), START_S + 3.0) == ()
    assert machine.receive(response(machine.request, 180), START_S + 3.0) == ()
    assert machine.flow_failed(START_S + 4.0) == ()
    assert run_out(machine) == [(33.0, GONE)]


@pytest.mark.parametrize("first", [None, 180])
def test_a_failed_flow_is_told_while_an_answer_is_awaited(first: int | None) -> None:
    machine = invite(TCP)
    if first is not None:
        machine.receive(response(machine.request, first), START_S + 0.1)
    assert kinds(machine.flow_failed(START_S + 0.2)) == FAILED
    assert machine.deadline is None


def test_a_failed_flow_after_the_refusal_ends_the_transaction_quietly() -> None:
    machine = invite()
    machine.receive(response(machine.request, 486), START_S + 1.0)
    assert kinds(machine.flow_failed(START_S + 2.0)) == GONE


def test_after_its_end_nothing_moves_it() -> None:
    machine = invite()
    machine.flow_failed(START_S)
    for status in (180, 200, 486):
        assert machine.receive(response(machine.request, status), START_S + 1.0) == ()
    assert machine.flow_failed(START_S + 1.0) == machine.abandon(START_S + 1.0) == ()


# --- other requests -------------------------------------------------------------------------------------------------


def test_a_request_is_repeated_by_timer_e_up_to_t2_until_timer_f() -> None:
    times = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run_out(options()) == [(at, SEND) for at in times] + [(32.0, TIMED_OUT)]


def test_over_a_reliable_transport_only_timer_f_runs() -> None:
    assert run_out(options(TCP)) == [(32.0, TIMED_OUT)]


def test_after_a_provisional_response_timer_e_runs_at_t2() -> None:
    machine = options()
    assert kinds(machine.receive(response(machine.request, 100), START_S + 0.2)) == ["Received"]
    times = [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert run_out(machine) == [(at, SEND) for at in times] + [(32.0, TIMED_OUT)]


@pytest.mark.parametrize("status", [200, 302, 404, 503, 604])
def test_copies_of_the_final_response_are_absorbed_until_timer_k(status: int) -> None:
    machine = options()
    final = response(machine.request, status)
    assert machine.receive(final, START_S + 1.0) == (Received(final),)
    assert machine.receive(final, START_S + 2.0) == machine.flow_failed(START_S + 2.0) == ()
    assert run_out(machine) == [(6.0, GONE)]


def test_over_a_reliable_transport_timer_k_is_zero() -> None:
    machine = options(TCP)
    assert kinds(machine.receive(response(machine.request, 200), START_S + 1.0)) == ["Received", "Finished"]
    assert machine.state is ClientState.TERMINATED
    assert machine.deadline is None


@pytest.mark.parametrize("first", [None, 100])
def test_a_failed_flow_of_a_request_is_told(first: int | None) -> None:
    machine = options(TCP)
    if first is not None:
        machine.receive(response(machine.request, first), START_S + 0.1)
    assert kinds(machine.flow_failed(START_S + 0.2)) == FAILED


def test_what_is_repeated_goes_where_it_went() -> None:
    machine = options()
    action = machine.on_timer(START_S + 0.5)[0]
    assert isinstance(action, Send)
    assert action.flow is UDP
    assert first_lines([action]) == ["OPTIONS sip:bob@example.com SIP/2.0"]


def test_a_late_timer_does_not_fire_twice_at_once() -> None:
    machine = options()
    assert kinds(machine.on_timer(START_S + 20.0)) == SEND
    assert machine.deadline == START_S + 21.0
    assert kinds(machine.on_timer(START_S + 40.0)) == TIMED_OUT
