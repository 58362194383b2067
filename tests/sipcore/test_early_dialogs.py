"""Before the answer and within a change: early dialogs of forks, UPDATE in them, early answers. RFC 3261, 6141."""

import pytest

from sipcore.errors import LocalProtocolError
from sipcore.events import OfferReceived, SessionModified, UpdateReceived
from sipcore.message import Request, Response
from tests.sipcore.test_reliable import NEWS, OTHER, answers, progress, reliable, rings, talking
from tests.support.callers import Pair, again_with
from tests.support.fakenet import ANSWER, OFFER

ON = {"extensions": frozenset({"100rel"})}


# --- forks ----------------------------------------------------------------------------------------------------------


def answered_by(pair: Pair, tag: str, sdp: bytes) -> bytes:
    original = pair.responses(180)[0].headers.copy()
    original.set("to", f"<sip:bob@bob>;tag={tag}")
    original.set("contact", f"<sip:{tag}@{tag}>")
    if sdp:
        original.set("content-type", "application/sdp")
    return bytes(Response(200, "OK", original, sdp))


def test_each_fork_has_its_own_numbers_and_only_the_first_with_media_is_heard() -> None:
    pair = talking(rings)
    for tag, number, sdp in (("one", 5, b""), ("two", 100, ANSWER), ("one", 6, OTHER), ("two", 101, b"")):
        pair.net.inject(reliable(pair, 183, number, tag=tag, sdp=sdp), "alice", "bob")
    assert progress(pair.alice)[1:] == [(183, b""), (183, ANSWER), (183, b""), (183, b"")]
    sent = [(each.to.tag, each.headers.get("rack"), str(each.cseq), str(each.uri)) for each in pair.requests("PRACK")]
    assert sent == [
        ("one", "5 1 INVITE", "2 PRACK", "sip:one@one"),
        ("two", "100 1 INVITE", "2 PRACK", "sip:two@two"),
        ("one", "6 1 INVITE", "3 PRACK", "sip:one@one"),
        ("two", "101 1 INVITE", "3 PRACK", "sip:two@two"),
    ]


@pytest.mark.parametrize(("tag", "sdp", "told"), [("one", b"", OTHER), ("two", b"", b""), ("three", OTHER, OTHER)])
def test_whoever_answers_is_the_session_with_what_it_described(tag: str, sdp: bytes, told: bytes) -> None:
    pair = talking(rings)
    for each, number, early_sdp in (("two", 100, ANSWER), ("one", 5, OTHER)):
        pair.net.inject(reliable(pair, 183, number, tag=each, sdp=early_sdp), "alice", "bob")
    pair.net.inject(answered_by(pair, tag, sdp), "alice", "bob")
    assert answers(pair.alice) == [told]
    assert pair.a.dialog is not None
    assert pair.a.dialog.remote_tag == tag
    pair.alice.perform(pair.a, "end")
    assert str(pair.requests("BYE")[0].cseq) == ("2 BYE" if tag == "three" else "3 BYE")


def test_a_fork_that_lost_is_ended_with_its_own_next_number() -> None:
    pair = talking(rings)
    for tag in ("one", "two"):
        pair.net.inject(reliable(pair, 183, 5, tag=tag, sdp=ANSWER), "alice", "bob")
    for tag in ("one", "two"):
        pair.net.inject(answered_by(pair, tag, b""), "alice", "bob")
    (bye,) = pair.requests("BYE")
    assert (bye.to.tag, str(bye.cseq)) == ("two", "3 BYE")


def test_a_request_of_a_fork_that_does_not_ring_finds_nothing() -> None:
    pair = talking(rings)
    invite = pair.requests("INVITE")[0]
    for number, method in enumerate(("BYE", "UPDATE", "OPTIONS"), 1):
        request = Request(method, invite.uri, invite.headers.copy())
        request.headers.set("from", "<sip:bob@bob>;tag=unheard")
        request.headers.set("to", invite.headers.get("from") or "")
        request.headers.set("cseq", f"{number} {method}")
        request.headers.set("via", f"SIP/2.0/UDP bob;branch=z9hG4bKunheard{number}")
        pair.net.inject(bytes(request), "alice", "bob")
    assert len(pair.responses(481)) == 3
    assert pair.a.state.name == "PROCEEDING"


def test_a_peer_that_invents_forks_gets_no_memory_for_them() -> None:
    pair = talking(rings)
    for number in range(100):
        pair.net.inject(reliable(pair, 180, 5, tag=f"fork{number}"), "alice", "bob")
    assert len(pair.a._early) == 32
    assert len(pair.requests("PRACK")) == 31
    pair.alice.perform(pair.a, "end")
    pair.finish()


# --- UPDATE before the answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_caller", [True, False], ids=["caller", "callee"])
def test_either_side_may_change_early_media(by_caller: bool) -> None:
    pair = talking()
    asks, agrees = (pair.alice, pair.bob) if by_caller else (pair.bob, pair.alice)
    assert pair.of(asks).may_update_offer
    asks.perform(pair.of(asks), "update", sdp=OFFER)
    pair.net.step_until(1.2)
    assert [event.sdp for event in agrees.events if isinstance(event, OfferReceived)] == [OFFER]
    agrees.perform(pair.of(agrees), "accept_offer", OTHER)
    pair.net.step_until(1.4)
    assert [(event.status, event.sdp) for event in asks.events if isinstance(event, SessionModified)] == [(200, OTHER)]
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(2.0)
    assert pair.responses(200)[-1].body == b""
    assert answers(pair.alice) == [b""]
    assert pair.a.may_modify
    assert pair.b.may_modify
    pair.bob.perform(pair.b, "end")
    pair.finish()


def test_the_caller_may_be_told_something_while_it_hears_early_media() -> None:
    pair = talking()
    pair.bob.perform(pair.b, "update", extra=NEWS)
    pair.net.step_until(2.0)
    (told,) = [event for event in pair.alice.events if isinstance(event, UpdateReceived)]
    assert told.request.headers.get("p-asserted-identity") == NEWS[0][1]
    assert pair.told_bob() == ["Updated"]


def test_the_callee_may_be_told_something_while_it_rings() -> None:
    pair = talking(rings)
    pair.alice.perform(pair.a, "update", extra=NEWS)
    pair.net.step_until(2.0)
    assert pair.told_bob() == ["UpdateReceived"]
    assert not pair.a.may_update_offer  # nothing is agreed yet
    with pytest.raises(LocalProtocolError):
        pair.alice.perform(pair.a, "update", sdp=OFFER)


def test_a_caller_that_may_not_know_the_dialog_is_told_nothing() -> None:
    pair = talking(rings)
    assert not pair.b.may_update
    with pytest.raises(LocalProtocolError):
        pair.bob.perform(pair.b, "update", extra=NEWS)


@pytest.mark.parametrize("status", [408, 481, 488])
def test_an_early_change_that_fails_is_only_a_refused_change(status: int) -> None:
    pair = talking()
    pair.alice.perform(pair.a, "update", sdp=OFFER)
    pair.net.step_until(1.2)
    pair.bob.perform(pair.b, "refuse_offer", status)
    pair.net.step_until(1.4)
    assert [event.status for event in pair.alice.events if isinstance(event, SessionModified)] == [status]
    pair.bob.perform(pair.b, "answer", ANSWER)
    pair.net.step_until(2.0)
    assert pair.told_alice()[-1] == "Answered"
    assert pair.a.may_modify


@pytest.mark.parametrize(("fork", "status"), [("one", 200), ("two", 488)])
def test_a_change_by_a_fork_that_is_not_heard_is_refused(fork: str, status: int) -> None:
    pair = talking(rings)
    for tag in ("one", "two"):
        pair.net.inject(reliable(pair, 183, 5, tag=tag, sdp=ANSWER), "alice", "bob")
    update = from_fork(pair, fork, 1)
    update.headers.set("content-type", "application/sdp")
    update.body = OTHER
    pair.net.inject(bytes(update), "alice", "bob")
    if status == 200:
        pair.alice.perform(pair.a, "accept_offer", OFFER)
    assert [each.cseq.method for each in pair.responses(status)][-1] == "UPDATE"


def from_fork(pair: Pair, tag: str, number: int) -> Request:
    invite = pair.requests("INVITE")[0]
    update = Request("UPDATE", invite.uri, invite.headers.copy())
    for name, value in (
        ("from", f"<sip:bob@bob>;tag={tag}"),
        ("to", invite.headers.get("from") or ""),
        ("contact", f"<sip:moved@{tag}>"),
        ("cseq", f"{number} UPDATE"),
        ("via", f"SIP/2.0/UDP bob;branch=z9hG4bK{tag}{number}"),
    ):
        update.headers.set(name, value)
    update.headers.remove("content-type")
    return update


def test_each_fork_moves_its_own_target() -> None:
    pair = talking(rings)
    for tag in ("one", "two"):
        pair.net.inject(reliable(pair, 183, 5, tag=tag), "alice", "bob")
    pair.net.inject(bytes(from_fork(pair, "two", 1)), "alice", "bob")
    for tag in ("one", "two"):
        pair.net.inject(reliable(pair, 183, 6, tag=tag).replace(b"contact", b"x-none"), "alice", "bob")
    assert [str(each.uri) for each in pair.requests("PRACK")[2:]] == ["sip:one@one", "sip:two@two"]
    pair.net.inject(bytes(from_fork(pair, "two", 2)), "alice", "bob")
    old = again_with(from_fork(pair, "two", 2), 1, "z9hG4bKold")
    pair.net.inject(bytes(old), "alice", "bob")
    assert pair.responses(500)[-1].reason == "CSeq Out of Order"


def test_what_was_under_way_with_another_fork_is_over_when_one_answers() -> None:
    pair = talking(rings)
    pair.net.inject(reliable(pair, 183, 5, tag="one", sdp=ANSWER), "alice", "bob")
    update = from_fork(pair, "one", 1)
    update.headers.set("content-type", "application/sdp")
    update.body = OTHER
    pair.net.inject(bytes(update), "alice", "bob")
    pair.net.inject(answered_by(pair, "two", ANSWER), "alice", "bob")
    assert [each.cseq.method for each in pair.responses(487)] == ["UPDATE"]
    assert pair.a.may_modify


# --- within a re-INVITE ---------------------------------------------------------------------------------------------


def reinvited(pair: Pair) -> bytes:
    """Alice asks for a change; Bob's stack says nothing of it."""
    pair.net.route = lambda packet: () if packet.target == "bob" and packet.label == "INVITE" else (0.01,)
    pair.alice.perform(pair.a, "modify", OFFER)
    invite = pair.requests("INVITE")[-1]
    assert str(invite.cseq) == "2 INVITE"
    return bytes(invite)


def about(pair: Pair, status: int, sdp: bytes = b"", rseq: int = 0) -> bytes:
    invite = pair.requests("INVITE")[-1]
    headers = invite.headers.copy()
    for name in ("content-type", "contact", "allow", "supported"):
        headers.remove(name)
    headers.set("contact", "<sip:bob@bob>")
    if rseq:
        headers.set("require", "100rel")
        headers.set("rseq", str(rseq))
    if sdp:
        headers.set("content-type", "application/sdp")
    return bytes(Response(status, "Said", headers, sdp))


def modified(pair: Pair) -> list[tuple[int, bytes]]:
    return [(event.status, event.sdp) for event in pair.alice.events if isinstance(event, SessionModified)]


def test_a_change_may_be_answered_early_and_counts_with_the_2xx() -> None:
    pair = Pair(alice=ON).established()
    reinvited(pair)
    for rseq in (9, 9, 11, 10):
        pair.net.inject(about(pair, 183, ANSWER if rseq == 9 else b"", rseq), "alice", "bob")
    assert [each.headers.get("rack") for each in pair.requests("PRACK")] == ["9 2 INVITE", "10 2 INVITE"]
    assert modified(pair) == []
    pair.net.inject(about(pair, 200), "alice", "bob")
    assert modified(pair) == [(200, ANSWER)]
    assert pair.a.may_modify


def test_a_change_that_is_refused_after_an_early_answer_leaves_the_session_as_it_was() -> None:
    """RFC 6141 §3.4."""
    pair = Pair(alice=ON).established()
    reinvited(pair)
    pair.net.inject(about(pair, 183, OTHER, 9), "alice", "bob")
    pair.net.inject(about(pair, 488), "alice", "bob")
    assert modified(pair) == [(488, b"")]
    assert (pair.a._local_sdp, pair.a._remote_sdp) == (OFFER, ANSWER)
    pair.net.route = lambda packet: (0.01,)
    pair.alice.perform(pair.a, "modify", OFFER)
    pair.net.step_until(2.0)
    pair.bob.perform(pair.b, "accept_offer", ANSWER)
    pair.net.step_until(3.0)
    assert modified(pair)[-1] == (200, ANSWER)


def test_a_provisional_response_to_a_change_that_is_not_reliable_needs_nothing() -> None:
    pair = Pair(alice=ON).established()
    reinvited(pair)
    pair.net.inject(about(pair, 183, OTHER), "alice", "bob")
    assert pair.requests("PRACK") == []
    pair.net.inject(about(pair, 200, ANSWER), "alice", "bob")
    assert modified(pair) == [(200, ANSWER)]
