"""Messages made from messages: RFC 3261 §8.2.6, §9.1, §17.1.1.3."""

import pytest

from sipcore.build import REASONS, ack_for, cancel_for, new_request, reason_phrase, refusal_of, response_to
from sipcore.message import Headers, Request
from sipcore.parse import parse_message
from sipcore.uri import parse_uri
from tests.support.stranger import text

ROUTES = "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>, <sip:p3;lr>\r\n"
TWO_VIAS = "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-1\r\nVia: SIP/2.0/UDP far;branch=z9hG4bK-0"


def message(method: str = "INVITE", **fields: str) -> Request:
    found = parse_message(text(method, **fields).encode())
    assert isinstance(found, Request)
    return found


def test_a_response_copies_what_it_must_and_nothing_more() -> None:
    request = message(via=TWO_VIAS, extra="Timestamp: 5\r\nRecord-Route: <sip:r;lr>\r\nSubject: x\r\n")
    response = response_to(request, 404, to_tag="t")
    assert response.headers.raw("via") == request.headers.raw("via")
    assert sorted(name for name, _ in response.headers) == ["call-id", "cseq", "from", "to", "via", "via"]
    assert (response.status, response.reason, response.to.tag) == (404, "Not Found", "t")
    assert bytes(parse_message(bytes(response))) == bytes(response)


@pytest.mark.parametrize(("status", "kept"), [(100, False), (180, True), (200, True), (302, False), (486, False)])
def test_record_routes_go_into_responses_that_make_a_dialog(status: int, kept: bool) -> None:
    routes = "Record-Route: <sip:r1;lr>\r\nRecord-Route: <sip:r2;lr>\r\n"
    response = response_to(message(extra=routes), status, to_tag="t")
    assert response.headers.values("record-route") == (["<sip:r1;lr>", "<sip:r2;lr>"] if kept else [])


def test_a_100_has_no_tag_and_echoes_the_timestamp() -> None:
    response = response_to(message(extra="Timestamp: 54\r\n"), 100, to_tag="t")
    assert response.to.tag is None
    assert response.headers.get("timestamp") == "54"


def test_a_to_tag_that_is_there_stays() -> None:
    assert response_to(message(to_tag="theirs"), 200, to_tag="ours").to.tag == "theirs"


def test_a_response_may_have_more() -> None:
    response = response_to(message(), 200, extra=[("Retry-After", 5), ("X-A", "b")], body=b"x", reason="Fine")
    assert (response.reason, response.body) == ("Fine", b"x")
    assert response.headers.get("retry-after") == "5"
    assert response.headers.get("x-a") == "b"


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, "OK"), (299, "OK"), (499, "Bad Request"), (699, "Busy Everywhere")]
)
def test_every_status_has_a_phrase(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase
    assert all(phrase.isascii() for phrase in REASONS.values())


def test_the_ack_of_a_failure() -> None:
    invite = message(via=TWO_VIAS, extra=ROUTES)
    ack = ack_for(invite, response_to(invite, 486, to_tag="t"))
    assert ack.headers.raw("via") == [str(invite.via)]
    assert (str(ack.uri), str(ack.cseq), ack.to.tag, ack.from_.tag) == (str(invite.uri), "1 ACK", "t", "f")
    assert ack.headers.values("route") == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]
    assert ack.headers.get("max-forwards") == "70"
    assert parse_message(bytes(ack)).call_id == "c1"


def test_a_cancel_is_like_its_invite() -> None:
    invite = message(via=TWO_VIAS, extra=ROUTES + "Require: x\r\nContent-Type: application/sdp\r\n")
    cancel = cancel_for(invite, [("Reason", "SIP;cause=200")])
    assert cancel.headers.raw("via") == [str(invite.via)]
    assert (str(cancel.uri), str(cancel.cseq)) == (str(invite.uri), "1 CANCEL")
    assert (cancel.headers.get("from"), cancel.headers.get("to")) == (
        invite.headers.get("from"),
        invite.headers.get("to"),
    )
    assert cancel.headers.values("route") == invite.headers.values("route")
    assert cancel.headers.get("reason") == "SIP;cause=200"
    assert {"require", "content-type", "contact"}.isdisjoint(name for name, _ in cancel.headers)


def test_a_new_request() -> None:
    request = new_request(
        "MESSAGE",
        parse_uri("sip:b@h"),
        from_="<sip:a@h>;tag=1",
        to="<sip:b@h>",
        call_id="c",
        cseq=9,
        extra=[("m", "<sip:a@h>"), ("Expires", 0)],
        body=b"hello",
    )
    assert "via" not in request.headers
    assert str(request.cseq) == "9 MESSAGE"
    assert (request.headers.get("contact"), request.headers.get("expires")) == ("<sip:a@h>", "0")
    assert b"\r\nContent-Length: 5\r\n\r\nhello" in bytes(request)


def test_a_refusal_of_what_could_not_be_read_copies_what_there_is() -> None:
    found = Headers([("via", "SIP/2.0/UDP h"), ("to", "<sip:b@h>"), ("cseq", "nonsense"), ("subject", "x")])
    response = refusal_of(found, 400, "no Call-ID header", "t")
    assert response is not None
    assert list(response.headers) == [("via", "SIP/2.0/UDP h"), ("cseq", "nonsense"), ("to", "<sip:b@h>;tag=t")]
    assert response.reason == "no Call-ID header"
    assert refusal_of(Headers([("to", "<sip:b@h>")]), 400, "", "t") is None


def test_a_refusal_of_two_senders_names_one() -> None:
    found = Headers([("via", "v"), ("via", "w"), ("from", "<sip:a@h>;tag=1"), ("from", "<sip:b@h>;tag=2")])
    response = refusal_of(found, 400, "more than one From header", "t")
    assert response is not None
    assert list(response.headers) == [("via", "v"), ("via", "w"), ("from", "<sip:a@h>;tag=1")]


def test_a_refusal_keeps_the_tag_that_is_there() -> None:
    response = refusal_of(Headers([("via", "v"), ("to", "<sip:b@h>;tag=x")]), 505, "", "t")
    assert response is not None
    assert response.headers.get("to") == "<sip:b@h>;tag=x"
    assert response.reason == "Version Not Supported"
