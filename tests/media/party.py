"""Parties of a conversation for tests: each says a tone in its codec, packet by packet in real time, and keeps what it
hears."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.api import CreateEndpoint, HostPort, JoinRoom, MediaEngine, Payload, StreamSpec
from media.codec.catalogue import packet_ms
from media.rtp.packet import RtpPacket, parse_packet
from tests.media.codecs import codec_of, sound_of, tones_of
from tests.media.peer import EVENTS, PCMU, Peer, accept, created

TICK_S = 0.02


class Party(Peer):
    """Says `hz` as endpoint `number`; 0 Hz is silence. Its codec and packet time are those that it asks for."""

    def __init__(self, number: int, hz: float, payload: Payload = PCMU, ptime_ms: int = 20) -> None:
        super().__init__(payload_type=payload.number, ssrc=0x1000 + number)
        self.number, self.hz, self.payload = number, hz, payload
        self.ptime_ms = packet_ms(payload, ptime_ms)
        self.heard: list[RtpPacket] = []
        self.to: HostPort | None = None
        self._codec = codec_of(payload)
        self.said_ms = 0

    def switch(self, payload: Payload) -> None:
        """Another codec from now on."""
        self.payload, self.payload_type, self._codec = payload, payload.number, codec_of(payload)

    def stream(self, *more: Payload) -> StreamSpec:
        """What was negotiated with it."""
        payloads = (self.payload, *more, EVENTS)
        return StreamSpec(self.address, payloads, ptime_ms=self.ptime_ms)

    def say(self, passed_ms: int) -> None:
        """The packets of the time up to `passed_ms`."""
        rate = self._codec.rate
        assert self.to is not None
        while self.said_ms < passed_ms:
            at = np.arange(rate * self.said_ms // 1000, rate * (self.said_ms + self.ptime_ms) // 1000)
            frame = (6000 * np.sin(2 * np.pi * self.hz * at / rate)).astype(np.int16)
            payload = self._codec.encode(frame)
            self.said_ms += self.ptime_ms
            step = self.payload.clock_rate * self.ptime_ms // 1000
            self.send(self.to, payload, payload_type=self.payload.number)
            self.timestamp = (self.timestamp + step - 160) & 0xFFFFFFFF

    def listen(self) -> None:
        """Take what has come."""
        while True:
            try:
                self.heard.append(parse_packet(self.rtp.recv(4096)))
            except BlockingIOError:
                return

    def sound(self) -> tuple[NDArray[np.int16], int]:
        """What was heard in its codec, and the rate."""
        return sound_of([each for each in self.heard if each.payload_type == self.payload.number], self.payload)

    def tones(self, count: int, last_s: float = 0.5) -> list[int]:
        """The strongest tones that were heard in the end, ascending."""
        samples, rate = self.sound()
        assert len(samples) >= rate * last_s, f"party {self.number} heard {len(samples) / rate:.2f} s"
        return tones_of(samples[-int(rate * last_s) :], rate, count)


async def converse(parties: Sequence[Party], seconds: float) -> None:
    """All of them talk and listen at once."""
    loop = asyncio.get_running_loop()
    for party in parties:
        party.said_ms = 0
    start = loop.time()
    for tick in range(1, round(seconds / TICK_S) + 1):
        for party in parties:
            if party.to is not None:
                party.say(round(tick * 1000 * TICK_S))
            party.listen()
        await asyncio.sleep(max(0.0, start + tick * TICK_S - loop.time()))
    for party in parties:
        party.listen()


async def gather(engine: MediaEngine, *parties: Party, room: int = 1) -> None:
    """Their endpoints, all in one room."""
    for party in parties:
        await enter(engine, party, room)


async def enter(engine: MediaEngine, party: Party, room: int | None = 1) -> None:
    replies = await accept(engine, CreateEndpoint(party.number, "127.0.0.1", party.stream()))
    party.to = created(replies[0]).rtp
    if room is not None:
        await accept(engine, JoinRoom(room, party.number))
