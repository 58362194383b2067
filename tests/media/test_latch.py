"""A stranger never hears a call and never speaks into it; a phone behind NAT is found. Real sockets on 127.0.0.x."""

import pytest

from media.api import (
    ConfigureEndpoint,
    DestroyEndpoint,
    HostPort,
    MediaEngine,
    Play,
    SetEcho,
    SourceLearned,
    StreamReport,
    ToneSource,
)
from media.rtp.latch import Latch
from tests.media.peer import Events, Peer, accept, embedded, open_endpoint, peers

pytestmark = pytest.mark.real_loop

PHONE, SIGNALLING, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.9"
MS = 1_000_000


async def report_of(engine: MediaEngine, events: Events) -> StreamReport:
    await accept(engine, DestroyEndpoint(1))
    return await events.wait(StreamReport)


async def dropped(engine: MediaEngine, events: Events) -> dict[str, int]:
    return dict((await report_of(engine, events)).dropped)


async def test_a_stranger_who_speaks_first_hears_nothing_and_changes_nothing() -> None:
    async with peers(Peer(PHONE), Peer(STRANGER)) as (phone, stranger), embedded() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, phone.spec(sources=(SIGNALLING,)))
        await accept(engine, SetEcho(1))
        for _ in range(5):
            stranger.send(to, b"let me in")
        assert await stranger.hears_nothing()
        assert await phone.hears_nothing()
        assert events.of(SourceLearned) == []
        phone.send(to, b"hello")
        assert (await phone.receive()).payload == b"hello"
        stranger.send(to, b"again")
        assert await phone.hears_nothing()
        assert await stranger.hears_nothing()
        assert await dropped(engine, events) == {"stranger": 6}
        assert [event.source for event in events.of(SourceLearned)] == [phone.address]


async def test_before_the_first_packet_audio_goes_to_the_address_of_the_sdp_only() -> None:
    async with peers(Peer(PHONE), Peer(STRANGER)) as (phone, stranger), embedded() as engine:
        to = await open_endpoint(engine, 1, phone.spec())
        stranger.send(to)
        await accept(engine, Play(1, 1, ToneSource((((440.0,), 100),))))
        assert len((await phone.receive()).payload) == 160
        assert await stranger.hears_nothing()


async def test_a_phone_behind_nat_is_learned_from_the_address_of_its_signalling() -> None:
    async with peers(Peer(SIGNALLING), Peer(STRANGER)) as (phone, stranger), embedded() as engine:
        events = Events(engine)
        private = Peer("127.0.0.77")
        try:
            to = await open_endpoint(engine, 1, private.spec(sources=(SIGNALLING,)))
            await accept(engine, SetEcho(1))
            stranger.send(to)
            phone.send(to, b"from outside")
            assert (await phone.receive()).payload == b"from outside"
            assert (await events.wait(SourceLearned)).source == phone.address
            assert await private.hears_nothing()
        finally:
            private.close()


async def test_another_port_of_the_same_address_cannot_take_over_a_live_stream() -> None:
    async with peers(Peer(PHONE), Peer(PHONE)) as (phone, other), embedded() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, phone.spec())
        await accept(engine, SetEcho(1))
        phone.send(to)
        await phone.receive()
        for _ in range(5):
            other.send(to)
        assert await other.hears_nothing()
        assert await phone.hears_nothing()
        assert await dropped(engine, events) == {"not_source": 5}


async def test_the_address_of_the_sdp_takes_over_from_whoever_was_learned_before_it() -> None:
    async with peers(Peer(PHONE), Peer(PHONE)) as (phone, other), embedded() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, phone.spec())
        await accept(engine, SetEcho(1))
        other.send(to, b"first")
        assert (await other.receive()).payload == b"first"
        phone.send(to, b"mine")
        assert (await phone.receive()).payload == b"mine"
        other.send(to)
        assert await other.hears_nothing()
        await report_of(engine, events)
        assert [event.source for event in events.of(SourceLearned)] == [other.address, phone.address]


async def test_a_new_port_in_a_re_invite_is_used_at_once_and_late_packets_do_not_bring_the_old_one_back() -> None:
    async with peers(Peer(PHONE), Peer(PHONE)) as (old, new), embedded() as engine:
        to = await open_endpoint(engine, 1, old.spec())
        await accept(engine, SetEcho(1))
        old.send(to)
        await old.receive()
        await accept(engine, ConfigureEndpoint(1, new.spec()))
        old.send(to, b"late")
        assert await old.hears_nothing()
        assert await new.hears_nothing()
        new.send(to, b"here")
        assert (await new.receive()).payload == b"here"


async def test_the_same_parameters_again_keep_the_learned_source() -> None:
    async with peers(Peer(PHONE), Peer(PHONE)) as (phone, natted), embedded() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, phone.spec())
        await accept(engine, SetEcho(1))
        natted.send(to)
        await natted.receive()
        await accept(engine, ConfigureEndpoint(1, phone.spec()))
        natted.send(to, b"still me")
        assert (await natted.receive()).payload == b"still me"
        await report_of(engine, events)
        assert len(events.of(SourceLearned)) == 1


async def test_a_payload_type_that_was_not_negotiated_teaches_no_source() -> None:
    async with peers(Peer(PHONE)) as (phone,), embedded() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, phone.spec())
        phone.send(to, payload_type=35)
        assert await phone.hears_nothing()
        assert await dropped(engine, events) == {"unknown_payload": 1}
        assert events.of(SourceLearned) == []


def test_a_silent_source_is_replaced_after_two_seconds_and_two_packets_in_sequence() -> None:
    latch = Latch(HostPort(PHONE, 4000), (PHONE,))
    learned, moved = HostPort(PHONE, 5000), HostPort(PHONE, 6000)
    assert latch.receive(learned, 1, 10, 0) == ""
    assert latch.receive(moved, 2, 50, 1999 * MS) == "not_source"
    assert latch.receive(moved, 2, 51, 2000 * MS) == "probation"
    assert latch.receive(moved, 2, 53, 2020 * MS) == "probation"
    assert latch.receive(moved, 2, 54, 2040 * MS) == ""
    assert latch.target == moved
    assert latch.receive(learned, 1, 11, 2060 * MS) == "not_source"


def test_two_candidates_by_turns_never_pass_the_probation() -> None:
    latch = Latch(HostPort(PHONE, 4000), (PHONE,))
    latch.receive(HostPort(PHONE, 5000), 1, 10, 0)
    for step in range(10):
        source = HostPort(PHONE, 6000 + 2 * (step % 2))
        assert latch.receive(source, 7, step, (3000 + step) * MS) == "probation"
    assert latch.target == HostPort(PHONE, 5000)
