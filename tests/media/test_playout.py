"""A received stream as PCM: order, gaps, late and repeated packets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codec import g711_ref
from media.jitter.playout import Stream
from media.jitter.playout_ref import PlayoutReference

MS = 1_000_000
FRAME = 160


def spoken(number: int) -> bytes:
    """A frame that is told apart by its level."""
    return g711_ref.encode_ulaw(np.full(FRAME, 100 * (number + 1), np.int16)).tobytes()


def heard(number: int) -> bytes:
    return g711_ref.decode_ulaw(np.frombuffer(spoken(number), np.uint8)).tobytes()


def played(arrivals: list[tuple[int, int]], ticks: int, first: int = 0) -> tuple[list[bytes], Stream]:
    """Packets as (ms of arrival, number), pulled every 20 ms."""
    stream, pulled = Stream("PCMU", 8000), list[bytes]()
    waiting = sorted(arrivals)
    for tick in range(ticks):
        while waiting and waiting[0][0] <= 20 * tick:
            at, number = waiting.pop(0)
            stream.put((first + number) & 0xFFFF, FRAME * number & 0xFFFFFFFF, spoken(number), at * MS)
        pulled.append(stream.pull(FRAME, 20 * tick * MS)[0])
    return pulled, stream


def test_packets_are_played_in_their_order_whatever_the_order_of_arrival() -> None:
    pulled, stream = played([(0, 0), (40, 1), (30, 2), (60, 3)], 12, first=65534)
    begin = pulled.index(heard(0))
    assert pulled[begin : begin + 4] == [heard(number) for number in range(4)]
    assert stream.counters()["reordered"] == 1
    assert stream.counters()["lost"] == 0


def test_what_comes_twice_or_after_its_turn_is_counted_and_not_played() -> None:
    stream = Stream("PCMU", 8000)
    assert stream.put(0, 0, spoken(0), 0) == "taken"
    assert stream.put(2, 320, spoken(2), 40 * MS) == "taken"
    assert stream.put(2, 320, spoken(2), 41 * MS) == "duplicate"
    for tick in range(3, 6):
        stream.pull(FRAME, 20 * tick * MS)
    assert stream.put(1, 160, spoken(1), 101 * MS) == "late"
    counters = stream.counters()
    assert (counters["late"], counters["duplicate"], counters["lost"]) == (1, 1, 1)


def test_what_is_no_payload_of_the_codec_is_counted_and_not_taken() -> None:
    stream = Stream("L16", 8000)
    assert stream.put(0, 0, b"", 0) == "undecodable"
    assert stream.put(0, 0, bytes(321), 0) == "undecodable"
    assert stream.counters()["undecodable"] == 2


@pytest.mark.parametrize("samples", [1, 80, 160, 960])
def test_as_many_samples_as_are_asked_for_come_back(samples: int) -> None:
    stream = Stream("PCMU", 8000)
    for tick in range(20):
        stream.put(tick, FRAME * tick, spoken(tick), 20 * tick * MS)
        pcm, _ = stream.pull(samples, 20 * tick * MS)
        assert len(pcm) == 2 * samples


def test_what_cannot_be_decoded_cannot_be_opened() -> None:
    with pytest.raises(ValueError, match="cannot be played"):
        Stream("PCMU", 16000)


STEPS = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 30)), max_size=80)


@given(STEPS, st.integers(0, 0xFFFF))
def test_any_arrivals_are_played_as_the_reference_plays_them(steps: list[tuple[int, int]], first: int) -> None:
    """Each step: a sequence number beyond the first, and how many ms later it is."""
    stream, plain, now = Stream("L16", 8000), PlayoutReference(FRAME), 0
    for ahead, later in steps:
        now += later * MS
        sequence, payload = (first + ahead) & 0xFFFF, np.full(FRAME, ahead + 1, np.int16)
        taken = stream.put(sequence, FRAME * ahead, payload.astype(">i2").tobytes(), now)
        assert taken == plain.put(sequence, payload.tobytes(), now)
        assert stream.pull(FRAME, now) == plain.pull(now)
    assert {name: stream.counters()[name] for name in plain.counts} == plain.counts
