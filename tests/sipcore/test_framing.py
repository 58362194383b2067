"""A stream into messages: whole, byte by byte, several at once; pings; what cannot be framed."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import FramingError
from sipcore.framing import PING, Ping, StreamFramer
from sipcore.parse import MalformedMessage, ParseLimits, parse_message
from tests.support.stranger import text

FIRST = text(branch="z9hG4bK-1").encode()
SECOND = text("INVITE", branch="z9hG4bK-2").replace("Content-Length: 0", "l : 5").encode() + b"hello"
LIMITS = ParseLimits(message_bytes=3000, header_bytes=1000)


def feed(framer: StreamFramer, *parts: bytes) -> list[bytes | Ping]:
    return [item for part in parts for item in framer.feed(part)]


def test_a_whole_message() -> None:
    framer = StreamFramer()
    assert feed(framer, FIRST) == [FIRST]
    assert framer.pending == 0


def test_two_messages_in_one_segment() -> None:
    assert feed(StreamFramer(), FIRST + SECOND) == [FIRST, SECOND]


def test_byte_by_byte() -> None:
    framer = StreamFramer()
    parts = [bytes([byte]) for byte in FIRST + SECOND]
    assert feed(framer, *parts) == [FIRST, SECOND]
    assert framer.pending == 0


def test_what_is_incomplete_is_pending() -> None:
    framer = StreamFramer()
    assert feed(framer, FIRST + SECOND[:-3]) == [FIRST]
    assert framer.pending == len(SECOND) - 3
    assert feed(framer, SECOND[-3:] + FIRST[:10]) == [SECOND]
    assert framer.pending == 10


@given(st.lists(st.integers(1, 200), max_size=40))
@settings(deadline=None)
def test_any_cut_gives_the_same_messages(sizes: list[int]) -> None:
    stream = b"\r\n\r\n" + FIRST + b"\r\n\r\n" + SECOND + FIRST
    parts, at = [], 0
    for size in sizes:
        parts.append(stream[at : at + size])
        at += size
    framer = StreamFramer()
    assert feed(framer, *parts, stream[at:]) == [PING, FIRST, PING, SECOND, FIRST]
    assert framer.pending == 0


def test_a_double_line_end_is_a_ping_and_a_single_one_is_nothing() -> None:
    assert feed(StreamFramer(), b"\r\n\r\n") == [PING]
    assert feed(StreamFramer(), b"\r\n" + FIRST) == [FIRST]
    assert feed(StreamFramer(), b"\r\n", b"\r\n") == [PING]
    assert feed(StreamFramer(), b"\r\n\r\n\r\n" + FIRST) == [PING, FIRST]
    assert feed(StreamFramer(), *[b"\r\n\r\n"] * 3) == [PING] * 3


def test_pings_that_come_at_once_are_one() -> None:
    """Whoever sends thousands in one segment is answered once."""
    assert feed(StreamFramer(), b"\r\n" * 30_000 + FIRST) == [PING, FIRST]
    assert feed(StreamFramer(), b"\r\n" * 5 + FIRST + b"\r\n\r\n") == [PING, FIRST, PING]
    assert feed(StreamFramer(), b"\r\n" * 5, b"\r\n" + FIRST) == [PING, PING, FIRST]


@pytest.mark.parametrize("half", [b"\r", b"\r\n", b"\r\n\r"])
def test_half_a_ping_is_no_pending_message(half: bytes) -> None:
    framer = StreamFramer()
    assert feed(framer, half) == []
    assert framer.pending == 0


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Content-Length: 0\r\n", b"", 400),
        (b"Content-Length: 0", b"Content-Length: x", 400),
        (b"Content-Length: 0", b"Content-Length: -1", 400),
        (b"Content-Length: 0", b"Content-Length: 0\r\nl: 1", 400),
        (b"Content-Length: 0", b"Content-Length: 9999999999", 400),
        (b"Content-Length: 0", b"Content-Length: 99999", 513),
        (b"Content-Length: 0", b"Content-Length: 3000", 513),
        (b"Content-Length: 0", b"Content-Length:", 400),
    ],
)
def test_an_end_that_cannot_be_found_breaks_the_stream(old: bytes, new: bytes, status: int) -> None:
    with pytest.raises(FramingError) as caught:
        feed(StreamFramer(LIMITS), FIRST.replace(old, new))
    assert caught.value.status == status
    refusal = MalformedMessage.of_head(caught.value)
    assert refusal.headers.get("call-id") == "c1"
    assert refusal.request


def test_the_same_length_twice_is_one_length() -> None:
    twice = FIRST.replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 0")
    assert feed(StreamFramer(), twice) == [twice]
    with pytest.raises(MalformedMessage):
        parse_message(twice)


def test_headers_without_an_end_break_the_stream() -> None:
    with pytest.raises(FramingError) as caught:
        feed(StreamFramer(LIMITS), *[b"X: " + b"y" * 97] * 20)
    assert caught.value.status == 513
    assert len(caught.value.head) == 1000


def test_headers_beyond_the_limit_break_the_stream_even_with_an_end() -> None:
    with pytest.raises(FramingError):
        feed(StreamFramer(LIMITS), FIRST.replace(b"Call-ID: c1", b"Call-ID: " + b"c" * 1000))


def test_what_came_before_the_break_is_delivered() -> None:
    items = StreamFramer().feed(FIRST + SECOND.replace(b"l : 5", b"l : x"))
    assert next(items) == FIRST
    with pytest.raises(FramingError):
        next(items)


def test_a_response_with_a_broken_end_is_no_request() -> None:
    response = b"SIP/2.0 200 OK\r\n" + FIRST.split(b"\r\n", 1)[1].replace(b"Content-Length: 0\r\n", b"")
    with pytest.raises(FramingError) as caught:
        feed(StreamFramer(), response)
    assert not MalformedMessage.of_head(caught.value).request


def test_each_byte_of_a_slow_stream_is_looked_at_once() -> None:
    head = FIRST.replace(b"Content-Length: 0", b"Content-Length: 40000")
    stream = head.replace(b"Call-ID: c1", b"Call-ID: c1" + b"\r\nX:" * 3_500) + b"x" * 40_000
    parts = [stream[at : at + 1] for at in range(len(stream))]
    framer = StreamFramer()
    begun = time.process_time()
    assert feed(framer, *parts) == [stream]
    assert time.process_time() - begun < 1.0  # forty thousand readings of the head take twenty times as long
