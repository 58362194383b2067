"""The two server transactions, by the clock: RFC 3261 §17.2, RFC 6026 §7.1."""

import pytest

from sipcore.actions import AckReceived
from sipcore.flow import Flow
from sipcore.timers import TimerConfig
from sipcore.transaction.invite_server import InviteServerTransaction, State
from sipcore.transaction.server import ServerTransaction
from sipcore.transaction.server import State as ServerState
from tests.support.schedule import START_S, TCP, UDP, data_of, first_lines, kinds, request, response, run_out

SEND, GONE = ["Send"], ["Finished"]
NO_ACK, FAILED = ["AckMissing", "Finished"], ["FlowFailed", "Finished"]
both_flows = pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])


def invite(flow: Flow = UDP) -> InviteServerTransaction:
    machine = InviteServerTransaction(("b",), request("INVITE"), flow)
    assert machine.start(START_S) == ()
    return machine


def options(flow: Flow = UDP) -> ServerTransaction:
    return ServerTransaction(("b",), request("OPTIONS"), flow)


# --- INVITE ---------------------------------------------------------------------------------------------------------


@both_flows
def test_a_100_goes_out_after_200_ms_of_silence(flow: Flow) -> None:
    machine = invite(flow)
    first = machine.deadline
    assert first == START_S + 0.2
    actions = machine.on_timer(START_S + 0.2)
    assert first_lines(actions) == ["SIP/2.0 100 Trying"]
    assert machine.deadline is None
    assert data_of(machine.receive(machine.request, START_S + 0.5)) == data_of(actions)


def test_who_answers_at_once_sends_no_100() -> None:
    machine = invite()
    ringing = response(machine.request, 180)
    assert data_of(machine.respond(ringing, START_S + 0.1)) == [bytes(ringing)]
    assert machine.deadline is None
    assert machine.is_proceeding


def test_a_copy_of_the_invite_gets_the_last_provisional_response_again() -> None:
    machine = invite()
    assert machine.receive(machine.request, START_S + 0.1) == ()  # nothing was said yet
    machine.respond(response(machine.request, 180), START_S + 0.3)
    last = response(machine.request, 183)
    machine.respond(last, START_S + 0.4)
    assert data_of(machine.receive(machine.request, START_S + 0.5)) == [bytes(last)]


def test_a_refusal_is_repeated_by_timer_g_until_timer_h() -> None:
    machine = invite()
    assert kinds(machine.respond(response(machine.request, 486), START_S)) == SEND
    times = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run_out(machine) == [(at, SEND) for at in times] + [(32.0, NO_ACK)]


def test_over_a_reliable_transport_only_timer_h_runs() -> None:
    machine = invite(TCP)
    machine.respond(response(machine.request, 486), START_S + 1.0)
    assert run_out(machine) == [(33.0, NO_ACK)]


def test_timer_g_stops_at_another_t2() -> None:
    machine = InviteServerTransaction(("b",), request("INVITE"), UDP, timers=TimerConfig(t1=1.0, t2=2.0))
    machine.respond(response(machine.request, 404), START_S)
    assert [at for at, _ in run_out(machine, 8.0)] == [1.0, 3.0, 5.0, 7.0]


def test_the_ack_stops_the_refusal_and_copies_are_absorbed_until_timer_i() -> None:
    machine = invite()
    refusal = response(machine.request, 486)
    machine.respond(refusal, START_S)
    assert data_of(machine.receive(machine.request, START_S + 0.1)) == [bytes(refusal)]
    ack = request("ACK", to_tag="b")
    assert machine.receive(ack, START_S + 1.0) == (AckReceived(ack),)
    for late in (ack, machine.request):
        assert machine.receive(late, START_S + 2.0) == ()
    assert machine.flow_failed(START_S + 2.0) == ()
    assert run_out(machine) == [(6.0, GONE)]


def test_over_a_reliable_transport_timer_i_is_zero() -> None:
    machine = invite(TCP)
    machine.respond(response(machine.request, 486), START_S)
    assert kinds(machine.receive(request("ACK", to_tag="b"), START_S + 1.0)) == ["AckReceived", "Finished"]
    assert machine.deadline is None


@both_flows
def test_after_a_2xx_copies_of_the_invite_are_absorbed_until_timer_l(flow: Flow) -> None:
    machine = invite(flow)
    assert kinds(machine.respond(response(machine.request, 200), START_S + 2.0)) == SEND
    assert machine.state is State.ACCEPTED
    assert machine.receive(machine.request, START_S + 2.5) == ()
    assert kinds(machine.respond(response(machine.request, 200), START_S + 2.5)) == SEND  # the user repeats it
    ack = request("ACK", to_tag="b")
    assert machine.receive(ack, START_S + 3.0) == machine.receive(ack, START_S + 4.0) == (AckReceived(ack),)
    assert run_out(machine) == [(34.0, GONE)]


def test_a_failed_flow_after_the_2xx_is_told_and_the_transaction_stays() -> None:
    machine = invite(TCP)
    machine.respond(response(machine.request, 200), START_S)
    assert kinds(machine.flow_failed(START_S + 1.0)) == ["FlowFailed"]
    assert machine.state is State.ACCEPTED


def test_a_failed_flow_before_the_final_response_is_told() -> None:
    assert kinds(invite(TCP).flow_failed(START_S + 1.0)) == FAILED


def test_a_failed_flow_after_the_refusal_is_nobodys_business() -> None:
    machine = invite(TCP)
    machine.respond(response(machine.request, 486), START_S)
    assert kinds(machine.flow_failed(START_S + 1.0)) == GONE


def test_the_first_final_response_counts() -> None:
    machine = invite()
    machine.respond(response(machine.request, 486), START_S)
    for status in (180, 200, 503):
        assert machine.respond(response(machine.request, status), START_S + 0.1) == ()


def test_an_ack_before_the_final_response_means_nothing() -> None:
    machine = invite()
    assert machine.receive(request("ACK"), START_S) == ()
    assert machine.is_proceeding


# --- other requests -------------------------------------------------------------------------------------------------


def test_copies_are_discarded_until_there_is_a_response() -> None:
    machine = options()
    assert machine.receive(machine.request, START_S) == ()
    assert machine.deadline is None


def test_the_final_response_is_repeated_for_copies_until_timer_j() -> None:
    machine = options()
    final = response(machine.request, 200)
    assert data_of(machine.respond(final, START_S + 1.0)) == [bytes(final)]
    for at in (1.1, 20.0, 32.9):
        assert data_of(machine.receive(machine.request, START_S + at)) == [bytes(final)]
    assert machine.respond(response(machine.request, 500), START_S + 2.0) == ()
    assert run_out(machine) == [(33.0, GONE)]


def test_who_waits_for_copies_keeps_no_more_of_the_request_than_it_is_known_by() -> None:
    machine = options()
    machine.request.headers.add("user-agent", "Phone")
    machine.respond(response(machine.request, 200), START_S)
    assert [name for name, _ in machine.request.headers] == ["via", "from", "to", "call-id", "cseq"]
    assert (machine.request.method, machine.request.cseq.number) == ("OPTIONS", 1)


def test_over_a_reliable_transport_timer_j_is_zero() -> None:
    machine = options(TCP)
    assert kinds(machine.respond(response(machine.request, 200), START_S)) == ["Send", "Finished"]
    assert machine.state is ServerState.TERMINATED
    assert machine.deadline is None


def test_a_provisional_response_is_repeated_for_copies() -> None:
    machine = options()
    trying = response(machine.request, 100)
    machine.respond(trying, START_S)
    assert data_of(machine.receive(machine.request, START_S + 1.0)) == [bytes(trying)]
    assert kinds(machine.respond(response(machine.request, 200), START_S + 2.0)) == SEND


@pytest.mark.parametrize("first", [None, 100])
def test_a_failed_flow_is_told_while_the_answer_is_ours_to_give(first: int | None) -> None:
    machine = options(TCP)
    if first is not None:
        machine.respond(response(machine.request, first), START_S)
    assert kinds(machine.flow_failed(START_S + 1.0)) == FAILED


def test_a_failed_flow_after_the_answer_ends_the_transaction_quietly() -> None:
    machine = options()
    machine.respond(response(machine.request, 200), START_S)
    assert kinds(machine.flow_failed(START_S + 1.0)) == GONE
