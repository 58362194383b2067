"""Faxes (INB-32): the port, and the process behind it.

A party's sound goes to the process over an endpoint of the engine on the loopback, octet by octet where it is G.711.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from frozen import dataclass
from media.api import (
    CreateEndpoint,
    DestroyEndpoint,
    EndpointCreated,
    HostPort,
    JoinRoom,
    LeaveRoom,
    Payload,
    StreamSpec,
    faxing,
)
from pbx.events import FaxReceived
from pbx.media_endpoint import MediaRefused

if TYPE_CHECKING:
    from pbx.leg import Leg
    from pbx.services import Services

log = structlog.get_logger("fax")

HERE = "127.0.0.1"
G711 = {"pcmu": 0, "pcma": 8}
ALAW = 8
OPENING_S = 10.0
MOST = 100  # at once, a third of a processor; whoever comes then is no fax
STOP_S = 5.0


class NoFaxHere(Exception):
    """A fax cannot be taken; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class FaxOutcome:
    """`pages` that came whole; `station`: how the other side calls itself; `problem`: why it ended before its time, ""
    when all went well."""

    pages: int
    station: str = ""
    bit_rate: int = 0
    problem: str = ""


class FaxLine(Protocol):
    """One party whose sound reaches the fax process."""

    @property
    def calling(self) -> "asyncio.Future[None]":
        """Done when the tone of a calling fax was heard (CNG)."""

    def receive(self, file: Path) -> "asyncio.Future[FaxOutcome]":
        """Be called by a fax, whose pages are kept as TIFF in `file`. It is over with `close` at the latest; what came
        until then is told to everybody (`FaxReceived`), whoever waits for it or not."""

    def close(self) -> None:
        """The party's sound goes nowhere from now on."""


class Faxes(Protocol):
    """The port: what apps need of a fax machine."""

    async def line(self, leg: "Leg", services: "Services") -> FaxLine:
        """Let the sound of a party that is answered reach a fax; raises `NoFaxHere`."""


class NoMachine:
    """None here."""

    async def line(self, leg: "Leg", services: "Services") -> FaxLine:
        raise NoFaxHere("this server has no fax machine")


def answer_plainly(leg: "Leg", services: "Services") -> None:
    """Answer an incoming party with a codec that faxes survive, where it has one."""
    plain = tuple(each for each in services.codecs.basic if each.name.lower() in G711 or not each.is_audio)
    try:
        leg.answer(plain)
    except MediaRefused:
        leg.answer()


class FaxMachine:
    """Begins its process with the first fax."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._ids = count(1)
        self._lines: dict[int, _Line] = {}
        self._reading: asyncio.Task[None] | None = None

    async def line(self, leg: "Leg", services: "Services") -> FaxLine:
        """As `Faxes` says."""
        if len(self._lines) >= MOST:
            raise NoFaxHere(f"{MOST} callers are listened to already")
        codec = leg.media.codec
        payload = ALAW if codec is None else G711.get(codec.name.lower(), ALAW)
        id = next(self._ids)
        line = self._lines[id] = _Line(self, id, leg, services)
        try:
            async with asyncio.timeout(OPENING_S):
                await self.send({"id": id, "open": payload})
                port = await line.port
                await line.join(port, payload)
        except (TimeoutError, OSError):
            line.close()
            raise NoFaxHere("the fax process does not answer") from None
        except BaseException:
            line.close()
            raise
        return line

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    def forget(self, id: int) -> None:
        self._lines.pop(id, None)

    # --- the process ------------------------------------------------------------------------------------------------

    async def send(self, request: Mapping[str, object]) -> None:
        async with self._starting:
            if self._process is None:
                pipe = asyncio.subprocess.PIPE
                self._process = await asyncio.create_subprocess_exec(*faxing(), stdin=pipe, stdout=pipe)
                self._reading = asyncio.ensure_future(self._read(self._process))
        self.post(request)

    def post(self, request: Mapping[str, object]) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for text in process.stdout:
            said = json.loads(text)
            line = self._lines.get(said.pop("id"))
            if line is not None:
                line.told(said)
        status = await process.wait()
        if self._process is process:
            log.error("the fax process has ended", status=status)
            self._process = None
            for line in list(self._lines.values()):
                line.told({"port": 0, "pages": 0, "problem": "the fax process has ended"})


class _Line:
    """One party. Its endpoint and ours are alone in a room."""

    def __init__(self, machine: FaxMachine, id: int, leg: "Leg", services: "Services") -> None:
        loop = asyncio.get_running_loop()
        self._machine, self._id, self._leg, self._services = machine, id, leg, services
        self._endpoint, self._room = services.new_id(), services.new_id()
        self._is_joined = False
        self._file: Path | None = None
        self.port: asyncio.Future[int] = loop.create_future()
        self.calling: asyncio.Future[None] = loop.create_future()
        self._outcome: asyncio.Future[FaxOutcome] = loop.create_future()

    async def join(self, port: int, payload: int) -> None:
        name = {number: name for name, number in G711.items()}[payload].upper()
        spec = StreamSpec(HostPort(HERE, port), (Payload(payload, name, 8000, 1, ""),), sources=(HERE,))
        (reply,) = await self._services.engine.execute(
            CreateEndpoint(self._endpoint, HERE, spec, self._leg.media.group)
        )
        if not isinstance(reply, EndpointCreated):
            raise NoFaxHere("there is no media port for the fax")
        self._is_joined = True
        if self._leg.is_ended:
            raise NoFaxHere("the caller has hung up")
        self._services.submit(JoinRoom(self._room, self._leg.media.endpoint), JoinRoom(self._room, self._endpoint))
        self._machine.post({"id": self._id, "peer": reply.rtp.port})

    def receive(self, file: Path) -> "asyncio.Future[FaxOutcome]":
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._machine.post({"id": self._id, "receive": str(file.absolute()), "ident": self._leg.call.to.number})
        return self._outcome

    def close(self) -> None:
        self._machine.post({"id": self._id, "close": True})
        if self._is_joined:
            self._is_joined = False
            leaving = [] if self._leg.is_ended else [LeaveRoom(self._leg.media.endpoint)]
            self._services.submit(*leaving, DestroyEndpoint(self._endpoint))
        if self._file is None:
            self._machine.forget(self._id)
        self.port.cancel()
        self.calling.cancel()

    def told(self, said: Mapping[str, object]) -> None:
        problem = str(said.get("problem", ""))
        if "port" in said and not self.port.done():
            if problem:
                self.port.set_exception(NoFaxHere(problem))
            else:
                self.port.set_result(int(str(said["port"])))
        if said.get("calling") and not self.calling.done():
            self.calling.set_result(None)
        if "pages" in said and not self._outcome.done() and self._file is not None:
            rate, pages = int(str(said.get("bit_rate", 0))), int(str(said["pages"]))
            self._machine.forget(self._id)
            self._outcome.set_result(FaxOutcome(pages, str(said.get("station", "")), rate, problem))
            self._tell(self._file, self._outcome.result())

    def _tell(self, file: Path, outcome: FaxOutcome) -> None:
        call, caller = self._leg.call, self._leg.party
        told = log.info if outcome.pages else log.warning
        told("a fax has ended", call=call.id, caller=caller.shown_number, **asdict(outcome))
        if outcome.pages:
            at, number = self._services.clock.wall(), call.to.number
            self._services.publish(
                FaxReceived(
                    at,
                    call.id,
                    number,
                    caller.shown_number,
                    caller.name,
                    str(file),
                    outcome.pages,
                    outcome.station,
                    outcome.problem,
                )
            )
