"""Audio through the engine, with real sockets on the loopback addresses."""

import asyncio
import random
import socket
from dataclasses import replace

import pytest

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    DigitReceived,
    Direction,
    HostPort,
    JoinRoom,
    LeaveRoom,
    MediaEngine,
    MediaSilent,
    Payload,
    Play,
    PlayEnded,
    SendDigits,
    SetEcho,
    SourceLearned,
    StopPlay,
    StreamReport,
    StreamSpec,
    ToneSource,
)
from media.codec import g711
from media.rtp.packet import RtpPacket
from tests.media.peer import PCMA, PCMU, Events, Peer, accept, created, embedded, open_endpoint, peers, refused

pytestmark = pytest.mark.real_loop

TONE = ToneSource((((440.0,), 1000),))
OPUS = Payload(111, "opus", 48000, 2)


async def join(engine: MediaEngine, a: Peer, b: Peer, *specs: StreamSpec) -> tuple[HostPort, HostPort]:
    """Endpoints 1 and 2 in room 1; where each peer sends to."""
    one, two = specs or (a.spec(), b.spec())
    replies = await accept(
        engine,
        CreateEndpoint(1, "127.0.0.1", one),
        CreateEndpoint(2, "127.0.0.1", two),
        JoinRoom(1, 1),
        JoinRoom(1, 2),
    )
    return created(replies[0]).rtp, created(replies[1]).rtp


async def all_arrived(engine: MediaEngine, count: int) -> None:
    """The engine has read so many packets."""
    async with asyncio.timeout(2.0):
        while (await engine.describe()).packets_in < count:  # noqa: ASYNC110 - a thread of the engine counts
            await asyncio.sleep(0.0005)


async def test_packets_are_relayed_both_ways_in_an_own_numbering() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b)
        sent = [a.send(to_a, bytes([n]) * 160) for n in range(10)]
        got = await b.receive_many(10)
        assert [packet.payload for packet in got] == [packet.payload for packet in sent]
        assert {packet.ssrc for packet in got} != {a.ssrc}
        assert len({packet.ssrc for packet in got}) == 1
        assert [(packet.sequence - got[0].sequence) & 0xFFFF for packet in got] == list(range(10))
        assert [(packet.timestamp - got[0].timestamp) & 0xFFFFFFFF for packet in got] == [160 * n for n in range(10)]
        assert [packet.marker for packet in got] == [True] + [False] * 9
        b.send(to_b, b"back" * 40)
        assert (await a.receive()).payload == b"back" * 40


async def test_the_peer_sees_the_ssrc_that_was_announced() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        replies = await accept(
            engine, CreateEndpoint(1, "127.0.0.1", a.spec()), CreateEndpoint(2, "127.0.0.1", b.spec())
        )
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        a.send(created(replies[0]).rtp)
        assert (await b.receive()).ssrc == created(replies[1]).ssrc


async def test_gaps_and_reordering_of_the_source_stay_visible() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        for offset in (0, 1, 4, 3, 5):
            a.send(to_a, sequence=1000 + offset, timestamp=160 * offset)
        got = await b.receive_many(5)
        assert [(packet.sequence - got[0].sequence) & 0xFFFF for packet in got] == [0, 1, 4, 3, 5]
        assert [(packet.timestamp - got[0].timestamp) & 0xFFFFFFFF for packet in got] == [0, 160, 640, 480, 800]


async def test_payload_types_are_mapped_when_the_sides_number_them_differently() -> None:
    async with peers(Peer(payload_type=97), Peer()) as (a, b), embedded() as engine:
        one = a.spec(Payload(97, "opus", 48000, 2), Payload(98, "telephone-event", 48000))
        two = b.spec(
            Payload(111, "OPUS", 48000, 2), Payload(112, "telephone-event", 48000), Payload(101, "telephone-event")
        )
        to_a, _ = await join(engine, a, b, one, two)
        a.send(to_a, b"opus")
        a.send(to_a, bytes((5, 0x0A, 0, 160)), payload_type=98)
        assert [packet.payload_type for packet in await b.receive_many(2)] == [111, 112]


async def test_the_two_laws_of_g711_are_transcoded_in_both_directions() -> None:
    async with peers(Peer(payload_type=0), Peer(payload_type=8)) as (a, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b, a.spec(PCMU), b.spec(PCMA))
        every_code = bytes(range(256))
        a.send(to_a, every_code)
        got = await b.receive()
        assert (got.payload_type, got.payload) == (8, g711.ulaw_to_alaw(every_code))
        b.send(to_b, every_code)
        got = await a.receive()
        assert (got.payload_type, got.payload) == (0, g711.alaw_to_ulaw(every_code))


async def test_a_codec_that_only_one_side_has_is_dropped_and_counted_by_name() -> None:
    async with peers(Peer(payload_type=111), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, _ = await join(engine, a, b, a.spec(Payload(111, "EVRC"), PCMU), b.spec(PCMU))
        a.send(to_a, b"evrc")
        a.send(to_a, b"\xff" * 160, payload_type=0)
        assert (await b.receive()).payload == b"\xff" * 160
        await accept(engine, DestroyEndpoint(1))
        assert (await events.wait(StreamReport)).dropped == {"no_codec": 1, "no_codec_EVRC": 1}


async def test_a_header_extension_contributing_sources_and_padding_are_taken_off() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        packet = bytearray(RtpPacket(0, 1, 2, 3, b"\1\2\3\4" + b"\xbe\xde\0\1abcd" + b"audio" + b"\0\0\3").encode())
        packet[0] = 0x80 | 0x20 | 0x10 | 1
        a.send_raw(to_a, bytes(packet))
        assert (await b.receive()).payload == b"audio"


async def test_ipv6_is_relayed_to_ipv4() -> None:
    async with peers(Peer("::1"), Peer()) as (a, b), embedded() as engine:
        to_a = await open_endpoint(engine, 1, a.spec(), "::1")
        to_b = await open_endpoint(engine, 2, b.spec())
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        a.send(to_a, b"six")
        b.send(to_b, b"four")
        assert (await b.receive()).payload == b"six"
        assert (await a.receive()).payload == b"four"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_packets_leave_with_expedited_forwarding(host: str) -> None:
    async with peers(Peer(host)) as (a,), embedded() as engine:
        level, name = (socket.IPPROTO_IPV6, 66) if ":" in host else (socket.IPPROTO_IP, socket.IP_RECVTOS)
        a.rtp.setsockopt(level, name, 1)
        to_a = await open_endpoint(engine, 1, a.spec(), host)
        await accept(engine, SetEcho(1))
        a.send(to_a)
        ready = asyncio.Event()
        asyncio.get_running_loop().add_reader(a.rtp.fileno(), ready.set)
        await ready.wait()
        asyncio.get_running_loop().remove_reader(a.rtp.fileno())
        _, ancillary, _, _ = a.rtp.recvmsg(2048, 64)
        assert ancillary[0][2][0] == 46 << 2


async def test_echo_sends_back_what_arrives_in_the_own_stream() -> None:
    async with peers(Peer(payload_type=111)) as (a,), embedded() as engine:
        to_a = await open_endpoint(engine, 1, a.spec(OPUS))
        await accept(engine, SetEcho(1))
        a.send(to_a, b"hello")
        got = await a.receive()
        assert (got.payload, got.payload_type) == (b"hello", 111)
        assert got.ssrc != a.ssrc
        await accept(engine, SetEcho(1, False))
        a.send(to_a)
        assert await a.hears_nothing()


async def test_while_echo_is_on_the_room_neither_hears_nor_is_heard() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b)
        await accept(engine, SetEcho(1))
        b.send(to_b)
        a.send(to_a, b"mine")
        assert (await a.receive()).payload == b"mine"
        assert await b.hears_nothing()
        assert await a.hears_nothing()


@pytest.mark.parametrize(
    ("direction", "is_heard", "hears"),
    [
        (Direction.SENDRECV, True, True),
        (Direction.SENDONLY, False, True),
        (Direction.RECVONLY, True, False),
        (Direction.INACTIVE, False, False),
    ],
)
async def test_directions_are_respected_both_ways(direction: Direction, is_heard: bool, hears: bool) -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b, a.spec(direction=direction), b.spec())
        a.send(to_a)
        b.send(to_b)
        assert await b.hears_nothing() is not is_heard
        assert await a.hears_nothing() is not hears


async def test_hold_and_resume_continue_one_stream() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        a.send(to_a)
        first = await b.receive()
        await accept(engine, ConfigureEndpoint(2, b.spec(direction=Direction.RECVONLY)))
        a.send(to_a)
        assert await b.hears_nothing()
        await accept(engine, ConfigureEndpoint(2, b.spec()))
        a.send(to_a)
        second = await b.receive()
        assert second.ssrc == first.ssrc
        assert (second.sequence - first.sequence) & 0xFFFF == 2  # what was not sent looks lost, as it is


async def test_a_restarted_source_continues_our_stream_with_a_marker() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        a.send(to_a)
        first = await b.receive()
        a.send(to_a, ssrc=0x9999, sequence=5, timestamp=77)
        second = await b.receive()
        assert (second.sequence - first.sequence) & 0xFFFF == 1
        assert 160 <= (second.timestamp - first.timestamp) & 0xFFFFFFFF < 8000
        assert (second.ssrc, second.marker) == (first.ssrc, True)


async def test_relay_tone_digit_and_relay_again_are_one_stream_without_a_gap() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, _ = await join(engine, a, b)
        a.send(to_a)
        got = await b.receive_many(1)
        await accept(engine, Play(2, 1, replace(TONE, steps=(((440.0,), 60),), loop=False)))
        a.send(to_a)  # suppressed while the tone plays
        got += await b.receive_many(3)
        await events.wait(PlayEnded)
        await accept(engine, SendDigits(2, "7", duration_ms=40, gap_ms=20))
        got += await b.receive_many(4)
        await asyncio.sleep(0.08)
        a.send(to_a)
        got += await b.receive_many(1)
        assert {packet.ssrc for packet in got} == {got[0].ssrc}
        assert [(packet.sequence - got[0].sequence) & 0xFFFF for packet in got] == list(range(9))
        assert [packet.payload_type for packet in got] == [0] * 4 + [101] * 4 + [0]
        assert [packet.marker for packet in got] == [True, True, False, False, True, False, False, False, True]
        times = [(packet.timestamp - got[0].timestamp) & 0xFFFFFFFF for packet in got]
        assert times == sorted(times)
        assert times[-1] - times[-2] >= 320  # behind the 40 ms of the digit


async def test_digits_pass_through_and_are_reported_once() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, _ = await join(engine, a, b, a.spec(PCMU, Payload(96, "telephone-event")), b.spec())
        for duration in (160, 320, 480):
            a.send(to_a, bytes((11, 10)) + duration.to_bytes(2, "big"), payload_type=96, timestamp=5000)
        for _ in range(3):
            a.send(to_a, bytes((11, 0x8A)) + (640).to_bytes(2, "big"), payload_type=96, timestamp=5000)
        got = await b.receive_many(6)
        assert {packet.payload_type for packet in got} == {101}
        assert len({packet.timestamp for packet in got}) == 1
        assert await events.wait(DigitReceived) == DigitReceived(1, "#", 80)
        a.send(to_a, bytes((1, 0x8A)) + (400).to_bytes(2, "big"), payload_type=96, timestamp=9000)
        await events.wait(DigitReceived, lambda event: event.digit == "1")
        assert len(events.of(DigitReceived)) == 2


async def test_a_digit_whose_end_packets_are_lost_is_reported_when_it_falls_silent() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec())
        a.send(to_a, bytes((9, 10)) + (800).to_bytes(2, "big"), payload_type=101)
        assert await events.wait(DigitReceived) == DigitReceived(1, "9", 100)


async def test_digits_are_sent_with_growing_duration_and_three_end_packets() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        await open_endpoint(engine, 1, a.spec())
        await accept(engine, SendDigits(1, "3*", duration_ms=60, gap_ms=40))
        got = await a.receive_many(10)
        assert [packet.payload[0] for packet in got] == [3] * 5 + [10] * 5
        assert [packet.payload[1] >> 7 for packet in got] == [0, 0, 1, 1, 1] * 2
        assert [int.from_bytes(packet.payload[2:4], "big") for packet in got] == [160, 320, 480, 480, 480] * 2
        assert [packet.marker for packet in got] == [True, False, False, False, False] * 2
        first, second = got[0].timestamp, got[5].timestamp
        assert [packet.timestamp for packet in got] == [first] * 5 + [second] * 5
        assert (second - first) & 0xFFFFFFFF >= 480 + 320


async def test_leaving_the_room_ends_the_relay_and_the_next_room_continues_the_stream() -> None:
    async with peers(Peer(), Peer(), Peer(ssrc=0x77)) as (a, b, c), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        to_c = await open_endpoint(engine, 3, c.spec())
        a.send(to_a)
        first = await b.receive()
        await accept(engine, LeaveRoom(1))
        a.send(to_a)
        assert await b.hears_nothing()
        await accept(engine, JoinRoom(1, 3))
        c.send(to_c)
        second = await b.receive()
        assert second.ssrc == first.ssrc
        assert (second.sequence - first.sequence) & 0xFFFF == 1


@pytest.mark.parametrize("sequence", [65500, 1500])
async def test_another_party_with_the_same_ssrc_continues_the_stream_as_any_other(sequence: int) -> None:
    async with peers(Peer(), Peer(), Peer()) as (a, b, c), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        to_c = await open_endpoint(engine, 3, c.spec())
        a.send(to_a)
        first = await b.receive()
        await accept(engine, LeaveRoom(1), JoinRoom(1, 3))
        c.send(to_c, sequence=sequence)
        second = await b.receive()
        assert (second.sequence - first.sequence) & 0xFFFF == 1
        assert second.marker


async def test_who_heard_its_echo_hears_another_party_with_its_ssrc() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b)
        await accept(engine, SetEcho(1))
        a.send(to_a)
        first = await a.receive()
        await accept(engine, SetEcho(1, False))
        b.send(to_b, sequence=65500)
        second = await a.receive()
        assert ((second.sequence - first.sequence) & 0xFFFF, second.marker) == (1, True)


async def test_audio_flows_once_both_sides_are_configured_in_whatever_order() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a = await open_endpoint(engine, 1, None)
        to_b = await open_endpoint(engine, 2, None)
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2), ConfigureEndpoint(2, b.spec()))
        b.send(to_b)
        assert await a.hears_nothing()
        await accept(engine, ConfigureEndpoint(1, a.spec()))
        b.send(to_b, b"now")
        assert (await a.receive()).payload == b"now"
        a.send(to_a, b"too")
        assert (await b.receive()).payload == b"too"


async def test_a_new_codec_is_carried_from_the_next_packet_on() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        await accept(engine, ConfigureEndpoint(2, b.spec(PCMA)))
        a.send(to_a, b"\xff" * 4)
        assert (await b.receive()).payload_type == 8


async def test_silence_is_told_again_and_again_and_a_packet_begins_it_anew() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, replace(a.spec(), silence_s=0.5))
        told = await events.wait(MediaSilent)
        assert told.endpoint == 1
        assert 0.5 <= told.silent_s < 0.9
        again = await events.wait(MediaSilent, lambda event: event is not told)
        assert 1.0 <= again.silent_s < 1.8
        a.send(to_a)
        anew = await events.wait(MediaSilent, lambda event: event not in (told, again))
        assert 0.5 <= anew.silent_s < 0.9


async def test_silence_is_not_told_where_none_is_expected_and_counted_from_when_it_is() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        await open_endpoint(engine, 1, a.spec())
        await open_endpoint(engine, 2, None)
        await asyncio.sleep(0.6)
        assert events.of(MediaSilent) == []
        await accept(engine, ConfigureEndpoint(1, replace(a.spec(direction=Direction.INACTIVE), silence_s=0.3)))
        assert (await events.wait(MediaSilent)).silent_s < 0.6


async def test_random_bytes_never_crash_and_are_never_forwarded() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, _ = await join(engine, a, b)
        chance = random.Random(4711)
        for sent in range(1, 401):
            noise = bytearray(chance.randbytes(chance.randrange(64)))
            if len(noise) > 11:
                noise[1] |= 0x20 if noise[1] & 0x7F not in (0, 101) else 0
                noise[1] = noise[1] if noise[1] & 0x7F not in (0, 101) else 0x7F
            a.send_raw(to_a, bytes(noise))
            await all_arrived(engine, sent)
        a.send_raw(to_a, bytes(4000))
        assert await b.hears_nothing()
        a.send(to_a, b"fine")
        assert (await b.receive()).payload == b"fine"
        await accept(engine, DestroyEndpoint(1))
        dropped = (await events.wait(StreamReport)).dropped
        assert sum(dropped.values()) == 401
        assert dropped["oversized"] == 1
        assert {"too_short", "bad_version", "unknown_payload"} <= dropped.keys()


async def test_a_vanished_peer_does_not_disturb_the_engine() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b)
        b.close()
        for _ in range(20):
            a.send(to_a)
        await all_arrived(engine, 20)
        await accept(engine, SetEcho(1))
        a.send(to_a, b"alive")
        assert (await a.receive()).payload == b"alive"
        assert to_b.port


async def test_the_last_report_counts_what_happened() -> None:
    async with peers(Peer(), Peer()) as (a, b), embedded() as engine:
        events = Events(engine)
        to_a, _ = await join(engine, a, b)
        for n in (0, 1, 2, 5, 6):
            a.send(to_a, sequence=n, timestamp=160 * n)
        await b.receive_many(5)
        await accept(engine, DestroyEndpoint(1), DestroyEndpoint(2))
        one = await events.wait(StreamReport, lambda report: report.endpoint == 1)
        two = await events.wait(StreamReport, lambda report: report.endpoint == 2)
        assert (one.received, one.sent, one.lost) == (5, 0, 2)
        assert (two.received, two.sent, two.lost) == (0, 5, 0)
        assert two.round_trip_ms is None
        assert len(events.of(SourceLearned)) == 1


async def test_ports_run_out_with_a_sentence_and_come_back_after_their_rest() -> None:
    async with embedded(first_port=31900, last_port=31903, quarantine_s=0.15) as engine:
        events = Events(engine)
        used = [
            created(reply).rtp.port for reply in await accept(engine, *(CreateEndpoint(n, "127.0.0.1") for n in (1, 2)))
        ]
        (reply,) = await engine.execute(CreateEndpoint(3, "127.0.0.1"))
        assert refused(reply) == "No RTP ports are free on 127.0.0.1 between 31900 and 31903."
        await accept(engine, CreateEndpoint(4, "127.0.0.2"), DestroyEndpoint(1))
        await events.wait(StreamReport)
        (reply,) = await engine.execute(CreateEndpoint(3, "127.0.0.1"))
        refused(reply)
        await asyncio.sleep(0.2)
        assert created((await accept(engine, CreateEndpoint(3, "127.0.0.1")))[0]).rtp.port == used[0]


async def test_ports_that_another_program_holds_are_skipped() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 31911))
        async with embedded(first_port=31910, last_port=31913) as engine:
            assert (await open_endpoint(engine, 1, None)).port == 31912
            (reply,) = await engine.execute(CreateEndpoint(2, "127.0.0.1"))
            assert refused(reply).startswith("No RTP ports are free")


async def test_an_address_of_another_machine_is_refused_with_a_sentence() -> None:
    async with embedded() as engine:
        (reply,) = await engine.execute(CreateEndpoint(1, "192.0.2.1"))
        assert refused(reply) == "192.0.2.1 is not an address of this machine."


@pytest.mark.real_loop("uvloop")
async def test_the_engine_works_on_uvloop() -> None:
    async with peers(Peer()) as (a,), embedded() as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec())
        await accept(engine, SetEcho(1), Play(1, 5, TONE), StopPlay(1, 5))
        assert (await events.wait(PlayEnded)).reason == "stopped"
        a.send(to_a)
        assert (await events.wait(SourceLearned)).source == a.address


async def test_every_kind_of_bad_packet_is_counted_by_its_reason_and_none_is_heard() -> None:
    async with peers(Peer(), Peer(), Peer("127.0.0.9")) as (a, b, stranger), embedded() as engine:
        events = Events(engine)
        to_a, _ = await join(engine, a, b)
        good = RtpPacket(0, 1, 160, 7, b"\xd5" * 160).encode()
        bad = {
            "too_short": [b"", b"\x80", good[:11]],
            "oversized": [good + bytes(2048), bytes(9000)],
            "bad_version": [b"\0" + good[1:], b"\x40" + good[1:], b"\xff" * 172],
            "bad_length": [b"\x8f" + good[1:40], b"\xa0" + good[1:-1] + b"\xff", b"\xa0" + good[1:-1] + b"\0"],
            "unknown_payload": [good[:1] + bytes([96]) + good[2:], good[:1] + bytes([13]) + good[2:]],
        }
        for packet in (packet for packets in bad.values() for packet in packets):
            a.send_raw(to_a, packet)
        stranger.send_raw(to_a, good)
        await all_arrived(engine, 14)
        assert await b.hears_nothing()
        a.send(to_a, b"fine")
        assert (await b.receive()).payload == b"fine"
        await accept(engine, DestroyEndpoint(1))
        report = await events.wait(StreamReport)
        assert report.dropped == {name: len(packets) for name, packets in bad.items()} | {"stranger": 1}
        assert report.received == 1
