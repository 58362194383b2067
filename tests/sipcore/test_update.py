"""UPDATE both ways: with and without an offer, glare, busy peers, refreshes. RFC 3311, RFC 4028."""

import pytest

from sipcore.dialog.update import PlainUpdate, State
from sipcore.errors import LocalProtocolError
from sipcore.events import OfferReceived, SessionModified, SessionUpdated, UpdateReceived
from sipcore.message import Request
from tests.support.callers import Pair, again_with, answering, ring, without_update
from tests.support.fakenet import ANSWER, OFFER, Node, dropping

HOLD, HELD = b"v=0\r\no=hold\r\n", b"v=0\r\no=held\r\n"
WHO = ("P-Asserted-Identity", '"Carol" <sip:103@zvon>')
ON = {"session_expires_s": 1800}
both_ways = pytest.mark.parametrize("by_caller", [True, False], ids=["caller", "callee"])


def sides(pair: Pair, by_caller: bool) -> tuple[Node, Node]:
    return (pair.alice, pair.bob) if by_caller else (pair.bob, pair.alice)


def updated(node: Node) -> list[int]:
    return [event.status for event in node.events if isinstance(event, SessionUpdated)]


def modified(node: Node) -> list[tuple[int, bytes]]:
    return [(event.status, event.sdp) for event in node.events if isinstance(event, SessionModified)]


def offers(node: Node) -> list[bytes]:
    return [event.sdp for event in node.events if isinstance(event, OfferReceived)]


def heard(node: Node) -> list[str | None]:
    """Who the peer said to be, in its UPDATEs."""
    found = [event.request for event in node.events if isinstance(event, UpdateReceived)]
    return [each.headers.get("p-asserted-identity") for each in found]


def numbers(pair: Pair) -> set[int]:
    """The CSeq numbers of the UPDATEs so far, repetitions aside."""
    return {each.cseq.number for each in pair.requests("UPDATE")}


# --- without an offer -----------------------------------------------------------------------------------------------


@both_ways
def test_an_update_tells_the_peer_who_it_talks_to(by_caller: bool) -> None:
    pair = Pair().established()
    asks, hears = sides(pair, by_caller)
    asks.perform(pair.of(asks), "update", extra=[WHO])
    pair.net.step_until(2.0)
    assert heard(hears) == [WHO[1]]
    assert updated(asks) == [200]
    sent = pair.requests("UPDATE")[0]
    assert sent.headers.get("contact") == f"<sip:{asks.name}@{asks.name}>"
    assert not sent.body
    assert offers(hears) == []
    asks.perform(pair.of(asks), "end")
    pair.finish()


def test_of_what_is_told_while_an_update_is_under_way_only_the_last_goes_out() -> None:
    pair = Pair().established()
    for name in ("one", "two", "three"):
        pair.alice.perform(pair.a, "update", extra=[("P-Asserted-Identity", f"<sip:{name}@zvon>")])
    pair.net.step_until(2.0)
    assert heard(pair.bob) == ["<sip:one@zvon>", "<sip:three@zvon>"]
    assert updated(pair.alice) == [200, 200]


@pytest.mark.parametrize("lost", ["UPDATE", "200 UPDATE"])
def test_a_lost_update_is_repeated_and_told_once(lost: str) -> None:
    pair = Pair().established()
    pair.net.route = dropping(lost)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(3.0)
    assert heard(pair.bob) == [WHO[1]]
    assert updated(pair.alice) == [200]


@pytest.mark.parametrize(("status", "fields"), [(491, {}), (500, {"Retry_After": "3"})])
def test_a_busy_peer_is_asked_again(status: int, fields: dict[str, str]) -> None:
    pair = Pair().established()
    answering(pair.bob, status, 2, **fields)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(20.0)
    assert heard(pair.bob) == [WHO[1]]
    assert updated(pair.alice) == [200]
    first, second, third = pair.times("UPDATE")
    for waited in (second - first, third - second):
        assert (waited == pytest.approx(3.01)) if fields else (2.1 <= waited - 0.01 <= 4.01)


def test_a_peer_that_is_always_busy_is_left_alone() -> None:
    pair = Pair().established()
    taken = answering(pair.bob, 491)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(60.0)
    assert len(taken) == 5
    assert updated(pair.alice) == [491]
    assert pair.a.state.name == "CONFIRMED"


def test_what_is_told_while_a_busy_peer_is_waited_for_takes_its_place() -> None:
    pair = Pair().established()
    answering(pair.bob, 491, 1)
    pair.alice.perform(pair.a, "update", extra=[("P-Asserted-Identity", "<sip:one@zvon>")])
    pair.net.step_until(1.5)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(20.0)
    assert heard(pair.bob) == [WHO[1]]
    assert updated(pair.alice) == [200]


@pytest.mark.parametrize("status", [403, 488, 500, 503])
def test_a_refused_update_changes_nothing(status: int) -> None:
    pair = Pair().established()
    answering(pair.bob, status, 1)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(3.0)
    assert updated(pair.alice) == [status]
    assert pair.a.may_update
    assert pair.a.may_modify


@pytest.mark.parametrize("status", [405, 501])
def test_a_peer_that_does_not_take_update_after_all_is_not_asked_again(status: int) -> None:
    pair = Pair().established()
    answering(pair.bob, status, 1)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(3.0)
    assert updated(pair.alice) == [status]
    assert not pair.a.may_update
    with pytest.raises(LocalProtocolError):
        pair.alice.perform(pair.a, "update", extra=[WHO])


@pytest.mark.parametrize("status", [408, 481])
def test_a_peer_that_knows_the_session_no_more_ends_it(status: int) -> None:
    pair = Pair().established()
    answering(pair.bob, status, 1)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.finish()
    assert pair.told_alice() == ["Answered", f"Ended {status}"]
    assert pair.told_bob()[-1] == "Ended 200"


def test_silence_after_an_update_ends_the_session() -> None:
    pair = Pair().established()
    pair.net.route = lambda _: ()
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.run_out()
    assert pair.told_alice() == ["Answered", "Ended 408"]
    assert pair.alice.stack.is_idle()


@both_ways
def test_hanging_up_with_an_update_under_way(by_caller: bool) -> None:
    pair = Pair().established()
    asks, _ = sides(pair, by_caller)
    asks.perform(pair.of(asks), "update", extra=[WHO])
    asks.perform(pair.of(asks), "update", extra=[WHO])
    asks.perform(pair.of(asks), "end")
    pair.finish()
    assert updated(asks) == []
    assert len(pair.requests("UPDATE")) == 1


def test_only_a_peer_that_says_so_is_sent_update() -> None:
    pair = Pair()
    without_update(pair.bob.stack)
    pair.established()
    assert not pair.a.may_update
    assert pair.b.may_update  # Alice takes it
    for sdp in (b"", HOLD):
        with pytest.raises(LocalProtocolError):
            pair.alice.perform(pair.a, "update", sdp=sdp)


def test_both_may_tell_at_the_same_time() -> None:
    pair = Pair().established()
    for node in (pair.alice, pair.bob):
        node.perform(pair.of(node), "update", extra=[WHO])
    pair.net.step_until(3.0)
    assert heard(pair.alice) == heard(pair.bob) == [WHO[1]]


@both_ways
def test_the_peers_new_contact_is_used_after_an_update(by_caller: bool) -> None:
    pair = Pair().established()
    moves, other = sides(pair, by_caller)
    moves.perform(pair.of(moves), "update", extra=[])
    pair.net.step_until(2.0)
    moved = again_with(pair.requests("UPDATE")[0], 50, "z9hG4bKmoved")
    moved.headers.set("contact", "<sip:me@elsewhere>")
    pair.net.inject(bytes(moved), other.name, moves.name)
    other.perform(pair.of(other), "end")
    assert str(pair.requests("BYE")[0].uri) == "sip:me@elsewhere"


def test_the_2xx_to_an_update_moves_the_target_too() -> None:
    pair = Pair().established()
    answering(pair.bob, 200, 1, Contact="<sip:bob@elsewhere>")
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(2.0)
    pair.alice.perform(pair.a, "end")
    assert str(pair.requests("BYE")[0].uri) == "sip:bob@elsewhere"


def test_a_copy_of_an_old_answer_completes_nothing() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(2.0)
    old = bytes(pair.responses(200)[-1])
    pair.net.route = dropping("UPDATE", times=2)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.inject(old, "alice", "bob")
    assert updated(pair.alice) == [200]
    pair.net.step_until(10.0)
    assert updated(pair.alice) == [200, 200]


# --- with an offer --------------------------------------------------------------------------------------------------


@both_ways
def test_an_offer_by_update_is_accepted_without_an_ack(by_caller: bool) -> None:
    pair = Pair().established()
    asks, agrees = sides(pair, by_caller)
    asks.perform(pair.of(asks), "update", sdp=HOLD)
    pair.net.step_until(2.0)
    assert offers(agrees) == [HOLD]
    agrees.perform(pair.of(agrees), "accept_offer", HELD)
    pair.net.step_until(3.0)
    assert modified(asks) == [(200, HELD)]
    assert updated(asks) == []
    assert set(pair.ladder()[3:]) == {f"{asks.name} UPDATE", f"{agrees.name} 200 UPDATE"}
    assert pair.a.may_modify
    assert pair.b.may_modify
    asks.perform(pair.of(asks), "end")
    pair.finish()


@both_ways
def test_a_refused_offer_by_update_leaves_the_session_as_it_was(by_caller: bool) -> None:
    pair = Pair().established()
    asks, agrees = sides(pair, by_caller)
    asks.perform(pair.of(asks), "update", sdp=HOLD)
    pair.net.step_until(2.0)
    agrees.perform(pair.of(agrees), "refuse_offer", 488)
    pair.net.step_until(3.0)
    assert modified(asks) == [(488, b"")]
    assert asks.stack.is_idle() is False
    assert pair.of(asks).may_update_offer
    assert pair.of(agrees).may_modify


@pytest.mark.parametrize("verbs", [("update", "update"), ("update", "modify"), ("modify", "update")])
def test_offers_that_cross_are_both_refused_and_one_goes_first(verbs: tuple[str, str]) -> None:
    """RFC 3311 §5.2: 491 while an offer of ours is unanswered."""
    pair = Pair().established()

    def handle(node: Node, event: object) -> None:
        if isinstance(event, OfferReceived):
            node.perform(event.session, "accept_offer", HELD)

    pair.alice.handler = handle
    pair.bob.handler = handle
    for node, verb in zip((pair.alice, pair.bob), verbs, strict=True):
        if verb == "modify":
            node.perform(pair.of(node), "modify", HOLD)
        else:
            node.perform(pair.of(node), "update", sdp=HOLD)
    pair.net.step_until(1.5)
    assert len(pair.responses(491)) == 2
    pair.net.step_until(10.0)
    assert modified(pair.bob) == [(200, HELD)]  # Alice owns the Call-ID: she waits longer, and gives way
    assert modified(pair.alice) == [(491, b"")]
    assert pair.a.may_modify
    assert pair.b.may_modify


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_an_offer_before_the_last_one_is_answered_is_busy(method: str) -> None:
    """RFC 3311 §5.2: 500 with a random Retry-After."""
    pair = Pair().established()
    pair.alice.perform(pair.a, "update", sdp=HOLD)
    pair.net.step_until(2.0)
    second = again_with(pair.requests("UPDATE")[0], 50, "z9hG4bKsecond")
    second = Request(method, second.uri, second.headers, HOLD)
    second.headers.set("cseq", f"50 {method}")
    pair.net.inject(bytes(second), "bob", "alice")
    refused = pair.responses(500)[-1]
    assert 0 <= int(refused.headers.get("retry-after") or "") <= 10
    assert offers(pair.bob) == [HOLD]
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.net.step_until(3.0)
    assert modified(pair.alice) == [(200, HELD)]


def test_who_is_told_waits_for_an_offer_by_update_that_is_under_way() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "update", sdp=HOLD)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(2.6)
    assert numbers(pair) == {2}
    assert not pair.a.may_update_offer
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.net.step_until(4.0)
    assert heard(pair.bob) == [WHO[1]]
    assert modified(pair.alice) == [(200, HELD)]
    assert updated(pair.alice) == [200]


def test_no_offer_by_update_while_another_update_is_under_way() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "update", extra=[WHO])
    with pytest.raises(LocalProtocolError):
        pair.alice.perform(pair.a, "update", sdp=HOLD)
    pair.net.step_until(2.0)
    pair.alice.perform(pair.a, "update", sdp=HOLD)


def test_an_offer_by_update_before_the_first_is_answered_is_busy() -> None:
    """The answer to the INVITE's offer is still owed (RFC 3311 §5.2)."""
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    invite = pair.requests("INVITE")[0]
    early = Request("UPDATE", invite.uri, invite.headers.copy(), HOLD)
    early.headers.set("to", f"{invite.headers.get('to')};tag={pair.b.local_tag}")
    early.headers.set("cseq", "2 UPDATE")
    early.headers.set("via", str(invite.via).replace(invite.via.branch or "", "z9hG4bKearly"))
    pair.net.inject(bytes(early), "bob", "alice")
    assert pair.responses(500)[-1].headers.get("retry-after") is not None
    assert offers(pair.bob) == []
    plain = again_with(early, 3, "z9hG4bKplain")
    plain.headers.remove("content-type")
    plain.body = b""
    pair.net.inject(bytes(plain), "bob", "alice")
    (taken,) = [each for each in pair.responses(200) if each.cseq.method == "UPDATE"]
    assert "session-expires" not in taken.headers
    pair.alice.perform(pair.a, "end")
    pair.finish()


@pytest.mark.parametrize("end", ["alice", "bob"])
def test_hanging_up_with_an_offer_by_update_unanswered(end: str) -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "update", sdp=HOLD)
    pair.net.step_until(2.0)
    leaver = pair.net.nodes[end]
    leaver.perform(pair.of(leaver), "end")
    pair.bob.perform(pair.b, "accept_offer", HELD)
    pair.finish()
    assert modified(pair.alice) == ([(487, b"")] if end == "bob" else [])


def test_an_update_after_the_end_finds_nothing() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(2.0)
    update = again_with(pair.requests("UPDATE")[0], 50, "z9hG4bKlate")
    pair.net.route = lambda _: ()
    pair.bob.perform(pair.b, "end")
    pair.net.inject(bytes(update), "bob", "alice")
    found = [packet.message for packet in pair.bob.sent if packet.label == "481 UPDATE"]
    assert len(found) == 1


def test_a_modification_may_carry_header_fields_and_repeats_them_after_glare() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "modify", HOLD, extra=[WHO])
    pair.bob.perform(pair.b, "modify", HOLD)
    pair.net.step_until(1.02)
    pair.b._retry_at = None
    pair.net.step_until(6.0)
    sent = [each for each in pair.requests("INVITE") if each.headers.get("p-asserted-identity") == WHO[1]]
    assert len(sent) == 2


# --- refresh --------------------------------------------------------------------------------------------------------


def test_a_session_is_refreshed_by_update_for_hours() -> None:
    pair = Pair(alice=ON, bob=ON).established()
    pair.net.step_until(5 * 3600.0)
    assert pair.times("UPDATE") == [pytest.approx(900.0 * n, abs=1.0) for n in range(1, 20)]
    assert len(pair.times("INVITE")) == 1
    again = pair.requests("UPDATE")[-1]
    assert again.headers.get("session-expires") == "1800;refresher=uac"
    assert not again.body
    assert pair.told_alice() == ["Answered", *["UpdateReceived"] * 19]
    assert pair.told_bob() == ["Confirmed"]
    pair.alice.perform(pair.a, "end")
    pair.finish()


@pytest.mark.parametrize(("alice", "bob"), [(ON, {}), ({}, ON)], ids=["caller", "callee"])
def test_one_side_with_timers_refreshes_alone(alice: dict[str, int], bob: dict[str, int]) -> None:
    pair = Pair(alice=alice, bob=bob).established()
    pair.net.step_until(2 * 3600.0)
    assert len(pair.times("UPDATE")) >= 7
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_a_peer_that_refuses_update_is_refreshed_by_reinvite() -> None:
    pair = Pair(alice=ON).established()
    answering(pair.bob, 405)
    pair.net.step_until(1000.0)
    assert len(pair.times("UPDATE")) == 1
    assert len(pair.times("INVITE")) == 2
    pair.bob.perform(pair.b, "accept_offer", ANSWER)
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_a_refresh_by_update_that_is_too_brief_asks_for_longer() -> None:
    pair = Pair(alice=ON, bob=ON).established()
    taken = answering(pair.alice, 422, 1, Min_SE="3600")
    pair.net.step_until(1000.0)
    assert [each.headers.get("session-expires") for each in taken] == ["1800;refresher=uac"]
    assert pair.requests("UPDATE")[-1].headers.get("session-expires") == "3600;refresher=uac"
    assert len(pair.requests("UPDATE")) == 2


@pytest.mark.parametrize("silent", ["alice", "bob"])
def test_a_side_that_falls_silent_is_noticed_by_the_other(silent: str) -> None:
    pair = Pair(alice=ON, bob=ON).established()
    pair.net.at(100.0, lambda: setattr(pair.net, "route", lambda packet: ()))
    pair.net.run_out(limit_s=3600.0)
    assert pair.told_alice() == ["Answered", "Ended 408"]
    assert pair.told_bob() == ["Confirmed", "Ended 408"]
    pair.finish()


def test_a_refresh_waits_while_an_offer_by_update_is_under_way() -> None:
    pair = Pair(alice=ON, bob=ON).established()
    pair.net.step_until(899.9)
    pair.bob.perform(pair.b, "update", sdp=OFFER)
    pair.net.step_until(905.0)
    assert len(numbers(pair)) == 1
    pair.alice.perform(pair.a, "accept_offer", ANSWER)
    pair.net.step_until(1000.0)
    assert len(numbers(pair)) == 1  # that was as good as a refresh
    assert modified(pair.bob) == [(200, ANSWER)]


# --- the machine ----------------------------------------------------------------------------------------------------


def test_the_machine_ignores_what_comes_late() -> None:
    machine = PlainUpdate()
    assert machine.done(1.0) is None
    assert machine.state is State.IDLE
    assert machine.ask((WHO,), 1.0, is_possible=False) is False
    assert machine.deadline == 1.5
    assert machine.again(1.5, is_possible=False) is False
    assert machine.deadline == 2.0
    assert machine.again(2.0, is_possible=True) is True
    machine.end(3.0)
    assert machine.state is State.IDLE
    assert machine.deadline is None


@pytest.mark.parametrize("value", ["soon", "", "99999999999999999999"])
def test_a_damaged_retry_after_is_no_wait_of_the_peers(value: str) -> None:
    pair = Pair().established()
    answering(pair.bob, 500, 1, Retry_After=value)
    pair.alice.perform(pair.a, "update", extra=[WHO])
    pair.net.step_until(80.0)
    assert updated(pair.alice) == [200]


@pytest.mark.parametrize(("supported", "status"), [("timer", 422), ("100rel", 200)])
def test_a_refresh_by_update_that_is_too_frequent_is_refused_to_who_understands_it(supported: str, status: int) -> None:
    """RFC 4028 §9."""
    pair = Pair(bob=ON).established()
    pair.alice.perform(pair.a, "update", extra=[("Supported", supported), ("Session-Expires", "30;refresher=uac")])
    pair.net.step_until(2.0)
    (answer,) = [each for code in (200, 422) for each in pair.responses(code) if each.cseq.method == "UPDATE"]
    assert answer.status == status
    if status == 422:
        assert answer.headers.get("min-se") == "90"
        assert pair.b.state.name == "CONFIRMED"
