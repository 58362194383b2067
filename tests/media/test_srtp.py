"""SRTP in the engine (RFC 3711, RFC 7714): against libsrtp as phones use it, over real sockets."""

import asyncio
import os
import struct
from dataclasses import replace

import pytest
from pylibsrtp import Policy, Session

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    HostPort,
    JoinRoom,
    MediaEngine,
    SetEcho,
    SourceLearned,
    SrtpKeys,
    StreamReport,
    StreamSpec,
)
from media.rtp.packet import RtpPacket, parse_packet
from media.rtp.rtcp import Report, parse_compound
from media.srtp.library import make_cipher
from media.srtp.suites import SUITES
from tests.media.peer import PCMU, Events, Peer, _receive, accept, created, embedded, peers, refused

pytestmark = pytest.mark.real_loop

CM = "AES_CM_128_HMAC_SHA1_80"
GCM = "AEAD_AES_128_GCM"
PROFILES = [suite.name for suite in SUITES.values() if suite.profile]


def new_keys(suite: str = CM) -> SrtpKeys:
    """As seen from the engine."""
    length = SUITES[suite].length
    return SrtpKeys(suite, send=os.urandom(length), receive=os.urandom(length))


def turned(keys: SrtpKeys) -> SrtpKeys:
    """The same keys seen from the other side."""
    return SrtpKeys(keys.suite, send=keys.receive, receive=keys.send)


class SecurePeer(Peer):
    """A phone that encrypts with pylibsrtp, which knows nothing of the engine."""

    keys: SrtpKeys

    def use(self, keys: SrtpKeys) -> "SecurePeer":
        """`keys` as the engine has them."""
        self.keys = keys
        profile = SUITES[keys.suite].profile
        self._out = Session(Policy(keys.receive, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        self._in = Session(Policy(keys.send, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
        return self

    def secure_spec(self) -> StreamSpec:
        return replace(self.spec(), crypto=self.keys)

    def sealed(self, packet: RtpPacket) -> bytes:
        return self._out.protect(packet.encode())

    def next_packet(self, payload: bytes = b"\xd5" * 160, **changes: int) -> RtpPacket:
        packet = RtpPacket(self.payload_type, self.sequence, self.timestamp, self.ssrc, payload)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 160) & 0xFFFFFFFF
        return replace(packet, **changes)  # type: ignore[arg-type]

    def say(self, to: HostPort, payload: bytes = b"\xd5" * 160, **changes: int) -> bytes:
        data = self.sealed(self.next_packet(payload, **changes))
        self.send_raw(to, data)
        return data

    async def hear(self) -> RtpPacket:
        return parse_packet(self._in.unprotect(await _receive(self.rtp, 2.0)))


async def join(engine: MediaEngine, a: SecurePeer, b: Peer) -> tuple[HostPort, HostPort]:
    replies = await accept(
        engine,
        CreateEndpoint(1, "127.0.0.1", a.secure_spec()),
        CreateEndpoint(2, "127.0.0.1", b.spec()),
        JoinRoom(1, 1),
        JoinRoom(1, 2),
    )
    return created(replies[0]).rtp, created(replies[1]).rtp


async def dropped(engine: MediaEngine, reason: str, count: int = 1) -> None:
    """The engine has counted so many packets under that reason."""
    async with asyncio.timeout(2.0):
        while (found := (await engine.describe()).dropped).get(reason, 0) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    assert found == {reason: count}


@pytest.mark.parametrize("suite", PROFILES)
async def test_an_encrypting_phone_and_another_hear_each_other(suite: str) -> None:
    a = SecurePeer().use(new_keys(suite))
    async with peers(a, Peer(ssrc=0x77)) as (_, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b)
        for number in range(12):  # its sequence numbers wrap on the way
            sound = os.urandom(160)
            assert sound not in a.say(to_a, sound)
            assert (await b.receive()).payload == sound
            b.send(to_b, sound[::-1])
            heard = await a.hear()
            assert (heard.payload, number) == (sound[::-1], number)


def test_suites_with_long_keys_which_dtls_does_not_know_open_what_they_seal_and_nothing_else() -> None:
    for name in ("AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32"):
        key = os.urandom(46)
        sender, receiver = make_cipher(name, key, sending=True), make_cipher(name, key, sending=False)
        packet = RtpPacket(0, 5, 160, 0x1234, b"sound" * 32).encode()
        sealed = sender.seal(packet)
        assert len(sealed) - len(packet) == (10 if name.endswith("80") else 4)
        assert b"sound" not in sealed
        assert receiver.open(sealed) == (packet, 0)
        other = make_cipher(name, os.urandom(46), sending=False)
        assert other.open(sealed)[0] == b""
        report = struct.pack("!BBHI", 0x80, 201, 1, 0x1234)
        assert receiver.open(sender.seal(report, True), True) == (report, 0)
        assert len(sender.seal(report, True)) == len(report) + 4 + 10


def test_a_sequence_number_is_never_sealed_twice_with_one_key() -> None:
    sender = make_cipher(GCM, os.urandom(28), sending=True)
    packet = RtpPacket(0, 5, 160, 0x1234, b"sound" * 32)
    assert sender.seal(packet.encode())
    assert sender.seal(replace(packet, payload=b"other" * 32).encode()) == b""


async def test_what_is_in_clear_or_under_another_key_is_dropped_and_no_source_is_learned_from_it() -> None:
    a, wrong = SecurePeer().use(new_keys()), SecurePeer().use(new_keys())
    async with peers(a, wrong, Peer(ssrc=0x77)) as (_, _, b), embedded() as engine:
        events = Events(engine)
        to_a, to_b = await join(engine, a, b)
        wrong.send(to_a)
        wrong.say(to_a)
        await dropped(engine, "srtp_auth", 2)
        assert await b.hears_nothing()
        b.send(to_b)
        await a.hear()  # and not the stranger
        assert all(event.endpoint == 2 for event in events.of(SourceLearned))
        a.say(to_a)
        await b.receive()
        assert (await events.wait(SourceLearned, lambda event: event.endpoint == 1)).source == a.address


@pytest.mark.parametrize("suite", [CM, GCM])
async def test_a_packet_is_heard_once_however_often_it_comes(suite: str) -> None:
    a = SecurePeer().use(new_keys(suite))
    async with peers(a, Peer()) as (_, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        data = a.say(to_a)
        await b.receive()
        a.send_raw(to_a, data)
        a.send_raw(to_a, data)
        await dropped(engine, "srtp_replay", 2)
        assert await b.hears_nothing()


@pytest.mark.parametrize("suite", [CM, GCM])
async def test_packets_cut_short_or_changed_are_counted_and_harm_nobody(suite: str) -> None:
    a = SecurePeer().use(new_keys(suite))
    async with peers(a, Peer()) as (_, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        data = a.sealed(a.next_packet())
        for size in range(len(data)):
            a.send_raw(to_a, data[:size])
        for at in range(0, len(data), 7):
            a.send_raw(to_a, data[:at] + bytes((data[at] ^ 0x40,)) + data[at + 1 :])
        a.send_raw(to_a, data)
        assert (await b.receive()).payload == b"\xd5" * 160
        assert await b.hears_nothing()
        counts = (await engine.describe()).dropped
        assert set(counts) <= {"too_short", "srtp_auth", "srtp_failed"}
        assert sum(counts.values()) == len(data) + len(range(0, len(data), 7))


@pytest.mark.parametrize("suite", [CM, GCM])
async def test_new_keys_take_over_while_packets_of_before_are_on_the_way(suite: str) -> None:
    a = SecurePeer().use(new_keys(suite))
    async with peers(a, Peer(ssrc=0x77)) as (_, b), embedded() as engine:
        to_a, to_b = await join(engine, a, b)
        a.say(to_a)
        await b.receive()
        late = a.sealed(a.next_packet(b"late" * 40))
        a.use(new_keys(suite))
        await accept(engine, ConfigureEndpoint(1, a.secure_spec()))
        a.send_raw(to_a, late)
        assert (await b.receive()).payload == b"late" * 40
        a.say(to_a, b"new." * 40)
        assert (await b.receive()).payload == b"new." * 40
        b.send(to_b, b"back" * 40)
        assert (await a.hear()).payload == b"back" * 40
        assert (await engine.describe()).dropped == {}


async def test_the_same_keys_once_more_keep_the_memory_of_what_was_seen() -> None:
    a = SecurePeer().use(new_keys())
    async with peers(a, Peer()) as (_, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        data = a.say(to_a)
        await b.receive()
        await accept(engine, ConfigureEndpoint(1, replace(a.secure_spec(), ptime_ms=30)))
        a.send_raw(to_a, data)
        await dropped(engine, "srtp_replay")


async def test_a_source_that_changes_its_ssrc_is_heard_but_not_hundreds_of_times() -> None:
    a = SecurePeer().use(new_keys())
    async with peers(a, Peer()) as (_, b), embedded() as engine:
        to_a, _ = await join(engine, a, b)
        for ssrc in range(1, 33):
            a.say(to_a, ssrc=ssrc)
            await b.receive()
        a.say(to_a, ssrc=33)
        await dropped(engine, "srtp_sources")
        a.say(to_a, ssrc=32)
        await b.receive()


async def test_reports_are_encrypted_both_ways() -> None:
    a = SecurePeer().use(new_keys())
    async with peers(a), embedded() as engine:
        events = Events(engine)
        to_a = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", a.secure_spec())))[0]).rtp
        await accept(engine, SetEcho(1))
        a.say(to_a)
        echoed = await a.hear()
        # A receiver report that says that 7 of our packets were lost.
        block = struct.pack("!IIIIII", echoed.ssrc, 7, echoed.sequence, 0, 0, 0)
        report = struct.pack("!BBHI", 0x81, 201, 7, a.ssrc) + block
        to_control = (to_a.host, to_a.port + 1)
        a.rtcp.sendto(report, to_control)  # in clear: not believed
        await dropped(engine, "srtp_failed")
        a.rtcp.sendto(a._out.protect_rtcp(report), to_control)
        first = await _receive(a.rtcp, 4.0)
        plain = a._in.unprotect_rtcp(first)
        assert plain[8:] not in first
        found = parse_compound(plain)
        assert isinstance(found[0], Report)
        assert found[0].ssrc == echoed.ssrc
        await accept(engine, DestroyEndpoint(1))
        told = await events.wait(StreamReport)
        assert told.remote_lost == 7
        assert told.dropped == {"srtp_failed": 1}


async def test_keys_are_checked_and_never_shown() -> None:
    a = SecurePeer().use(new_keys())
    assert a.keys.send.hex() not in repr(a.secure_spec())
    assert repr(a.keys.send) not in repr(a.secure_spec())
    async with peers(a), embedded() as engine:
        for keys in (SrtpKeys("NONE", b"", b""), SrtpKeys(CM, bytes(30), bytes(29)), SrtpKeys(GCM, b"", bytes(28))):
            (reply,) = await engine.execute(CreateEndpoint(1, "127.0.0.1", replace(a.spec(), crypto=keys)))
            assert keys.suite in refused(reply)
        created((await accept(engine, CreateEndpoint(1, "127.0.0.1", replace(a.spec(PCMU), crypto=a.keys))))[0])
