"""Packets that wait for their turn: order, times, what is late, twice or strange, and when a sender began anew."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media.jitter.packets import Queue
from media.jitter.packets_ref import Packets, Put

FRAME = 160
MS = 8
STEPS = st.lists(
    st.tuples(st.integers(-70, 90), st.integers(-3, 6), st.integers(0, 600), st.integers(0, 2), st.integers(1, 300)),
    max_size=120,
)


def put(queue: Queue, number: int, now_ms: int, timestamp: int | None = None) -> str:
    stamp = FRAME * number if timestamp is None else timestamp
    return queue.put(number & 0xFFFF, stamp & 0xFFFFFFFF, bytes([number & 255]), False, now_ms * MS)[0]


def taken(queue: Queue) -> list[int]:
    found = []
    while (packet := queue.take()) is not None:
        found.append(packet[0] & 0xFFFF)
    return found


@given(STEPS, st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.sampled_from(((8000, 8000), (16000, 8000))))
def test_both_keep_the_same_packets(
    steps: list[tuple[int, int, int, int, int]], first: int, stamp: int, rates: tuple[int, int]
) -> None:
    """A step: the sequence number, an error of the timestamp in frames, ms passed, packets taken, octets."""
    compiled, plain, now = Queue(*rates, store_size=64 * 600), Packets(*rates), 0
    number = first
    for ahead, error, later, takes, size in steps:
        now += later * rates[0] // 1000
        number = number + 1 if ahead > 20 else number + ahead
        timestamp = (stamp + FRAME * (number - first + error * (ahead % 9 == 0))) & 0xFFFFFFFF
        payload = bytes([number & 255]) * size
        found, packet = plain.put(number & 0xFFFF, timestamp, payload, False, now)
        got, time = compiled.put(number & 0xFFFF, timestamp, payload, False, now)
        assert got == found.value
        assert time == packet.time or found not in (Put.TAKEN, Put.LATE)
        for _ in range(takes):
            expected = plain.first()
            if expected is None:
                assert compiled.take() is None
            else:
                lost = plain.take(expected)
                assert compiled.take() == (expected.sequence, expected.time, expected.payload, lost)
        counters = {"reordered": plain.reordered, "resets": plain.resets, "gap": plain.gap}
        assert compiled.counters() == counters


def test_numbers_go_on_after_65535_and_timestamps_after_2_32() -> None:
    queue = Queue(8000, 8000)
    for number in range(65530, 65545):
        queue.put(number & 0xFFFF, (2**32 - 5 * FRAME + FRAME * number) & 0xFFFFFFFF, b"x", False, FRAME * number)
    times = []
    while (packet := queue.take()) is not None:
        times.append(packet[1])
        assert packet[3] == 0
    assert [later - one for one, later in pairwise(times)] == [FRAME] * 14


def test_what_comes_in_another_order_is_put_in_order_even_before_the_first() -> None:
    queue = Queue(8000, 8000)
    assert [put(queue, number, 10 * number) for number in (5, 4, 7, 6)] == ["taken"] * 4
    assert queue.counters()["reordered"] == 2
    assert taken(queue) == [4, 5, 6, 7]
    assert put(queue, 3, 80) == "late"
    assert put(queue, 6, 80) == "duplicate"


def test_a_lone_packet_with_a_strange_number_is_left_out_two_in_a_row_are_a_new_beginning() -> None:
    queue = Queue(8000, 8000)
    put(queue, 100, 0)
    assert put(queue, 40000, 20) == "strange"
    assert put(queue, 101, 40) == "taken"
    assert [put(queue, number, 60) for number in (20000, 20001)] == ["strange", "taken"]
    assert queue.counters()["resets"] == 1
    assert taken(queue) == [20001]


def test_an_outage_of_many_packets_is_no_new_beginning() -> None:
    queue = Queue(8000, 8000)
    put(queue, 100, 0)
    assert queue.take() is not None
    assert put(queue, 1100, 20_000) == "taken"
    packet = queue.take()
    assert packet is not None
    assert packet[3] == 999
    assert queue.counters() == {"reordered": 0, "resets": 0, "gap": 999}


def test_timestamps_that_begin_anew_or_stood_still_take_their_time_from_the_clock() -> None:
    for timestamp in (2_000_000_000, 3 * FRAME, 0):
        queue = Queue(8000, 8000)
        for number in range(3):
            put(queue, number, 20 * number)
        assert put(queue, 3, 5000, timestamp) == "taken"
        assert put(queue, 4, 5020, timestamp + FRAME) == "taken"
        times = [packet[1] for _ in range(5) if (packet := queue.take()) is not None]
        assert [time - times[0] for time in times] == [0, 160, 320, 5000 * 8, 5020 * 8]
        assert queue.counters()["resets"] == 1


def test_no_more_than_64_packets_wait_and_what_the_store_does_not_hold_is_lost() -> None:
    queue = Queue(8000, 8000)
    for number in range(100):
        put(queue, number, 20 * number)
    assert taken(queue) == list(range(36, 100))
    queue = Queue(8000, 8000, store_size=1000)
    for number in range(10):
        queue.put(number, FRAME * number, bytes([number]) * 300, False, 0)
    packets = [packet for _ in range(10) if (packet := queue.take()) is not None]
    assert [(packet[0] & 0xFFFF, packet[2]) for packet in packets] == [(n, bytes([n]) * 300) for n in (7, 8, 9)]
    assert packets[0][3] == 7
