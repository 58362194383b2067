"""The inlined kernels of the engine against their plain references, on generated traces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.api import HostPort
from media.engine import kernels
from media.engine.reasons import NAMES
from media.rtp import emodel, feedback, rtcp, xr
from media.rtp.continuity import Outgoing
from media.rtp.latch import Latch
from media.rtp.losses import Losses
from media.rtp.packet import NotRtp, RtpPacket, parse_packet
from media.rtp.stats import Reception
from media.rtp.telephone_event import DigitReceiver

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
MS = 1_000_000

HEADER_LIKE = st.builds(
    lambda first, rest: bytes([first]) + rest,
    st.sampled_from((0x80, 0x90, 0xA0, 0xB1, 0x8F, 0x9F)),
    st.binary(max_size=90),
)


def reference_of(data: bytes) -> RtpPacket | str:
    try:
        return parse_packet(data)
    except NotRtp as error:
        return str(error)


@given(st.one_of(st.binary(max_size=120), HEADER_LIKE))
def test_a_header_is_read_as_the_reference_reads_it(data: bytes) -> None:
    found, wanted = kernels.parse(data), reference_of(data)
    if isinstance(found, str) or isinstance(wanted, str):
        assert found == wanted
        return
    kind, marker, sequence, timestamp, ssrc, offset, length = found
    assert RtpPacket(kind, sequence, timestamp, ssrc, data[offset : offset + length], marker) == wanted


SOURCES = st.builds(
    HostPort, st.sampled_from(("10.0.0.1", "10.0.0.2", "10.0.0.9")), st.sampled_from((4000, 4002, 4004))
)
PERMITTED = st.sampled_from((("10.0.0.1",), ("10.0.0.1", "10.0.0.2"), ("10.0.0.2",), ()))
ARRIVAL = st.tuples(SOURCES, st.sampled_from((7, 8)), st.integers(0, 5), st.sampled_from((20, 400, 600, 1900, 2100)))
CHANGE = st.tuples(SOURCES, PERMITTED, st.sampled_from((0, 20, 3000)))


@given(SOURCES, PERMITTED, st.lists(st.one_of(ARRIVAL, CHANGE), max_size=60))
def test_the_latch_judges_every_packet_as_the_reference_does(
    remote: HostPort,
    permitted: tuple[str, ...],
    trace: list[tuple[HostPort, int, int, int] | tuple[HostPort, tuple[str, ...], int]],
) -> None:
    plain, compiled, now_ns = Latch(remote, permitted), kernels.LatchKernel(remote, permitted), 10_000 * MS
    for step in trace:
        now_ns += step[-1] * MS
        if len(step) == 4:
            source, ssrc, sequence, _ = step
            assert compiled.receive(source, ssrc, sequence, now_ns) == plain.receive(source, ssrc, sequence, now_ns)
        else:
            plain.configure(step[0], step[1], now_ns)
            compiled.configure(step[0], step[1], now_ns)
        assert compiled.source == ((plain.source.host, plain.source.port) if plain.source else None)


STEP = st.one_of(st.integers(-3, 5), st.sampled_from((-32768, 2999, 3000, -99, -101, 20000)))


@given(
    U16,
    st.lists(st.tuples(STEP, st.sampled_from((1, 1, 1, 2)), st.integers(0, 400), st.sampled_from((8000, 8000, 48000)))),
)
def test_reception_counts_as_the_reference_does(first: int, trace: list[tuple[int, int, int, int]]) -> None:
    plain, compiled, sequence, now_ns = Reception(), kernels.ReceptionKernel(), first, 5_000_000 * MS
    for step, ssrc, passed_ms, rate in trace:
        sequence = (sequence + step) & 0xFFFF
        now_ns += passed_ms * MS
        plain.packet(ssrc, sequence)
        compiled.packet(ssrc, sequence)
        plain.arrival(sequence * 160, rate, now_ns)
        compiled.arrival(sequence * 160, rate, now_ns)
        assert compiled.lost == plain.lost
        assert compiled.jitter == plain.jitter


def test_a_lost_packet_is_counted_and_the_fraction_covers_one_interval() -> None:
    reception = kernels.ReceptionKernel()
    for sequence in (65534, 65535, 0, 2, 3):
        reception.packet(1, sequence)
    assert reception.lost == 1
    assert reception.fraction() == 256 // 6
    reception.packet(1, 4)
    assert reception.fraction() == 0


EVENT_PACKET = st.tuples(
    st.sampled_from((1, 1, 2)),
    st.booleans(),
    st.sampled_from((160, 320, 65535)),
    st.sampled_from((0, 0, 0, 160, 65535, 4000, -160)),
    st.sampled_from((0, 20, 50, 199, 200, 2000)),
)


@given(U32, st.lists(EVENT_PACKET, max_size=60))
def test_digits_are_received_as_the_reference_receives_them(
    timestamp: int, trace: list[tuple[int, bool, int, int, int]]
) -> None:
    plain, compiled, now_ns = DigitReceiver(), kernels.DigitKernel(), 50_000 * MS
    for event, end, duration, step, passed_ms in trace:
        now_ns += passed_ms * MS
        assert compiled.tick(now_ns) == [(press.event, press.duration) for press in plain.tick(now_ns)]
        timestamp = (timestamp + step) & 0xFFFFFFFF
        payload = bytes((event, 0x8A if end else 0x0A)) + duration.to_bytes(2, "big")
        ended = plain.packet(payload, timestamp, now_ns)
        assert compiled.packet(payload, timestamp, now_ns) == [(press.event, press.duration) for press in ended]


@given(st.binary(max_size=3))
def test_an_event_that_is_too_short_is_malformed(payload: bytes) -> None:
    assert kernels.DigitKernel().packet(payload, 1, 0) is None


FED = st.tuples(st.sampled_from((1, 1, 1, 2)), STEP, st.sampled_from((0, 160, -160, 4000)), st.integers(0, 300))


@given(U16, U32, U16, U32, st.lists(FED, max_size=80))
def test_outgoing_packets_are_numbered_as_the_reference_numbers_them(
    own_sequence: int, own_timestamp: int, sequence: int, timestamp: int, trace: list[tuple[int, int, int, int]]
) -> None:
    plain, compiled = Outgoing(own_sequence, own_timestamp), kernels.OutgoingKernel(own_sequence, own_timestamp)
    now_ns = 7_000 * MS
    for feed, step, time_step, passed_ms in trace:
        sequence, timestamp = (sequence + step) & 0xFFFF, (timestamp + time_step) & 0xFFFFFFFF
        now_ns += passed_ms * MS
        wanted = plain.stamp(feed, sequence, timestamp, 8000, now_ns)
        found = compiled.stamp(feed, sequence, timestamp, 8000, now_ns)
        assert found == ((wanted.sequence, wanted.timestamp, wanted.marker) if wanted else None)


@given(st.lists(st.tuples(U16, U32, st.integers(20, 200)), min_size=1, max_size=40))
def test_whatever_feeds_a_stream_its_sequence_has_no_gap_and_its_time_never_goes_back(
    feeds: list[tuple[int, int, int]],
) -> None:
    stream = kernels.OutgoingKernel(65000, 0)
    now_ns = 0
    sent: list[tuple[int, int, bool]] = []
    for feed, (sequence, timestamp, passed_ms) in enumerate(feeds):
        now_ns += passed_ms * MS
        for at in range(3):
            first, second = (sequence + at) & 0xFFFF, (timestamp + 160 * at) & 0xFFFFFFFF
            stamp = stream.stamp(feed, first, second, 8000, now_ns + at * 20 * MS)
            assert stamp is not None
            sent.append(stamp)
        now_ns += 60 * MS
    for before, after in itertools.pairwise(sent):
        assert after[0] == (before[0] + 1) & 0xFFFF
        assert 0 < (after[1] - before[1]) & 0xFFFFFFFF < 8000


BLOCKS = st.builds(rtcp.ReportBlock, U32, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), U32, U32, U32, U32)
SENDERS = st.builds(rtcp.SenderInfo, st.integers(0, 2**64 - 1), U32, U32, U32)


@given(U32, st.none() | SENDERS, st.none() | BLOCKS, st.booleans())
def test_rtcp_is_written_as_the_reference_reads_it(
    ssrc: int, sender: rtcp.SenderInfo | None, block: rtcp.ReportBlock | None, goodbye: bool
) -> None:
    written = kernels.write_rtcp(ssrc, sender, block, b"abcdefghij012345", goodbye)
    wanted: list[rtcp.RtcpPacket] = [rtcp.Report(ssrc, sender, (block,) if block else ())]
    wanted.append(rtcp.Description(ssrc, "abcdefghij012345"))
    assert rtcp.parse_compound(written) == wanted + ([rtcp.Goodbye((ssrc,))] if goodbye else [])
    assert written == b"".join(packet.encode() for packet in rtcp.parse_compound(written))


@given(U32, st.lists(st.binary(max_size=40), max_size=3), st.lists(BLOCKS, max_size=3))
def test_reports_of_the_peer_are_read_and_noise_never_crashes(
    ssrc: int, noise: list[bytes], blocks: list[rtcp.ReportBlock]
) -> None:
    report = rtcp.Report(ssrc, rtcp.SenderInfo(0x0123456789ABCDEF, 1, 2, 3), tuple(blocks)).encode()
    own = blocks[-1].ssrc if blocks else 5
    found = kernels.read_rtcp(report + rtcp.Goodbye((ssrc,)).encode(), own)
    assert found is not None
    assert found[:2] == (ssrc, 0x456789AB)
    assert found[2] == (blocks[-1].lost if blocks else None)
    assert found[3]
    for piece in noise:
        kernels.read_rtcp(piece, own)
        kernels.read_rtcp(report + piece, own)
        kernels.read_rtcp(piece + report, own)


def test_the_round_trip_is_what_is_left_of_the_time_since_our_report() -> None:
    assert kernels.trip(0x00050000, 0x00010000, 0x00020000) == 0x00020000
    assert kernels.trip(0x00050000, 0, 0x00020000) == -1
    assert kernels.trip(0x00010000, 0x00010000, 0x00020000) == -1


def test_every_drop_reason_of_the_engine_has_a_name() -> None:
    from media.engine.shard import ShardThread

    shard = ShardThread(30.0, 46)
    assert len(shard.counters()[2]) == len(NAMES)
    shard.close()


@given(U16, st.lists(st.tuples(st.one_of(STEP, st.integers(-20, 40)), st.booleans()), max_size=200))
def test_losses_and_bursts_are_counted_as_the_reference_counts_them(first: int, trace: list[tuple[int, bool]]) -> None:
    plain, compiled, sequence = Losses(), kernels.BurstKernel(), first
    for step, is_other in trace:
        sequence = (sequence + step) & 0xFFFF
        if is_other and step == 5:
            plain.restart()
            compiled.restart()
        plain.packet(sequence)
        compiled.packet(sequence)
    for _ in range(2):
        assert compiled.counts == (
            plain.received,
            plain.lost,
            plain.runs,
            plain.duplicates,
            plain.bursts,
            plain.burst_packets,
            plain.burst_lost,
        )
        plain.restart()
        compiled.restart()


@given(st.sampled_from(sorted(emodel.IMPAIRMENTS)), st.integers(1, 5000), st.floats(0, 1), st.floats(0, 2000))
def test_a_stream_is_rated_as_the_reference_rates_it(codec: str, total: int, part: float, delay_ms: float) -> None:
    ie, bpl = emodel.impairment_of(codec)
    lost = int(part * total)
    runs = max(1, lost // 3)
    ratio = emodel.burst_ratio_of(lost, runs, total)
    r = emodel.r_factor(emodel.loss_impairment(ie, bpl, 100 * lost / total, ratio), delay_ms)
    assert kernels.rated(ie, bpl, lost, runs, total, delay_ms) == pytest.approx((r, emodel.mos_of(r)))


U8 = st.integers(0, 255)
UNMEASURED = (xr.UNAVAILABLE,) * 3  # levels of signal, noise and echo
METRICS = st.tuples(st.lists(U8, min_size=8, max_size=8), st.lists(U16, min_size=7, max_size=7)).map(
    lambda parts: xr.VoipMetrics(
        *[
            7,
            *parts[0][:4],
            *parts[1][:4],
            *UNMEASURED,
            16,
            parts[0][4],
            xr.UNAVAILABLE,
            *parts[0][5:8],
            0,
            *parts[1][4:],
        ]
    )
)


@given(U32, METRICS)
def test_voip_metrics_are_written_and_read_as_the_reference_does(ssrc: int, metrics: xr.VoipMetrics) -> None:
    written = kernels.write_xr(ssrc, metrics)
    assert written == xr.ExtendedReport(ssrc, (metrics,)).encode()
    compound = rtcp.Report(ssrc).encode() + written
    assert rtcp.parse_compound(compound)[1] == xr.ExtendedReport(ssrc, (metrics,))
    found = kernels.read_xr(compound, 7)
    assert found is not None
    assert found == {name: getattr(metrics, name) for name in found}
    assert kernels.read_xr(compound, 8) is None


@given(st.binary(max_size=60), st.integers(0, 20))
def test_an_extended_report_is_refused_as_the_reference_refuses_it(body: bytes, words: int) -> None:
    data = rtcp.Report(1).encode() + bytes((0x80, 207)) + words.to_bytes(2, "big") + body
    try:
        rtcp.parse_compound(data)
        is_read = True
    except rtcp.NotRtcp:
        is_read = False
    assert (kernels.read_rtcp(data, 1) is not None) == is_read


PAIRS = st.lists(st.tuples(U16, U16), max_size=16)


@given(U32, U32, st.integers(-1, 255), PAIRS)
def test_what_is_asked_of_a_sender_is_written_and_read_as_the_reference_does(
    ssrc: int, of: int, sequence: int, lost: list[tuple[int, int]]
) -> None:
    written = kernels.write_asked(ssrc, of, sequence, lost)
    asked = feedback.Feedback(
        ssrc, of, wants_picture=not lost, sequence=sequence if sequence >= 0 and not lost else None, lost=tuple(lost)
    )
    assert written == asked.encode()
    compound = rtcp.Report(1).encode() + written
    assert rtcp.parse_compound(compound)[1] == asked
    assert kernels.read_asked(compound, of) == (not lost, lost)
    assert kernels.read_asked(compound, of ^ 1) == (False, [])
