"""Calls through two stacks: set-up, refusal, CANCEL, BYE, and what loss and races make of them.

RFC 3261 §9, §13, §15, RFC 6026, RFC 5407. Messages take 10 ms.
"""

import pytest

from sipcore.errors import LocalProtocolError
from sipcore.events import SessionAnswered, SessionEnded, SessionProgress
from sipcore.message import Request
from tests.support.callers import Pair, answer, leave, ring
from tests.support.fakenet import ANSWER, OFFER, FakeNet, Packet, delaying, dropping

both_transports = pytest.mark.parametrize("transport", ["UDP", "TCP"])


# --- the plain call -------------------------------------------------------------------------------------------------


@both_transports
def test_a_call_is_answered_and_the_caller_hangs_up(transport: str) -> None:
    pair = Pair(taken=ring, transport=transport)
    pair.dial()
    pair.net.step_until(1.0)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(2.0)
    assert pair.told_alice() == ["Progress", "Answered"]
    assert pair.told_bob() == ["Confirmed"]
    pair.alice.perform(pair.a, "end", "Q.850;cause=16")
    pair.finish()
    assert pair.ladder() == [
        *("alice INVITE", "bob 180 INVITE", "bob 200 INVITE", "alice ACK"),
        *("alice BYE", "bob 200 BYE"),
    ]  # fmt: skip
    assert pair.told_alice() == ["Progress", "Answered", "Ended 200"]
    assert pair.told_bob() == ["Confirmed", "Ended 200"]


@both_transports
def test_the_callee_hangs_up(transport: str) -> None:
    pair = Pair(transport=transport).established()
    pair.bob.perform(pair.b, "end", "Q.850;cause=31")
    pair.finish()
    ended = [event for event in pair.alice.events if isinstance(event, SessionEnded)]
    assert [(event.status, event.reason, event.by_peer) for event in ended] == [(200, "Q.850;cause=31", True)]
    own = [event for event in pair.bob.events if isinstance(event, SessionEnded)]
    assert [(event.status, event.by_peer) for event in own] == [(200, False)]


def test_the_answer_reaches_the_caller_and_the_offer_the_callee() -> None:
    pair = Pair().established()
    assert pair.b.request.body == OFFER
    assert [event.sdp for event in pair.alice.events if isinstance(event, SessionAnswered)] == [ANSWER]


def test_an_invite_without_an_offer_of_ours_is_our_own_mistake() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError, match="without an offer"):
        pair.alice.call("bob", sdp=b"")


@both_transports
@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_a_refused_call(transport: str, status: int) -> None:
    pair = Pair(taken=lambda node, session: node.perform(session, "reject", status), transport=transport)
    pair.dial()
    pair.finish()
    assert pair.told_alice() == [f"Ended {status}"]
    assert pair.told_bob() == [f"Ended {status}"]
    ended = pair.alice.events[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.response is not None
    assert (ended.response.status, ended.by_peer) == (status, True)
    assert pair.ladder() == ["alice INVITE", f"bob {status} INVITE", "alice ACK"]


def test_nobody_there_is_told_after_64_t1() -> None:
    net = FakeNet()
    alice = net.add("alice")
    session = alice.call("nobody")
    net.run_out()
    ended = alice.session_events(session)
    assert [(type(event), event.status, event.response) for event in ended if isinstance(event, SessionEnded)] == [
        (SessionEnded, 408, None)
    ]
    assert net.now == 1032.0
    assert alice.stack.is_idle()


def test_early_media_is_told_with_the_tag_of_its_fork() -> None:
    pair = Pair(taken=lambda node, session: node.perform(session, "progress", 183, sdp=ANSWER))
    pair.dial()
    pair.net.step_until(1.0)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(2.0)
    progress = [event for event in pair.alice.events if isinstance(event, SessionProgress)]
    assert [(event.status, event.sdp, event.tag) for event in progress] == [(183, ANSWER, pair.b.local_tag)]
    assert pair.a.offers.agreed
    assert pair.b.offers.agreed
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_the_callee_offers_when_the_invite_did_not() -> None:
    pair = Pair(taken=answer)
    pair.dial()
    invite = pair.requests("INVITE")[0]
    pair.net.nodes["alice"].stack.flow_closed(
        pair.alice.flow_to("bob"), pair.net.now
    )  # the call that Alice made is off
    pair.net.settle()
    offerless = Request("INVITE", invite.uri, invite.headers.copy())
    offerless.headers.remove("content-type")
    offerless.headers.set("call-id", "delayed")
    pair.net.inject(bytes(offerless), "bob", "carol")
    sent = pair.responses(200)[-1]
    session = pair.bobs[-1]
    assert sent.body == ANSWER
    assert session.offers.state.name == "LOCAL_OFFER"
    ack = Request("ACK", invite.uri, sent.headers.copy(), b"v=0\r\no=carol\r\n")
    ack.headers.set("cseq", "1 ACK")
    ack.headers.set("content-type", "application/sdp")
    pair.net.inject(bytes(ack), "bob", "carol")
    assert pair.bob.told()[-1] == "SessionConfirmed"
    assert pair.bob.events[-1].sdp == b"v=0\r\no=carol\r\n"  # type: ignore[union-attr]
    assert session.offers.state.name == "STABLE"
    pair.bob.perform(session, "end")
    pair.net.run_out()
    assert pair.bob.stack.is_idle()


# --- CANCEL ---------------------------------------------------------------------------------------------------------


@both_transports
def test_a_call_is_cancelled_while_it_rings(transport: str) -> None:
    pair = Pair(taken=ring, transport=transport)
    pair.dial()
    pair.net.step_until(1.0)
    pair.alice.perform(pair.a, "end", 'SIP;cause=200;text="Call completed elsewhere"')
    pair.finish()
    assert pair.ladder() == [
        *("alice INVITE", "bob 180 INVITE", "alice CANCEL", "bob 200 CANCEL", "bob 487 INVITE", "alice ACK"),
    ]  # fmt: skip
    assert pair.told_alice() == ["Progress", "Ended 487"]
    assert pair.told_bob() == ["Ended 487"]
    ended = pair.bob.events[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.reason == 'SIP;cause=200;text="Call completed elsewhere"'
    tags = {message.to.tag for status in (200, 487) for message in pair.responses(status)}
    assert tags == {pair.b.local_tag}  # §9.2


def test_a_cancel_waits_for_a_provisional_response() -> None:
    pair = Pair(taken=leave)
    pair.dial()
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.ladder()[:4] == ["alice INVITE", "bob 100 INVITE", "alice CANCEL", "bob 200 CANCEL"]
    assert pair.told_alice() == ["Ended 487"]


def test_a_cancelled_call_to_nobody_ends_by_timer_b_without_a_cancel() -> None:
    net = FakeNet()
    alice = net.add("alice")
    session = alice.call("nobody")
    alice.perform(session, "end")
    net.run_out()
    assert set(alice.sent_labels()) == {"INVITE"}
    assert [type(event).__name__ for event in alice.session_events(session)] == ["SessionEnded"]
    assert alice.stack.is_idle()


def test_who_ignores_a_cancel_is_not_waited_for_longer_than_64_t1() -> None:
    pair = Pair(route=dropping("487 INVITE", times=99), taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    pair.alice.perform(pair.a, "end")
    pair.net.step_until(32.9)
    assert pair.told_alice() == ["Progress"]
    pair.finish()
    assert pair.told_alice() == ["Progress", "Ended 408"]


@both_transports
def test_a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended(transport: str) -> None:
    pair = Pair(taken=ring, transport=transport)
    pair.dial()
    pair.net.step_until(1.0)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.alice.perform(pair.a, "end", "Q.850;cause=16")
    pair.finish()
    assert pair.told_alice() == ["Progress", "Ended 200"]
    assert pair.told_bob() == ["Confirmed", "Ended 200"]
    assert pair.ladder()[2:] == [
        *("bob 200 INVITE", "alice CANCEL", "alice ACK", "alice BYE", "bob 200 CANCEL", "bob 200 BYE"),
    ]  # fmt: skip


def test_a_2xx_before_any_provisional_response_also_meets_a_wish_to_cancel() -> None:
    pair = Pair()
    pair.dial()
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.ladder() == ["alice INVITE", "bob 200 INVITE", "alice ACK", "alice BYE", "bob 200 BYE"]
    assert pair.told_alice() == ["Ended 200"]


def test_ringing_after_the_cancel_brings_no_second_cancel() -> None:
    pair = Pair(taken=ring, route=delaying("CANCEL", 0.3))
    pair.dial()
    pair.net.step_until(1.0)
    pair.alice.perform(pair.a, "end")
    pair.bob.perform(pair.b, "progress", 180)
    pair.net.step_until(1.2)
    assert pair.alice.sent_labels().count("CANCEL") == 1
    pair.finish()
    assert pair.told_alice() == ["Progress", "Ended 487"]


def test_a_second_wish_to_end_changes_nothing() -> None:
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    for _ in range(3):
        pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.alice.sent_labels().count("CANCEL") == 1


# --- loss -----------------------------------------------------------------------------------------------------------


def test_a_lost_200_is_repeated_until_its_ack() -> None:
    pair = Pair(route=dropping("200 INVITE", times=3))
    pair.dial()
    pair.net.step_until(10.0)
    assert pair.times("200 INVITE") == [0.01, 0.51, 1.51, 3.51]
    assert pair.times("ACK") == [3.52]
    assert pair.told_alice() == ["Answered"]
    assert pair.told_bob() == ["Confirmed"]


def test_a_lost_ack_is_sent_again_for_each_copy_of_the_2xx() -> None:
    pair = Pair(route=dropping("ACK", times=2))
    pair.dial()
    pair.net.step_until(10.0)
    assert pair.times("ACK") == [0.02, 0.52, 1.52]
    assert len({packet.data for packet in pair.net.log if packet.label == "ACK"}) == 1
    assert pair.told_alice() == ["Answered"]
    assert pair.told_bob() == ["Confirmed"]


def test_a_2xx_that_is_never_acknowledged_is_given_up_after_64_t1() -> None:
    pair = Pair(route=dropping("ACK", times=99))
    pair.dial()
    pair.net.step_until(32.0)
    assert pair.told_bob() == []
    times = [0.01, 0.51, 1.51, 3.51, 7.51, 11.51, 15.51, 19.51, 23.51, 27.51, 31.51]
    assert pair.times("200 INVITE") == times
    pair.finish()
    assert pair.told_bob() == ["Ended 408"]
    assert pair.times("BYE") == [32.01]
    assert pair.told_alice() == ["Answered", "Ended 200"]


def test_who_hangs_up_before_the_ack_has_come_waits_for_it() -> None:
    pair = Pair(route=dropping("ACK", times=2))
    pair.dial()
    pair.net.step_until(0.1)
    pair.bob.perform(pair.b, "end", "Q.850;cause=16")
    pair.finish()
    assert pair.times("BYE") == [1.53]
    assert pair.told_bob() == ["Ended 200"]
    assert pair.told_alice() == ["Answered", "Ended 200"]


def test_who_hangs_up_and_never_sees_the_ack_sends_bye_after_64_t1() -> None:
    pair = Pair(route=dropping("ACK", times=99))
    pair.dial()
    pair.net.step_until(0.1)
    pair.bob.perform(pair.b, "end")
    pair.finish()
    assert pair.times("BYE") == [32.01]
    assert pair.told_bob() == ["Ended 408"]


def test_every_message_of_a_call_may_be_lost_once() -> None:
    for label in ("INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"):
        pair = Pair(route=dropping(label), taken=ring)
        pair.dial()
        pair.net.step_until(2.0)
        pair.bob.perform(pair.b, "answer", ANSWER)
        pair.net.step_until(6.0)
        pair.alice.perform(pair.a, "end")
        pair.finish()
        assert pair.told_alice()[-2:] == ["Answered", "Ended 200"], label
        assert pair.told_bob() == ["Confirmed", "Ended 200"], label


def test_a_lost_bye_ends_the_session_here_after_64_t1_all_the_same() -> None:
    pair = Pair().established()
    pair.net.route = lambda _: ()
    pair.alice.perform(pair.a, "end")
    pair.net.run_out()
    assert pair.told_alice() == ["Answered", "Ended 200"]
    assert pair.net.now == 1033.0


# --- races ----------------------------------------------------------------------------------------------------------


def test_byes_that_cross_are_both_answered() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "end")
    pair.bob.perform(pair.b, "end")
    pair.finish()
    assert sorted(pair.ladder()[3:]) == ["alice 200 BYE", "alice BYE", "bob 200 BYE", "bob BYE"]
    assert pair.told_alice() == ["Answered", "Ended 200"]
    assert pair.told_bob() == ["Confirmed", "Ended 200"]


def test_a_bye_that_overtakes_the_ack_ends_the_session() -> None:
    pair = Pair(route=delaying("ACK", 1.0))
    pair.dial()
    pair.net.step_until(0.05)
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.told_bob() == ["Ended 200"]
    assert pair.times("200 INVITE") == [0.01]  # the BYE ended its repetition
    assert pair.bob.stack.drops["stray_ack"] == 1


def test_a_bye_of_the_peer_before_its_2xx_has_come_is_agreed_to() -> None:
    """Every 2xx was lost: the callee gave up and says goodbye to a caller who still hears it ring (RFC 3261 §15)."""
    pair = Pair(route=dropping("200 INVITE", times=99), taken=ring)
    pair.dial()
    pair.net.step_until(0.5)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.finish()
    assert pair.told_bob() == ["Ended 408"]
    assert pair.told_alice()[0] == "Progress"
    assert len([name for name in pair.told_alice() if name.startswith("Ended")]) == 1
    assert "alice 200 BYE" in pair.ladder()


def test_a_bye_in_an_early_dialog_ends_the_ringing() -> None:
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(0.5)
    invite = pair.requests("INVITE")[0]
    bye = Request("BYE", invite.uri, invite.headers.copy())
    bye.headers.set("to", f"{invite.headers.get('to')};tag={pair.b.local_tag}")
    bye.headers.set("cseq", "2 BYE")
    bye.headers.set("via", str(invite.via).replace(invite.via.branch or "", "z9hG4bKearlybye"))
    pair.net.inject(bytes(bye), "bob", "alice")
    pair.finish()
    assert pair.told_bob() == ["Ended 487"]
    assert pair.told_alice() == ["Progress", "Ended 487"]


def test_a_copy_of_the_invite_that_comes_late_is_no_new_call() -> None:
    def late_copy(packet: Packet) -> list[float]:
        return [0.01, 5.0] if packet.label == "INVITE" else [0.01]

    pair = Pair(route=late_copy).established()
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert len(pair.bobs) == 1


# --- forks ----------------------------------------------------------------------------------------------------------


def test_the_2xx_of_a_second_fork_is_acknowledged_and_ended_by_bye() -> None:
    pair = Pair().established()
    original = pair.responses(200)[0]
    second = original.headers.copy()
    second.set("to", f"{pair.requests('INVITE')[0].headers.get('to')};tag=carol")
    second.set("contact", "<sip:carol@carol>")
    data = bytes(type(original)(200, "OK", second, ANSWER))
    pair.net.inject(data, "alice", "bob")
    pair.net.inject(data, "alice", "bob")
    to_carol = [packet.message for packet in pair.alice.sent if b"sip:carol@carol" in packet.data]
    assert [message.method for message in to_carol if isinstance(message, Request)] == ["ACK", "BYE", "ACK"]
    assert {message.to.tag for message in to_carol} == {"carol"}
    assert [str(message.cseq) for message in to_carol] == ["1 ACK", "2 BYE", "1 ACK"]
    assert pair.told_alice() == ["Answered"]
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.told_alice() == ["Answered", "Ended 200"]


def test_a_fork_that_answers_after_the_end_is_ended_too() -> None:
    pair = Pair().established()
    original = pair.responses(200)[0]
    pair.alice.perform(pair.a, "end")
    pair.net.step_until(5.0)
    assert pair.told_alice() == ["Answered", "Ended 200"]
    second = original.headers.copy()
    second.set("to", "<sip:bob@bob>;tag=carol")
    pair.net.inject(bytes(type(original)(200, "OK", second, ANSWER)), "alice", "bob")
    pair.finish()
    assert pair.ladder().count("alice BYE") >= 2
    assert pair.told_alice() == ["Answered", "Ended 200"]


# --- connections ----------------------------------------------------------------------------------------------------


def test_a_call_that_rings_ends_with_its_connection() -> None:
    pair = Pair(taken=ring, transport="TCP")
    pair.dial()
    pair.net.step_until(1.0)
    pair.net.cut("alice", "bob")
    pair.finish()
    assert pair.told_alice() == ["Progress", "Ended 503"]
    assert pair.told_bob() == ["Ended 503"]


def test_a_call_that_stands_outlives_its_connection() -> None:
    pair = Pair(transport="TCP").established()
    pair.net.cut("alice", "bob")
    pair.net.step_until(100.0)
    assert pair.told_alice() == ["Answered"]
    assert pair.told_bob() == ["Confirmed"]
    pair.alice.perform(pair.a, "end")
    pair.net.run_out()
    assert pair.told_alice() == ["Answered", "Ended 200"]
    assert pair.alice.stack.is_idle()


def test_verbs_that_do_not_fit_are_our_own_mistake() -> None:
    pair = Pair().established()
    for verb in ("answer", "progress", "reject"):
        with pytest.raises(LocalProtocolError):
            pair.bob.perform(pair.b, verb, ANSWER if verb == "answer" else 486)
    pair.bob.perform(pair.b, "end")
    with pytest.raises(LocalProtocolError):
        pair.bob.perform(pair.b, "modify", OFFER)
    pair.finish()


def test_what_comes_after_the_end_is_ignored() -> None:
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    pair.alice.perform(pair.a, "end")
    pair.net.step_until(2.0)
    for verb, argument in (("answer", ANSWER), ("progress", 180), ("reject", 486)):
        pair.bob.perform(pair.b, verb, argument)
    pair.finish()
    assert pair.told_bob() == ["Ended 487"]
    assert "bob 200 INVITE" not in pair.ladder()
