"""Media workers as processes: placement, death and rebirth, and the protocol between."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from media import EngineConfig, open_engine
from media.api import (
    Command,
    ConfigureEndpoint,
    CreateEndpoint,
    DestroyEndpoint,
    Direction,
    EndpointCreated,
    EngineFailed,
    EngineReport,
    FileSource,
    HostPort,
    JoinRoom,
    MediaEvent,
    Payload,
    Play,
    SetEcho,
    SourceLearned,
    StreamReport,
    StreamSpec,
    ToneSource,
)
from media.engine.embedded import EmbeddedEngine
from media.worker import protocol
from media.worker.client import WorkerEngine, WorkerFailed
from media.worker.placement import Placement
from media.worker.process import WorkerProcess
from media.worker.supervisor import MediaSupervisor, merge_reports, split_ports
from tests.media.peer import PCMU, Events, Peer, accept, created, open_endpoint, peers

CONFIG = EngineConfig(32000, 32399, workers=2)
LOCAL = "127.0.0.1"
SPEC = StreamSpec(HostPort(LOCAL, 9), (PCMU,))


@asynccontextmanager
async def supervisor(config: EngineConfig = CONFIG) -> AsyncIterator[MediaSupervisor]:
    engine = await open_engine(config)
    assert isinstance(engine, MediaSupervisor)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.mark.real_loop
async def test_open_engine_chooses_what_the_settings_say() -> None:
    engine = await open_engine(EngineConfig(32000, 32010, embedded=True))
    assert isinstance(engine, EmbeddedEngine)
    await engine.close()


@pytest.mark.real_loop("uvloop")
async def test_audio_passes_through_a_worker_and_its_events_come_back() -> None:
    async with peers(Peer()) as (a,), supervisor() as engine:
        events = Events(engine)
        to = await open_endpoint(engine, 1, a.spec())
        await accept(engine, SetEcho(1))
        a.send(to, b"hello")
        assert (await a.receive()).payload == b"hello"
        assert await events.wait(SourceLearned) == SourceLearned(1, a.address)
        await accept(engine, DestroyEndpoint(1))
        assert (await events.wait(StreamReport)).received == 1


@pytest.mark.real_loop
async def test_a_signal_to_the_group_does_not_end_a_worker_but_the_closed_socket_does() -> None:
    process = WorkerProcess()
    engine = WorkerEngine(process.link)
    await engine.start(EngineConfig(32000, 32099))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, number)
    assert isinstance((await engine.execute(CreateEndpoint(1, LOCAL)))[0], EndpointCreated)
    await engine.close()
    await process.ended()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


@pytest.mark.real_loop
async def test_a_worker_of_another_version_is_not_used() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    engine = WorkerEngine(ours)
    theirs.send(msgspec.msgpack.encode((protocol.HELLO, protocol.VERSION + 1, "")))
    with pytest.raises(WorkerFailed, match="speaks version 2, not 1"):
        await engine.start(CONFIG)
    await engine.close()
    theirs.close()


@pytest.mark.real_loop
async def test_a_worker_refuses_call_control_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    process = WorkerProcess()
    engine = WorkerEngine(process.link)
    monkeypatch.setattr(protocol, "VERSION", 77)
    with pytest.raises(WorkerFailed, match="speaks version 1, not 77"):
        await engine.start(CONFIG)
    await engine.close()
    await process.ended()


@pytest.mark.real_loop
async def test_endpoints_of_one_call_are_on_one_worker_and_calls_are_spread() -> None:
    async with supervisor() as engine:
        ports = [created(reply).rtp.port for reply in await accept(engine, *_creates(0, 4))]
        assert len({_worker_of(port) for port in ports}) == 1
        ports += [created(reply).rtp.port for reply in await accept(engine, *_creates(4, 2))]
        assert {_worker_of(port) for port in ports} == {0, 1}
        late = created((await accept(engine, CreateEndpoint(10, LOCAL, group=7)))[0]).rtp.port
        more = created((await accept(engine, CreateEndpoint(11, LOCAL, group=7)))[0]).rtp.port
        assert _worker_of(late) == _worker_of(more)


def _creates(first: int, count: int) -> list[CreateEndpoint]:
    return [CreateEndpoint(number, LOCAL) for number in range(first, first + count)]


def _worker_of(port: int) -> int:
    return 0 if port < 32200 else 1


def test_the_port_range_is_split_without_overlap_into_even_parts() -> None:
    parts = split_ports(EngineConfig(10001, 10107), 3)
    assert [(part.first_port, part.last_port) for part in parts] == [(10002, 10035), (10036, 10069), (10070, 10103)]


def test_placement_prefers_group_then_company_then_headroom() -> None:
    placement = Placement()
    one = CreateEndpoint(1, LOCAL, group=5)
    assert placement.create(one, [one], (0, 1)) == 0
    two = CreateEndpoint(2, LOCAL)
    assert placement.create(two, [two], (0, 1)) == 1
    three = CreateEndpoint(3, LOCAL)
    assert placement.create(three, [JoinRoom(1, 2), three], (0, 1)) == 1
    four = CreateEndpoint(4, LOCAL, group=5)
    assert placement.create(four, [JoinRoom(1, 2), four], (0, 1)) == 0
    for endpoint in (1, 2, 3, 4):
        placement.destroy(endpoint)
    five = CreateEndpoint(5, LOCAL, group=5)
    assert placement.create(five, [five], (1,)) == 1


def test_reports_of_workers_add_up() -> None:
    one = EngineReport(1, 1, 10, 9, {"stranger": 1}, 5.0, 50.0)
    two = EngineReport(2, 0, 20, 18, {"stranger": 2, "held": 4}, 7.0, 20.0)
    assert merge_reports([one, two]) == EngineReport(3, 1, 30, 27, {"stranger": 3, "held": 4}, 7.0, 50.0)


def test_every_command_and_event_travels_unchanged() -> None:
    spec = StreamSpec(
        HostPort("::1", 5004),
        (Payload(111, "opus", 48000, 2, "useinbandfec=1"), Payload(101, "telephone-event", fmtp="0-16")),
        ("::1", "2001:db8::1"),
        30,
        Direction.RECVONLY,
        HostPort("::1", 6000),
        True,
    )
    commands: list[Command] = [
        CreateEndpoint(1, "::1", spec, 9),
        ConfigureEndpoint(2**40, spec),
        Play(1, 2, FileSource("/a/б.wav", True)),
        Play(1, 3, ToneSource((((350.0, 440.0), 100), ((), 50)), False, -12.5)),
    ]
    _, number, body = protocol.parse_frame(protocol.command_frame(12, commands))
    assert number == 12
    assert protocol.read_commands(body) == commands
    events: list[MediaEvent] = [StreamReport(1, 2, 3, 4, 5.5, None, {"held": 1}, -2), EngineFailed(0, (1, 2))]
    (frame,) = protocol.event_frames(events)
    assert protocol.read_events(protocol.parse_frame(frame)[2]) == events


def test_reports_of_long_calls_take_as_many_frames_as_they_need() -> None:
    events: list[MediaEvent] = [StreamReport(number, intervals=bytes(13_000)) for number in range(64)]
    frames = protocol.event_frames(events)
    assert all(len(frame) <= protocol.MAX_FRAME for frame in frames)
    assert len(frames) > 1
    assert [event for frame in frames for event in protocol.read_events(protocol.parse_frame(frame)[2])] == events


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x93\x01", msgspec.msgpack.encode("hello")])
def test_a_frame_that_is_none_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.parse_frame(frame)


@pytest.mark.real_loop
async def test_a_fork_of_the_process_lets_go_of_the_sockets() -> None:
    engine = EmbeddedEngine(EngineConfig(32410, 32411))
    await accept(engine, CreateEndpoint(1, LOCAL))
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        theirs.send(b"forked")
        theirs.recv(1)
        os._exit(0)
    assert ours.recv(10) == b"forked"
    await engine.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free_again:
        free_again.bind((LOCAL, 32410))
    ours.send(b"!")
    ours.close()
    theirs.close()
    assert await asyncio.to_thread(os.waitpid, child, 0) == (child, 0)
