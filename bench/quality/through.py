"""Speech as RTP over loopback through a running engine: many conversations at once in real time, each over a network of
its own seed before the engine and a perfect one behind it."""

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.quality.network import Network
from bench.quality.speech import RATE
from media.api import (
    CreateEndpoint,
    EndpointCreated,
    HostPort,
    JoinRoom,
    MeasureEndpoint,
    Payload,
    StreamReport,
    StreamSpec,
)
from media.codec.coder import Codec
from media.config import EngineConfig
from media.engine.embedded import EmbeddedEngine
from media.engine.priority import ask_for_real_time
from media.rtp.packet import RtpPacket, parse_packet

Samples = NDArray[np.int16]

HOST, PTIME_MS, PCMU = "127.0.0.1", 20, Payload(0, "PCMU")
FRAME = RATE * PTIME_MS // 1000
SETTLE_S = 0.3
ATTEMPTS, LATE_MS = 3, 15.0  # what a busy machine sends too late is no network of ours: said once more
AT_ONCE = 10  # more would keep the interpreter from sending in time
PORTS = EngineConfig(first_port=18000, last_port=18999)


@dataclass(frozen=True, slots=True)
class Received:
    """What a listener heard, and the jitter buffer in ms on average and at most; None in a relay."""

    samples: Samples
    buffer_ms: float | None
    buffer_most_ms: float | None


@dataclass(slots=True)
class _Side:
    link: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    to: tuple[str, int] = (HOST, 0)

    def __post_init__(self) -> None:
        self.link.bind((HOST, 0))
        self.link.setblocking(False)

    @property
    def spec(self) -> StreamSpec:
        return StreamSpec(HostPort(HOST, self.link.getsockname()[1]), (PCMU,))


def through(turns: Sequence[Samples], network: Network, *, is_mixed: bool) -> list[Received]:
    """Each turn by one speaker to one listener; its place is the seed of its network. `is_mixed`: the engine decodes,
    mixes and encodes, else it relays."""
    found: list[Received] = []
    for first in range(0, len(turns), AT_ONCE):
        some = turns[first : first + AT_ONCE]
        for _ in range(ATTEMPTS):
            heard, late_ms = asyncio.run(_through(some, network, first, is_mixed=is_mixed))
            if late_ms < LATE_MS:
                break
        found += heard
    return found


async def _through(
    turns: Sequence[Samples], network: Network, seed: int, *, is_mixed: bool
) -> tuple[list[Received], float]:
    sides = [(_Side(), _Side()) for _ in turns]
    engine = EmbeddedEngine(PORTS)
    try:
        for number, pair in enumerate(sides):
            for endpoint, side in zip((2 * number, 2 * number + 1), pair, strict=True):
                made, _ = await engine.execute(
                    CreateEndpoint(endpoint + 1, HOST, side.spec), JoinRoom(number + 1, endpoint + 1, tells=is_mixed)
                )
                assert isinstance(made, EndpointCreated), made
                side.to = (made.rtp.host, made.rtp.port)
        heard, late_ms = await asyncio.to_thread(_talk, turns, sides, network, seed)
        measured = await engine.execute(*(MeasureEndpoint(2 * number + 1, 0) for number in range(len(turns))))
    finally:
        await engine.close()
        for each in (side for pair in sides for side in pair):
            each.link.close()
    reports = [each for each in measured if isinstance(each, StreamReport)]
    return [
        Received(samples, each.buffer_ms, each.buffer_most_ms) for samples, each in zip(heard, reports, strict=True)
    ], late_ms


def _talk(
    turns: Sequence[Samples], sides: Sequence[tuple[_Side, _Side]], network: Network, seed: int
) -> tuple[list[Samples], float]:
    """In real time, with networks from `seed` on; a thread of its own with the priority of the engine, so that packets
    leave when they should. Also, by how many ms the latest did not."""
    ask_for_real_time()
    codec = Codec("PCMU", RATE)
    due = []
    for number, turn in enumerate(turns):
        frames = turn[: len(turn) // FRAME * FRAME].reshape(-1, FRAME)
        payloads = [codec.encode(frame) for frame in frames]
        shift_ms = PTIME_MS * number / len(turns)  # not all at the same time
        for at_ms, index in network.arrivals(len(payloads), PTIME_MS, seed + number):
            packet = RtpPacket(0, index & 0xFFFF, index * FRAME, 0x1000 + number, payloads[index])
            due.append((at_ms + shift_ms, number, packet.encode()))
    due.sort()
    heard: list[list[RtpPacket]] = [[] for _ in turns]
    late_ms, start = 0.0, time.monotonic()
    for at_ms, number, data in due:
        while (left := start + at_ms / 1000 - time.monotonic()) > 0:
            time.sleep(min(left, 0.002))
        late_ms = max(late_ms, 1000 * (time.monotonic() - start) - at_ms)
        speaker, listener = sides[number]
        speaker.link.sendto(data, speaker.to)
        _listen(listener, heard[number])
    time.sleep(SETTLE_S)
    for (_, listener), packets in zip(sides, heard, strict=True):
        _listen(listener, packets)
    return [_played(packets, len(turn)) for packets, turn in zip(heard, turns, strict=True)], late_ms


def _listen(side: _Side, packets: list[RtpPacket]) -> None:
    while True:
        try:
            packets.append(parse_packet(side.link.recv(2048)))
        except BlockingIOError:
            return


def _played(packets: Sequence[RtpPacket], length: int) -> Samples:
    """By the numbers of the packets; what is missing is silence."""
    codec, heard = Codec("PCMU", RATE), np.zeros(length + RATE, np.int16)
    first = packets[0].sequence if packets else 0
    for packet in packets:
        decoded = np.frombuffer(codec.decode(packet.payload) or b"", np.int16)
        at = ((packet.sequence - first) & 0xFFFF) * FRAME
        if at + len(decoded) <= len(heard):
            heard[at : at + len(decoded)] = decoded
    return heard[:length]
