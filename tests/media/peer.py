"""A phone's media side for tests: real UDP sockets on 127.0.0.x, packets as records."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from media.api import (
    Command,
    CreateEndpoint,
    Direction,
    EndpointCreated,
    HostPort,
    MediaEngine,
    MediaEvent,
    Payload,
    Refused,
    Reply,
    StreamSpec,
)
from media.config import EngineConfig
from media.engine.embedded import EmbeddedEngine
from media.rtp.packet import RtpPacket, parse_packet
from media.rtp.rtcp import RtcpPacket, parse_compound

PCMU = Payload(0, "PCMU")
PCMA = Payload(8, "PCMA")
EVENTS = Payload(101, "telephone-event")
WAIT_S = 2.0
QUIET_S = 0.06
E = TypeVar("E")
P = TypeVar("P", bound="Peer")


class Peer:
    """One RTP socket and the RTCP socket above it, on an address of its own choice."""

    def __init__(self, host: str = "127.0.0.1", payload_type: int = 0, ssrc: int = 0x1234) -> None:
        self.rtp, self.rtcp = _socket_pair(host)
        self.address = HostPort(host, self.rtp.getsockname()[1])
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.sequence = 65530  # wraps soon
        self.timestamp = 0xFFFFFF00

    def spec(
        self, *payloads: Payload, direction: Direction = Direction.SENDRECV, sources: Sequence[str] = ()
    ) -> StreamSpec:
        return StreamSpec(self.address, payloads or (PCMU, EVENTS), tuple(sources), direction=direction)

    def send(self, to: HostPort, payload: bytes = b"\xd5" * 160, **changes: int) -> RtpPacket:
        """The next packet of our stream."""
        packet = RtpPacket(self.payload_type, self.sequence, self.timestamp, self.ssrc, payload)
        packet = replace(packet, **changes)  # type: ignore[arg-type]
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 160) & 0xFFFFFFFF
        self.send_raw(to, packet.encode())
        return packet

    def send_raw(self, to: HostPort, data: bytes) -> None:
        self.rtp.sendto(data, (to.host, to.port))

    async def receive(self, timeout_s: float = WAIT_S) -> RtpPacket:
        return parse_packet(await _receive(self.rtp, timeout_s))

    async def receive_many(self, count: int) -> list[RtpPacket]:
        return [await self.receive() for _ in range(count)]

    async def receive_rest(self) -> list[RtpPacket]:
        """What comes until it is quiet."""
        found = []
        try:
            while True:
                found.append(await self.receive(QUIET_S))
        except TimeoutError:
            return found

    async def receive_rtcp(self, timeout_s: float = 4.0) -> list[RtcpPacket]:
        return parse_compound(await _receive(self.rtcp, timeout_s))

    async def hears_nothing(self) -> bool:
        try:
            await _receive(self.rtp, QUIET_S)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


async def _receive(link: socket.socket, timeout_s: float) -> bytes:
    async with asyncio.timeout(timeout_s):
        return await asyncio.get_running_loop().sock_recv(link, 4096)


def _socket_pair(host: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        rtp = socket.socket(family, socket.SOCK_DGRAM)
        rtcp = socket.socket(family, socket.SOCK_DGRAM)
        rtp.setblocking(False)
        rtcp.setblocking(False)
        rtp.bind((host, 0))
        try:
            rtcp.bind((host, rtp.getsockname()[1] + 1))
        except OSError:
            rtp.close()
            rtcp.close()
            continue
        return rtp, rtcp


class Events:
    """What an engine told, and waiting for more of it."""

    def __init__(self, engine: MediaEngine) -> None:
        self.all: list[MediaEvent] = []
        self._changed = asyncio.Event()
        engine.listen(self._tell)

    def _tell(self, event: MediaEvent) -> None:
        self.all.append(event)
        self._changed.set()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.all if isinstance(event, kind)]

    async def wait(self, kind: type[E], accept: Callable[[E], bool] = lambda _: True, timeout_s: float = WAIT_S) -> E:
        """The first event of this kind, past or to come."""
        async with asyncio.timeout(timeout_s):
            while True:
                for event in self.of(kind):
                    if accept(event):
                        return event
                self._changed.clear()
                await self._changed.wait()


def created(reply: Reply) -> EndpointCreated:
    assert isinstance(reply, EndpointCreated), reply
    return reply


def refused(reply: Reply) -> str:
    assert isinstance(reply, Refused), reply
    return reply.why


async def accept(engine: MediaEngine, *commands: Command) -> tuple[Reply, ...]:
    """Execute what must not be refused."""
    replies = await engine.execute(*commands)
    assert not [reply for reply in replies if isinstance(reply, Refused)], replies
    return replies


async def open_endpoint(engine: MediaEngine, number: int, spec: StreamSpec | None, host: str = "127.0.0.1") -> HostPort:
    return created((await accept(engine, CreateEndpoint(number, host, spec)))[0]).rtp


@asynccontextmanager
async def embedded(**settings: float) -> AsyncIterator[EmbeddedEngine]:
    """An engine on ports that no other test of this process uses."""
    config = replace(EngineConfig(first_port=21000, last_port=28999), **settings)  # type: ignore[arg-type]
    engine = EmbeddedEngine(config)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def peers(*made: P) -> AsyncIterator[tuple[P, ...]]:
    try:
        yield made
    finally:
        for peer in made:
            peer.close()
