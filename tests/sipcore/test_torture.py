"""The torture messages of RFC 4475, byte for byte: each gets what the RFC asks for: an event, a response, a drop.

What belongs to the user of the stack is not decided here and reaches it as an event: an unknown body type (invut), an
Accept that cannot be met (sdp01), an unknown authentication scheme (regaut01), odd contacts of a REGISTER (regbadct,
cparam*, regescrt, unksm2), a header in a URI (escruri), a bad Date (baddate): tests/pbx/test_torture_answers.py.
"""

import hashlib
from pathlib import Path

import pytest

from sipcore.errors import FramingError
from sipcore.events import InviteArrived, RequestArrived
from sipcore.framing import Ping, StreamFramer
from sipcore.message import Request
from sipcore.parse import parse_message
from tests.support.stranger import Bench

FOLDER = Path(__file__).parents[1] / "vectors" / "torture" / "rfc4475"
INVITE, REQUEST, STRAY, BAD_RESPONSE = "InviteArrived", "RequestArrived", "stray_response", "bad_response"
EXPECTED: dict[str, int | str] = {
    # §3.1.1 valid, however odd
    **dict.fromkeys(("esc01", "longreq"), INVITE),
    **dict.fromkeys(("dblreq", "escnull", "lwsdisp", "mpart01", "semiuri", "transports"), REQUEST),
    "wsinv": 481,  # its To has a tag: a dialog that does not exist
    "intmeth": 501,
    "esc02": 501,  # a method that looks like an escaped REGISTER
    "unreason": STRAY,
    "noreason": STRAY,
    # §3.1.2 invalid
    **dict.fromkeys(("badinv01", "clerr", "ncl", "scalar02", "quotbal", "ltgtruri", "lwsruri", "lwsstart"), 400),
    **dict.fromkeys(("trws", "baddn", "mismatch01", "mismatch02"), 400),
    "badvers": 505,
    "scalarlg": BAD_RESPONSE,
    "bigcode": BAD_RESPONSE,
    "escruri": INVITE,
    "baddate": INVITE,
    "regbadct": REQUEST,
    "badaspec": REQUEST,  # blanks inside the angle brackets can be read
    # §3.2 transaction layer
    "badbranch": REQUEST,
    # §3.3 application layer
    **dict.fromkeys(("insuf", "multi01", "mcl01"), 400),
    "unkscm": 416,
    "novelsc": 416,
    "unksm2": REQUEST,
    "bext01": 420,
    "invut": INVITE,
    "sdp01": INVITE,
    **dict.fromkeys(("regaut01", "zeromf", "cparam01", "cparam02", "regescrt"), REQUEST),
    "bcast": STRAY,
    # §3.4 RFC 2543
    "inv2543": INVITE,
    # in the archive without a word in the text: no version in its request line
    "test": "not_sip",
}


def message(name: str) -> bytes:
    return (FOLDER / f"{name}.dat").read_bytes()


def test_every_vector_has_an_expectation() -> None:
    assert {path.stem for path in FOLDER.glob("*.dat")} == set(EXPECTED)


def test_the_vectors_are_the_archive_of_the_rfc_byte_for_byte() -> None:
    digest = hashlib.sha256()
    for name in sorted(EXPECTED):
        digest.update(name.encode() + b"\0" + message(name))
    assert digest.hexdigest() == "5d48c80f0ce4cd5f325cd7dfc19997650d37367263e874298948121c38a158d9"


@pytest.mark.parametrize("name", EXPECTED)
def test_torture(name: str) -> None:
    bench, expected = Bench(), EXPECTED[name]
    statuses = bench.statuses(message(name))
    told = [type(event).__name__ for event in bench.events()]
    if isinstance(expected, int):
        assert (statuses, told) == ([expected], [])
    elif expected in (INVITE, REQUEST):
        assert (statuses, told) == ([], [expected])
    else:
        assert (statuses, told, dict(bench.stack.drops)) == ([], [], {expected: 1})


@pytest.mark.parametrize("name", EXPECTED)
def test_a_copy_does_no_harm_and_ends(name: str) -> None:
    bench = Bench()
    for _ in range(2):
        bench.statuses(message(name))
    assert len(bench.events()) <= 1


def event_of(name: str) -> Request:
    bench = Bench()
    bench.statuses(message(name))
    (event,) = bench.events()
    assert isinstance(event, InviteArrived | RequestArrived)
    return event.request


def test_wild_blanks_are_read_as_the_rfc_reads_them() -> None:
    found = parse_message(message("wsinv"))
    assert (found.from_.tag, found.to.tag) == ("98asjd8", "1918181833n")
    assert str(found.cseq) == "9 INVITE"
    assert found.headers.get("max-forwards") == "0068"
    assert [value.partition(";")[0].strip() for value in found.headers.values("via")][1:] == [
        "SIP  / 2.0  / TCP     spindle.example.com",
        "SIP  /    2.0   / UDP  192.168.255.111",
    ]
    assert (found.via.transport, found.via.host, found.via.branch) == ("UDP", "192.0.2.2", "390skdjuw")
    assert found.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert found.contact is not None
    assert found.contact.params.get("q") == "0.33"
    assert len(found.body) == 150
    assert found.body.startswith(b"v=0\r\n")


def test_the_second_request_of_a_datagram_is_not_looked_at() -> None:
    found = event_of("dblreq")
    assert found.method == "REGISTER"
    assert found.body == b""


def test_escapes_are_undone_once() -> None:
    found = event_of("esc01")
    assert found.uri.user == "sips:user@example.com"  # type: ignore[union-attr]
    assert found.to.uri.user == "user"  # type: ignore[union-attr]


def test_the_user_part_may_hold_semicolons() -> None:
    found = event_of("semiuri")
    assert found.uri.user == "user;par=u@example.net"  # type: ignore[union-attr]


def test_a_binary_body_is_kept() -> None:
    body = event_of("mpart01").body
    assert len(body) == 553
    assert body.endswith(b"\r\n--7a9cbec02ceef655--\r\n")
    assert b"\0" in body


def test_a_request_of_rfc_2543_has_a_body_without_a_length() -> None:
    assert event_of("inv2543").body.startswith(b"v=0\r\n")


def framed(*parts: bytes) -> list[bytes | Ping] | str:
    """What a stream of these segments holds, or why its end cannot be known."""
    framer = StreamFramer()
    try:
        return [item for part in parts for item in framer.feed(part)]
    except FramingError as error:
        return error.reason


@pytest.mark.parametrize("name", EXPECTED)
def test_a_stream_gives_the_same_byte_by_byte(name: str) -> None:
    data = message(name)
    assert framed(*[bytes([byte]) for byte in data]) == framed(data)


UNFRAMED = {"dblreq", "inv2543", "mcl01", "ncl"}  # dblreq: octets are left behind its second message


def test_a_stream_ends_where_the_length_says_nothing() -> None:
    assert {name for name in EXPECTED if isinstance(framed(message(name)), str)} == UNFRAMED


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"inv2543", "clerr"}))
def test_noise_behind_a_datagram_changes_nothing(name: str) -> None:
    """RFC 3261 §18.3: octets beyond Content-Length are dropped (inv2543 has none, clerr is too short by its own)."""
    clean, noisy = Bench(), Bench()
    assert clean.statuses(message(name)) == noisy.statuses(message(name) + b"\0\xff noise \r\n\r\n")
    assert list(map(repr, clean.events())) == list(map(repr, noisy.events()))
