"""Session timers, RFC 4028: who refreshes, how often, what a silent peer means. Hours pass in milliseconds."""

import pytest

from sipcore.build import response_to
from sipcore.dialog.session_timer import On, SessionTimer, State
from sipcore.events import OfferReceived, SessionModified, SessionRefreshed
from sipcore.headers import MinSE, SessionExpires
from sipcore.message import Request
from tests.support.callers import Pair, edited, without_update
from tests.support.fakenet import ANSWER, OFFER, START_S, Node
from tests.support.schedule import START_S as NOW
from tests.support.schedule import request, response

ON = {"session_expires_s": 1800}
HOUR_S = 3600.0


def invite(*lines: str) -> Request:
    return request("INVITE", extra="".join(f"{line}\r\n" for line in lines))


def shown(timer: SessionTimer, *lines: str) -> list[str]:
    return [f"{name}: {value}" for name, value in timer.accept(invite(*lines), NOW)]


# --- the machine ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "fields", "state"),
    [
        ((), ["Session-Expires: 1800;refresher=uas"], State.ALONE),
        (("Supported: timer",), ["Session-Expires: 1800;refresher=uas"], State.OURS),
        (("k: foo, Timer", "x: 600"), ["Session-Expires: 600;refresher=uas"], State.OURS),
        (
            ("Supported: timer", "Session-Expires: 600;refresher=uas"),
            ["Session-Expires: 600;refresher=uas"],
            State.OURS,
        ),
        (
            ("Require: timer", "Session-Expires: 600;refresher=uac"),
            ["Require: timer", "Session-Expires: 600;refresher=uac"],
            State.THEIRS,
        ),
        (("Session-Expires: 600;refresher=uac",), ["Session-Expires: 600;refresher=uas"], State.OURS),
        (("Supported: timer", "Session-Expires: 7200"), ["Session-Expires: 1800;refresher=uas"], State.OURS),
        (("Supported: timer", "Min-SE: 2400"), ["Session-Expires: 2400;refresher=uas"], State.OURS),
        (("Supported: timer", "Session-Expires: never"), ["Session-Expires: 1800;refresher=uas"], State.OURS),
        (("Supported: timer", "Session-Expires: 600", "Min-SE: x"), ["Session-Expires: 600;refresher=uas"], State.OURS),
    ],
)
def test_what_we_answer_to_an_invite(lines: tuple[str, ...], fields: list[str], state: State) -> None:
    timer = SessionTimer(1800, 90)
    assert shown(timer, *lines) == fields
    assert timer.state is state


@pytest.mark.parametrize(
    ("line", "state", "deadline_s"),
    [
        ("Session-Expires: 600;refresher=uac", State.OURS, 300.0),
        ("Session-Expires: 600", State.OURS, 300.0),
        ("Session-Expires: 600;refresher=uas", State.THEIRS, 568.0),
        ("Session-Expires: 90;refresher=uas", State.THEIRS, 60.0),
        ("Session-Expires: 0;refresher=uac", State.OURS, 2.0),
        ("Session-Expires: soon", State.ALONE, 900.0),
        ("Subject: none", State.ALONE, 900.0),
    ],
)
def test_what_the_answer_of_the_peer_means(line: str, state: State, deadline_s: float) -> None:
    timer = SessionTimer(1800, 90)
    name, _, value = line.partition(": ")
    timer.accepted(response_to(request("INVITE"), 200, extra=[(name, value)]), NOW)
    assert timer.state is state
    assert timer.deadline == NOW + deadline_s


def test_a_refresh_that_is_refused_is_tried_again_until_the_session_expires() -> None:
    timer = SessionTimer(600, 90)
    timer.accept(invite("Supported: timer"), NOW)
    seen = []
    while (at := timer.deadline) is not None:
        due = timer.due(at)
        assert due is not None
        seen.append((round(at - NOW), due.name))
        if due is On.REFRESH:
            timer.refused(at + 1.0)
    assert seen[0] == (300, "REFRESH")
    assert seen[-1] == (568, "EXPIRED")
    assert len(seen) > 3
    assert timer.state is State.OFF


def test_a_peer_without_timers_that_answers_anything_is_alive() -> None:
    timer = SessionTimer(600, 90)
    timer.accepted(response(request("INVITE"), 200), NOW)
    for count in range(1, 50):
        assert timer.deadline == NOW + 300.0 * count
        assert timer.due(NOW + 300.0 * count) is On.REFRESH
        timer.refused(NOW + 300.0 * count)


def test_nothing_is_due_before_its_time_and_nothing_after_the_end() -> None:
    timer = SessionTimer(600, 90)
    assert timer.due(NOW + HOUR_S) is None
    timer.accept(invite("Supported: timer"), NOW)
    assert timer.due(NOW + 299.9) is None
    timer.stop(NOW)
    assert timer.deadline is None
    assert timer.due(NOW + HOUR_S) is None


def test_the_interval_is_raised_only_as_often_as_makes_sense() -> None:
    timer = SessionTimer(600, 90)
    asked = request("INVITE")
    assert not timer.raised_by(response_to(asked, 422))
    assert not timer.raised_by(response_to(asked, 422, extra=[("Min-SE", 600)]))
    assert not timer.raised_by(response_to(asked, 422, extra=[("Min-SE", "much")]))
    raised = [timer.raised_by(response_to(asked, 422, extra=[("Min-SE", 700 + step)])) for step in range(10)]
    assert raised == [True] * 5 + [False] * 5
    assert [f"{name}: {value}" for name, value in timer.request_fields()] == ["Session-Expires: 704", "Min-SE: 704"]


# --- two sides ------------------------------------------------------------------------------------------------------


def talk(pair: Pair) -> Pair:
    """Both answer whatever is offered later; neither takes UPDATE, so refreshes are re-INVITEs."""
    without_update(pair.alice.stack, pair.bob.stack)
    inner = pair.bob.handler

    def handle(node: Node, event: object) -> None:
        if inner is not None and node is pair.bob:
            inner(node, event)  # type: ignore[arg-type]
        if isinstance(event, OfferReceived):
            node.perform(event.session, "accept_offer", ANSWER)

    pair.alice.handler = pair.bob.handler = handle
    return pair.established()


def test_two_sides_with_timers_agree_and_the_session_lasts_for_hours() -> None:
    pair = talk(Pair(alice=ON, bob=ON))
    first = pair.requests("INVITE")[0]
    assert first.headers.get("session-expires") == "1800"
    assert first.headers.get("supported") == "timer"
    assert pair.responses(200)[0].headers.get("session-expires") == "1800;refresher=uas"
    pair.net.step_until(5 * HOUR_S)
    assert pair.times("INVITE") == [0.0, *[pytest.approx(900.0 * n, abs=1.0) for n in range(1, 20)]]
    again = pair.requests("INVITE")[-1]
    assert again.body == ANSWER  # what Bob answered with: nothing changes
    assert again.headers.get("session-expires") == "1800;refresher=uac"
    assert [event for event in pair.alice.events + pair.bob.events if isinstance(event, SessionModified)] == []
    pair.alice.perform(pair.a, "end")
    pair.finish()


@pytest.mark.parametrize(("alice", "bob"), [(ON, {}), ({}, ON)], ids=["caller", "callee"])
def test_one_side_with_timers_refreshes_alone(alice: dict[str, int], bob: dict[str, int]) -> None:
    pair = talk(Pair(alice=alice, bob=bob))
    pair.net.step_until(2 * HOUR_S)
    assert len(pair.times("INVITE")) == 8
    pair.alice.perform(pair.a, "end")
    pair.finish()


@pytest.mark.parametrize("silent", ["alice", "bob"])
def test_a_side_that_falls_silent_is_noticed_by_the_other(silent: str) -> None:
    pair = talk(Pair(alice=ON, bob=ON))
    pair.net.at(100.0, lambda: setattr(pair.net, "route", lambda packet: ()))
    pair.net.run_out(limit_s=HOUR_S)
    assert pair.told_alice() == ["Answered", "Ended 408"]
    assert pair.told_bob() == ["Confirmed", "Ended 408"]
    end_s = {"alice": 1768.0, "bob": 932.0}[silent]  # Bob asks after 900 s; Alice waits for him
    ended = {"alice": pair.alice, "bob": pair.bob}[silent].sent_labels()
    assert "BYE" in ended
    assert any(abs(at - end_s) < 1.0 for at in pair.times("BYE"))
    pair.finish()


def test_an_interval_that_is_too_short_is_refused_and_a_longer_one_asked_for() -> None:
    pair = talk(Pair(alice={"session_expires_s": 100}, bob={"session_expires_s": 1800, "min_se_s": 300}))
    refusal = pair.responses(422)[0]
    least = refusal.headers.first(MinSE)
    assert least is not None
    assert least.value == 300
    second = pair.requests("INVITE")[-1]
    assert second.headers.get("session-expires") == "300"
    assert second.headers.get("min-se") == "300"
    assert str(second.cseq) == "2 INVITE"
    assert second.call_id == pair.requests("INVITE")[0].call_id
    pair.net.step_until(1000.0)
    assert len(pair.times("INVITE")) > 6
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_who_gives_up_while_the_interval_is_settled_is_out() -> None:
    pair = Pair(alice={"session_expires_s": 100}, bob={"session_expires_s": 1800, "min_se_s": 300})
    pair.dial()
    pair.net.step_until(0.005)
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.told_alice() == ["Ended 422"]


def stranger_hears(pair: Pair, **fields: str) -> str:
    """How Bob answers an INVITE with those header fields."""
    pair.alice.call("bob", sdp=OFFER)
    sent = pair.requests("INVITE")[0]
    pair.net.inject(edited(sent, call_id="other", via="SIP/2.0/UDP s;branch=z9hG4bKy", **fields), "bob", source="s")
    return next(packet.label for packet in pair.bob.sent if packet.target == "s" and packet.message.cseq.number == 1)


@pytest.mark.parametrize(("supported", "answer"), [("timer", "422 INVITE"), ("100rel", "200 INVITE")])
def test_only_who_knows_timers_is_refused_for_its_interval(supported: str, answer: str) -> None:
    pair = Pair(bob={"session_expires_s": 1800, "min_se_s": 300})
    assert stranger_hears(pair, session_expires="299", supported=supported) == answer


@pytest.mark.parametrize("value", ["ten", "", "-1", "9" * 30])
def test_a_damaged_interval_is_a_bad_request(value: str) -> None:
    assert stranger_hears(Pair(bob=ON), session_expires=value) == "400 INVITE"


@pytest.mark.parametrize(("bob", "answer"), [({}, "420 INVITE"), (ON, "200 INVITE")], ids=["off", "on"])
def test_timers_may_be_required_where_they_are_on(bob: dict[str, int], answer: str) -> None:
    assert stranger_hears(Pair(bob=bob), require="timer") == answer


def test_a_refresh_that_brings_another_description_is_told() -> None:
    pair = talk(Pair(alice=ON, bob=ON))
    other = ANSWER.replace(b"answer", b"moved")

    def handle(node: Node, event: object) -> None:
        if isinstance(event, OfferReceived):
            node.perform(event.session, "accept_offer", other)

    pair.alice.handler = handle
    pair.net.step_until(2000.0)
    assert [event.sdp for event in pair.bob.events if isinstance(event, SessionRefreshed)] == [other]
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_a_refresh_waits_while_the_session_is_being_changed() -> None:
    pair = Pair(alice=ON, bob=ON)
    without_update(pair.alice.stack, pair.bob.stack)
    pair.established()
    pair.net.step_until(899.5)
    pair.alice.perform(pair.a, "modify", OFFER)
    pair.net.step_until(901.0)  # Bob's refresh is due while Alice's offer waits for him
    assert len(pair.times("INVITE")) == 2
    pair.bob.perform(pair.b, "accept_offer", ANSWER)
    pair.net.step_until(1000.0)
    assert len(pair.times("INVITE")) == 2  # that was as good as a refresh
    pair.alice.perform(pair.a, "end")
    pair.finish()


def test_the_interval_counts_from_each_agreement() -> None:
    pair = talk(Pair(alice=ON, bob=ON))
    pair.net.step_until(800.0)
    pair.bob.perform(pair.b, "modify", OFFER)
    pair.net.step_until(1650.0)
    assert len(pair.times("INVITE")) == 2
    pair.net.step_until(1750.0)
    assert len(pair.times("INVITE")) == 3
    assert pair.net.now == START_S + 1750.0
    expires = pair.requests("INVITE")[-1].headers.first(SessionExpires)
    assert expires is not None
    assert expires.refresher == "uac"
    pair.alice.perform(pair.a, "end")
    pair.finish()
