"""Bodies of several parts (RFC 2046 §5.1, RFC 5621), and the session description in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.body import MIXED, Part, joined, parts_of, read_session, session_of
from sipcore.errors import ParseError
from sipcore.message import Request
from sipcore.parse import parse_message

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
LOCATION = b"<presence/>"
TYPE = f"{MIXED};boundary=b1"


def invite(body: bytes, *lines: str) -> Request:
    fixed = ["INVITE sip:102@zvon SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:101@zvon>;tag=1"]
    text = [*fixed, "To: <sip:102@zvon>", "Call-ID: 1", "CSeq: 1 INVITE", *lines, "", ""]
    found = parse_message("\r\n".join(text).encode() + body)
    assert isinstance(found, Request)
    return found


def parted(body: bytes, kind: str = TYPE) -> Request:
    return invite(body, f"Content-Type: {kind}")


def test_a_description_comes_with_a_location() -> None:
    body = joined([Part("application/sdp", SDP), Part("application/pidf+xml", LOCATION, id="a@b")], "b1")
    request = parted(body)
    first, second = parts_of(request)
    assert (first.kind, first.body) == ("application/sdp", SDP)
    assert (second.kind, second.body, second.id) == ("application/pidf+xml", LOCATION, "a@b")
    assert session_of(request) == read_session(request) == SDP


@pytest.mark.parametrize("lines", ["Content-Encoding: gzip", "Content-Transfer-Encoding: base64"])
def test_what_is_encoded_says_so_when_it_goes_on(lines: str) -> None:
    (found,) = parts_of(parted(f"--b1\r\nContent-Type: multipart/x\r\n{lines}\r\n\r\n\x1f\x8b\r\n--b1--\r\n".encode()))
    assert found.is_encoded
    assert parts_of(parted(joined([found], "b1"))) == (found,)


@pytest.mark.parametrize("line", ["", "Content-Type: application/sdp;charset=utf-8", "Content-Disposition: Session"])
def test_a_description_alone_may_be_named_in_several_ways(line: str) -> None:
    request = invite(SDP, *([line] if line else []))
    assert session_of(request) == read_session(request) == SDP


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Type: text/plain",),
        ("Content-Type: application/sdp", "Content-Encoding: gzip"),
        ("Content-Type: application/sdp", "Content-Disposition: early-session"),
        ("Content-Type: text/plain", "Content-Disposition: ;;;=,"),
    ],
)
def test_what_is_no_description_has_to_be_understood_and_is_not(lines: tuple[str, ...]) -> None:
    request = invite(SDP, *lines)
    assert session_of(request) == b""
    with pytest.raises(ParseError) as refused:
        read_session(request)
    assert refused.value.status == 415


def test_what_is_said_to_be_optional_is_passed_over() -> None:
    request = invite(b"...", "Content-Type: application/isup", "Content-Disposition: signal;handling=optional")
    assert read_session(request) == b""


@pytest.mark.parametrize(("handling", "status"), [("", 0), ("optional", 0), ("required", 415)])
def test_beside_a_description_only_what_is_required_has_to_be_understood(handling: str, status: int) -> None:
    parts = [Part("application/isup", b"\0\1\r\n--b", "signal", handling), Part("application/sdp", SDP)]
    request = parted(joined(parts, "b1"))
    assert session_of(request) == SDP
    if status:
        with pytest.raises(ParseError) as refused:
            read_session(request)
        assert refused.value.status == status
    else:
        assert read_session(request) == SDP


def test_parts_may_be_inside_of_parts() -> None:
    inner = joined([Part("text/plain", b"hi"), Part("application/sdp", SDP)], "b2")
    assert session_of(parted(joined([Part("multipart/alternative; boundary=b2", inner)], "b1"))) == SDP


def test_but_not_endlessly() -> None:
    body = SDP
    for _ in range(5):
        body = joined([Part(TYPE, body)], "b1")
    with pytest.raises(ParseError):
        parts_of(parted(body))


@pytest.mark.parametrize(
    "body",
    [
        b"preamble\r\n--b1 \t\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"\r\n--b1--\r\nepilogue",
        b"--b1\r\nc: application/sdp\r\n\r\n" + SDP + b"\r\n--b1--",
        b'--b1\r\nContent-Type:\r\n  application/sdp\r\nX-More: "a\tb"\r\n\r\n' + SDP + b"\r\n--b1--",
    ],
)
def test_boundaries_as_others_write_them(body: bytes) -> None:
    assert session_of(parted(body)) == SDP
    assert session_of(parted(body, 'Multipart/Mixed ; Boundary="b1"')) == SDP


def test_a_part_without_headers_is_text() -> None:
    (part,) = parts_of(parted(b"--b1\r\n\r\nhello\r\n--b1--\r\n"))
    assert (part.kind, part.body) == ("text/plain", b"hello")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--b1\r\n\r\nhello", TYPE),
        (b"--b1\r\n\r\nhello\r\n--b1x--", TYPE),
        (b"--b1\n\nhello\n--b1--", TYPE),
        (b"--b1\r\n" + b"x y: z\r\n\r\nhello\r\n--b1--", TYPE),
        (b"--b1\r\n" + b"X: a\nb\r\n\r\nhello\r\n--b1--", TYPE),
        (b"hello", MIXED),
        (b"hello", f"{MIXED};boundary={'x' * 71}"),
        (b"hello", f'{MIXED};boundary="'),
        (b"--b1\r\n\r\n\r\n" * 20 + b"--b1--", TYPE),
        (b"\xff", f"{MIXED};boundary=\xff"),
    ],
)
def test_a_body_whose_parts_cannot_be_told_apart_is_malformed(body: bytes, kind: str) -> None:
    request = parted(body, kind)
    assert session_of(request) == b""
    with pytest.raises(ParseError) as refused:
        read_session(request)
    assert refused.value.status == 400


@given(
    st.lists(st.tuples(st.sampled_from(("a/b", "application/sdp", "text/plain")), st.binary(max_size=40)), min_size=1)
)
def test_parts_come_back_as_they_were(parts: list[tuple[str, bytes]]) -> None:
    wanted = [Part(kind, body) for kind, body in parts[:16]]
    assert list(parts_of(parted(joined(wanted, "-=boundary=-"), f'{MIXED};boundary="-=boundary=-"'))) == wanted
