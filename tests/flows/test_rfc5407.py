"""The race conditions of RFC 5407, one test for each section, with its messages in the order in which they are sent.

A message that crosses another one is drawn there as two arrows that meet; here it takes longer than the other. The
flows of the RFC have proxies in between, which only forward: they are left out.
"""

from sipcore.events import OfferReceived, ReferReceived, SessionModified
from sipcore.message import Request
from tests.support.callers import Pair, again_with, leave, ring
from tests.support.fakenet import ANSWER, OFFER, Node, Packet, delaying, dropping

HOLD, HELD = b"v=0\r\no=hold\r\n", b"v=0\r\no=held\r\n"


def accepting(pair: Pair) -> None:
    """Both sides agree to whatever is offered later."""
    inner = pair.bob.handler

    def handle(node: Node, event: object) -> None:
        if node is pair.bob and inner is not None:
            inner(node, event)  # type: ignore[arg-type]
        if isinstance(event, OfferReceived):
            node.perform(event.session, "accept_offer", HELD)

    pair.alice.handler = pair.bob.handler = handle


def outcomes(node: Node) -> list[tuple[int, bytes]]:
    return [(event.status, event.sdp) for event in node.events if isinstance(event, SessionModified)]


def finally_over(pair: Pair, who: Node) -> None:
    if pair.of(who).state.name == "CONFIRMED":
        who.perform(pair.of(who), "end")
    pair.finish()


# --- 3.1 the callee has sent the 2xx and waits for the ACK: Moratorium ---------------------------------------------


def test_3_1_1_the_callee_receives_a_retransmission_of_the_initial_invite() -> None:
    pair = Pair(taken=leave, route=dropping("100 INVITE", times=9))
    pair.net.route = lambda packet: [0.01, 0.06] if packet.label == "INVITE" else [0.04]
    pair.dial()
    pair.net.at(0.05, lambda: pair.bob.perform(pair.b, "answer", ANSWER))
    pair.net.step_until(5.0)
    assert len(pair.bobs) == 1
    assert pair.told_alice() == ["Answered"]
    assert pair.told_bob() == ["Confirmed"]
    finally_over(pair, pair.alice)


def test_3_1_2_the_callee_receives_a_cancel() -> None:
    """200 to the CANCEL, the 2xx stands, the caller acknowledges it and says BYE."""
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    pair.alice.perform(pair.a, "end")
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.finish()
    assert pair.ladder()[2:] == [
        *("alice CANCEL", "bob 200 INVITE", "bob 200 CANCEL", "alice ACK", "alice BYE", "bob 200 BYE"),
    ]  # fmt: skip
    assert pair.told_bob() == ["Confirmed", "Ended 200"]


def test_3_1_3_the_callee_receives_a_bye_for_the_early_dialog() -> None:
    """The BYE ends the session; the ACK of the 2xx that crossed it changes nothing."""
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    invite = pair.requests("INVITE")[0]
    bye = Request("BYE", invite.uri, invite.headers.copy())
    bye.headers.set("to", f"{invite.headers.get('to')};tag={pair.b.local_tag}")
    bye.headers.set("cseq", "2 BYE")
    bye.headers.set("via", "SIP/2.0/UDP alice;branch=z9hG4bKearlybye")
    pair.net.route = dropping("ACK", times=1)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.inject(bytes(bye), "bob", "alice")
    assert "bob 200 BYE" in pair.ladder()
    assert pair.told_bob() == ["Ended 200"]
    pair.net.step_until(5.0)
    assert pair.times("200 INVITE") == [1.0]
    finally_over(pair, pair.alice)


def test_3_1_4_the_callee_receives_a_reinvite_whose_offer_it_can_answer() -> None:
    """Case 1: the INVITE had the offer, so the lost ACK leaves nothing open and the re-INVITE is accepted."""
    pair = Pair(route=delaying("ACK", 2.0))
    accepting(pair)
    pair.dial()
    pair.net.step_until(0.1)
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(5.0)
    assert outcomes(pair.alice) == [(200, HELD)]
    assert pair.times("200 INVITE") == [0.01, 0.11]  # the re-INVITE shows that the first one has arrived
    finally_over(pair, pair.alice)


def test_3_1_5_the_callee_receives_a_reinvite_while_its_own_offer_has_no_answer() -> None:
    """Case 2: the 2xx had the offer; without the ACK there is no answer to it, so the re-INVITE gets 491."""
    pair = Pair(taken=leave)
    pair.dial()
    pair.net.step_until(0.1)
    invite = pair.requests("INVITE")[0]
    pair.alice.perform(pair.a, "end")
    pair.finish()
    offerless = again_with(invite, 1, "z9hG4bKofferless")
    offerless.headers.set("call-id", "delayed")
    offerless.headers.remove("content-type")
    offerless.body = b""
    pair.net.inject(bytes(offerless), "bob", "carol")
    session = pair.bobs[-1]
    pair.bob.perform(session, "answer", OFFER)
    second = again_with(offerless, 2, "z9hG4bKsecond")
    second.headers.set("to", f"{second.headers.get('to')};tag={session.local_tag}")
    second.headers.set("content-type", "application/sdp")
    second.body = HOLD
    pair.net.inject(bytes(second), "bob", "carol")
    assert len(pair.responses(491)) == 1
    pair.net.run_out()
    assert pair.bob.stack.is_idle()


def test_3_1_6_the_callee_receives_a_bye() -> None:
    """The BYE overtakes the ACK: it is accepted, the 2xx is repeated no more."""
    pair = Pair(route=delaying("ACK", 1.0))
    pair.dial()
    pair.net.step_until(0.05)
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.ladder() == ["alice INVITE", "bob 200 INVITE", "alice ACK", "alice BYE", "bob 200 BYE"]
    assert pair.told_bob() == ["Ended 200"]


# --- 3.2 a BYE is out: Mortal -----------------------------------------------------------------------------------------


def test_3_2_1_a_side_receives_a_bye_after_it_has_sent_one() -> None:
    pair = Pair().established()
    for node in (pair.alice, pair.bob):
        node.perform(pair.of(node), "end")
    pair.finish()
    assert pair.ladder()[3:] == ["alice BYE", "bob BYE", "bob 200 BYE", "alice 200 BYE"]
    assert pair.told_alice()[-1] == pair.told_bob()[-1] == "Ended 200"


def test_3_2_2_a_side_receives_a_reinvite_after_it_has_sent_a_bye() -> None:
    pair = Pair().established()
    pair.bob.perform(pair.b, "modify", HOLD)
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert sorted(pair.ladder()[3:7]) == ["alice 481 INVITE", "alice BYE", "bob 200 BYE", "bob INVITE"]
    assert pair.ladder()[-1] == "bob ACK"
    assert outcomes(pair.bob) == []
    assert pair.told_bob()[-1] == "Ended 200"


def test_3_2_3_a_side_receives_the_2xx_of_its_reinvite_after_it_has_sent_a_bye() -> None:
    """The 2xx is acknowledged all the same."""
    pair = Pair(route=delaying("BYE", 0.2)).established()
    accepting(pair)
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.ladder()[3:] == [
        *("alice INVITE", "alice BYE", "bob 200 INVITE", "alice ACK", "bob 200 BYE"),
    ]  # fmt: skip
    assert outcomes(pair.alice) == []


def test_3_2_4_the_callee_receives_the_ack_after_the_bye_of_the_caller() -> None:
    pair = Pair(route=delaying("ACK", 1.0))
    pair.dial()
    pair.net.step_until(0.05)
    pair.alice.perform(pair.a, "end")
    pair.net.step_until(5.0)
    assert pair.bob.stack.drops["stray_ack"] == 1
    assert pair.told_bob() == ["Ended 200"]
    pair.finish()


# --- 3.3 others -------------------------------------------------------------------------------------------------------


def test_3_3_1_reinvites_cross() -> None:
    """Each gets 491; the side that does not own the Call-ID tries first."""
    pair = Pair().established()
    accepting(pair)
    for node in (pair.alice, pair.bob):
        node.perform(pair.of(node), "modify", HOLD)
    pair.net.step_until(10.0)
    assert [label for label in pair.ladder()[3:] if "491" in label] == ["bob 491 INVITE", "alice 491 INVITE"]
    assert outcomes(pair.bob) == [(200, HELD)]
    finally_over(pair, pair.alice)


def test_3_3_2_update_and_reinvite_cross() -> None:
    pair = Pair().established()
    accepting(pair)
    pair.alice.perform(pair.a, "update", sdp=HOLD)
    pair.bob.perform(pair.b, "modify", HOLD)
    pair.net.step_until(10.0)
    assert sorted(label for label in pair.ladder()[3:] if "491" in label) == ["alice 491 INVITE", "bob 491 UPDATE"]
    assert outcomes(pair.bob) == [(200, HELD)]
    finally_over(pair, pair.alice)


def test_3_3_3_a_side_receives_a_refer_after_it_has_sent_a_bye() -> None:
    pair = Pair().established()
    refer = again_with(pair.requests("INVITE")[0], 2, "z9hG4bKrefer")
    refer = Request("REFER", refer.uri, refer.headers)
    refer.headers.set("cseq", "2 REFER")
    refer.headers.set("refer-to", "<sip:carol@carol>")
    refer.headers.set("to", f"{refer.headers.get('to')};tag={pair.b.local_tag}")
    refer.headers.remove("content-type")
    pair.bob.perform(pair.b, "end")
    pair.net.inject(bytes(refer), "bob", "alice")
    assert [each.cseq.method for each in pair.responses(481)] == ["REFER"]
    assert not any(isinstance(event, ReferReceived) for event in pair.bob.events)
    pair.finish()


# --- Appendix B -------------------------------------------------------------------------------------------------------


def test_appendix_b_a_bye_meets_a_reinvite_that_is_being_answered() -> None:
    """The BYE ends the dialog; the pending re-INVITE gets 487 (RFC 3261 §15.1.2)."""
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD)
    pair.net.step_until(2.0)
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.ladder()[3:5] == ["alice INVITE", "bob 100 INVITE"]
    assert sorted(pair.ladder()[5:]) == ["alice ACK", "alice BYE", "bob 200 BYE", "bob 487 INVITE"]


def test_every_flow_of_section_3_survives_the_loss_of_any_one_message() -> None:
    """Nothing is left on either side, whatever was lost."""
    for lost in range(14):
        count = [0]

        def route(_: Packet, lost: int = lost, count: list[int] = count) -> list[float]:
            count[0] += 1
            return [] if count[0] == lost + 1 else [0.01]

        pair = Pair(route=route)
        accepting(pair)
        pair.dial()
        pair.net.step_until(3.0)
        if pair.a.may_modify and pair.b.may_modify:
            pair.alice.perform(pair.a, "modify", HOLD)
            pair.bob.perform(pair.b, "modify", HOLD)
        pair.net.at(3.02, lambda pair=pair: pair.alice.perform(pair.a, "end"))  # type: ignore[misc]
        pair.net.at(3.02, lambda pair=pair: pair.bob.perform(pair.b, "end"))  # type: ignore[misc]
        pair.finish()
