"""Ordered headers and what messages decode of them: RFC 3261 §7.3, §18.2.1."""

import pytest

from sipcore.errors import ParseError
from sipcore.headers import Contact, Route
from sipcore.message import Headers, Request, Response, long_name
from sipcore.parse import parse_message
from tests.support.stranger import text


def headers() -> Headers:
    return Headers([("via", "a, b"), ("subject", "x, y"), ("via", "c"), ("route", "<sip:p;lr>, <sip:q,r;lr>")])


def message(**fields: str) -> Request:
    found = parse_message(text(**fields).encode())
    assert isinstance(found, Request)
    return found


def test_names_have_one_form() -> None:
    assert [long_name(name) for name in ("v", "VIA", "Via", "X-Own", "i")] == ["via", "via", "via", "x-own", "call-id"]


def test_lists_are_seen_through_lines_and_commas() -> None:
    assert headers().values("via") == ["a", "b", "c"]
    assert headers().raw("via") == ["a, b", "c"]
    assert headers().values("subject") == ["x, y"]  # no list
    assert headers().values("route") == ["<sip:p;lr>", "<sip:q,r;lr>"]
    assert headers().values("contact") == []


def test_the_first_of_a_name_is_found() -> None:
    assert headers().get("via") == "a, b"
    assert headers().get("to") is None
    assert "via" in headers()
    assert "to" not in headers()
    assert len(headers()) == 4


def test_adding_at_the_end_and_on_top() -> None:
    found = headers()
    found.add("T", "end")
    found.add("Via", "first", top=True)
    assert found.values("via") == ["first", "a", "b", "c"]
    assert list(found)[-1] == ("to", "end")


def test_setting_replaces_every_field_at_the_place_of_the_first() -> None:
    found = headers()
    found.set("v", "only")
    assert list(found)[:2] == [("via", "only"), ("subject", "x, y")]
    assert found.values("via") == ["only"]
    found.set("To", "new")
    assert list(found)[-1] == ("to", "new")


def test_the_top_value_is_replaced_alone() -> None:
    found = headers()
    found.set_top_value("via", "z")
    assert found.values("via") == ["z", "b", "c"]


def test_removing() -> None:
    found = headers()
    found.remove("via")
    assert "via" not in found
    assert found.get("via") is None


@pytest.mark.parametrize("change", ["add", "set", "set_top_value", "remove"])
def test_what_was_decoded_is_forgotten_when_headers_change(change: str) -> None:
    found = Headers([("contact", "<sip:a@h>, <sip:b@h>")])
    assert [str(each.uri) for each in found.all(Contact)] == ["sip:a@h", "sip:b@h"]
    if change == "remove":
        found.remove("contact")
    else:
        getattr(found, change)("contact", "<sip:c@h>")
    after = {"add": "abc", "set": "c", "set_top_value": "cb", "remove": ""}[change]
    assert [str(each.uri) for each in found.all(Contact)] == [f"sip:{name}@h" for name in after]
    assert ("contact" in found) == bool(after)


def test_a_copy_is_independent() -> None:
    original = headers()
    copy = original.copy()
    copy.add("to", "x")
    copy.set("via", "y")
    assert list(original) == list(headers())


def test_a_malformed_value_is_refused_when_it_is_asked_for() -> None:
    found = Headers([("contact", "<sip:a@h")])
    with pytest.raises(ParseError):
        found.first(Contact)
    assert Headers().first(Contact) is None


def test_a_message_decodes_what_routing_needs() -> None:
    found = message(to_tag="t", extra="Route: <sip:p;lr>\r\n")
    assert (found.via.host, found.from_.tag, found.to.tag, found.call_id) == ("10.0.0.9", "f", "t", "c1")
    assert found.cseq.method == "OPTIONS"
    assert found.routes() == (Route.parse("<sip:p;lr>"),)
    assert str(found.contact) == "<sip:x@10.0.0.9>"
    assert repr(found) == "<Request OPTIONS sip:101@10.0.0.1>"
    assert repr(Response(200, "OK", Headers())) == "<Response 200 OK>"


def test_a_header_that_is_not_there_is_named() -> None:
    with pytest.raises(ParseError, match="no Call-ID header"):
        _ = Request("OPTIONS", message().uri, Headers()).call_id


def test_content_length_is_that_of_the_body_whatever_was_said() -> None:
    found = message()
    found.headers.set("content-length", "77")
    found.body = b"four"
    data = bytes(found)
    assert data.count(b"Content-Length") == 1
    assert data.endswith(b"Content-Length: 4\r\n\r\nfour")


@pytest.mark.parametrize(
    ("written", "media_type"), [("Application/SDP ; a=b", "application/sdp"), ("", ""), ("text/plain", "text/plain")]
)
def test_the_media_type(written: str, media_type: str) -> None:
    found = message(extra=f"Content-Type: {written}\r\n" if written else "")
    assert found.content_type == media_type


@pytest.mark.parametrize(
    ("via", "source", "expected"),
    [
        ("SIP/2.0/UDP h;branch=z9hG4bK1;rport", ("1.2.3.4", 9), ("1.2.3.4", "9")),
        ("SIP/2.0/UDP h;rport;branch=z9hG4bK1", ("1.2.3.4", 9), ("1.2.3.4", "9")),
        ("SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK1", ("1.2.3.4", 9), (None, None)),
        ("SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK1;rport", ("1.2.3.4", 9), ("1.2.3.4", "9")),
        ("SIP/2.0/UDP h;branch=z9hG4bK1;received=6.6.6.6;rport=6", ("1.2.3.4", 9), ("1.2.3.4", "9")),
        ("SIP/2.0/UDP h;received=6.6.6.6;branch=z9hG4bK1;rport", ("1.2.3.4", 9), ("1.2.3.4", "9")),
        ("SIP/2.0/UDP h;branch=z9hG4bK1;RPORT", ("1.2.3.4", 9), ("1.2.3.4", "9")),
        ("SIP/2.0/UDP [::2];branch=z9hG4bK1;rport", ("::1", 9), ("::1", "9")),
    ],
)
def test_the_source_is_written_into_the_top_via(
    via: str, source: tuple[str, int], expected: tuple[str | None, str | None]
) -> None:
    found = message(via=via)
    found.note_source(*source)
    top = parse_message(bytes(found)).via  # `found.via` may stay as the peer wrote it
    assert (top.received, top.rport, top.branch) == (*expected, "z9hG4bK1")
    assert found.via.branch == "z9hG4bK1"
    assert (found.headers.get("via") or "").lower().count("received") == (expected[0] is not None)
