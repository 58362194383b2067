"""Changing a session that stands: re-INVITE both ways, glare, refusals, withdrawals, races. RFC 3261 §14, RFC 6141."""

import pytest

from sipcore.dialog.modify import retry_wait_s
from sipcore.events import OfferReceived, SessionModified
from sipcore.message import Request
from sipcore.parse import parse_message
from tests.support.callers import Pair, again_with, ring
from tests.support.fakenet import ANSWER, DELAY_S, START_S, Node, Packet, delaying, dropping

HOLD, HELD = b"v=0\r\no=hold\r\n", b"v=0\r\no=held\r\n"
both_ways = pytest.mark.parametrize("by_caller", [True, False], ids=["caller", "callee"])


def sides(pair: Pair, by_caller: bool) -> tuple[Node, Node]:
    return (pair.alice, pair.bob) if by_caller else (pair.bob, pair.alice)


def outcomes(node: Node) -> list[tuple[int, bytes]]:
    return [(event.status, event.sdp) for event in node.events if isinstance(event, SessionModified)]


def offers(node: Node) -> list[bytes]:
    return [event.sdp for event in node.events if isinstance(event, OfferReceived)]


@both_ways
def test_a_change_is_accepted(by_caller: bool) -> None:
    pair = Pair().established()
    asks, agrees = sides(pair, by_caller)
    asks.perform(pair.of(asks), "modify", HOLD)
    pair.net.step_until(2.0)
    assert offers(agrees) == [HOLD]
    agrees.perform(pair.of(agrees), "accept_offer", HELD)
    pair.net.step_until(3.0)
    assert outcomes(asks) == [(200, HELD)]
    assert pair.a.may_modify
    assert pair.b.may_modify
    asks.perform(pair.of(asks), "end")
    pair.finish()


@both_ways
@pytest.mark.parametrize("status", [488, 403, 500])
def test_a_refused_change_leaves_the_session_as_it_was(by_caller: bool, status: int) -> None:
    pair = Pair().established()
    asks, agrees = sides(pair, by_caller)
    asks.perform(pair.of(asks), "modify", HOLD)
    pair.net.step_until(2.0)
    agrees.perform(pair.of(agrees), "refuse_offer", status)
    pair.net.step_until(40.0)
    assert outcomes(asks) == [(status, b"")]
    assert pair.a.state.name == pair.b.state.name == "CONFIRMED"
    asks.perform(pair.of(asks), "modify", HOLD)
    pair.net.step_until(41.0)
    agrees.perform(pair.of(agrees), "accept_offer", HELD)
    pair.net.step_until(42.0)
    assert outcomes(asks) == [(status, b""), (200, HELD)]
    pair.alice.perform(pair.a, "end")
    pair.finish()


@both_ways
def test_changes_that_cross_are_both_refused_and_one_goes_first(by_caller: bool) -> None:
    pair = Pair().established()
    for node in sides(pair, by_caller):
        node.perform(pair.of(node), "modify", HOLD)
    pair.net.step_until(1.5)
    assert len(pair.responses(491)) == 2
    assert outcomes(pair.alice) == outcomes(pair.bob) == []
    pair.net.step_until(3.05)  # Bob, who does not own the Call-ID, waited at most 2 s
    assert offers(pair.alice) == [HOLD]
    assert outcomes(pair.alice) == [(491, b"")]  # she gives way
    pair.alice.perform(pair.a, "accept_offer", HELD)
    pair.net.step_until(10.0)
    assert outcomes(pair.bob) == [(200, HELD)]
    invites = pair.times("INVITE")[1:]
    assert len(invites) == 3
    assert 0.0 <= invites[2] - 1.02 <= 2.0
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_the_owner_of_the_call_id_tries_again_when_the_other_does_not() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.bob.perform(pair.b, "modify", HOLD)
    pair.net.step_until(1.011)  # each has the other's offer, the 491 are on their way
    pair.net.step_until(1.0201)
    pair.b._retry_at = None
    pair.net.step_until(5.1)
    assert offers(pair.bob) == [HOLD]
    waited = pair.times("INVITE")[-1] - 1.02
    assert 2.1 <= round(waited, 2) <= 4.0


@pytest.mark.parametrize(("owner", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_the_waits_after_a_491(owner: bool, low: float, high: float) -> None:
    waits = [retry_wait_s(owner, step / 1000) for step in range(1000)]
    assert min(waits) == low
    assert max(waits) == pytest.approx(high, abs=0.01)
    assert all(round(wait * 100) == pytest.approx(wait * 100) for wait in waits)  # units of 10 ms


@pytest.mark.parametrize("status", [408, 481])
def test_a_peer_that_knows_the_session_no_more_ends_it(status: int) -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(2.0)
    pair.bob.perform(pair.b, "refuse_offer", status)
    pair.finish()
    assert pair.told_alice() == ["Answered", f"Ended {status}"]
    assert pair.told_bob()[-1] == "Ended 200"  # a BYE follows all the same


def test_silence_after_a_change_ends_the_session() -> None:
    pair = Pair().established()
    pair.net.route = lambda _: ()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(33.5)
    assert pair.told_alice() == ["Answered", "Ended 408"]
    pair.net.run_out()
    assert pair.alice.stack.is_idle()
    assert pair.alice.sent_labels()[-1] == "BYE"


def test_a_broken_connection_under_a_change_refuses_it_and_keeps_the_session() -> None:
    pair = Pair(transport="TCP").established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.cut("alice", "bob")
    assert outcomes(pair.alice) == [(503, b"")]
    assert pair.a.state.name == "CONFIRMED"


def test_a_change_on_top_of_a_change_is_busy_and_may_come_later() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(2.0)
    second = again_with(pair.requests("INVITE")[-1], 5, "z9hG4bKsecond")
    pair.net.inject(bytes(second), "bob", "alice")
    refused = pair.responses(500)[-1]
    assert 0 <= int(refused.headers.get("retry-after") or "") <= 10
    assert offers(pair.bob) == [HOLD]
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.net.step_until(3.0)
    assert outcomes(pair.alice) == [(200, HELD)]


def test_a_second_invite_before_the_first_is_answered_is_busy() -> None:
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    second = again_with(pair.requests("INVITE")[0], 2, "z9hG4bKsecond")
    second.headers.set("to", f"{second.headers.get('to')};tag={pair.b.local_tag}")
    pair.net.inject(bytes(second), "bob", "alice")
    assert pair.responses(500)[-1].headers.get("retry-after") is not None
    assert offers(pair.bob) == []
    cancel = Request("CANCEL", second.uri, second.headers.copy())
    cancel.headers.set("cseq", "2 CANCEL")
    pair.net.inject(bytes(cancel), "bob", "alice")
    assert pair.told_bob() == []  # the CANCEL was for the second one
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_an_invite_of_the_peer_before_it_answered_ours_is_glare() -> None:
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    invite = pair.requests("INVITE")[0]
    theirs = again_with(invite, 1, "z9hG4bKtheirs")
    theirs.headers.set("from", f"{invite.headers.get('to')};tag={pair.b.local_tag}")
    theirs.headers.set("to", invite.headers.get("from"))
    pair.net.inject(bytes(theirs), "alice", "bob")
    assert len(pair.responses(491)) == 1
    assert offers(pair.alice) == []
    pair.bob.perform(pair.b, "reject", 486)
    pair.finish()


def cancel_of(pair: Pair) -> bytes:
    invite = pair.requests("INVITE")[-1]
    cancel = Request("CANCEL", invite.uri, invite.headers.copy())
    cancel.headers.set("cseq", f"{invite.cseq.number} CANCEL")
    cancel.headers.remove("content-type")
    return bytes(cancel)


def test_a_change_is_withdrawn_by_cancel_and_the_session_goes_on() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(2.0)
    pair.net.inject(cancel_of(pair), "bob", "alice")
    pair.net.step_until(3.0)
    assert outcomes(pair.alice) == [(487, b"")]
    pair.bob.perform(pair.b, "accept_offer", HELD)  # too late: nothing happens
    pair.net.step_until(40.0)
    assert pair.a.state.name == pair.b.state.name == "CONFIRMED"
    assert len(pair.responses(200)) == 2  # the call's and the CANCEL's
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_a_cancel_after_the_change_was_accepted_changes_nothing() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(2.0)
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.net.inject(cancel_of(pair), "bob", "alice")
    pair.net.step_until(3.0)
    assert outcomes(pair.alice) == [(200, HELD)]
    pair.bob.perform(pair.b, "end")
    pair.finish()


def offerless(pair: Pair) -> None:
    """A re-INVITE of Alice without a session description arrives at Bob."""
    invite = Request("INVITE", pair.b.request.uri, pair.requests("INVITE")[0].headers.copy())
    invite.headers.set("to", f"{invite.headers.get('to')};tag={pair.b.local_tag}")
    invite.headers.set("cseq", "2 INVITE")
    invite.headers.set("via", "SIP/2.0/UDP alice:5060;branch=z9hG4bKofferless")
    invite.headers.remove("content-type")
    pair.net.inject(bytes(invite), "bob", "alice")


def ack(pair: Pair, cseq: int, sdp: bytes) -> bytes:
    message = Request("ACK", pair.b.request.uri, pair.responses(200)[-1].headers.copy(), sdp)
    message.headers.set("cseq", f"{cseq} ACK")
    message.headers.set("via", "SIP/2.0/UDP alice:5060;branch=z9hG4bKackofoffer")
    message.headers.set("content-type", "application/sdp")
    return bytes(message)


def test_a_change_without_an_offer_is_answered_with_ours_and_agreed_in_the_ack() -> None:
    pair = Pair().established()
    offerless(pair)
    assert offers(pair.bob) == [b""]
    pair.bob.perform(pair.b, "accept_offer", HOLD)
    assert not pair.b.may_modify
    again = again_with(pair.requests("INVITE")[0], 3, "z9hG4bKagain")
    again.headers.set("to", f"{again.headers.get('to')};tag={pair.b.local_tag}")
    again.headers.set("content-type", "application/sdp")
    again.body = HOLD
    pair.net.inject(bytes(again), "bob", "alice")
    assert len(pair.responses(491)) == 1  # our offer has no answer yet (RFC 5407 §3.1.5)
    pair.net.inject(ack(pair, 2, HELD), "bob", "alice")
    assert pair.told_bob() == ["Confirmed", "OfferReceived", "Confirmed"]
    assert pair.b.may_modify


def test_an_ack_without_the_answer_that_is_due_leaves_the_session_as_it_was() -> None:
    pair = Pair().established()
    offerless(pair)
    pair.bob.perform(pair.b, "accept_offer", HOLD)
    pair.net.inject(ack(pair, 2, b""), "bob", "alice")
    assert pair.told_bob()[-1] == "Confirmed"
    assert pair.b.may_modify


# --- loss and races ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["INVITE", "200 INVITE", "ACK", "488 INVITE", "491 INVITE"])
def test_every_message_of_a_change_may_be_lost_once(lost: str) -> None:
    pair = Pair().established()
    pair.net.route = dropping(lost)
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(5.0)
    if lost == "488 INVITE":
        pair.bob.perform(pair.b, "refuse_offer", 488)
        expected = [(488, b"")]
    else:
        pair.bob.perform(pair.b, "accept_offer", HELD)
        expected = [(200, HELD)]
    pair.net.step_until(45.0)
    assert outcomes(pair.alice) == expected
    assert pair.a.may_modify
    assert pair.b.may_modify


def test_an_unacknowledged_change_ends_the_session() -> None:
    pair = Pair().established()
    pair.net.route = dropping("ACK", times=99)
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(2.0)
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.finish()
    assert pair.told_bob()[-1] == "Ended 408"
    assert pair.told_alice() == ["Answered", "Modified", "Ended 200"]


def test_a_copy_of_an_old_2xx_does_not_complete_a_new_change() -> None:
    pair = Pair().established()
    for _ in range(2):
        pair.alice.perform(pair.a, "modify", HOLD)
        pair.net.step_until(pair.net.now - START_S + 1.0)
        if not outcomes(pair.alice):
            pair.bob.perform(pair.b, "accept_offer", HELD)
            pair.net.step_until(pair.net.now - START_S + 1.0)
    old = bytes(next(message for message in pair.responses(200) if message.cseq.number == 2))
    pair.net.inject(old, "alice", "bob")
    assert outcomes(pair.alice) == [(200, HELD)]
    assert pair.alice.sent_labels()[-1] == "ACK"  # of the old one, once more
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.net.step_until(10.0)
    assert outcomes(pair.alice) == [(200, HELD), (200, HELD)]


def test_a_change_that_arrives_before_the_ack_is_taken() -> None:
    """RFC 5407 §3.1.4: the re-INVITE shows that the 2xx has arrived."""
    pair = Pair(route=delaying("ACK", 1.0))
    pair.dial()
    pair.net.step_until(0.5)
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(0.6)
    assert offers(pair.bob) == [HOLD]
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.net.step_until(3.0)
    assert outcomes(pair.alice) == [(200, HELD)]
    assert pair.b.state.name == "CONFIRMED"
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_a_change_of_one_who_is_about_to_be_hung_up_on_is_put_off() -> None:
    pair = Pair(route=delaying("ACK", 1.0))
    pair.dial()
    pair.net.step_until(0.2)
    pair.bob.perform(pair.b, "end")
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.finish()
    assert offers(pair.bob) == []
    assert pair.told_alice()[-1] == "Ended 200"


@both_ways
def test_a_change_that_meets_a_bye_is_over(by_caller: bool) -> None:
    """RFC 5407 §3.2.2."""
    pair = Pair().established()
    asks, leaves = sides(pair, by_caller)
    asks.perform(pair.of(asks), "modify", HOLD)
    leaves.perform(pair.of(leaves), "end")
    pair.finish()
    assert offers(leaves) == []
    assert len(pair.responses(481)) == 1
    assert outcomes(asks) == []


@both_ways
def test_hanging_up_with_the_peers_change_unanswered_refuses_it(by_caller: bool) -> None:
    pair = Pair().established()
    asks, leaves = sides(pair, by_caller)
    asks.perform(pair.of(asks), "modify", HOLD)
    pair.net.step_until(2.0)
    leaves.perform(pair.of(leaves), "end")
    leaves.perform(pair.of(leaves), "accept_offer", HELD)
    pair.finish()
    assert len(pair.responses(487)) == 1
    assert outcomes(asks) == [(487, b"")]
    assert asks.told()[-1] == leaves.told()[-1] == "SessionEnded"


@both_ways
def test_hanging_up_with_an_own_change_unanswered(by_caller: bool) -> None:
    pair = Pair().established()
    asks, agrees = sides(pair, by_caller)
    asks.perform(pair.of(asks), "modify", HOLD)
    pair.net.step_until(2.0)
    asks.perform(pair.of(asks), "end")
    pair.finish()
    assert outcomes(asks) == []
    agrees.perform(pair.of(agrees), "accept_offer", HELD)
    pair.finish()


def test_a_change_that_the_peer_never_finishes_is_not_kept_after_the_end() -> None:
    pair = Pair().established()

    def no_final_response_to_the_change(packet: Packet) -> list[float]:
        message = parse_message(packet.data)
        final = not isinstance(message, Request) and message.status >= 200
        return [] if final and str(message.cseq) == "2 INVITE" else [DELAY_S]

    pair.net.route = no_final_response_to_the_change
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(2.0)  # 100 Trying has come
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.told_alice() == ["Answered", "Ended 200"]


def test_hanging_up_while_waiting_after_glare_sends_no_more_changes() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.bob.perform(pair.b, "modify", HOLD)
    pair.net.step_until(1.021)
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert len(pair.requests("INVITE")) == 3
    assert offers(pair.alice) == offers(pair.bob) == []


def test_the_peers_new_contact_is_used_after_a_change() -> None:
    pair = Pair().established()
    invite = again_with(pair.requests("INVITE")[0], 2, "z9hG4bKmoved")
    invite.headers.set("to", f"{invite.headers.get('to')};tag={pair.b.local_tag}")
    invite.headers.set("contact", "<sip:alice@elsewhere>")
    pair.net.inject(bytes(invite), "bob", "alice")
    pair.bob.perform(pair.b, "accept_offer", ANSWER)
    pair.bob.perform(pair.b, "end")
    assert str(pair.requests("BYE")[0].uri) == "sip:alice@elsewhere"
