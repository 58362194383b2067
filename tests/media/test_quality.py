"""How streams sound: the E-model, bursts of loss, and what an endpoint reports of both directions."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Direction,
    MeasureEndpoint,
    MediaEngine,
    Payload,
    SetEcho,
    StreamReport,
    read_intervals,
)
from media.config import EngineConfig
from media.engine.strategy import idle_packet
from media.rtp import emodel
from media.rtp.losses import Losses
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import Report, ReportBlock, SenderInfo
from media.rtp.xr import ExtendedReport, VoipMetrics
from tests.media.party import Party, converse, gather
from tests.media.peer import EVENTS, PCMA, PCMU, Events, Peer, accept, created, embedded, open_endpoint, peers
from tests.media.test_relay import all_arrived

CN = Payload(13, "CN")
G722 = Payload(9, "G722")


def fates(*runs: int) -> Losses:
    """A stream where so many packets come, are lost, come, …"""
    losses, sequence = Losses(), 65_500
    for index, run in enumerate(runs):
        for _ in range(run):
            sequence = (sequence + 1) & 0xFFFF
            if index % 2 == 0:
                losses.packet(sequence)
    losses.restart()
    return losses


def test_a_burst_begins_and_ends_with_a_loss_and_a_single_loss_is_none() -> None:
    """RFC 3611 §4.7.2 with Gmin 16: five lost and two lost with three between are one burst of ten packets."""
    losses = fates(100, 5, 3, 2, 50, 1, 100)
    assert (losses.received, losses.lost, losses.runs) == (253, 8, 3)
    assert (losses.bursts, losses.burst_packets, losses.burst_lost) == (1, 10, 7)


def test_packets_that_are_overtaken_are_not_lost_and_doubled_ones_count_once() -> None:
    losses = Losses()
    for sequence in (1, 3, 2, 2, 8, 4, 5, 6, 7, 20):
        losses.packet(sequence)
    losses.restart()
    assert (losses.received, losses.lost, losses.duplicates) == (9, 11, 1)


def test_another_source_begins_anywhere_without_a_loss() -> None:
    losses = fates(30)
    for sequence in range(20_000, 20_030):
        losses.packet(sequence)
    losses.restart()
    assert (losses.received, losses.lost) == (60, 0)


@pytest.mark.parametrize(
    ("codec", "loss_percent", "delay_ms", "mos"),
    [
        ("PCMA", 0.0, 0.0, 4.41),  # R 93.2: as good as a telephone can be
        ("PCMA", 0.0, 150.0, 4.34),
        ("PCMA", 0.0, 400.0, 3.05),
        ("PCMA", 1.0, 100.0, 4.27),
        ("PCMA", 5.0, 100.0, 3.85),
        ("G729", 0.0, 100.0, 4.05),
        ("G729", 3.0, 100.0, 3.53),
        ("PCMA", 100.0, 100.0, 1.17),
    ],
)
def test_the_e_model_rates_as_its_tables_say(codec: str, loss_percent: float, delay_ms: float, mos: float) -> None:
    ie, bpl = emodel.impairment_of(codec)
    r = emodel.r_factor(emodel.loss_impairment(ie, bpl, loss_percent, 1.0), delay_ms)
    assert emodel.mos_of(r) == pytest.approx(mos, abs=0.05)


def test_losses_in_a_row_are_worse_than_scattered_ones() -> None:
    assert emodel.burst_ratio_of(100, 100, 10_000) == 1.0
    assert emodel.burst_ratio_of(100, 20, 10_000) == pytest.approx(4.95)
    assert emodel.loss_impairment(0, 25.1, 5, 4.0) > emodel.loss_impairment(0, 25.1, 5, 1.0) + 2


def test_what_keeps_the_way_open_is_comfort_noise_or_a_type_that_nobody_knows() -> None:
    assert idle_packet((PCMA, CN, EVENTS)) == (13, 1)
    assert idle_packet((PCMA, Payload(127, "opus", 48000, 2))) == (126, 0)


async def report_of(engine: MediaEngine) -> StreamReport:
    events = Events(engine)
    await accept(engine, DestroyEndpoint(1))
    return await events.wait(StreamReport)


def send_with_losses(peer: Peer, to: object, fates: Iterable[bool]) -> int:
    """Packets of which those marked False never leave; how many did."""
    sent = 0
    for comes in fates:
        if comes:
            peer.send(to)  # type: ignore[arg-type]
            sent += 1
        else:
            peer.sequence = (peer.sequence + 1) & 0xFFFF
            peer.timestamp = (peer.timestamp + 160) & 0xFFFFFFFF
    return sent


@pytest.mark.real_loop
async def test_loss_is_reported_with_its_bursts_and_what_it_does_to_the_sound() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        to = await open_endpoint(engine, 1, a.spec(PCMA))
        pattern = [True] * 80 + [False] * 6 + [True] * 60 + [False] + [True] * 53
        a.payload_type = 8
        sent = send_with_losses(a, to, pattern)
        await all_arrived(engine, sent)
        report = await report_of(engine)
        assert (report.received, report.lost) == (193, 7)
        assert report.burst_ms == 120
        assert report.burst_loss_percent == 100.0
        assert report.gap_loss_percent == pytest.approx(100 / 194, abs=0.01)
        assert report.mos is not None
        assert 3.4 < report.mos < 4.1
        (interval,) = read_intervals(report.intervals)
        assert (interval.received, interval.lost, interval.sent) == (193, 7, 0)
        assert interval.mos == pytest.approx(report.mos, abs=0.01)
        assert (interval.remote_mos, interval.round_trip_ms) == (None, None)
        assert report.silent_s is not None
        assert report.silent_s < 1.0


@pytest.mark.real_loop
async def test_a_stream_without_loss_is_as_good_as_its_codec_allows() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        to = await open_endpoint(engine, 1, a.spec(Payload(18, "G729")))
        a.payload_type = 18
        for _ in range(20):
            a.send(to, bytes(20))
            await asyncio.sleep(0.02)
        await all_arrived(engine, 20)
        report = await report_of(engine)
        assert report.mos == pytest.approx(4.05, abs=0.1)
        assert report.worst_mos == report.mos


@pytest.mark.real_loop
async def test_where_sound_is_decoded_the_jitter_buffer_is_rated_with_what_was_late_for_it() -> None:
    async with peers(Party(1, 500), Party(2, 900, G722)) as (a, b), embedded() as engine:
        await gather(engine, a, b)
        assert a.to is not None
        await converse((a, b), 1.0)
        late = [RtpPacket(0, (a.sequence + at) & 0xFFFF, a.timestamp + 160 * at, a.ssrc, bytes(160)) for at in range(5)]
        a.sequence, a.timestamp = (a.sequence + 5) & 0xFFFF, a.timestamp + 160 * 5
        await converse((a, b), 0.6)
        for packet in late:
            a.send_raw(a.to, packet.encode())
        await converse((a, b), 0.2)
        report = await report_of(engine)
        assert (report.received, report.lost, report.late) == (95, 0, 5)
        assert report.buffer_ms is not None
        assert report.buffer_most_ms is not None
        assert 5 < report.buffer_ms <= report.buffer_most_ms < 400
        perfect = emodel.mos_of(emodel.r_factor(0, 20 + report.buffer_ms))
        assert report.mos is not None
        assert perfect - 1.0 < report.mos < perfect - 0.1, "what came too late is lost"


@pytest.mark.real_loop
async def test_nothing_is_rated_where_nothing_came() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        report = await report_of(engine)
        assert (report.mos, report.remote_mos, report.silent_s, report.intervals) == (None, None, None, b"")


@pytest.mark.real_loop
async def test_what_the_peer_reports_rates_the_other_direction() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        await accept(engine, SetEcho(1))
        a.send(reply.rtp)
        await a.receive()
        block = ReportBlock(reply.ssrc, fraction=26, lost=5, highest=50, jitter=80)
        a.rtcp.sendto(Report(a.ssrc, SenderInfo(1, 2, 3, 4), (block,)).encode(), ("127.0.0.1", reply.rtcp_port))
        await all_arrived(engine, 2)
        (live,) = await accept(engine, MeasureEndpoint(1))
        assert isinstance(live, StreamReport)
        assert (live.received, live.sent, live.remote_lost, live.intervals) == (1, 1, 5, b"")
        report = await report_of(engine)
        assert report.remote_loss_percent == pytest.approx(10.2, abs=0.1)
        assert report.remote_jitter_ms == 10.0
        assert report.remote_mos is not None
        assert 3.0 < report.remote_mos < 3.7
        (interval,) = read_intervals(report.intervals)
        assert interval.remote_loss_percent == pytest.approx(10.16, abs=0.01)
        assert interval.remote_mos == pytest.approx(report.remote_mos, abs=0.01)


@pytest.mark.real_loop
async def test_voip_metrics_are_sent_to_who_asks_for_them_and_believed_when_they_come() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        spec = replace(a.spec(), rtcp_xr=True)
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", spec)))[0])
        sent = send_with_losses(a, reply.rtp, [True] * 60 + [False] * 4 + [True] * 36)
        await all_arrived(engine, sent)
        metrics = VoipMetrics(reply.ssrc, mos_cq=21, r_factor=40, buffer_ms=60)
        compound = Report(a.ssrc).encode() + ExtendedReport(a.ssrc, (metrics,)).encode()
        block = ReportBlock(reply.ssrc)
        a.rtcp.sendto(compound, ("127.0.0.1", reply.rtcp_port))
        a.rtcp.sendto(Report(a.ssrc, None, (block,)).encode(), ("127.0.0.1", reply.rtcp_port))
        packets = await a.receive_rtcp()
        (extended,) = [packet for packet in packets if isinstance(packet, ExtendedReport)]
        (found,) = extended.metrics
        assert (extended.ssrc, found.ssrc, found.gmin) == (reply.ssrc, a.ssrc, 16)
        assert (found.loss_rate, found.burst_density, found.burst_ms) == (
            12,
            255,
            80,
        )  # the last 16 packets may still be overtaken
        assert 20 < found.mos_cq <= found.mos_lq < 44
        assert 40 < found.r_factor < 93
        assert (await report_of(engine)).remote_mos == 2.1


@pytest.mark.real_loop
async def test_who_does_not_ask_for_voip_metrics_gets_none() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        a.send(await open_endpoint(engine, 1, a.spec()))
        assert not [packet for packet in await a.receive_rtcp() if isinstance(packet, ExtendedReport)]


@pytest.mark.real_loop
async def test_when_nothing_else_is_sent_something_keeps_the_way_open() -> None:
    """REG-5: on hold as well; the stream that goes on afterwards has no gap."""
    assert EngineConfig().idle_s == 30.0
    async with peers(Peer()) as (a,), embedded(idle_s=0.5) as engine:
        spec = a.spec(PCMU, CN, direction=Direction.INACTIVE)
        to = await open_endpoint(engine, 1, spec)
        first = await a.receive()
        assert (first.payload_type, first.payload, first.marker) == (13, b"\x7f", False)
        await accept(engine, ConfigureEndpoint(1, a.spec(PCMU, CN)), SetEcho(1))
        a.send(to)
        second = await a.receive()
        assert second.sequence == (first.sequence + 1) & 0xFFFF
        assert second.marker
