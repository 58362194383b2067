"""Provisional responses that must not get lost, and what may happen before the answer. RFC 3262, RFC 3311, RFC 3261."""

import pytest

from sipcore.dialog.session import InviteSession
from sipcore.events import OfferReceived, SessionAnswered, SessionProgress
from sipcore.message import Request, Response
from tests.support.callers import Pair, again_with, edited
from tests.support.fakenet import ANSWER, OFFER, FakeNet, Node, Packet, dropping

ON = {"extensions": frozenset({"100rel"})}
INSISTS = [("Require", "100rel")]
OTHER = b"v=0\r\no=other\r\n"
NEWS = [("P-Asserted-Identity", "<sip:103@zvon>")]


def early(node: Node, session: InviteSession) -> None:
    node.perform(session, "progress", 183, sdp=ANSWER)


def rings(node: Node, session: InviteSession) -> None:
    node.perform(session, "progress", 180)


def leave(_: Node, __: InviteSession) -> None:
    """Say nothing."""


def talking(taken: object = early, route: object = None, insists: bool = False) -> Pair:
    """Both know the extension; after a second the callee has said what it says before the answer."""
    pair = Pair(taken=taken, alice=ON, bob=ON)  # type: ignore[arg-type]
    if route is not None:
        pair.net.route = route  # type: ignore[assignment]
    pair.dial(**({"extra": INSISTS} if insists else {}))
    pair.net.step_until(1.0)
    return pair


def progress(node: Node) -> list[tuple[int, bytes]]:
    return [(event.status, event.sdp) for event in node.events if isinstance(event, SessionProgress)]


def answers(node: Node) -> list[bytes]:
    return [event.sdp for event in node.events if isinstance(event, SessionAnswered)]


def rseqs(pair: Pair, status: int = 183) -> list[int]:
    return [int(each.headers.get("rseq") or 0) for each in pair.responses(status)]


# --- both sides -----------------------------------------------------------------------------------------------------


def test_early_media_is_acknowledged_and_the_2xx_describes_nothing_more() -> None:
    pair = talking()
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(2.0)
    assert pair.ladder() == [
        *("alice INVITE", "bob 183 INVITE", "alice PRACK", "bob 200 PRACK", "bob 200 INVITE", "alice ACK"),
    ]  # fmt: skip
    (first,) = pair.responses(183)
    assert first.headers.get("require") == "100rel"
    (prack,) = pair.requests("PRACK")
    assert prack.headers.get("rack") == f"{first.headers.get('rseq')} 1 INVITE"
    assert str(prack.cseq) == "2 PRACK"
    assert progress(pair.alice) == [(183, ANSWER)]
    assert pair.responses(200)[-1].body == b""
    assert answers(pair.alice) == [b""]  # told before
    assert pair.a.offers.agreed
    assert pair.a.may_modify
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert str(pair.requests("BYE")[0].cseq) == "3 BYE"


def test_ringing_without_media_needs_no_acknowledgement() -> None:
    pair = talking(rings)
    assert pair.responses(180)[0].headers.get("rseq") is None
    assert pair.requests("PRACK") == []
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(2.0)
    assert answers(pair.alice) == [ANSWER]


def test_a_caller_that_insists_gets_every_provisional_response_reliably() -> None:
    pair = talking(rings, insists=True)
    pair.bob.perform(pair.b, "progress", 183, sdp=ANSWER)
    pair.net.step_until(2.0)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(3.0)
    numbers = rseqs(pair, 180) + rseqs(pair)
    assert numbers[1] == numbers[0] + 1
    assert 1 < numbers[0] < 2**31
    assert pair.alice.sent_labels().count("PRACK") == 2
    assert progress(pair.alice) == [(180, b""), (183, ANSWER)]


@pytest.mark.parametrize(("alice", "bob"), [(ON, {}), ({}, ON)], ids=["caller only", "callee only"])
def test_one_side_alone_sends_nothing_reliably(alice: dict[str, object], bob: dict[str, object]) -> None:
    pair = Pair(taken=early, alice=alice, bob=bob)
    pair.dial()
    pair.net.step_until(1.0)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(2.0)
    assert rseqs(pair) == [0]
    assert answers(pair.alice) == [ANSWER]


def test_who_insists_on_what_the_callee_does_not_know_is_refused() -> None:
    pair = Pair(taken=early, alice=ON)
    pair.dial(extra=INSISTS)
    pair.finish()
    assert pair.responses(420)[0].headers.get("unsupported") == "100rel"
    assert pair.told_alice() == ["Ended 420"]


# --- loss -----------------------------------------------------------------------------------------------------------


def test_a_lost_response_is_repeated_twice_as_late_each_time() -> None:
    pair = talking(rings)
    pair.net.route = dropping("183 INVITE", times=4)
    pair.bob.perform(pair.b, "progress", 183, sdp=ANSWER)
    pair.net.step_until(20.0)
    assert pair.times("183 INVITE") == [1.0, 1.5, 2.5, 4.5, 8.5]
    assert len({packet.data for packet in pair.net.log if packet.label == "183 INVITE"}) == 1
    assert progress(pair.alice) == [(180, b""), (183, ANSWER)]


@pytest.mark.parametrize("lost", ["PRACK", "200 PRACK"])
def test_a_lost_acknowledgement_is_repeated_by_its_transaction(lost: str) -> None:
    pair = talking(route=dropping(lost, times=2))
    pair.net.step_until(5.0)
    assert {str(each.cseq) for each in pair.requests("PRACK")} == {"2 PRACK"}
    assert progress(pair.alice) == [(183, ANSWER)]  # copies are dropped
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_a_response_that_nobody_acknowledges_refuses_the_call_after_64_t1() -> None:
    pair = talking(route=dropping("PRACK", times=99))
    pair.net.step_until(31.9)
    assert pair.told_bob() == []
    pair.finish()
    assert pair.told_bob() == ["Ended 504"]
    assert pair.told_alice() == ["Progress", "Ended 504"]


def test_the_answer_waits_for_the_acknowledgement_of_the_description() -> None:
    pair = talking(route=dropping("PRACK", times=2))
    pair.bob.perform(pair.b, "answer", ANSWER, extra=[("Subject", "late")])
    assert "bob 200 INVITE" not in pair.ladder()
    pair.net.step_until(5.0)
    assert pair.responses(200)[-1].headers.get("subject") == "late"
    assert pair.ladder().index("bob 200 PRACK") < pair.ladder().index("bob 200 INVITE")
    assert pair.told_alice() == ["Progress", "Answered"]
    assert pair.told_bob() == ["Confirmed"]


def test_an_answer_that_waits_in_vain_refuses_the_call() -> None:
    pair = talking(route=dropping("PRACK", times=99))
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.finish()
    assert pair.told_bob() == ["Ended 504"]


def test_an_answer_does_not_wait_for_ringing_and_its_acknowledgement_may_come_late() -> None:
    pair = talking(rings, route=dropping("PRACK", times=2), insists=True)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(1.1)
    assert pair.b.state.name == "CONFIRMED"
    pair.net.step_until(5.0)
    assert "bob 200 PRACK" in pair.ladder()
    assert pair.times("180 INVITE") == [0.01, 0.51]  # not repeated after the final response
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_what_is_said_before_the_last_one_is_acknowledged_waits_its_turn() -> None:
    pair = talking(leave, insists=True)
    pair.net.route = dropping("180 INVITE")
    pair.bob.perform(pair.b, "progress", 180)
    pair.bob.perform(pair.b, "progress", 183, sdp=ANSWER)
    pair.bob.perform(pair.b, "progress", 181)
    pair.net.step_until(5.0)
    assert progress(pair.alice) == [(180, b""), (181, ANSWER)]
    first, second = sorted({*rseqs(pair, 180), *rseqs(pair, 181)})
    assert second == first + 1


@pytest.mark.parametrize("how", ["cancel", "reject", "bye"])
def test_nothing_is_repeated_after_the_end(how: str) -> None:
    pair = talking(route=dropping("PRACK", times=99))
    if how == "reject":
        pair.bob.perform(pair.b, "reject", 486)
    elif how == "cancel":
        pair.alice.perform(pair.a, "end")
    else:
        bye = again_with(pair.requests("PRACK")[0], 9, "z9hG4bKbye")
        bye = Request("BYE", bye.uri, bye.headers)
        bye.headers.set("cseq", "9 BYE")
        pair.net.inject(bytes(bye), "bob", "alice")
    before = pair.bob.sent_labels().count("183 INVITE")
    pair.finish()
    assert pair.bob.sent_labels().count("183 INVITE") == before


@pytest.mark.parametrize("how", ["hang up", "cancel"])
def test_an_answer_that_waits_can_be_taken_back(how: str) -> None:
    pair = talking(route=dropping("PRACK", times=99))
    pair.bob.perform(pair.b, "answer", ANSWER)
    assert pair.b.state.name == "ACCEPTING"
    if how == "cancel":
        pair.alice.perform(pair.a, "end")
    else:
        pair.bob.perform(pair.b, "end", "Q.850;cause=16")
    pair.finish()
    status = 487 if how == "cancel" else 480
    assert pair.told_bob() == [f"Ended {status}"]
    assert pair.told_alice()[-1] == f"Ended {status}"
    assert "bob 200 INVITE" not in pair.ladder()


def test_a_connection_that_breaks_ends_a_call_whose_answer_waits() -> None:
    pair = Pair(taken=early, transport="TCP", alice=ON, bob=ON)
    pair.dial()
    pair.net.step_until(0.015)
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.cut("alice", "bob")
    pair.finish()
    assert pair.told_bob() == ["Ended 503"]


# --- wrong or odd PRACKs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rack", ["1 1 INVITE", "{n} 2 INVITE", "{n} 1 UPDATE", "x", "", "{next} 1 INVITE"])
def test_an_acknowledgement_of_something_else_finds_nothing(rack: str) -> None:
    pair = talking(route=dropping("PRACK", times=99))
    number = rseqs(pair)[0]
    text = rack.format(n=number, next=number + 1)
    prack = edited(pair.requests("PRACK")[0], rack=text, cseq="7 PRACK", via="SIP/2.0/UDP alice;branch=z9hG4bKodd")
    pair.net.inject(prack, "bob", "alice")
    assert len(pair.responses(481)) == 1
    assert pair.b._reliable is not None
    assert pair.b._reliable.is_waiting


def test_a_second_acknowledgement_of_the_same_response_finds_nothing() -> None:
    pair = talking()
    pair.net.inject(bytes(again_with(pair.requests("PRACK")[0], 8, "z9hG4bKtwice")), "bob", "alice")
    assert len(pair.responses(481)) == 1


def test_an_acknowledgement_without_a_call_finds_nothing() -> None:
    pair = talking()
    prack = pair.requests("PRACK")[0]
    pair.bob.perform(pair.b, "reject", 486)
    pair.finish()
    pair.net.inject(bytes(again_with(prack, 8, "z9hG4bKlate")), "bob", "alice")
    assert len(pair.responses(481)) == 1


def test_an_offer_in_the_acknowledgement_is_answered_in_its_2xx() -> None:
    """RFC 3262 §5."""
    pair = talking(route=dropping("PRACK", times=99))
    prack = again_with(pair.requests("PRACK")[0], 8, "z9hG4bKoffer")
    prack.headers.set("content-type", "application/sdp")
    prack.body = OTHER
    pair.net.inject(bytes(prack), "bob", "alice")
    assert [event.sdp for event in pair.bob.events if isinstance(event, OfferReceived)] == [OTHER]
    pair.bob.perform(pair.b, "accept_offer", OFFER)
    answered = [each for each in pair.responses(200) if each.cseq.method == "PRACK"]
    assert [each.body for each in answered] == [OFFER]
    assert "session-expires" not in answered[0].headers


def test_an_invite_without_an_offer_is_answered_reliably_only_by_its_2xx() -> None:
    """RFC 3261 §13.2.1: the first reliable response would have to carry our offer."""
    for extra, expected in (([("Supported", "100rel")], ["180 INVITE"]), (INSISTS, ["100 INVITE"])):
        pair = Pair(taken=rings, bob=ON)
        invite = bytes(offerless("z9hG4bKnone", extra))
        pair.net.inject(invite, "bob", "carol")
        pair.net.step_until(1.0)
        assert pair.bob.sent_labels() == expected
        pair.bob.perform(pair.b, "answer", OFFER)
        assert pair.responses(200)[-1].body == OFFER


def offerless(branch: str, extra: list[tuple[str, str]]) -> Request:
    net = FakeNet()
    carol = net.add("carol")
    carol.call("bob", extra=extra)
    invite = carol.sent[0].message
    assert isinstance(invite, Request)
    invite.headers.remove("content-type")
    return Request("INVITE", invite.uri, invite.headers)


# --- the caller's order ---------------------------------------------------------------------------------------------


def reliable(pair: Pair, status: int, rseq: int | str, *, tag: str = "", sdp: bytes = b"", cseq: int = 1) -> bytes:
    """A provisional response of Bob, or of a fork with another tag."""
    made = pair.responses(180)[0]
    headers = made.headers.copy()
    if tag:
        headers.set("to", f"<sip:bob@bob>;tag={tag}")
        headers.set("contact", f"<sip:{tag}@{tag}>")
    for name, value in (("require", "100rel"), ("rseq", str(rseq)), ("cseq", f"{cseq} INVITE")):
        headers.set(name, value)
    if sdp:
        headers.set("content-type", "application/sdp")
    return bytes(Response(status, "Ringing", headers, sdp))


def test_responses_are_taken_in_their_order_and_once() -> None:
    pair = talking(rings)
    for number in (5, 5, 7, 6, 6, 7, 4, 0, "x"):
        pair.net.inject(reliable(pair, 183, number), "alice", "bob")
    racks = [each.headers.get("rack") for each in pair.requests("PRACK")]
    assert racks == ["5 1 INVITE", "6 1 INVITE", "7 1 INVITE"]
    statuses = [status for status, _ in progress(pair.alice)]
    assert statuses == [180, 183, 183, 183, 183, 183]  # 0 and x are no numbers: unreliable ones


def test_a_caller_without_the_extension_acknowledges_nothing() -> None:
    pair = Pair(taken=rings)
    pair.dial()
    pair.net.step_until(1.0)
    pair.net.inject(reliable(pair, 183, 5, sdp=ANSWER), "alice", "bob")
    assert pair.requests("PRACK") == []
    assert progress(pair.alice)[-1] == (183, ANSWER)


def test_the_packets_of_a_lossy_network_never_break_the_order() -> None:
    """Whatever is lost, the callee's responses reach the caller in order and once each."""
    for lost in range(12):
        count = [0]

        def route(_: Packet, lost: int = lost, count: list[int] = count) -> list[float]:
            count[0] += 1
            return [] if count[0] == lost else [0.01]

        pair = talking(rings, route=route, insists=True)
        pair.bob.perform(pair.b, "progress", 183, sdp=ANSWER)
        pair.net.step_until(4.0)
        pair.bob.perform(pair.b, "answer", ANSWER)
        pair.net.step_until(8.0)
        assert progress(pair.alice) == [(180, b""), (183, ANSWER)]
        assert pair.told_bob() == ["Confirmed"]
        pair.alice.perform(pair.a, "end")
        pair.finish()
