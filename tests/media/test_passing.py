"""Streams that are passed on as they are: pictures by RTP with what is asked of their sender, and other datagrams."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Direction,
    EndpointCreated,
    HostPort,
    MediaEngine,
    Passes,
    PassOn,
    Payload,
    StreamReport,
    StreamSpec,
)
from media.engine.strategy import passed_routes
from media.rtp.feedback import Feedback
from media.rtp.rtcp import Description, Report
from tests.media.peer import Events, Peer, accept, created, embedded, peers, refused
from tests.media.test_relay import all_arrived

pytestmark = pytest.mark.real_loop

H264 = Payload(96, "H264", 90000, fmtp="profile-level-id=42e01f;packetization-mode=1")
VP8 = Payload(97, "VP8", 90000)
LOCAL = "127.0.0.1"


def test_each_payload_type_goes_to_the_one_with_its_parameters() -> None:
    base = Payload(100, "H264", 90000, fmtp="packetization-mode=0")
    assert passed_routes((H264, base, VP8), (replace(VP8, number=120), replace(base, number=121))) == (
        (96, 1, 121),
        (100, 1, 121),
        (97, 1, 120),
    )
    assert passed_routes((H264, base), (replace(base, number=5), replace(H264, number=6))) == ((96, 1, 6), (100, 1, 5))


def picture(peer: Peer, *payloads: Payload, feedback: tuple[str, ...] = ("pli", "nack")) -> StreamSpec:
    return replace(peer.spec(*(payloads or (H264, VP8))), feedback=feedback)


async def pair(engine: MediaEngine, a: StreamSpec, b: StreamSpec, passes: Passes = Passes.RTP) -> list[EndpointCreated]:
    replies = await accept(
        engine, CreateEndpoint(1, LOCAL, a, passes=passes), CreateEndpoint(2, LOCAL, b, passes=passes), PassOn(1, 2)
    )
    return [created(reply) for reply in replies[:2]]


async def test_pictures_go_over_both_ways_with_their_marks_and_payload_types() -> None:
    async with peers(Peer(payload_type=96), Peer(payload_type=33)) as (a, b), embedded() as engine:
        one, two = await pair(engine, picture(a), picture(b, replace(H264, number=33)))
        sent = [a.send(one.rtp, b"\x65" * 1200, marker=index % 3 == 2) for index in range(9)]
        heard = await b.receive_many(9)
        assert [packet.marker for packet in heard] == [packet.marker for packet in sent], "the end of each picture"
        assert {(packet.ssrc, packet.payload_type) for packet in heard} == {(two.ssrc, 33)}
        assert [packet.payload for packet in heard] == [packet.payload for packet in sent]
        steps = {(after.sequence - before.sequence) & 0xFFFF for before, after in itertools.pairwise(heard)}
        assert steps == {1}
        b.send(two.rtp, b"\x61")
        assert (await a.receive()).payload_type == 96
        a.send(one.rtp, payload_type=97)
        await all_arrived(engine, 11)
        events = Events(engine)
        await accept(engine, DestroyEndpoint(1))
        assert (await events.wait(StreamReport)).dropped == {"no_codec": 1, "no_codec_VP8": 1}


async def test_a_whole_picture_is_asked_for_as_its_sender_understands_it() -> None:
    for takes, sequence in ((("pli", "fir"), None), (("fir",), 1)):
        async with peers(Peer(payload_type=96), Peer(payload_type=96)) as (a, b), embedded() as engine:
            one, two = await pair(engine, picture(a, feedback=takes), picture(b))
            a.send(one.rtp)
            await b.receive()
            asked = Report(b.ssrc).encode() + Feedback(b.ssrc, two.ssrc, wants_picture=True, sequence=7).encode()
            for _ in range(3):
                b.rtcp.sendto(asked, (LOCAL, two.rtcp_port))
            report, description, feedback = await a.receive_rtcp()
            assert isinstance(report, Report)
            assert isinstance(description, Description)
            assert feedback == Feedback(one.ssrc, a.ssrc, wants_picture=True, sequence=sequence)
            with pytest.raises(TimeoutError):
                await a.receive_rtcp(0.15)  # whole pictures are large


async def test_lost_packets_are_asked_for_by_the_numbers_of_their_sender() -> None:
    async with peers(Peer(payload_type=96), Peer(payload_type=96)) as (a, b), embedded() as engine:
        one, two = await pair(engine, picture(a), picture(b))
        sent = [a.send(one.rtp) for _ in range(5)]
        heard = await b.receive_many(5)
        asked = Feedback(b.ssrc, two.ssrc, lost=((heard[1].sequence, 0b101),))
        b.rtcp.sendto(Report(b.ssrc).encode() + asked.encode(), (LOCAL, two.rtcp_port))
        *_, feedback = await a.receive_rtcp()
        assert feedback == Feedback(one.ssrc, a.ssrc, lost=((sent[1].sequence, 0b101),))
        a.send_raw(one.rtp, sent[1].encode())  # it sends once more
        again = await b.receive()
        assert (again.sequence, again.payload) == (heard[1].sequence, sent[1].payload)


async def test_who_cannot_be_asked_is_not_asked_and_floods_are_cut() -> None:
    async with peers(Peer(payload_type=96), Peer(payload_type=96)) as (a, b), embedded() as engine:
        events = Events(engine)
        one, two = await pair(engine, picture(a, feedback=()), picture(b))
        a.send(one.rtp)
        await b.receive()
        asked = Report(b.ssrc).encode() + Feedback(b.ssrc, two.ssrc, wants_picture=True).encode()
        for _ in range(100):
            b.rtcp.sendto(asked, (LOCAL, two.rtcp_port))
        b.rtcp.sendto(
            Report(b.ssrc).encode() + Feedback(b.ssrc, 99, wants_picture=True).encode(), (LOCAL, two.rtcp_port)
        )
        await all_arrived(engine, 102)
        (report, *more) = await a.receive_rtcp()
        assert isinstance(report, Report)
        assert not [packet for packet in more if isinstance(packet, Feedback)]
        await accept(engine, DestroyEndpoint(2))
        assert (await events.wait(StreamReport)).dropped["feedback_flood"] >= 30


async def test_sound_and_pictures_of_one_party_have_one_name() -> None:
    """RFC 7022: whoever gets both plays them together by it."""
    async with peers(Peer(), Peer(payload_type=96), Peer(payload_type=96)) as (sound, a, b), embedded() as engine:
        replies = await accept(
            engine,
            CreateEndpoint(3, LOCAL, sound.spec()),
            CreateEndpoint(1, LOCAL, picture(a), passes=Passes.RTP, beside=3),
            CreateEndpoint(2, LOCAL, picture(b), passes=Passes.RTP),
            PassOn(1, 2),
        )
        sound.send(created(replies[0]).rtp)
        a.send(created(replies[1]).rtp)
        b.send(created(replies[2]).rtp)
        names = []
        for peer in (sound, a, b):
            names += [packet.cname for packet in await peer.receive_rtcp() if isinstance(packet, Description)]
        assert names[0] == names[1] != names[2]


async def test_a_held_picture_stops_and_goes_on() -> None:
    async with peers(Peer(payload_type=96), Peer(payload_type=96)) as (a, b), embedded() as engine:
        one, _ = await pair(engine, picture(a), picture(b))
        await accept(engine, ConfigureEndpoint(2, replace(picture(b), direction=Direction.RECVONLY)))
        a.send(one.rtp)
        assert await b.hears_nothing()
        await accept(engine, ConfigureEndpoint(2, picture(b)))
        a.send(one.rtp)
        assert await b.receive()


async def test_other_datagrams_go_over_as_they_are_and_nothing_else_is_sent() -> None:
    async with peers(Peer(), Peer(), Peer("127.0.0.9")) as (a, b, stranger), embedded(idle_s=0.3) as engine:
        spec_a, spec_b = StreamSpec(a.address, ()), StreamSpec(b.address, ())
        one, two = await pair(engine, spec_a, spec_b, Passes.DATAGRAMS)
        for data in (b"", b"\0", b"\0\1\6fax", bytes(range(256)) * 5):
            a.send_raw(one.rtp, data)
            assert await _raw(b) == data
        b.send_raw(two.rtp, b"answer")
        assert await _raw(a) == b"answer"
        stranger.send_raw(one.rtp, b"intruder")
        assert await _is_quiet(b)
        await asyncio.sleep(1.2)
        assert await _is_quiet(a)
        assert await _is_quiet(b)
        with pytest.raises(TimeoutError):
            await a.receive_rtcp(0.05)
        events = Events(engine)
        await accept(engine, DestroyEndpoint(1))
        report = await events.wait(StreamReport)
        assert (report.received, report.sent, report.dropped) == (4, 1, {"stranger": 1})
        with pytest.raises(TimeoutError):
            await a.receive_rtcp(0.05)


async def test_datagrams_follow_a_peer_behind_nat() -> None:
    async with peers(Peer(), Peer(), Peer()) as (a, b, nat), embedded() as engine:
        one, two = await pair(engine, StreamSpec(a.address, ()), StreamSpec(b.address, ()), Passes.DATAGRAMS)
        nat.send_raw(one.rtp, b"from elsewhere")
        assert await _raw(b) == b"from elsewhere"
        b.send_raw(two.rtp, b"back")
        assert await _raw(nat) == b"back"


async def test_what_cannot_be_passed_on_is_refused_with_a_sentence() -> None:
    async with embedded() as engine:
        spec = StreamSpec(HostPort(LOCAL, 9), (H264,))
        await accept(
            engine,
            CreateEndpoint(1, LOCAL, spec),
            CreateEndpoint(2, LOCAL, spec, passes=Passes.RTP),
            CreateEndpoint(3, LOCAL, passes=Passes.DATAGRAMS),
        )
        for command in (PassOn(1, 2), PassOn(2, 3), PassOn(2, 2)):
            (reply,) = await engine.execute(command)
            assert "cannot be passed on to each other." in refused(reply)
        (reply,) = await engine.execute(ConfigureEndpoint(2, replace(spec, payloads=())))
        assert "payload types" in refused(reply)


async def _raw(peer: Peer) -> bytes:
    async with asyncio.timeout(2):
        return await asyncio.get_running_loop().sock_recv(peer.rtp, 4096)


async def _is_quiet(peer: Peer) -> bool:
    try:
        async with asyncio.timeout(0.06):
            await asyncio.get_running_loop().sock_recv(peer.rtp, 4096)
    except TimeoutError:
        return True
    return False
