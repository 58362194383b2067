"""A media worker that dies comes back with what it carried: the journal, and real processes that are killed."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media import EngineConfig, open_engine
from media.api import (
    Command,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Done,
    EndpointCreated,
    EngineFailed,
    HostPort,
    JoinRoom,
    LeaveRoom,
    Play,
    PlayEnded,
    Refused,
    SendDigits,
    SetEcho,
    StopPlay,
    StreamReport,
    StreamSpec,
    ToneSource,
)
from media.worker import kept, spare
from media.worker.journal import Journal
from media.worker.process import WorkerProcess
from media.worker.supervisor import MediaSupervisor
from tests.media.peer import PCMU, Events, Peer, accept, created, open_endpoint, peers, refused

LOCAL = "127.0.0.1"
SPEC = StreamSpec(HostPort(LOCAL, 9), (PCMU,))
TONE = ToneSource((((440.0,), 1000),))


# --- the journal -----------------------------------------------------------------------------------------------------


def journal_of(*commands: Command) -> Journal:
    """A journal of endpoint 1 with port 4000, then `commands`."""
    journal = Journal()
    journal.note_all([CreateEndpoint(1, LOCAL)], [EndpointCreated(1, HostPort(LOCAL, 4000), 4001, 7)])
    for command in commands:
        journal.note(command)
    return journal


CREATED = CreateEndpoint(1, LOCAL, port=4000)


@pytest.mark.parametrize(
    ("told", "held"),
    [
        ((), ()),
        ((ConfigureEndpoint(1, SPEC), JoinRoom(5, 1)), (ConfigureEndpoint(1, SPEC), JoinRoom(5, 1))),
        ((JoinRoom(5, 1), JoinRoom(6, 1)), (JoinRoom(6, 1),)),
        ((JoinRoom(5, 1), LeaveRoom(1)), ()),
        ((SetEcho(1), SetEcho(1, False)), (SetEcho(1, False),)),
        ((Play(1, 3, TONE), StopPlay(1, 3)), ()),
        ((Play(1, 3, TONE), StopPlay(1, 2)), (Play(1, 3, TONE),)),
        ((Play(1, 3, TONE), Play(1, 4, TONE)), (Play(1, 4, TONE),)),
        ((SendDigits(1, "5"),), ()),
        ((JoinRoom(5, 2),), ()),
    ],
)
def test_the_journal_holds_what_is_in_force(told: tuple[Command, ...], held: tuple[Command, ...]) -> None:
    assert journal_of(*told).commands() == [CREATED, *held]


def test_a_play_that_has_ended_is_not_played_again() -> None:
    journal = journal_of(Play(1, 3, TONE))
    journal.observe(PlayEnded(1, 2, "finished"))
    assert len(journal.commands()) == 2
    journal.observe(PlayEnded(1, 3, "finished"))
    assert journal.commands() == [CREATED]


def test_a_destroyed_endpoint_leaves_nothing() -> None:
    journal = journal_of(JoinRoom(5, 1), DestroyEndpoint(1), SetEcho(1))
    assert journal.commands() == []
    assert 1 not in journal


def test_what_was_refused_is_not_noted_and_endpoints_come_before_all_else() -> None:
    journal = journal_of(JoinRoom(5, 1))
    journal.note_all(
        [CreateEndpoint(2, LOCAL), SetEcho(1), CreateEndpoint(3, LOCAL)],
        [Refused("no ports"), Refused("overloaded"), EndpointCreated(3, HostPort(LOCAL, 4002), 4003, 7)],
    )
    journal.note_all([SetEcho(3)], [Done()])
    assert journal.commands() == [CREATED, CreateEndpoint(3, LOCAL, port=4002), JoinRoom(5, 1), SetEcho(3)]


# --- processes -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def supervisor(workers: int) -> AsyncIterator[MediaSupervisor]:
    engine = await open_engine(EngineConfig(32000, 32399, workers=workers))
    assert isinstance(engine, MediaSupervisor)
    try:
        yield engine
    finally:
        await engine.close()


async def heard_again(peer: Peer, to: HostPort, timeout_s: float = 5.0) -> float:
    """Send until something comes back; how long that took."""
    began_s = time.monotonic()
    async with asyncio.timeout(timeout_s):
        while True:
            peer.send(to, b"hello")
            try:
                await peer.receive(0.02)
            except TimeoutError:
                continue
            return time.monotonic() - began_s


async def died(engine: MediaSupervisor, pid: int) -> None:
    """Kill a worker and wait until that was noticed."""
    os.kill(pid, signal.SIGKILL)
    while pid in engine.pids():  # noqa: ASYNC110 - processes come and go by themselves
        await asyncio.sleep(0)


async def succeeded(engine: MediaSupervisor, pid: int, workers: int) -> None:
    async with asyncio.timeout(5.0):
        while pid in engine.pids() or len(engine.pids()) < workers:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


@pytest.mark.real_loop
async def test_both_parties_of_a_call_hear_each_other_again_on_the_same_ports() -> None:
    async with peers(Peer(), Peer()) as (a, b), supervisor(1) as engine:
        events = Events(engine)
        to_a, to_b = await open_endpoint(engine, 1, a.spec()), await open_endpoint(engine, 2, b.spec())
        await accept(engine, JoinRoom(7, 1), JoinRoom(7, 2))
        a.send(to_a, b"before")
        assert (await b.receive()).payload == b"before"
        os.kill(engine.pids()[0], signal.SIGKILL)
        async with asyncio.timeout(5.0):
            while True:
                a.send(to_a, b"after")
                try:
                    assert (await b.receive(0.02)).payload == b"after"
                except TimeoutError:
                    continue
                break
        b.send(to_b, b"back")
        assert (await a.receive()).payload == b"back"
        assert events.of(EngineFailed) == []
        await accept(engine, DestroyEndpoint(1))
        assert (await events.wait(StreamReport)).endpoint == 1


@pytest.mark.real_loop("uvloop")
async def test_one_that_listened_to_a_tone_hears_it_again_and_the_other_worker_is_untouched() -> None:
    async with peers(Peer(), Peer()) as (a, b), supervisor(2) as engine:
        to_a, to_b = await open_endpoint(engine, 1, a.spec()), await open_endpoint(engine, 2, b.spec())
        await accept(engine, Play(1, 3, TONE), SetEcho(2))
        await a.receive()
        victim, other = engine.pids()
        os.kill(victim, signal.SIGKILL)
        b.send(to_b, b"untouched")
        assert (await b.receive()).payload == b"untouched"
        await succeeded(engine, victim, 2)
        assert other in engine.pids()
        with contextlib.suppress(BlockingIOError):
            while a.rtp.recv(4096):  # what came before the death
                pass
        assert len(await a.receive_many(5)) == 5
        assert (await engine.describe()).endpoints == 2
        assert to_a != to_b


@pytest.mark.real_loop
async def test_commands_to_a_worker_that_is_down_are_carried_out_by_its_successor() -> None:
    async with peers(Peer(), Peer()) as (a, b), supervisor(1) as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec())
        await open_endpoint(engine, 2, b.spec())
        asked = asyncio.create_task(engine.execute(CreateEndpoint(3, LOCAL, a.spec())))  # meets the dying one
        await died(engine, engine.pids()[0])
        engine.submit(SetEcho(1), DestroyEndpoint(2))
        assert await events.wait(StreamReport) == StreamReport(2)
        assert created((await asked)[0]).endpoint == 3
        assert await heard_again(a, to_a) < 5
        assert (await engine.describe()).endpoints == 2
        assert refused((await engine.execute(SetEcho(2)))[0]) == "There is no endpoint 2."


@pytest.mark.real_loop
async def test_an_endpoint_whose_port_another_program_took_is_reported_and_the_others_come_back() -> None:
    async with peers(Peer()) as (a,), supervisor(1) as engine:
        events = Events(engine)
        to_a = await open_endpoint(engine, 1, a.spec())
        await accept(engine, SetEcho(1))
        taken = await open_endpoint(engine, 2, SPEC)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
            await died(engine, engine.pids()[0])
            thief.bind((taken.host, taken.port))
            assert await events.wait(EngineFailed, timeout_s=5.0) == EngineFailed(0, (2,))
        assert await heard_again(a, to_a) < 5
        assert refused((await engine.execute(SetEcho(2)))[0]) == "There is no endpoint 2."


@pytest.mark.real_loop
async def test_when_no_successor_comes_up_in_time_the_endpoints_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unstartable:
        def __init__(self) -> None:
            raise OSError("no more processes")

    async with supervisor(1) as engine:
        events = Events(engine)
        await accept(engine, CreateEndpoint(1, LOCAL))
        monkeypatch.setattr(kept, "PATIENCE_S", 0.2)
        with monkeypatch.context() as broken:
            broken.setattr(kept, "WorkerProcess", Unstartable)
            pid = engine.pids()[0]
            await died(engine, pid)
            assert await events.wait(EngineFailed, timeout_s=5.0) == EngineFailed(0, (1,))
            assert refused((await engine.execute(CreateEndpoint(2, LOCAL)))[0]) == (
                "The media worker is being started again."
            )
        monkeypatch.setattr(kept, "PATIENCE_S", 5.0)
        await succeeded(engine, pid, 1)
        await accept(engine, CreateEndpoint(1, LOCAL))


@pytest.mark.real_loop
async def test_the_successor_is_up_before_it_is_needed_and_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "PREPARED_AFTER_S", 0.0)
    made: list[WorkerProcess] = []

    def make() -> WorkerProcess:
        made.append(WorkerProcess())
        return made[-1]

    monkeypatch.setattr(spare, "WorkerProcess", make)
    async with peers(Peer()) as (a,), supervisor(1) as engine:
        to_a = await open_endpoint(engine, 1, a.spec())
        await accept(engine, SetEcho(1))
        for is_killed in (False, True):
            async with asyncio.timeout(5.0):
                while len(made) < 1 + is_killed:  # noqa: ASYNC110 - a timer of the engine makes them
                    await asyncio.sleep(0.01)
            pid, waits = engine.pids()[0], made[-1]
            if is_killed:
                os.kill(waits.pid, signal.SIGKILL)
                await waits.ended()
            await died(engine, pid)
            assert await heard_again(a, to_a) < 5
            await succeeded(engine, pid, 1)
            assert (waits.pid == engine.pids()[0]) is not is_killed
    assert not any(each.is_running for each in made)


@pytest.mark.real_loop
async def test_a_submitted_creation_is_refused_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with supervisor(1) as engine:
        engine.submit(CreateEndpoint(1, LOCAL))
        assert "created by `execute`" in caplog.text
