"""Rooms whose members are on different media workers: processes, sockets and tones."""

import asyncio
import math
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media import EngineConfig, open_engine
from media.api import (
    WHOLE_ROOM,
    CreateEndpoint,
    DestroyEndpoint,
    DigitReceived,
    EngineFailed,
    HostPort,
    JoinRoom,
    LeaveRoom,
    PlayToRoom,
    RecordingEnded,
    RecordRoom,
    RoomPlayEnded,
    SendDigits,
    SetGain,
    StopRecording,
    StreamReport,
    StreamSpec,
    TalkStarted,
    ToneSource,
)
from media.worker import spare
from media.worker.placement import Placement
from media.worker.supervisor import MediaSupervisor
from tests.media.codecs import G722
from tests.media.party import Party, converse
from tests.media.peer import PCMA, PCMU, Events, accept, created, peers, refused

LOCAL = "127.0.0.1"


@asynccontextmanager
async def workers(*parties: Party) -> AsyncIterator[MediaSupervisor]:
    """Two workers; each party is on another one than the party before it."""
    engine = await open_engine(EngineConfig(32000, 32399, workers=2))
    assert isinstance(engine, MediaSupervisor)
    try:
        for party in parties:
            group = 1 + party.number % 2
            (reply,) = await accept(engine, CreateEndpoint(party.number, LOCAL, party.stream(), group))
            party.to, worker = created(reply).rtp, created(reply).worker
            assert worker == (party.number + 1) % 2
        yield engine
    finally:
        await engine.close()


def forget(*parties: Party) -> None:
    for party in parties:
        party.heard.clear()


@pytest.mark.real_loop
async def test_members_on_different_workers_hear_each_other_and_one_of_them_may_be_deaf_to_another() -> None:
    async with (
        peers(Party(1, 400, PCMU), Party(2, 900, G722), Party(3, 1500, PCMA)) as (a, b, c),
        workers(a, b, c) as engine,
    ):
        events = Events(engine)
        engine.submit(*(JoinRoom(5, number, tells=True) for number in (1, 2, 3)))
        await converse((a, b, c), 1.0)
        assert (a.tones(2), b.tones(2), c.tones(2)) == ([900, 1500], [400, 1500], [400, 900])
        assert {event.endpoint for event in events.of(TalkStarted)} == {1, 2, 3}
        assert (await engine.describe()).rooms == 1
        assert (await engine.describe()).endpoints == 3
        engine.submit(SetGain(5, 1, 2, -math.inf), JoinRoom(5, 2, talks=False))
        forget(a, b, c)
        await converse((a, b, c), 1.0)
        assert (a.tones(1), b.tones(1), c.tones(1)) == ([1500], [1500], [400])


@pytest.mark.real_loop
async def test_who_is_to_be_deaf_never_hears_what_is_said_before_its_stand_in_is_there() -> None:
    async with peers(Party(1, 400, PCMU), Party(2, 900, PCMU)) as (a, b), workers(a, b) as engine:
        engine.submit(JoinRoom(5, 1), JoinRoom(5, 2), SetGain(5, 1, 2, -math.inf))
        await converse((a, b), 1.0)
        assert a.tones(1) == [900]
        samples, _ = b.sound()
        assert not len(samples) or abs(samples).max() < 100


@pytest.mark.real_loop
async def test_what_is_played_to_the_room_and_recorded_of_it_has_everybody(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "room.wav")
    async with peers(Party(1, 0, PCMU), Party(2, 900, PCMU)) as (a, b), workers(a, b) as engine:
        events = Events(engine)
        tone = ToneSource((((1500.0,), 700),), loop=False)
        await accept(engine, JoinRoom(5, 1), JoinRoom(5, 2), PlayToRoom(5, 9, tone), RecordRoom(5, 7, path))
        await converse((a, b), 0.6)
        assert b.tones(1, 0.3) == [1500]
        assert (await events.wait(RoomPlayEnded)).reason == "finished"
        await accept(engine, StopRecording(WHOLE_ROOM, 7))
        ended = await events.wait(RecordingEnded, timeout_s=8)
        assert (ended.endpoint, ended.reason) == (WHOLE_ROOM, "finished")


@pytest.mark.real_loop
async def test_digits_of_two_who_are_apart_reach_the_other_once() -> None:
    async with peers(Party(1, 400, PCMU), Party(2, 900, PCMU)) as (a, b), workers(a, b) as engine:
        events = Events(engine)
        await accept(engine, JoinRoom(5, 1), JoinRoom(5, 2))
        await converse((a, b), 0.2)
        assert a.to is not None
        for at in range(1, 8):
            end = 0x80 if at > 4 else 0
            a.send(a.to, bytes((7, end | 10)) + (160 * min(at, 5)).to_bytes(2, "big"), payload_type=101, timestamp=8000)
        assert (await events.wait(DigitReceived)).endpoint == 1
        await converse((a, b), 0.6)
        assert [packet.payload[0] for packet in b.heard if packet.payload_type == 101 and packet.marker] == [7]
        assert [event.endpoint for event in events.of(DigitReceived)] == [1]
        await accept(engine, SendDigits(2, "1"))


@pytest.mark.real_loop
async def test_links_go_with_the_member_and_with_the_room() -> None:
    async with peers(Party(1, 400), Party(2, 900), Party(3, 1500)) as (a, b, c), workers(a, b, c) as engine:
        events = Events(engine)
        await accept(engine, JoinRoom(5, 1), JoinRoom(5, 2), JoinRoom(6, 3))
        await accept(engine, LeaveRoom(2), JoinRoom(6, 2))
        await converse((a, b, c), 0.8)
        assert (b.tones(1, 0.3), c.tones(1, 0.3)) == ([1500], [900])
        engine.submit(JoinRoom(5, 2), DestroyEndpoint(2))  # gone before its stand-in was there
        await accept(engine, DestroyEndpoint(1), DestroyEndpoint(3))
        for number in (1, 2, 3):
            await events.wait(StreamReport, lambda report, number=number: report.endpoint == number)  # type: ignore[misc]
        assert {report.endpoint for report in events.of(StreamReport)} == {1, 2, 3}
        async with asyncio.timeout(3):
            while (await engine.describe()).endpoints:  # noqa: ASYNC110 - workers count
                await asyncio.sleep(0.01)


@pytest.mark.real_loop
async def test_a_room_has_its_sound_back_within_a_second_whichever_of_its_workers_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spare, "PREPARED_AFTER_S", 0.1)
    async with peers(Party(1, 400), Party(2, 900), Party(3, 1500)) as (a, b, c), workers(a, b, c) as engine:
        events = Events(engine)
        await accept(engine, *(JoinRoom(5, number) for number in (1, 2, 3)))
        await converse((a, b, c), 0.4)
        for worker in (0, 1):
            os.kill(engine.pids()[worker], signal.SIGKILL)
            died = time.monotonic()
            while True:
                forget(a, b, c)
                await converse((a, b, c), 0.3)
                if all(len(each.heard) >= 14 for each in (a, b, c)) and a.tones(2, 0.25) == [900, 1500]:
                    break
                assert time.monotonic() - died < 1
            assert b.tones(2, 0.25) == [400, 1500]
            assert c.tones(2, 0.25) == [400, 900]
        assert not events.of(EngineFailed)


@pytest.mark.real_loop
async def test_a_member_that_finds_no_port_for_its_stand_in_is_refused() -> None:
    engine = await open_engine(EngineConfig(32000, 32003, workers=2))
    spec = StreamSpec(HostPort(LOCAL, 9), (PCMU,))
    try:
        await accept(engine, CreateEndpoint(1, LOCAL, spec, 1))
        await accept(engine, CreateEndpoint(2, LOCAL, spec, 2))
        replies = await engine.execute(JoinRoom(5, 1), JoinRoom(5, 2))
        assert "No RTP ports are free" in refused(replies[1])
        assert (await engine.describe()).endpoints == 2
    finally:
        await engine.close()


def test_a_worker_that_is_busy_gets_no_more_while_another_is_not() -> None:
    placement = Placement()
    placement.busy = {0: 5, 1: 2}
    for endpoint in (1, 2):
        each = CreateEndpoint(endpoint, LOCAL)
        assert placement.create(each, [each], (0, 1)) == 1
    placement.busy = {0: 5, 1: 5}
    three = CreateEndpoint(3, LOCAL)
    assert placement.create(three, [three], (0, 1)) == 0
