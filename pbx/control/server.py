"""The control socket of a running server: `DATA/control.sock`, for its own user only.

Each connection is served by itself; a client that talks nonsense loses its connection and nothing else happens.
"""

import asyncio
import logging
import os
import socket
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from pbx.control.backups import BackupRequest
from pbx.control.clerk import ClerkRequest
from pbx.control.desk import EVENT, FollowEvents
from pbx.control.errands import ErrandRequest
from pbx.control.messages import (
    FAILED,
    LENGTH_BYTES,
    OK,
    PROTOCOL,
    ApplyOffice,
    BadFrame,
    ControlError,
    ExplainCall,
    ExportOffice,
    ExportRecording,
    Frame,
    GetCalls,
    GetHistory,
    GetLines,
    GetQueues,
    GetRecordings,
    GetRegistrations,
    GetStatus,
    HangUp,
    Hello,
    Intercept,
    Operator,
    Originate,
    PlanOffice,
    Request,
    SendTestMail,
    TraceCall,
    TransferCall,
    Welcome,
    decode_frame,
    decode_request,
    encode_frame,
    frame_length,
)
from pbx.control.place import SOCKET_NAME, DataFolderLock, socket_path
from pbx.control.settings import GetSettings
from pbx.control.sounds import SoundRequest

HELLO_TIMEOUT_S = 10.0
BACKLOG = 64

log = logging.getLogger(__name__)


class ControlServer:
    """Answers control requests by asking the operator. The lock proves that the folder is ours, so a socket that is
    found there is a dead one and is replaced."""

    def __init__(self, lock: DataFolderLock, operator: Operator) -> None:
        self._data = lock.data
        self._operator = operator
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; raises `ControlError` when the folder refuses a socket."""
        try:
            listener = self._listener()
        except OSError as error:
            raise ControlError(f"no control socket in data folder {self._data}: {error.strerror}") from None
        self._server = await asyncio.start_unix_server(self._accepted, sock=listener)

    async def close(self) -> None:
        """Stop listening, end the connections, take the socket away."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        (self._data / SOCKET_NAME).unlink(missing_ok=True)

    def _listener(self) -> socket.socket:
        (self._data / SOCKET_NAME).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)  # 0600 from the first moment
        try:
            with socket_path(self._data) as path:
                listener.bind(path)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(previous)
        return listener

    def _accepted(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer), name="control connection")
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client went away or never spoke
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                frame = await _read(reader)
            writer.write(encode_frame(OK, _welcome(frame)))
            while True:
                await writer.drain()
                request = decode_request(await _read(reader))
                if isinstance(request, FollowEvents):
                    return await self._stream(request, reader, writer)
                writer.write(await self._answer(request))
        except BadFrame as error:
            writer.write(encode_frame(FAILED, str(error)))
            await writer.drain()

    async def _stream(self, request: FollowEvents, reader: StreamReader, writer: StreamWriter) -> None:
        """Events for as long as the client is there; one that is too slow for the log is told so."""
        stream = self._operator.desk.follow(request)
        gone, coming = asyncio.ensure_future(reader.read(1)), asyncio.ensure_future(stream.next())
        try:
            writer.write(encode_frame(OK, stream.start))
            while True:
                await writer.drain()
                await asyncio.wait((gone, coming), return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return
                writer.write(encode_frame(EVENT, coming.result()))
                coming = asyncio.ensure_future(stream.next())
        except ControlError as error:
            writer.write(encode_frame(FAILED, str(error)))
            await writer.drain()
        finally:
            gone.cancel()
            coming.cancel()
            await asyncio.gather(gone, coming, return_exceptions=True)
            stream.close()

    async def _answer(self, request: Request) -> bytes:
        try:
            return encode_frame(OK, await self._ask(request))
        except ControlError as error:
            return encode_frame(FAILED, str(error))
        except Exception:
            log.exception("control request %s failed", type(request).__name__)
            return encode_frame(FAILED, "the server could not do this; its log says why")

    async def _ask(self, request: Request) -> object:
        operator = self._operator
        match request:
            case Hello():
                return Welcome(PROTOCOL, os.getpid())
            case GetStatus():
                return await operator.status()
            case GetRegistrations():
                return await operator.registrations()
            case GetCalls():
                return await operator.calls()
            case GetQueues():
                return await operator.queues()
            case GetLines():
                return await operator.lines()
            case GetHistory(query):
                return await operator.history(query)
            case TraceCall(wanted, with_secrets):
                return await operator.trace(wanted, with_secrets)
            case HangUp(call_id):
                return await operator.hangup(call_id)
            case Originate():
                return await operator.originate(request)
            case Intercept():
                return await operator.intercept(request)
            case TransferCall(call_id, to_number):
                return await operator.transfer(call_id, to_number)
            case ExplainCall():
                return await operator.explain(request)
            case PlanOffice(text, source_name):
                return await operator.plan(text, source_name)
            case ApplyOffice(text, source_name):
                return await operator.apply(text, source_name)
            case ExportOffice(with_secrets):
                return await operator.export(with_secrets)
            case GetRecordings(query):
                return await operator.recordings(query)
            case ExportRecording(id):
                return await operator.export_recording(id)
            case SendTestMail(address):
                return await operator.test_mail(address)
            case _ if isinstance(request, ClerkRequest):
                return await operator.clerk.answer(request)
            case _ if isinstance(request, ErrandRequest):
                return await operator.errands.answer(request)
            case _ if isinstance(request, SoundRequest):
                return await operator.library.answer(request)
            case _ if isinstance(request, BackupRequest):
                return await operator.backups.answer(request)
            case GetSettings():
                return await operator.settings()
            case FollowEvents():
                raise ControlError("events are followed on a connection of their own")
            case _:
                return await operator.desk.answer(request)


async def _read(reader: StreamReader) -> Frame:
    length = frame_length(await reader.readexactly(LENGTH_BYTES))
    return decode_frame(await reader.readexactly(length))


def _welcome(frame: Frame) -> Welcome:
    """The handshake: a client of another version is told so."""
    hello = decode_request(frame)
    if not isinstance(hello, Hello):
        raise BadFrame("a conversation begins with hello")
    if hello.protocol != PROTOCOL:
        raise BadFrame(
            f"this zvon speaks control protocol {PROTOCOL}, not {hello.protocol}: use its own `zvon` command"
        )
    return Welcome(PROTOCOL, os.getpid())
