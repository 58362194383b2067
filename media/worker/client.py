"""One media worker as a `MediaEngine`: frames over its socket, replies in order, events to the listeners."""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from media.api import Command, EngineReport, Listener, MeasureEndpoint, Refused, Reply
from media.config import EngineConfig
from media.worker import protocol

log = logging.getLogger(__name__)

COMMANDS_A_FRAME = 16
REPORTS_A_FRAME = 8  # of calls of an hour
MAX_WAITING_FRAMES = 4096

T = TypeVar("T")


class WorkerFailed(Exception):
    """The worker is not there, or not of our version; the message is a sentence."""


class WorkerEngine:
    """Talks to the worker at the other end of `link`. `lost` is called once when it goes away by itself.

    Commands that nobody waits for are collected and leave together, after what the event loop has to do at that moment
    and before the next `execute`: what a call does at once is one frame.
    """

    def __init__(self, link: socket.socket, lost: Callable[[], None] = lambda: None) -> None:
        link.setblocking(False)
        self._link = link
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(protocol.MAX_FRAME)
        self._view = memoryview(self._buffer)
        self._number = 0
        self._waiting: dict[int, asyncio.Future[list[Reply]]] = {}
        self._describing: dict[int, asyncio.Future[EngineReport]] = {}
        self._welcome: asyncio.Future[tuple[str, tuple[str, ...]]] = self._loop.create_future()
        self._outgoing: deque[bytes] = deque()
        self._submitted: list[Command] = []
        self._listeners: list[Listener] = []
        self._open = True
        self.codecs: tuple[str, ...] = ()
        self._loop.add_reader(link.fileno(), self._readable)

    async def start(self, config: EngineConfig) -> None:
        """Configure the worker; raises `WorkerFailed` when it cannot work."""
        self._send(protocol.hello(config))
        problem, self.codecs = await self._welcome
        if problem:
            raise WorkerFailed(problem)

    async def execute(self, *commands: Command) -> tuple[Reply, ...]:
        """What is too much for a frame goes in several, none of which waits for the replies to those before."""
        self._flush()
        parts = _parts(commands)
        answers = await _answers([self._ask(part) for part in parts])
        return tuple(reply for part, answer in zip(parts, answers, strict=True) for reply in _replies(part, answer))

    def submit(self, *commands: Command) -> None:
        if not self._submitted:
            self._loop.call_soon(self._flush_soon)
        self._submitted += commands

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def describe(self) -> EngineReport:
        """Raises `WorkerFailed` when the worker is gone."""
        self._flush()
        number, future = self._expect(self._describing)
        if not self._send(protocol.describe_frame(number)):
            del self._describing[number]
            raise WorkerFailed("The media worker does not answer.")
        return await future

    async def close(self) -> None:
        """Close the socket, which ends the worker."""
        self._flush()
        self._close("The media engine is closed.")

    def _flush_soon(self) -> None:
        """Whoever is woken by what happened now may have commands too."""
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        submitted, self._submitted = self._submitted, []
        for part in _parts(submitted) if submitted else ():
            if not self._send(protocol.command_frame(0, part)):
                log.warning("%d media commands were dropped: the media worker does not answer", len(part))

    def _ask(self, commands: Sequence[Command]) -> "asyncio.Future[list[Reply]]":
        number, future = self._expect(self._waiting)
        frame = protocol.command_frame(number, commands)
        if len(frame) > protocol.MAX_FRAME or not self._send(frame):
            del self._waiting[number]
            future.set_exception(WorkerFailed("The media worker does not answer, or the command is too large."))
        return future

    def _expect(self, waiting: dict[int, asyncio.Future[T]]) -> tuple[int, asyncio.Future[T]]:
        self._number += 1
        future: asyncio.Future[T] = self._loop.create_future()
        waiting[self._number] = future
        return self._number, future

    # --- the socket -------------------------------------------------------------------------------------------------

    def _send(self, frame: bytes) -> bool:
        """False when the worker is gone, or so much waits already that it must be stuck."""
        if not self._open or len(self._outgoing) >= MAX_WAITING_FRAMES:
            return False
        if self._outgoing:
            self._outgoing.append(frame)
        elif not self._try(frame):
            self._outgoing.append(frame)
            self._loop.add_writer(self._link.fileno(), self._writable)
        return True

    def _try(self, frame: bytes) -> bool:
        try:
            self._link.send(frame)
        except BlockingIOError:
            return False
        except OSError:
            pass  # the reader sees the end and says so
        return True

    def _writable(self) -> None:
        while self._outgoing and self._try(self._outgoing[0]):
            self._outgoing.popleft()
        if not self._outgoing:
            self._loop.remove_writer(self._link.fileno())

    def _readable(self) -> None:
        """One frame; the loop calls again while there are more."""
        try:
            size = self._link.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size:
            self._receive(self._view[:size])
        else:
            self._end()

    def _receive(self, frame: memoryview) -> None:
        kind, number, body = protocol.parse_frame(frame)
        if kind == protocol.COMMANDS:
            _resolve(self._waiting.pop(number, None), protocol.read_replies(body))
        elif kind == protocol.EVENTS:
            for event in protocol.read_events(body):
                for listener in self._listeners:
                    listener(event)
        elif kind == protocol.DESCRIBE:
            _resolve(self._describing.pop(number, None), protocol.read_report(body))
        elif number == protocol.VERSION:
            _resolve(self._welcome, protocol.read_welcome(body))
        else:
            _resolve(self._welcome, (f"The media worker speaks version {number}, not {protocol.VERSION}.", ()))

    def _end(self) -> None:
        self._close("The media worker has stopped.")
        self._lost()

    def _close(self, why: str) -> None:
        if not self._open:
            return
        self._open = False
        self._submitted.clear()
        self._loop.remove_reader(self._link.fileno())
        if self._outgoing:
            self._loop.remove_writer(self._link.fileno())
            self._outgoing.clear()
        self._link.close()
        _resolve(self._welcome, (why, ()))
        _fail(self._waiting, why)
        _fail(self._describing, why)


def _resolve(future: "asyncio.Future[T] | None", value: T) -> None:
    """Nobody may be waiting any more."""
    if future is not None and not future.done():
        future.set_result(value)


def _fail(waiting: "dict[int, asyncio.Future[T]]", why: str) -> None:
    for future in waiting.values():
        if not future.done():
            future.set_exception(WorkerFailed(why))
    waiting.clear()


async def _answers(asked: "list[asyncio.Future[list[Reply]]]") -> list[list[Reply] | BaseException]:
    """What became of each; of one, as it is nearly always, without a task to gather it."""
    if len(asked) > 1:
        return await asyncio.gather(*asked, return_exceptions=True)
    try:
        return [await asked[0]]
    except WorkerFailed as failed:
        return [failed]


def _replies(commands: Sequence[Command], answer: list[Reply] | BaseException) -> list[Reply]:
    if isinstance(answer, WorkerFailed):
        return [Refused(str(answer)) for _ in commands]
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _parts(commands: Sequence[Command]) -> list[Sequence[Command]]:
    """Parts that fit into a frame each, and so do their replies."""
    most = REPORTS_A_FRAME if any(type(command) is MeasureEndpoint for command in commands) else COMMANDS_A_FRAME
    return [commands[at : at + most] for at in range(0, len(commands), most)] or [commands]
