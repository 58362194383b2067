"""The pure parts of the engine: ports, routes, lateness, file limits."""

import pytest

from media.api import HostPort, Payload, SendDigits, StreamSpec
from media.codec.coder import available
from media.engine.clock import bucket_limit_us, late_percentile_us
from media.engine.limits import raise_file_limit
from media.engine.strategy import (
    RELAY,
    TO_ALAW,
    TO_ULAW,
    choose_routes,
    event_payload,
    spoken_payload,
)
from media.engine.streams import Refusal, check_digits, check_spec, flags, permitted, rtcp_target
from media.rtp.ports import PortQueue

PCMU, PCMA = Payload(0, "PCMU"), Payload(8, "PCMA")
OPUS, EVENTS = Payload(111, "opus", 48000, 2), Payload(101, "telephone-event")


def test_a_port_pair_rests_before_it_is_used_again_and_the_others_come_first() -> None:
    ports = PortQueue(10000, 10005, quarantine_s=5.0)
    used = [ports.take(0.0) for _ in range(3)]
    assert sorted(port for port in used if port is not None) == [10000, 10002, 10004]
    assert ports.take(0.0) is None
    ports.give_back(10002, 1.0)
    assert ports.take(5.9) is None
    assert ports.take(6.0) == 10002


def test_ports_come_round_robin_so_that_a_pair_rests_as_long_as_possible() -> None:
    ports = PortQueue(10000, 10007, quarantine_s=1.0)
    first = ports.take(0.0)
    assert first is not None
    ports.give_back(first, 0.0)
    assert len(ports) == 4
    assert [ports.take(10.0) for _ in range(4)].index(first) == 3


@pytest.mark.parametrize(("first", "last", "pairs"), [(10001, 10004, 1), (10000, 10000, 0), (10000, 10001, 1)])
def test_only_whole_pairs_of_even_and_odd_are_used(first: int, last: int, pairs: int) -> None:
    assert len(PortQueue(first, last, 1.0)) == pairs


def test_the_same_codec_is_relayed_and_the_laws_are_transcoded_only_when_they_must() -> None:
    assert choose_routes((PCMU, PCMA), (PCMA, PCMU)) == ((0, RELAY, 0), (8, RELAY, 8))
    assert choose_routes((PCMU, PCMA), (PCMA,)) == ((0, TO_ALAW, 8), (8, RELAY, 8))
    assert choose_routes((PCMA,), (PCMU,)) == ((8, TO_ULAW, 0),)


def test_names_compare_without_case_and_numbers_do_not_matter() -> None:
    assert choose_routes((Payload(96, "Opus", 48000, 2),), (OPUS,)) == ((96, RELAY, 111),)


def test_what_the_other_side_lacks_has_no_route() -> None:
    assert choose_routes((OPUS, Payload(9, "G722")), (PCMU,)) == ()
    assert choose_routes((Payload(96, "telephone-event", 48000),), (EVENTS,)) == ()
    assert choose_routes((Payload(96, "L16", 8000, 2),), (Payload(96, "L16", 8000, 1),)) == ()


def test_digits_are_sent_at_the_clock_rate_of_the_preferred_codec() -> None:
    wide = Payload(100, "telephone-event", 48000)
    assert event_payload((OPUS, EVENTS, wide)) == wide
    assert event_payload((PCMU, wide)) == wide
    assert event_payload((PCMU,)) is None


def test_the_first_codec_that_can_be_made_is_spoken() -> None:
    video = Payload(99, "H264", 90000)
    assert spoken_payload((video, EVENTS, PCMA, PCMU)) == PCMA
    assert spoken_payload((OPUS, PCMA)) == (OPUS if available("OPUS") else PCMA)
    assert spoken_payload((video, Payload(96, "PCMU", 16000))) is None


def test_an_unspecified_address_or_port_zero_means_not_to_send() -> None:
    assert flags(StreamSpec(HostPort("192.0.2.1", 4000), (PCMU,))) == 3 + 32
    assert flags(StreamSpec(HostPort("0.0.0.0", 4000), (PCMU,))) == 2
    assert flags(StreamSpec(HostPort("192.0.2.1", 0), (PCMU,), rtcp_mux=True)) == 6
    assert permitted("0.0.0.0", ("192.0.2.2", "192.0.2.2")) == ("192.0.2.2",)


def test_rtcp_goes_to_the_next_port_unless_told_otherwise() -> None:
    assert rtcp_target(StreamSpec(HostPort("192.0.2.1", 4000), (PCMU,))) == ("192.0.2.1", 4001)
    assert rtcp_target(StreamSpec(HostPort("192.0.2.1", 0), (PCMU,))) == ("192.0.2.1", 0)
    assert rtcp_target(StreamSpec(HostPort("192.0.2.1", 4000), (PCMU,), rtcp=HostPort("192.0.2.1", 9))) == (
        "192.0.2.1",
        9,
    )


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (StreamSpec(HostPort("192.0.2.1", 70000), (PCMU,)), "70000 is not a port."),
        (StreamSpec(HostPort("192.0.2.1", 1), (PCMU,), ptime_ms=5), "A packet time of 5 ms"),
        (StreamSpec(HostPort("192.0.2.1", 1), (Payload(128, "PCMU"),)), "128 is not a payload type."),
        (StreamSpec(HostPort("192.0.2.1", 1), (Payload(96, "PCMU", 0),)), "clock rate of 0 Hz"),
        (StreamSpec(HostPort("192.0.2.1", 1), (PCMU,), tuple(f"192.0.2.{n}" for n in range(2, 12))), "at most 8"),
        (StreamSpec(HostPort("192.0.2.1", 1), (PCMU,), ("nat.example",)), "nat.example is not an IP address."),
    ],
)
def test_a_stream_that_the_engine_cannot_carry_is_refused(spec: StreamSpec, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        check_spec(spec, "127.0.0.1")


def test_digits_that_wait_count_against_the_limit() -> None:
    assert check_digits(SendDigits(1, "09*#aD"), 58) == bytes((0, 9, 10, 11, 12, 15))
    with pytest.raises(Refusal, match="60 are waiting already"):
        check_digits(SendDigits(1, "12345"), 60)
    with pytest.raises(Refusal, match="40 to 8000 ms"):
        check_digits(SendDigits(1, "1", duration_ms=10), 0)


def test_percentiles_of_lateness_are_limits_of_buckets() -> None:
    buckets = [0] * 96
    assert late_percentile_us(buckets, 99) == 0.0
    buckets[20], buckets[40] = 990, 10
    assert late_percentile_us(buckets, 50) == bucket_limit_us(20) == 32.0
    assert late_percentile_us(buckets, 99) == 32.0
    assert late_percentile_us(buckets, 99.5) == 1024.0


def test_the_limit_of_open_files_is_lifted_to_the_hard_one() -> None:
    import resource

    assert raise_file_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
