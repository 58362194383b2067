"""ICE and DTLS on the media path: against aioice as a full agent, and against everything that is no such packet."""

import asyncio
import logging
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import aioice
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.api import (
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    DtlsPeer,
    EndpointCreated,
    HostPort,
    IceSpec,
    JoinRoom,
    MediaEngine,
    SrtpKeys,
    StreamSpec,
)
from media.rtp.packet import RtpPacket, parse_packet
from media.srtp.cipher import CipherBox
from media.srtp.library import make_cipher
from media.webrtc.dtls import Association, State, identity
from media.webrtc.ice import MAX_CHECKED, LiteAgent
from media.webrtc.peer import Engine
from media.webrtc.peer import Peer as HandshakePeer
from media.webrtc.stun import (
    ERROR,
    ERROR_CODE,
    ICE_CONTROLLED,
    INTEGRITY,
    PRIORITY,
    REQUEST,
    SUCCESS,
    USE_CANDIDATE,
    USERNAME,
    XOR_MAPPED_ADDRESS,
    read_stun,
    write_stun,
)
from tests.media.peer import PCMU, Peer, accept, created, embedded, open_endpoint, peers, refused

SPEC = IceSpec("ours", "p" * 24, "theirs", "q" * 24)
SOURCE = HostPort("192.0.2.9", 4000)
OURS = tuple(identity().fingerprint.split(" "))
PRINTS = ((OURS[0], OURS[1]),)


# --- STUN ------------------------------------------------------------------------------------------------------------


def check(*, name: str = "ours:theirs", password: str = SPEC.password, **more: bytes) -> bytes:
    """A connectivity check; `more` are further attributes by the names of their constants."""
    numbers = {"use": USE_CANDIDATE, "controlled": ICE_CONTROLLED, "odd": 0x7777}
    attributes = {USERNAME: name.encode(), PRIORITY: bytes(4)} | {numbers[key]: value for key, value in more.items()}
    return write_stun(REQUEST, b"abcdefghijkl", attributes, password.encode())


def test_messages_are_those_of_another_implementation() -> None:
    message = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST, b"abcdefghijkl")
    message.attributes["USERNAME"] = "ours:theirs"
    message.attributes["PRIORITY"] = 7
    message.add_message_integrity(SPEC.password.encode())
    found = read_stun(bytes(message))
    assert found is not None
    assert found.attributes[USERNAME] == b"ours:theirs"
    assert found.is_signed_with(SPEC.password.encode())
    assert not found.is_signed_with(b"another")
    reply = LiteAgent(SPEC).receive(bytes(message), SOURCE).reply
    theirs = aioice.stun.parse_message(reply)
    assert theirs.attributes["XOR-MAPPED-ADDRESS"] == (SOURCE.host, SOURCE.port)
    again = LiteAgent(SPEC).receive(bytes(message), HostPort("2001:db8::7", 9)).reply
    assert aioice.stun.parse_message(again).attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::7", 9)


def test_whatever_is_changed_or_cut_is_no_message() -> None:
    whole = check()
    assert read_stun(whole) is not None
    for size in range(len(whole)):
        assert read_stun(whole[:size]) is None
    for at in range(len(whole)):
        assert read_stun(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]) is None
    assert read_stun(whole + bytes(4)) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader_or_the_agent(data: bytes) -> None:
    body = data[: len(data) // 4 * 4]
    for each in (
        data,
        write_stun(REQUEST, bytes(12), {}) + data,
        struct.pack("!HHI12s", 1, len(body), 0x2112A442, bytes(12)) + body,
    ):
        read_stun(each)
        assert not LiteAgent(SPEC).receive(each, SOURCE).is_chosen


@given(
    st.dictionaries(
        st.integers(0, 0xFFFF).filter(lambda n: n not in (INTEGRITY, 0x8028)), st.binary(max_size=50), max_size=6
    )
)
def test_attributes_come_back_as_they_were_written(attributes: dict[int, bytes]) -> None:
    found = read_stun(write_stun(SUCCESS, b"abcdefghijkl", attributes, b"secret"))
    assert found is not None
    assert {name: value for name, value in found.attributes.items() if name not in (INTEGRITY, 0x8028)} == attributes
    assert found.is_signed_with(b"secret")


# --- a lite agent ----------------------------------------------------------------------------------------------------


def error_of(reply: bytes) -> int:
    found = read_stun(reply)
    assert found is not None
    assert found.kind == ERROR
    return found.attributes[ERROR_CODE][2] * 100 + found.attributes[ERROR_CODE][3]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (write_stun(REQUEST, bytes(12), {}), 400),
        (write_stun(REQUEST, bytes(12), {USERNAME: b"ours:theirs"}), 400),  # not signed
        (check(name="others:theirs"), 401),
        (check(password="wrong"), 401),
        (check(odd=b""), 420),
        (check(controlled=bytes(8)), 487),
    ],
)
def test_what_is_no_proper_check_is_refused_and_opens_nothing(data: bytes, status: int) -> None:
    agent = LiteAgent(SPEC)
    assert error_of(agent.receive(data, SOURCE).reply) == status
    assert not agent.checked
    assert agent.chosen is None


def test_the_peer_chooses_the_way_and_may_choose_again() -> None:
    agent, other = LiteAgent(SPEC), HostPort("192.0.2.9", 4001)
    first = agent.receive(check(), SOURCE)
    answer = read_stun(first.reply)
    assert first.is_chosen  # until the peer has nominated another one
    assert answer is not None
    assert answer.kind == SUCCESS
    assert XOR_MAPPED_ADDRESS in answer.attributes
    assert not agent.receive(check(), other).is_chosen
    assert agent.receive(check(use=b""), other).is_chosen
    assert agent.chosen == other
    assert not agent.receive(check(use=b""), other).is_chosen
    agent.restart(replace(SPEC, ufrag="news", password="n" * 24))
    assert error_of(agent.receive(check(use=b""), SOURCE).reply) == 401
    assert agent.chosen == other
    assert agent.receive(check(name="news:theirs", password="n" * 24, use=b""), SOURCE).is_chosen


def test_a_peer_cannot_show_any_number_of_addresses() -> None:
    agent = LiteAgent(SPEC)
    for port in range(1, 100):
        agent.receive(check(), HostPort("192.0.2.9", port))
    assert len(agent.checked) == MAX_CHECKED


def test_indications_and_responses_get_no_answer() -> None:
    for kind in (0x0011, SUCCESS, ERROR, 0x0003):
        assert LiteAgent(SPEC).receive(write_stun(kind, bytes(12), {}, SPEC.password.encode()), SOURCE).reply == b""


# --- DTLS ------------------------------------------------------------------------------------------------------------


def shake(client: Association, server: Association, lost: Callable[[int], bool] = lambda _: False) -> None:
    """Carry packets to and fro until nothing is left to say; `lost` says which ones do not arrive."""
    client.start()
    count = 0
    for _ in range(20):
        for one, other in ((client, server), (server, client)):
            for packet in one.outgoing():
                assert len(packet) <= 1200
                if not lost(count):
                    other.receive(packet)
                count += 1


def test_both_sides_have_the_same_keys_after_the_handshake() -> None:
    client, server = Association(DtlsPeer(PRINTS, True)), Association(DtlsPeer(PRINTS, False))
    shake(client, server)
    assert (client.state, server.state) == (State.AGREED, State.AGREED)
    assert client.keys is not None
    assert server.keys is not None
    assert (client.keys.send, client.keys.receive) == (server.keys.receive, server.keys.send)
    assert client.keys.send != client.keys.receive
    assert client.timeout_s is None
    client.close()
    for packet in client.outgoing():
        server.receive(packet)
    assert server.state is State.CLOSED


@pytest.mark.parametrize("prints", [(("sha-256", "00" + ":00" * 31),), (("sha-512", "AB" + ":AB" * 63),)])
def test_a_peer_with_another_certificate_gets_no_keys(prints: tuple[tuple[str, str], ...]) -> None:
    client, server = Association(DtlsPeer(PRINTS, True)), Association(DtlsPeer(prints, False))
    shake(client, server)
    assert server.state is State.FAILED
    assert server.keys is None
    assert "certificate" in server.why


@settings(deadline=None, max_examples=50)  # each has a handshake of its own
@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
def test_garbage_is_no_handshake_and_breaks_nothing(packets: list[bytes], is_client: bool) -> None:
    association = Association(DtlsPeer(PRINTS, is_client))
    association.start()
    for packet in packets:
        association.receive(packet)
        association.receive(b"\x16\xfe\xff" + packet)
        association.outgoing()
    assert association.keys is None


def test_a_handshake_goes_on_after_garbage() -> None:
    client, server = Association(DtlsPeer(PRINTS, True)), Association(DtlsPeer(PRINTS, False))
    server.receive(b"\x16\xfe\xfd" + bytes(60))
    server.receive(os.urandom(100))
    shake(client, server)
    assert server.state is State.AGREED


def test_a_phone_that_is_quicker_than_call_control_need_not_say_hello_again() -> None:
    sent: list[bytes] = []
    keys: list[SrtpKeys] = []
    ours = HandshakePeer(1, Engine(lambda data, to: sent.append(data), lambda to: None, keys.append))
    phone = Association(DtlsPeer(PRINTS, True))
    phone.start()
    for packet in phone.outgoing():
        ours.receive(packet, SOURCE, 10.0)
    ours.configure(StreamSpec(SOURCE, (PCMU,), dtls=DtlsPeer(PRINTS, False)), (SOURCE.host,), 10.01)
    for _ in range(4):
        for packet in sent:
            phone.receive(packet)
        sent.clear()
        for packet in phone.outgoing():
            ours.receive(packet, SOURCE, 10.02)
    assert phone.state is State.AGREED
    assert len(keys) == 1


# --- the engine ------------------------------------------------------------------------------------------------------


class Browser:
    """A full ICE agent with DTLS behind it."""

    def __init__(self, *, is_client: bool, fingerprint: str) -> None:
        self.ice = aioice.Connection(ice_controlling=True, components=1, use_ipv6=False)
        self.is_client = is_client
        self.fingerprint = fingerprint
        self.skip = 0

    def spec(self, *, fingerprints: tuple[tuple[str, str], ...] = PRINTS) -> StreamSpec:
        return StreamSpec(
            HostPort("0.0.0.0", 0),
            (PCMU,),
            rtcp_mux=True,
            dtls=DtlsPeer(fingerprints, not self.is_client),
            ice=IceSpec("ours", "p" * 24, self.ice.local_username, self.ice.local_password),
        )

    async def connect(self, to: HostPort) -> None:
        await self.ice.gather_candidates()
        self.ice.remote_username, self.ice.remote_password, self.ice.remote_is_lite = "ours", "p" * 24, True
        line = f"1 1 udp 2130706431 {to.host} {to.port} typ host"
        await self.ice.add_remote_candidate(aioice.Candidate.from_sdp(line))
        await self.ice.add_remote_candidate(None)
        await self.ice.connect()

    async def shake(self, timeout_s: float = 5.0) -> SrtpKeys:
        """Until there are keys; the first `skip` packets of ours are lost."""
        name, digits = self.fingerprint.split(" ")
        association = Association(DtlsPeer(((name, digits),), self.is_client))
        association.start()
        async with asyncio.timeout(timeout_s):
            while True:
                for packet in association.outgoing():
                    if self.skip:
                        self.skip -= 1
                    else:
                        await self.ice.send(packet)
                if association.keys is not None:
                    break
                try:
                    async with asyncio.timeout(association.timeout_s):
                        association.receive(await self.ice.recv())
                except TimeoutError:
                    association.expire()
        self._out: CipherBox = make_cipher(association.keys.suite, association.keys.send, sending=True)
        self._in: CipherBox = make_cipher(association.keys.suite, association.keys.receive, sending=False)
        return association.keys

    async def say(self, sequence: int, sound: bytes) -> None:
        await self.ice.send(self._out.seal(RtpPacket(0, sequence, 160 * sequence, 0xB0, sound).encode()))

    async def hear(self) -> RtpPacket:
        async with asyncio.timeout(2.0):
            while True:
                data = await self.ice.recv()
                if data[0] >= 128 and not 192 <= data[1] <= 223:
                    return parse_packet(self._in.open(data)[0])


@asynccontextmanager
async def browser(engine: MediaEngine, *, is_client: bool) -> AsyncIterator[tuple[Browser, EndpointCreated]]:
    """Endpoint 1 that shakes hands, and who wants to talk to it."""
    made = created((await accept(engine, CreateEndpoint(1, "127.0.0.1", handshake=True)))[0])
    found = Browser(is_client=is_client, fingerprint=made.fingerprint)
    # aioice has no loopback candidates by itself.
    aioice.ice.get_host_addresses, before = (lambda **_: ["127.0.0.1"]), aioice.ice.get_host_addresses
    try:
        yield found, made
    finally:
        aioice.ice.get_host_addresses = before
        await found.ice.close()


async def configured(engine: MediaEngine, spec: StreamSpec) -> None:
    await accept(engine, ConfigureEndpoint(1, spec))


@pytest.mark.real_loop
@pytest.mark.parametrize("is_client", [True, False])
async def test_a_browser_and_a_phone_talk_through_the_engine(is_client: bool) -> None:
    async with peers(Peer()) as (phone,), embedded() as engine, browser(engine, is_client=is_client) as (page, made):
        await configured(engine, page.spec())
        to_phone_side = await open_endpoint(engine, 2, phone.spec())
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        await page.connect(made.rtp)
        await page.shake()
        await asyncio.sleep(0.1)  # until our side has read the last of it as well
        for sequence in range(5):
            sound = os.urandom(160)
            await page.say(sequence, sound)
            assert (await phone.receive()).payload == sound
            phone.send(to_phone_side, sound[::-1])
            assert (await page.hear()).payload == sound[::-1]
        stranger = Peer()
        stranger.send(made.rtp)
        assert await phone.hears_nothing()
        stranger.close()
        assert (await engine.describe()).dropped == {"srtp_auth": 1}
        await accept(engine, DestroyEndpoint(1))


@pytest.mark.real_loop
async def test_lost_packets_of_a_handshake_are_sent_again() -> None:
    async with embedded() as engine, browser(engine, is_client=True) as (page, made):
        await configured(engine, page.spec())
        await page.connect(made.rtp)
        page.skip = 1
        await page.shake()


@pytest.mark.real_loop
async def test_who_shows_another_certificate_is_not_heard(caplog: pytest.LogCaptureFixture) -> None:
    wrong = (("sha-256", "00" + ":00" * 31),)
    async with peers(Peer()) as (phone,), embedded() as engine, browser(engine, is_client=True) as (page, made):
        await configured(engine, page.spec(fingerprints=wrong))
        await open_endpoint(engine, 2, phone.spec())
        await accept(engine, JoinRoom(1, 1), JoinRoom(1, 2))
        await page.connect(made.rtp)
        with caplog.at_level(logging.WARNING):
            await page.shake()
        await page.say(1, bytes(160))
        assert await phone.hears_nothing()
        assert (await engine.describe()).dropped == {"srtp_waiting": 1}
        assert "certificate" in caplog.text


@pytest.mark.real_loop
async def test_handshakes_from_who_has_not_been_checked_are_passed_over_and_floods_are_bounded() -> None:
    async with peers(Peer()) as (stranger,), embedded() as engine, browser(engine, is_client=False) as (page, made):
        await configured(engine, page.spec())
        hello = Association(DtlsPeer(PRINTS, True))
        hello.start()
        for packet in hello.outgoing():
            stranger.send_raw(made.rtp, packet)
        assert await stranger.hears_nothing()
        for number in range(300):
            stranger.send_raw(made.rtp, bytes((number % 4,)) + bytes(99))
        assert await stranger.hears_nothing()
        assert (await engine.describe()).dropped["handshake_flood"] >= 100
        await page.connect(made.rtp)
        await page.shake()


@pytest.mark.real_loop
async def test_an_endpoint_made_without_a_handshake_cannot_have_one() -> None:
    async with embedded() as engine:
        page = Browser(is_client=True, fingerprint=identity().fingerprint)
        (reply,) = await engine.execute(CreateEndpoint(1, "127.0.0.1", page.spec()))
        assert "shake hands" in refused(reply)
        assert page.ice.local_password not in repr(page.spec())
