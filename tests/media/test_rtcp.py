"""RTCP as the peer sees it, and what the engine makes of the peer's."""

import asyncio
import itertools
import time
from dataclasses import replace

import pytest

from media.api import (
    CreateEndpoint,
    DestroyEndpoint,
    HostPort,
    JoinRoom,
    MediaEngine,
    Play,
    SetEcho,
    StreamReport,
    ToneSource,
)
from media.rtp.rtcp import Description, Goodbye, Report, ReportBlock, SenderInfo, parse_compound
from media.rtp.stats import Reception
from media.rtp.xr import ExtendedReport, VoipMetrics
from tests.media.peer import Events, Peer, accept, created, embedded, open_endpoint, peers
from tests.media.test_relay import all_arrived

pytestmark = pytest.mark.real_loop

NTP_EPOCH = 2_208_988_800


async def report_of(engine: MediaEngine, events: Events) -> StreamReport:
    await accept(engine, DestroyEndpoint(1))
    return await events.wait(StreamReport)


async def test_a_sender_report_with_block_and_cname_comes_soon_and_goodbye_at_the_end() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        await accept(engine, SetEcho(1))
        for n in (0, 1, 3):
            a.send(reply.rtp, sequence=n, timestamp=160 * n)
        echoed = await a.receive_many(3)
        report, description = await a.receive_rtcp()
        assert isinstance(report, Report)
        assert isinstance(description, Description)
        assert (report.ssrc, description.ssrc) == (reply.ssrc, reply.ssrc)
        assert len(description.cname) == 16
        assert report.sender is not None
        assert (report.sender.packets, report.sender.octets) == (3, 480)
        assert abs(report.sender.ntp / 2**32 - NTP_EPOCH - time.time()) < 5
        passed = (report.sender.timestamp - echoed[2].timestamp) & 0xFFFFFFFF
        assert 0 < passed < 3 * 8000  # the clock went on since the last packet
        (block,) = report.blocks
        assert (block.ssrc, block.lost, block.highest, block.last_report) == (a.ssrc, 1, 3, 0)
        assert block.fraction == 256 // 4
        await accept(engine, DestroyEndpoint(1))
        last = await a.receive_rtcp()
        assert [type(packet) for packet in last] == [Report, Description, Goodbye]
        assert last[2] == Goodbye((reply.ssrc,))
        assert last[1] == description


async def test_who_only_listens_gets_a_receiver_report_without_sender_information() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        to = await open_endpoint(engine, 1, a.spec())
        a.send(to)
        report = (await a.receive_rtcp())[0]
        assert isinstance(report, Report)
        assert report.sender is None
        assert report.blocks[0].ssrc == a.ssrc


async def test_who_only_sends_gets_a_sender_report_without_block() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, Play(1, 1, ToneSource((((440.0,), 100),))))
        report = (await a.receive_rtcp())[0]
        assert isinstance(report, Report)
        assert report.sender is not None
        assert report.blocks == ()


async def test_an_endpoint_that_never_sent_anything_says_no_goodbye() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await report_of(engine, events)
        with pytest.raises(TimeoutError):
            await a.receive_rtcp(0.1)


async def test_reports_of_the_peer_give_round_trip_and_remote_loss() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        delay_s = 0.040
        sent_at = int((time.time() - delay_s - 0.150 + NTP_EPOCH) * 65536) & 0xFFFFFFFF
        block = ReportBlock(reply.ssrc, 10, 7, 1, 1, last_report=sent_at, delay=int(delay_s * 65536))
        other = ReportBlock(0x999, lost=99)
        compound = Report(a.ssrc, SenderInfo(1, 2, 3, 4), (other, block)).encode() + Description(a.ssrc, "x").encode()
        a.rtcp.sendto(compound, ("127.0.0.1", reply.rtcp_port))
        await all_arrived(engine, 1)
        report = await report_of(engine, events)
        assert report.remote_lost == 7
        assert report.round_trip_ms == pytest.approx(150, abs=60)


async def test_a_later_report_refers_to_the_last_sender_report_of_the_peer() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        a.send(reply.rtp)
        ntp = 0x1122_3344_5566_7788
        compound = Report(a.ssrc, SenderInfo(ntp, 1, 1, 160)).encode()
        a.rtcp.sendto(compound, ("127.0.0.1", reply.rtcp_port))
        report = (await a.receive_rtcp())[0]
        assert isinstance(report, Report)
        assert report.blocks[0].last_report == 0x3344_5566
        assert 0 <= report.blocks[0].delay < 4 * 65536


async def test_reports_go_where_the_peer_sends_its_own_from() -> None:
    async with peers(Peer(), Peer()) as (a, nat), embedded() as engine:
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        nat.rtcp.sendto(Report(a.ssrc).encode(), ("127.0.0.1", reply.rtcp_port))
        a.send(reply.rtp)
        assert await nat.receive_rtcp()


async def test_strangers_and_noise_on_the_rtcp_port_are_dropped_and_counted() -> None:
    async with peers(Peer(), Peer("127.0.0.9")) as (a, stranger), embedded() as engine:
        events = Events(engine)
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        target = ("127.0.0.1", reply.rtcp_port)
        stranger.rtcp.sendto(Report(1).encode(), target)
        for noise in (b"", b"\x80", bytes(40), b"\x81\xc8\0\1" + bytes(4), Report(1).encode() + b"\1"):
            a.rtcp.sendto(noise, target)
        await all_arrived(engine, 6)
        a.send(reply.rtp)
        await a.receive_rtcp()
        assert (await report_of(engine, events)).dropped == {"rtcp_stranger": 1, "rtcp_malformed": 5}


async def test_rtcp_shares_the_port_when_it_is_multiplexed() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", replace(a.spec(), rtcp_mux=True))))[0])
        a.send(reply.rtp)
        a.send_raw(reply.rtp, Report(a.ssrc, None, (ReportBlock(reply.ssrc, lost=3),)).encode())
        data = await _raw(a)
        assert isinstance(parse_compound(data)[0], Report)
        report = await report_of(engine, events)
        assert (report.remote_lost, report.received, report.dropped) == (3, 1, {})


async def test_rtcp_goes_to_the_address_that_the_sdp_gives_for_it() -> None:
    async with peers(Peer(), Peer()) as (a, elsewhere), embedded() as engine:
        target = HostPort("127.0.0.1", elsewhere.address.port + 1)
        to = await open_endpoint(engine, 1, replace(a.spec(), rtcp=target))
        a.send(to)
        assert await elsewhere.receive_rtcp()


async def test_after_a_goodbye_the_source_is_no_longer_reported() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        a.send(reply.rtp)
        await all_arrived(engine, 1)
        a.rtcp.sendto(Report(a.ssrc).encode() + Goodbye((a.ssrc,)).encode(), ("127.0.0.1", reply.rtcp_port))
        await all_arrived(engine, 2)
        report = (await a.receive_rtcp())[0]
        assert isinstance(report, Report)
        assert report.blocks == ()


async def _raw(peer: Peer) -> bytes:
    async with asyncio.timeout(4.0):
        return await asyncio.get_running_loop().sock_recv(peer.rtp, 4096)


async def test_whoever_chose_our_number_makes_us_take_another_with_a_goodbye() -> None:
    """RFC 3550 §8.2: the first packet of the collision is lost, the sender's counts begin again."""
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        await accept(engine, SetEcho(1))
        a.send(reply.rtp)
        first = await a.receive()
        assert first.ssrc == reply.ssrc
        a.ssrc, a.sequence = reply.ssrc, (first.sequence + 20_000) & 0xFFFF
        a.send(reply.rtp)
        goodbye = await a.receive_rtcp()
        assert goodbye[-1] == Goodbye((reply.ssrc,))
        a.send(reply.rtp)
        second = await a.receive()
        assert second.ssrc != reply.ssrc
        assert second.sequence == (first.sequence + 1) & 0xFFFF
        report = (await a.receive_rtcp())[0]
        assert isinstance(report, Report)
        assert report.ssrc == second.ssrc
        assert report.sender is not None
        assert report.sender.packets == 1
        assert (await report_of(engine, events)).dropped == {"ssrc_collision": 1}


async def test_our_own_packets_that_come_back_are_no_collision() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        await accept(engine, Play(1, 1, ToneSource((((440.0,), 100),))))
        for _ in range(5):
            a.send_raw(reply.rtp, (await a.receive()).encode())
        assert (await a.receive()).ssrc == reply.ssrc
        report = await report_of(engine, events)
        assert (report.received, report.dropped) == (5, {})


async def test_a_flood_of_reports_of_every_shape_neither_stops_the_sound_nor_is_answered() -> None:
    """Compound packets as full as a datagram may be: blocks of nobody, empty packets, goodbyes of everybody."""
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        replies = await accept(
            engine, CreateEndpoint(1, "127.0.0.1", a.spec()), CreateEndpoint(2, "127.0.0.1", b.spec())
        )
        (to_a, rtcp), to_b = (created(replies[0]).rtp, created(replies[0]).rtcp_port), created(replies[1])
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        blocks = tuple(ReportBlock(number, 255, -1, 0xFFFFFFFF, 0xFFFFFFFF, 1, 0xFFFFFFFF) for number in range(31))
        empty = bytes((0x80, 204, 0, 0))
        bombs = (
            Report(1, None, blocks).encode() + Report(1, SenderInfo(2**64 - 1, 0, 0, 0), blocks).encode(),
            Report(1).encode() + empty * 500,
            Report(1).encode() + Goodbye(tuple(range(31))).encode() * 15,
            Report(1).encode() + ExtendedReport(1, (VoipMetrics(to_b.ssrc),) * 40).encode(),
            Report(1).encode() + bytes((0x80, 207, 0, 101)) + bytes(404),
        )
        assert all(len(bomb) <= 2048 for bomb in bombs)
        for number in range(1000):
            a.rtcp.sendto(bombs[number % 5], ("127.0.0.1", rtcp))
            if number % 20 == 0:
                a.send(to_a)
                await b.receive()
        await all_arrived(engine, 1050)
        with pytest.raises(TimeoutError):
            await a.receive_rtcp(0.2)
        report = await report_of(engine, events)
        assert (report.received, report.dropped) == (50, {})


async def test_two_sources_that_take_turns_are_both_heard_in_one_stream() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        replies = await accept(
            engine, CreateEndpoint(1, "127.0.0.1", a.spec()), CreateEndpoint(2, "127.0.0.1", b.spec())
        )
        to_a = created(replies[0]).rtp
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        heard = []
        for number in range(20):
            a.send(to_a, ssrc=0x1234 + number % 2, sequence=(number * 9000) & 0xFFFF)
            heard.append(await b.receive())
        assert {packet.ssrc for packet in heard} == {created(replies[1]).ssrc}
        steps = {(y.sequence - x.sequence) & 0xFFFF for x, y in itertools.pairwise(heard)}
        assert steps == {1}


async def test_what_waits_for_a_tick_is_measured_by_when_it_came() -> None:
    """Two packets a tick, as phones with 10 ms send: all of them are taken, and none counts as late as its tick."""
    expected = Reception()
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        reply = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.spec())))[0])
        for n in range(40):
            a.send(reply.rtp, payload=b"\xd5" * 80, sequence=n, timestamp=80 * n)
            expected.arrival(80 * n, 8000, time.monotonic_ns())
            await asyncio.sleep(0.01)
        await all_arrived(engine, 40)
        await accept(engine, DestroyEndpoint(1))
        report = await events.wait(StreamReport)
        assert (report.received, report.lost) == (40, 0)
        assert report.jitter_ms == pytest.approx(expected.jitter / 8, abs=1)
