"""Datagrams into messages: start lines, folding, compact forms, bodies, limits, and whatever bytes there may be."""

import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore.message import Headers, Request, Response
from sipcore.parse import MalformedMessage, ParseLimits, parse_message
from tests.support.stranger import UDP, Bench, text

HEAD = (
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
)
START = "OPTIONS sip:b@h SIP/2.0\r\n"


def parse(data: str | bytes) -> Request | Response:
    return parse_message(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


def refused(data: str | bytes) -> tuple[str, int]:
    with pytest.raises(MalformedMessage) as caught:
        parse(data)
    return caught.value.reason, caught.value.status


# --- start lines ------------------------------------------------------------------------------------------------


def test_a_request() -> None:
    message = parse(START + HEAD + "\r\nbody")
    assert isinstance(message, Request)
    assert (message.method, str(message.uri), message.body) == ("OPTIONS", "sip:b@h", b"body")
    assert (message.call_id, message.from_.tag, message.to.tag, message.cseq.number) == ("c", "1", None, 1)
    assert message.via.branch == "z9hG4bK1"


@pytest.mark.parametrize(
    ("line", "status", "reason"), [("200 OK", 200, "OK"), ("180 ", 180, ""), ("699 a  b", 699, "a  b")]
)
def test_a_response(line: str, status: int, reason: str) -> None:
    message = parse(f"SIP/2.0 {line}\r\n{HEAD}\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (status, reason)


@pytest.mark.parametrize("start", ["sip/2.0 200 OK", "SIP/2.0 200 OK"])
def test_the_version_of_a_response_has_no_case(start: str) -> None:
    assert isinstance(parse(f"{start}\r\n{HEAD}\r\n"), Response)


def test_the_version_of_a_request_has_no_case() -> None:
    assert isinstance(parse(START.replace("SIP/2.0", "sip/2.0") + HEAD + "\r\n"), Request)


@pytest.mark.parametrize(
    "start",
    [
        *("", " ", "OPTIONS", "OPTIONS sip:b@h", "OPTIONS SIP/2.0", " OPTIONS sip:b@h SIP/2.0"),
        *("OPTIONS  sip:b@h SIP/2.0", "OPTIONS sip:b@h  SIP/2.0", "OPTIONS sip:b@h SIP/2.0 "),
        *("OPT(IONS sip:b@h SIP/2.0", "OPTIONS\tsip:b@h SIP/2.0", "OPTIONS <sip:b@h> SIP/2.0"),
        *("OPTIONS sip: SIP/2.0", "OPTIONS sip:b@h HTTP/1.1", "GET / HTTP/1.1"),
    ],
)  # fmt: skip
def test_a_malformed_request_line(start: str) -> None:
    assert refused(f"{start}\r\n{HEAD}\r\n")[1] == 400


@pytest.mark.parametrize("version", ["SIP/3.0", "SIP/2.1", "sip/7", "SIP/2.0x"])
def test_another_version(version: str) -> None:
    assert refused(START.replace("SIP/2.0", version) + HEAD + "\r\n")[1] == 505


@pytest.mark.parametrize("line", ["", " ", "20 OK", "2000 OK", "099 No", "700 No", "20x OK", "٢٠٠ OK"])
def test_a_malformed_status_line(line: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(f"SIP/2.0 {line}\r\n{HEAD}\r\n")
    assert not caught.value.request


# --- header fields ------------------------------------------------------------------------------------------------


def test_compact_forms_and_any_case_are_the_same_header() -> None:
    message = parse(
        "OPTIONS sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nF: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\n"
        "i: c\r\ncSEQ: 1 OPTIONS\r\nM: <sip:a@h>\r\nc: application/sdp\r\nS: hello\r\nk: 100rel\r\nL: 1\r\n\r\nxy"
    )
    assert message.call_id == "c"
    assert message.contact is not None
    assert (message.content_type, message.body) == ("application/sdp", b"x")
    assert (message.headers.get("subject"), message.headers.get("supported")) == ("hello", "100rel")


@pytest.mark.parametrize("fold", ["\r\n ", "\r\n\t", "\r\n   \t ", " \r\n  "])
def test_a_folded_line_is_one_value(fold: str) -> None:
    message = parse(START + HEAD + f"Subject: a{fold}b{fold}c\r\n\r\n")
    assert (message.headers.get("subject") or "").split() == ["a", "b", "c"]


def test_blanks_around_the_colon_mean_nothing() -> None:
    message = parse(START + HEAD + "Subject \t:\t a b \t\r\nX-Empty:\r\n\r\n")
    assert message.headers.get("subject") == "a b"
    assert message.headers.get("x-empty") == ""


@pytest.mark.parametrize("line", ["no colon", ": no name", "two words: x", "Sub\x00ject: x", "Ünïcode: x", "(x): y"])
def test_a_malformed_line(line: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(START + HEAD + line + "\r\n\r\n")
    assert caught.value.headers.get("call-id") == "c"  # what came before is there for the answer


@pytest.mark.parametrize("value", ["a\nX-Other: b", "a\rb", "\n", "a\n b"])
def test_a_line_end_inside_a_line_is_malformed(value: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(START + HEAD + f"Subject: {value}\r\n\r\n")
    assert caught.value.headers.get("call-id") == "c"
    assert caught.value.headers.get("subject") is None


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_required_header_is_missing(name: str) -> None:
    lines = [line for line in HEAD.split("\r\n") if not line.startswith(name)]
    assert refused(START + "\r\n".join(lines) + "\r\n") == (f"no {name} header", 400)


@pytest.mark.parametrize("name", ["From: <sip:x@h>;tag=2", "To: <sip:x@h>", "Call-ID: d", "CSeq: 2 OPTIONS"])
def test_a_header_that_may_come_once_comes_twice(name: str) -> None:
    assert refused(START + HEAD + name + "\r\n\r\n")[0].startswith("more than one")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(("Call-ID: c", "Call-ID: "), ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), ("CSeq: 1 ", "CSeq: -1 ")),
        *(("CSeq: 1 ", "CSeq: 4294967296 "), ("From: <sip:a@h>", "From: <sip:a@h"), ("To: <sip:b@h>", "To: ")),
        *(("SIP/2.0/UDP h", "SIP/2.0 h"), ("Via: SIP", "Via: ,"), ("Via: SIP", "Via: \r\nX: SIP")),
    ],
)
def test_a_header_that_routing_needs_is_malformed(old: str, new: str) -> None:
    assert refused(START + HEAD.replace(old, new) + "\r\n")[1] == 400


# --- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "body", "kept"),
    [
        *(("", "abc", b"abc"), ("Content-Length: 3", "abc", b"abc"), ("Content-Length: 2", "abc", b"ab")),
        *(("l: 0", "abc", b""), ("Content-Length: 003", "abc", b"abc"), ("Content-Length: 0", "", b"")),
    ],
)
def test_content_length_cuts_the_body(field: str, body: str, kept: bytes) -> None:
    line = f"{field}\r\n" if field else ""
    assert parse(f"{START}{HEAD}{line}\r\n{body}").body == kept


@pytest.mark.parametrize("length", ["4", "-1", "+3", "3.0", "0x3", "", "3 3", "٣", "9" * 30])
def test_a_content_length_that_cannot_be(length: str) -> None:
    assert refused(f"{START}{HEAD}Content-Length: {length}\r\n\r\nabc")[1] == 400


def test_the_end_of_the_datagram_may_end_the_headers() -> None:
    for tail in ("", "\r\n", "\r\n\r\n"):
        assert parse(START + HEAD.removesuffix("\r\n") + tail).body == b""


def test_line_ends_before_a_message_mean_nothing() -> None:
    assert parse("\r\n\r\n" + START + HEAD + "\r\n").call_id == "c"


# --- limits ---------------------------------------------------------------------------------------------------------


def test_too_many_and_too_large() -> None:
    limits = ParseLimits(message_bytes=2000, header_bytes=600, header_count=12)
    whole = (START + HEAD + "\r\n").encode()
    assert isinstance(parse_message(whole + b"x" * 1500, limits), Request)
    for data, status in [
        (whole + b"x" * 2000, 513),
        ((START + HEAD + "X: " + "y" * 600 + "\r\n\r\n").encode(), 513),
        ((START + HEAD + "X: " + "y" * 600).encode(), 513),
        ((START + HEAD + "X: y\r\n" * 20 + "\r\n").encode(), 400),
    ]:
        with pytest.raises(MalformedMessage) as caught:
            parse_message(data, limits)
        assert caught.value.status == status


def test_what_is_too_large_to_be_read_is_dropped_by_name() -> None:
    bench = Bench()
    assert bench.statuses(text().encode() + b"x" * 70_000) == []
    assert bench.stack.drops["too_large"] == 1


def test_what_is_no_sip_is_dropped_by_name() -> None:
    bench = Bench()
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"hello"):
        assert bench.statuses(data) == []
    assert bench.stack.drops["not_sip"] == 3


def test_a_malformed_ack_is_never_answered() -> None:
    bench = Bench()
    assert bench.statuses(text("ACK").replace("Call-ID: c1\r\n", "").encode()) == []
    assert bench.stack.drops["bad_ack"] == 1


def test_a_malformed_request_without_a_way_back_is_dropped_by_name() -> None:
    bench = Bench()
    lines = text().split("\r\n")
    data = "\r\n".join([line for line in lines if not line.startswith("Via")])
    assert bench.statuses(data.encode()) == []
    assert bench.stack.drops["bad_via"] == 1


def test_the_answer_to_a_malformed_request_says_what_is_wrong() -> None:
    bench = Bench()
    bench.stack.receive(text().replace("Call-ID: c1\r\n", "").encode(), UDP, bench.now)
    ((data, _),) = bench.stack.outgoing()
    assert data.startswith(b"SIP/2.0 400 no Call-ID header\r\n")
    assert b"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-1\r\n" in data
    assert b";tag=" in data.split(b"\r\nTo: ")[1].split(b"\r\n")[0]


# --- every input ----------------------------------------------------------------------------------------------------

PIECES = [
    *("INVITE", "ACK", "SIP/2.0", "sip:b@h", " ", "\r\n", "\r\n\r\n", "\n", "\r", "\t", ":", ",", ";", '"', "<", ">"),
    *("=", "\0", "é", "\udcff", "tag=x", "200 OK", "v: ,", "Require: x", "Contact: *", "Max-Forwards: 0"),
    *("Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1", "To: <sip:b@h>", "Call-ID: c", "CSeq: 1 INVITE"),
    *("Contact: <sip:a@h>", "Content-Length: 5", "Record-Route: <sip:p;lr>", "CSeq: 1 CANCEL"),
    *("INVITE sip:b@h SIP/2.0\r\n", "SIP/2.0 200 OK\r\n", "CANCEL sip:b@h SIP/2.0\r\n"),
]


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


MESSAGES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join).map(encoded),
    st.lists(st.sampled_from(PIECES), max_size=25).map("\r\n".join).map(encoded),
)


def parsed(data: bytes) -> Request | Response | MalformedMessage:
    try:
        return parse_message(data)
    except MalformedMessage as error:
        return error


@given(MESSAGES)
@settings(max_examples=400, deadline=None)
@example(text("INVITE").replace("Via: SIP", "Via: ,,SIP").encode())
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    message = parsed(data)
    if isinstance(message, MalformedMessage):
        assert message.reason
        assert message.status in (400, 416, 505, 513)
        return
    again = parse_message(bytes(message))
    assert bytes(again) == bytes(message)
    assert list(again.headers)[:-1] == [item for item in message.headers if item[0] != "content-length"]
    assert again.body == message.body


@given(st.lists(MESSAGES, min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_a_stack_survives_any_bytes_and_forgets_them(messages: list[bytes]) -> None:
    bench = Bench()
    for data in messages:
        bench.statuses(data)
    for event in bench.events():
        if type(event).__name__ in ("RequestArrived", "InviteArrived"):
            bench.respond(event, 480)
    bench.wait_until_idle()


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_message_with_one_thing_wrong_is_answered_or_counted(data: st.DataObject) -> None:
    whole = text("INVITE").encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(("cut", "drop", "change", "insert")))
    piece = data.draw(st.binary(min_size=1, max_size=3))
    changed = {
        "cut": whole[:at],
        "drop": whole[:at] + whole[at + len(piece) :],
        "change": whole[:at] + piece + whole[at + len(piece) :],
        "insert": whole[:at] + piece + whole[at:],
    }[kind]
    bench = Bench()
    statuses, events = bench.statuses(changed), bench.events()
    counted = sum(bench.stack.drops.values()) + bench.stack.counts["keep-alive"]
    assert len(statuses) + len(events) + counted >= 1


BULK = {
    "one value": lambda size: "X: " + "a" * size,
    "many lines": lambda size: "X: a\r\n" * (size // 6),
    "folds": lambda size: "X: a" + "\r\n b" * (size // 4),
    "blanks": lambda size: "X:" + " " * size,
    "a list of Vias": lambda size: "Via: " + "SIP/2.0/UDP h, " * (size // 15),
    "quotes": lambda size: 'Contact: "' + '\\"' * (size // 2),
    "brackets": lambda size: "Route: " + "<" * size,
    "parameters": lambda size: "Contact: <sip:a@h>" + ";a=b" * (size // 4),
    "colons": lambda size: "X" + ":" * size,
    "line ends": lambda size: "X: " + "\n" * size,
    "no colon": lambda size: "x" * size,
}


@pytest.mark.parametrize("kind", BULK)
@pytest.mark.parametrize("place", ["before", "after"])
def test_64_kib_of_anything_take_linear_time(kind: str, place: str) -> None:
    bulk = BULK[kind](60_000)
    data = START + (bulk + "\r\n" + HEAD if place == "before" else HEAD + bulk) + "\r\n\r\n"
    limits = ParseLimits(header_bytes=65_535, header_count=100_000)
    taken = []
    for _ in range(3):
        begun = time.process_time()
        with suppress(MalformedMessage):
            parse_message(data.encode()[:65_535], limits)
        taken.append(time.process_time() - begun)
    assert min(taken) < 0.05  # five to ten times what it takes here; a quadratic reader takes seconds


def test_a_serialised_message_parses_to_the_same() -> None:
    message = parse(START + HEAD + "Subject: a\r\nX-Odd: b\r\n\r\nbody")
    again = parse(bytes(message))
    assert isinstance(again, Request)
    assert (again.method, again.uri, again.body) == ("OPTIONS", message.uri, b"body")  # type: ignore[union-attr]
    assert list(again.headers) == [*message.headers, ("content-length", "4")]
    assert isinstance(again.headers, Headers)
