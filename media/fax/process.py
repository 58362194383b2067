"""The process that sends and receives faxes: requests as lines of JSON on standard input, answers on standard output.

    {"id": 1, "open": 8}                              a G.711 stream with that payload type → {"id": 1, "port": 40002}
    {"id": 1, "peer": 40100}                          where it talks to, on this machine; CNG is listened for
    {"id": 1, "receive": "FILE.tif", "ident": "…"}    be called by a fax, or
    {"id": 1, "send": "FILE.tif", "ident": "…"}       call one; the answer is the outcome
    {"id": 1, "close": true}                          no more; a fax that goes on is told as far as it has come

What happens is `{"id": 1, "calling": true}` when CNG was heard, and `{"id": 1, "pages": 2, "station": "…",
"bit_rate": 14400, "problem": ""}`. `{"id": 1, "port": 0, "problem": "…"}`: there is no fax here. Ends with its input.

One thread for all: a fax costs a few microseconds every 20 ms, and arrives as RTP of the engine on the loopback.
"""

import asyncio
import json
import random
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from media.codec import g711
from media.fax.arriving import Arriving
from media.fax.spandsp import CallingTone, NoFax, Outcome, Samples, Terminal, library
from media.rtp.packet import NotRtp, RtpPacket, parse_packet

HERE = "127.0.0.1"
ULAW, ALAW = 0, 8
FRAME = 160
FRAME_S = 0.02
SILENT_FRAMES = 25  # without a packet; the clock of the terminal goes on without the peer's

Tell = Callable[[Mapping[str, object]], None]


class Line(asyncio.DatagramProtocol):
    """One call."""

    def __init__(self, id: int, payload_type: int, tell: Tell) -> None:
        self._id, self._payload_type, self._tell = id, payload_type, tell
        self._decode, self._encode = (
            (g711.decode_ulaw, g711.encode_ulaw) if payload_type == ULAW else (g711.decode_alaw, g711.encode_alaw)
        )
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HERE, 0))
        self._socket.setblocking(False)
        self._transport: asyncio.DatagramTransport | None = None
        self._arriving, self._tone = Arriving(), CallingTone()
        self._terminal: Terminal | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._silent = 0
        self._sequence, self._timestamp = random.getrandbits(16), random.getrandbits(32)
        self._ssrc = random.getrandbits(32)
        self._is_calling = False

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    async def talk_to(self, port: int) -> None:
        """Packets from elsewhere never reach us."""
        self._socket.connect((HERE, port))
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self._socket)

    def begin(self, file: str, ident: str, *, calls: bool) -> None:
        self._terminal = Terminal(file, self._has_ended, ident=ident, calls=calls)
        self._tick(asyncio.get_running_loop().time())

    def close(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        if self._transport is not None:
            self._transport.close()
        self._socket.close()
        if self._terminal is not None:
            self._complete(self._terminal.outcome("the call has ended"))
        self._tone.close()

    # --- every 20 ms ------------------------------------------------------------------------------------------------

    def _tick(self, due: float) -> None:
        terminal, loop = self._terminal, asyncio.get_running_loop()
        if terminal is None or self._transport is None:
            return
        self._send(terminal.make(FRAME))
        self._silent += 1
        if self._silent > SILENT_FRAMES:
            terminal.lost(FRAME)
        due = max(due + FRAME_S, loop.time() - 5 * FRAME_S)
        self._ticking = loop.call_at(due, self._tick, due)

    def _send(self, samples: Samples) -> None:
        packet = RtpPacket(self._payload_type, self._sequence, self._timestamp, self._ssrc, self._encode(samples))
        assert self._transport is not None
        self._transport.sendto(packet.encode())
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF

    # --- what arrives -----------------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            packet = parse_packet(data)
        except NotRtp:
            return
        if packet.payload_type != self._payload_type:
            return
        self._silent = 0
        for part in self._arriving.take(packet):
            if isinstance(part, int):
                self._lost(part)
            else:
                self._hear(np.frombuffer(self._decode(part), np.int16))

    def error_received(self, exc: Exception) -> None:
        """The engine is not there yet, or no more."""

    def _hear(self, samples: Samples) -> None:
        if self._terminal is not None:
            self._terminal.feed(samples)
        elif not self._is_calling and self._tone.feed(samples):
            self._is_calling = True
            self._tell({"id": self._id, "calling": True})

    def _lost(self, count: int) -> None:
        if self._terminal is not None:
            self._terminal.lost(count)

    def _has_ended(self, outcome: Outcome) -> None:
        asyncio.get_running_loop().call_soon(self._complete, outcome)  # not within the library

    def _complete(self, outcome: Outcome) -> None:
        """The file is complete when the terminal is closed; the last tones have gone out by then."""
        if self._terminal is not None:
            terminal, self._terminal = self._terminal, None
            terminal.close()
            self._tell({"id": self._id, **asdict(outcome)})


class Lines:
    """All calls."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._lines = tell, dict[int, Line]()

    async def take(self, request: Mapping[str, Any]) -> None:
        id = request["id"]
        if "open" in request:
            self._open(id, request["open"])
            return
        line = self._lines.get(id)
        if line is None:
            return
        if "peer" in request:
            await line.talk_to(request["peer"])
        elif "close" in request:
            self._lines.pop(id).close()
        else:
            calls = "send" in request
            line.begin(request["send" if calls else "receive"], request["ident"], calls=calls)

    def _open(self, id: int, payload_type: int) -> None:
        try:
            library()
            line = Line(id, payload_type, self._tell)
        except (NoFax, OSError) as problem:
            self._tell({"id": id, "port": 0, "problem": str(problem)})
            return
        self._lines[id] = line
        self._tell({"id": id, "port": line.port, "problem": ""})

    def close(self) -> None:
        for line in self._lines.values():
            line.close()


def tell(what: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main() -> None:
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    lines = Lines(tell)
    async for line in reader:
        await lines.take(json.loads(line))
    lines.close()


if __name__ == "__main__":
    asyncio.run(main())
