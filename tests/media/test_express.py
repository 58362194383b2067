"""A settled stream gets a connected socket of its own; nobody may notice, a stranger least of all."""

import asyncio
import os
import socket

import pytest

from media.api import ConfigureEndpoint, DestroyEndpoint, HostPort, MediaEngine, SetEcho, StreamReport
from tests.media.peer import Events, Peer, accept, embedded, open_endpoint, peers
from tests.media.test_relay import all_arrived

pytestmark = pytest.mark.real_loop


def open_sockets() -> int:
    return sum(os.path.islink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))


async def settle(engine: MediaEngine, phone: Peer, to: HostPort) -> None:
    """Speak for so long that the engine connects a socket to us."""
    before = open_sockets()
    heard = (await engine.describe()).packets_in
    for count in range(1, 61):
        phone.send(to)
        await all_arrived(engine, heard + count)
        await phone.receive()
    async with asyncio.timeout(2.0):
        while open_sockets() == before:  # noqa: ASYNC110 - the engine's thread opens it
            await asyncio.sleep(0.01)


async def test_a_settled_stream_goes_on_in_one_sequence() -> None:
    async with peers(Peer()) as (phone,), embedded() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, phone.spec())
        await accept(engine, SetEcho(1))
        phone.send(to)
        first = await phone.receive()
        await settle(engine, phone, to)
        phone.send(to, b"after")
        after = await phone.receive()
        assert after.payload == b"after"
        assert (after.sequence - first.sequence) & 0xFFFF == 61
        before = open_sockets()
        await accept(engine, DestroyEndpoint(1))
        report = await events.wait(StreamReport)
        assert (report.received, report.sent, report.lost, report.dropped) == (62, 62, 0, {})
        assert open_sockets() == before - 3


async def test_strangers_are_still_dropped_and_counted() -> None:
    async with peers(Peer(), Peer("127.0.0.9"), Peer()) as (phone, stranger, neighbour), embedded() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, phone.spec())
        await accept(engine, SetEcho(1))
        await settle(engine, phone, to)
        for _ in range(3):
            stranger.send(to, b"intruder")
            neighbour.send(to, b"intruder")
        assert await stranger.hears_nothing()
        assert await phone.hears_nothing()
        phone.send(to, b"still me")
        assert (await phone.receive()).payload == b"still me"
        await accept(engine, DestroyEndpoint(1))
        assert (await events.wait(StreamReport)).dropped == {"stranger": 3, "not_source": 3}


async def test_another_program_cannot_share_the_port_of_a_settled_stream() -> None:
    async with peers(Peer()) as (phone,), embedded() as engine:
        to = await open_endpoint(engine, 1, phone.spec())
        await accept(engine, SetEcho(1))
        await settle(engine, phone, to)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
                thief.setsockopt(socket.SOL_SOCKET, option, 1)
                with pytest.raises(OSError, match="in use"):
                    thief.bind((to.host, to.port))


async def test_a_re_invite_to_another_port_is_followed_at_once() -> None:
    async with peers(Peer(), Peer()) as (old, new), embedded() as engine:
        to = await open_endpoint(engine, 1, old.spec())
        await accept(engine, SetEcho(1))
        await settle(engine, old, to)
        before = open_sockets()
        await accept(engine, ConfigureEndpoint(1, new.spec()))
        new.send(to, b"here")
        assert (await new.receive()).payload == b"here"
        assert await old.hears_nothing()
        assert open_sockets() == before - 1


async def test_the_address_of_the_sdp_still_takes_over() -> None:
    async with peers(Peer(), Peer()) as (phone, other), embedded() as engine:
        to = await open_endpoint(engine, 1, phone.spec())
        await accept(engine, SetEcho(1))
        await settle(engine, other, to)
        phone.send(to, b"mine")
        assert (await phone.receive()).payload == b"mine"


@pytest.mark.parametrize("host", ["127.0.0.3", "::1"])
async def test_every_kind_of_address_settles(host: str) -> None:
    async with peers(Peer(host)) as (phone,), embedded() as engine:
        to = await open_endpoint(engine, 1, phone.spec(), host)
        await accept(engine, SetEcho(1))
        await settle(engine, phone, to)
        phone.send(to, b"fine")
        assert (await phone.receive()).payload == b"fine"


async def test_a_peer_that_vanished_after_settling_does_no_harm() -> None:
    async with peers(Peer(), Peer()) as (phone, other), embedded() as engine:
        to = await open_endpoint(engine, 1, phone.spec())
        to_other = await open_endpoint(engine, 2, other.spec())
        await accept(engine, SetEcho(1), SetEcho(2))
        await settle(engine, phone, to)
        for _ in range(3):
            phone.send(to)
        phone.close()
        await asyncio.sleep(0.05)
        other.send(to_other, b"alive")
        assert (await other.receive()).payload == b"alive"
