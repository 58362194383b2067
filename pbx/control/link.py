"""The asynchronous client of the control socket, for processes that ask many things at a time."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pbx.control.desk import EventView, Followed, FollowEvents
from pbx.control.messages import (
    LENGTH_BYTES,
    BadFrame,
    ControlError,
    Hello,
    Request,
    Welcome,
    decode_body,
    decode_frame,
    encode_request,
    frame_length,
)
from pbx.control.place import socket_path

ANSWER_TIMEOUT_S = 30.0
IDLE_KEPT = 8  # connections

T = TypeVar("T")
Connection = tuple[StreamReader, StreamWriter]


class ServerGone(ControlError):
    """Nobody answers on the control socket."""


class ControlLink:
    """Each question has a connection to itself while it is asked; failures are `ControlError`."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._idle: list[Connection] = []

    async def ask(self, request: Request, body: type[T], timeout_s: float = ANSWER_TIMEOUT_S) -> T:
        """The body of the answer; raises `ControlError` with the server's sentence, `ServerGone` without one."""
        async with self._told():
            connection = self._idle.pop() if self._idle else await self._connected()
            try:
                async with asyncio.timeout(timeout_s):
                    found = await _asked(connection, request)
            except BaseException:
                connection[1].close()
                raise
        self._put_back(connection)
        return decode_body(decode_frame(found), body)

    async def follow(self, request: FollowEvents) -> "EventFeed":
        """The events of the server from the request's moment on."""
        async with self._told():
            connection = await self._connected()
            try:
                start = decode_body(decode_frame(await _asked(connection, request)), Followed)
            except BaseException:
                connection[1].close()
                raise
        return EventFeed(start, connection)

    async def close(self) -> None:
        while self._idle:
            _, writer = self._idle.pop()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _put_back(self, connection: Connection) -> None:
        if len(self._idle) < IDLE_KEPT:
            self._idle.append(connection)
        else:
            connection[1].close()

    async def _connected(self) -> Connection:
        with socket_path(self._data) as path:
            connection = await asyncio.open_unix_connection(path)
        try:
            decode_body(decode_frame(await _asked(connection, Hello())), Welcome)
        except BaseException:
            connection[1].close()
            raise
        return connection

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        try:
            yield
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise ServerGone(f"the zvon of data folder {self._data} does not answer") from error
        except BadFrame as error:
            raise ControlError(f"the zvon of data folder {self._data} is of another version: {error}") from None


class EventFeed:
    """A stream of events; `start` says where it begins."""

    def __init__(self, start: Followed, connection: Connection) -> None:
        self.start = start
        self._reader, self._writer = connection

    async def batches(self) -> AsyncIterator[Sequence[EventView]]:
        """Until the server is gone or takes this reader for too slow: a `ControlError`."""
        while True:
            try:
                frame = decode_frame(await _frame(self._reader))
            except (OSError, asyncio.IncompleteReadError) as error:
                raise ServerGone("the server has ended its stream of events") from error
            yield decode_body(frame, list[EventView])

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def _asked(connection: Connection, request: Request) -> bytes:
    reader, writer = connection
    writer.write(encode_request(request))
    await writer.drain()
    return await _frame(reader)


async def _frame(reader: StreamReader) -> bytes:
    return await reader.readexactly(frame_length(await reader.readexactly(LENGTH_BYTES)))
