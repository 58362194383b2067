"""INFO: digits beside the audio, and the answers to what we do not know (RFC 6086)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.build import response_to
from sipcore.dialog.info import answer_to, digit_of
from sipcore.errors import LocalProtocolError, ParseError
from sipcore.events import InfoDigit
from sipcore.message import Request, Response
from tests.support.callers import Pair, ring
from tests.support.fakenet import DELAY_S, Packet
from tests.support.schedule import request

FRAGMENT = (
    b"a=ice-ufrag:abcd\r\na=ice-pwd:" + b"q" * 24 + b"\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    b"a=candidate:1 1 udp 2130706432 192.0.2.9 5000 typ host\r\na=end-of-candidates\r\n"
)


@pytest.mark.parametrize(
    ("body", "digit"),
    [
        (b"Signal=5\r\nDuration=160\r\n", "5"),
        (b"Signal= *\r\nDuration= 250", "*"),
        (b"Duration=100\nSIGNAL = #\n", "#"),
        (b"signal=d\r\n", "D"),
        (b"Signal=10\r\n", "*"),
        (b"Signal=11\r\n", "#"),
        (b"Signal=15\r\n", "D"),
        (b"7", "7"),
        (b" 10 \r\n", "*"),
        (b"Signal=16\r\n", ""),
        (b"!", ""),
    ],
)
def test_a_digit_is_read_as_phones_write_it(body: bytes, digit: str) -> None:
    assert digit_of(body) == digit


@pytest.mark.parametrize(
    "body", [b"\r\n", b"Signal=\r\n", b"Signal=17", b"Signal=55", b"Duration=160", b"Signal=\xff", b"5" * 300]
)
def test_what_is_no_digit_is_malformed(body: bytes) -> None:
    with pytest.raises(ParseError):
        digit_of(body)


@given(st.binary(max_size=300))
def test_any_body_is_a_digit_or_malformed(body: bytes) -> None:
    with suppress(ParseError):
        assert digit_of(body) in {*"0123456789*#ABCD", ""}


@pytest.mark.parametrize(
    ("lines", "body", "status", "field"),
    [
        ("", b"", 200, None),
        ("Content-Type: application/dtmf-relay\r\n", b"Signal=1", 200, None),
        ("Content-Type: application/DTMF; x=y\r\n", b"1", 200, None),
        ("Content-Type: application/dtmf\r\n", b"one", 400, None),
        ("Content-Type: text/plain\r\n", b"1", 415, ("Accept", "application/dtmf-relay, application/dtmf")),
        ("Content-Type: application/media_control+xml\r\n", b"<x/>", 415, None),
        ("Info-Package: conference\r\n", b"", 469, ("Recv-Info", "trickle-ice")),
        ("Info-Package: trickle-ice\r\nContent-Type: text/plain\r\n", FRAGMENT, 415, None),
        ("Info-Package: Trickle-ICE\r\nContent-Type: application/trickle-ice-sdpfrag\r\n", FRAGMENT, 200, None),
        ("Info-Package: trickle-ice\r\nContent-Type: application/trickle-ice-sdpfrag\r\n", b"a=x", 400, None),
        ("Info-Package: trickle-ice\r\nContent-Type: application/trickle-ice-sdpfrag\r\n", b"\xff\n\n", 400, None),
        ("Info-Package: x\r\nContent-Type: application/dtmf\r\n", b"1", 469, None),
    ],
)
def test_how_an_info_is_answered(lines: str, body: bytes, status: int, field: tuple[str, str] | None) -> None:
    asked = request("INFO", extra=lines)
    asked.body = body
    found, extra, digit = answer_to(asked)
    assert found == status
    assert field is None or field in list(extra)
    assert bool(digit) == (status == 200 and bool(body) and body is not FRAGMENT)


def info(pair: Pair, number: int, body: bytes = b"Signal=5\r\nDuration=100\r\n", **fields: str) -> Response:
    """Alice sends Bob an INFO; his answer."""
    invite = pair.requests("INVITE")[0]
    sent = Request("INFO", invite.uri, invite.headers.copy(), body)
    for name, value in (
        ("to", f"{invite.headers.get('to')};tag={pair.b.local_tag}"),
        ("cseq", f"{number} INFO"),
        ("via", f"SIP/2.0/UDP alice;branch=z9hG4bKinfo{number}"),
        ("content-type", "application/dtmf-relay"),
        *((name.replace("_", "-"), value) for name, value in fields.items()),
    ):
        sent.headers.set(name, value)
    pair.net.inject(bytes(sent), "bob", "alice")
    answer = pair.bob.sent[-1].message
    assert isinstance(answer, Response)
    return answer


def test_digits_are_told_once_each_in_a_session_and_before_its_answer() -> None:
    for pair in (Pair().established(), Pair(taken=ring)):
        if pair.call is None:
            pair.dial()
            pair.net.step_until(1.0)
        assert info(pair, 2).status == 200
        assert info(pair, 2).status == 200  # a copy
        assert info(pair, 3, b"Signal=#\r\n").status == 200
        assert [event.digit for event in pair.bob.events if isinstance(event, InfoDigit)] == ["5", "#"]


def test_an_info_for_nobody_finds_nothing() -> None:
    pair = Pair().established()
    assert info(pair, 2, to="<sip:bob@bob>;tag=other").status == 481
    assert info(pair, 3, info_package="unknown").status == 469
    assert pair.told_bob() == ["Confirmed"]
    pair.bob.perform(pair.b, "end")
    assert info(pair, 4).status == 481


@pytest.mark.parametrize("wrong", ["from", "call-id", "cseq", "to"])
def test_a_cancel_that_only_has_the_branch_of_an_invite_cancels_nothing(wrong: str) -> None:
    pair = Pair(taken=ring)
    pair.dial()
    pair.net.step_until(1.0)
    invite = pair.requests("INVITE")[0]
    cancel = Request("CANCEL", invite.uri, invite.headers.copy())
    cancel.headers.remove("content-type")
    cancel.headers.set("cseq", "1 CANCEL")
    fields = {"from": "<sip:alice@alice>;tag=x", "call-id": "x", "cseq": "2 CANCEL", "to": "<sip:bob@bob>;tag=x"}
    cancel.headers.set(wrong, fields[wrong])
    pair.net.inject(bytes(cancel), "bob", "mallory")
    assert len(pair.responses(481)) == 1
    assert pair.b.state.name == "INCOMING"
    pair.alice.perform(pair.a, "end")
    pair.finish()
    assert pair.told_bob() == ["Ended 487"]


def told(pair: Pair) -> list[str]:
    return [event.digit for event in pair.bob.events if isinstance(event, InfoDigit)]


def test_digits_of_ours_go_out_one_after_the_other_and_in_their_order() -> None:
    pair = Pair().established()
    for digit in "12#":
        pair.alice.perform(pair.a, "inform", digit, 160)
    assert len(pair.requests("INFO")) == 1
    pair.net.step_until(2.0)
    assert told(pair) == ["1", "2", "#"]
    first = pair.requests("INFO")[0]
    assert first.content_type == "application/dtmf-relay"
    assert first.body == b"Signal=1\r\nDuration=160\r\n"
    assert [each.cseq.number for each in pair.requests("INFO")] == [2, 3, 4]


def test_a_lost_info_is_sent_again_before_the_next_digit() -> None:
    lost = iter([True, *[False] * 50])

    def route(packet: Packet) -> list[float]:
        return [] if packet.label == "INFO" and next(lost) else [DELAY_S]

    pair = Pair(route).established()
    for digit in "12":
        pair.alice.perform(pair.a, "inform", digit, 160)
    pair.net.step_until(3.0)
    assert told(pair) == ["1", "2"]


def answered(pair: Pair, sent: Request, status: int) -> None:
    """Alice's INFO is answered like that."""
    now = pair.net.now
    pair.alice.stack.perform(pair.a, pair.a.receive_response(sent, response_to(sent, status), now), now)
    pair.net.step_until(2.0)


def test_a_peer_that_does_not_take_info_is_not_asked_for_more_than_it_gets() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "inform", "1", 160)
    pair.alice.perform(pair.a, "inform", "2", 160)
    sent = pair.requests("INFO")[0]
    answered(pair, sent, 415)
    assert len(pair.requests("INFO")) == 2
    assert pair.told_alice()[-1] == "Answered"


def test_who_has_lost_the_dialog_is_gone_and_outside_a_call_nothing_is_told() -> None:
    pair = Pair().established()
    pair.alice.perform(pair.a, "inform", "1", 160)
    sent = pair.requests("INFO")[0]
    answered(pair, sent, 481)
    assert pair.told_alice()[-1] == "Ended 481"
    before = len(pair.requests("INFO"))
    pair.alice.perform(pair.a, "inform", "2", 160)
    assert len(pair.requests("INFO")) == before
    with pytest.raises(LocalProtocolError):
        pair.a.inform(0.0, "12", 160)
