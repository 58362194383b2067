"""A media worker process of its own under measurement, as `zvon run` starts them, without the signalling beside it.

Everything runs on loopback addresses: the parties of a load on 127.0.0.3 and 127.0.0.2, the worker on 127.0.0.1.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from bench.cpu import Meter
from bench.native import RtpReport, Sound, Stream, blast
from bench.site import CALLEE_HOST, CALLER_HOST, RTP_PORTS
from media.api import (
    Command,
    CreateEndpoint,
    EndpointCreated,
    EndpointId,
    HostPort,
    JoinRoom,
    Payload,
    Refused,
    Reply,
    StreamSpec,
)
from media.config import EngineConfig
from media.worker.supervisor import MediaSupervisor

FIRST_PORT = 40000


@dataclass(frozen=True, slots=True)
class Voice:
    """What a party of the load sends: the encoding that was negotiated with it, and sound in it; None: numbers."""

    payload: Payload
    sound: Sound | None = None


@dataclass(slots=True)
class Worker:
    """The process and the parties that were brought to it."""

    engine: MediaSupervisor
    pid: int
    streams: list[Stream] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def execute(self, commands: Sequence[Command]) -> tuple[Reply, ...]:
        """Raises RuntimeError for what is refused."""
        replies = await self.engine.execute(*commands)
        refused = next((reply for reply in replies if isinstance(reply, Refused)), None)
        if refused is not None:
            raise RuntimeError(refused.why)
        return replies

    async def add(self, rooms: Sequence[Sequence[Voice]]) -> list[EndpointId]:
        """Parties in rooms that are new; their streams are added to those that are sent."""
        commands: list[Command] = []
        voices: dict[EndpointId, tuple[Voice, HostPort]] = {}
        for room in rooms:
            first = 0
            for at, voice in enumerate(room):
                number = next(self._numbers)
                first = first or number
                local = HostPort((CALLER_HOST, CALLEE_HOST)[at % 2], FIRST_PORT + 2 * number)
                voices[number] = voice, local
                commands.append(CreateEndpoint(number, "127.0.0.1", StreamSpec(local, (voice.payload,))))
                commands.append(JoinRoom(first, number))
        for reply in await self.execute(commands):
            if isinstance(reply, EndpointCreated):
                voice, local = voices[reply.endpoint]
                self.streams.append(Stream((local.host, local.port), (reply.rtp.host, reply.rtp.port), voice.sound))
        return list(voices)

    async def load(self, seconds: float, *, real_time: bool = True) -> tuple[RtpReport, float]:
        """All streams for so long: what came back, and the CPU seconds that the worker needed."""
        meter = Meter(self.pid)
        meter.start()
        report = await asyncio.to_thread(blast, self.streams, seconds, real_time=real_time)
        return report, meter.used_s()


@asynccontextmanager
async def worker() -> AsyncIterator[Worker]:
    engine = MediaSupervisor(EngineConfig(*RTP_PORTS, workers=1))
    await engine.start()
    try:
        yield Worker(engine, engine.pids()[0])
    finally:
        await engine.close()
