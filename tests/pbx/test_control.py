"""The control socket: what a client gets, what a bad client cannot do, one server for one data folder."""

import asyncio
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.control import messages, server
from pbx.control.client import PAGE, ControlClient, NotRunning
from pbx.control.messages import BadFrame, ControlError, Frame, Hello, PlanView, decode_request
from pbx.control.place import DataFolderInUse, DataFolderLock, socket_path
from storage.ports import HistoryQuery
from tests.support.control import CALL, PLAN, REGISTRATION, RINGING, ROW, FakeOperator, control_server

T = TypeVar("T")


async def asked(data: Path, question: Callable[[ControlClient], T]) -> T:
    """What a client in another thread gets."""

    def ask() -> T:
        with ControlClient(data, timeout_s=10) as client:
            return question(client)

    return await asyncio.to_thread(ask)


@asynccontextmanager
async def raw_connection(data: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    with socket_path(data) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def frame_from(reader: asyncio.StreamReader) -> list[object]:
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    found: list[object] = msgspec.msgpack.decode(await reader.readexactly(length))
    return found


def frame(kind: object, body: object) -> bytes:
    payload = msgspec.msgpack.encode([kind, body])
    return struct.pack(">I", len(payload)) + payload


HELLO = frame("hello", {"protocol": messages.PROTOCOL})


@pytest.mark.real_loop
async def test_every_request_gets_what_the_operator_says(tmp_path: Path) -> None:
    operator = FakeOperator()
    async with control_server(tmp_path, operator):
        assert (await asked(tmp_path, ControlClient.status))["uptime_s"] == 12
        assert await asked(tmp_path, ControlClient.registrations) == [REGISTRATION]
        assert await asked(tmp_path, ControlClient.calls) == [CALL, RINGING]
        assert await asked(tmp_path, lambda client: client.history(HistoryQuery(number="101"))) == [ROW]
        assert await asked(tmp_path, lambda client: client.hangup("c1"))
        assert not await asked(tmp_path, lambda client: client.hangup("c9"))
        assert await asked(tmp_path, lambda client: client.plan("x", "office.toml")) == PLAN
        assert await asked(tmp_path, lambda client: client.apply("x", "o.toml")) == replace(PLAN, applied=True)
        assert "password" not in await asked(tmp_path, lambda client: client.export())
        assert "password" in await asked(tmp_path, lambda client: client.export(with_secrets=True))
    assert operator.queries == [HistoryQuery(number="101")]
    assert operator.applied == [("x", "o.toml")]
    assert operator.hung_up == ["c1", "c9"]


@pytest.mark.real_loop
async def test_several_requests_share_a_connection_and_the_server_says_who_it_is(tmp_path: Path) -> None:
    async with control_server(tmp_path, FakeOperator()):
        assert await asked(tmp_path, lambda client: (client.server.pid, client.hangup("c1"), client.hangup("c9"))) == (
            (os.getpid(), True, False)
        )


@pytest.mark.real_loop
async def test_a_refusal_reaches_the_client_as_its_sentences(tmp_path: Path) -> None:
    async with control_server(tmp_path, FakeOperator()):
        with pytest.raises(ControlError, match=r"office\.toml:1: office\.name: refused\noffice\.toml:2: refused too"):
            await asked(tmp_path, lambda client: client.apply("refused", "office.toml"))


@pytest.mark.real_loop
async def test_a_bug_of_the_server_is_logged_there_and_told_as_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with control_server(tmp_path, FakeOperator()):
        with pytest.raises(ControlError, match="the server could not do this; its log says why"):
            await asked(tmp_path, lambda client: client.plan("broken", "office.toml"))
        assert await asked(tmp_path, lambda client: client.plan("", "office.toml")) == PlanView()
    assert "LookupError: a bug" in caplog.text


@pytest.mark.real_loop
async def test_a_long_history_comes_page_by_page_each_row_once(tmp_path: Path) -> None:
    rows = [replace(ROW, id=f"c{n}-1") for n in range(2 * PAGE + 5)]
    rows[PAGE:PAGE] = [rows[PAGE - 1]]  # a new row on top moved this one to the second page
    async with control_server(tmp_path, FakeOperator(rows=rows)):
        whole = await asked(tmp_path, lambda client: list(client.whole_history(HistoryQuery())))
        some = await asked(tmp_path, lambda client: list(client.whole_history(HistoryQuery(), PAGE + 3)))
    assert [row.id for row in whole] == [f"c{n}-1" for n in range(2 * PAGE + 5)]
    assert [row.id for row in some] == [row.id for row in whole[: PAGE + 3]]


@pytest.mark.real_loop
async def test_a_large_document_passes(tmp_path: Path) -> None:
    operator = FakeOperator()
    async with control_server(tmp_path, operator):
        await asked(tmp_path, lambda client: client.apply("#" * 16_000_000, "office.toml"))
    assert len(operator.applied[0][0]) == 16_000_000


async def test_the_socket_is_for_its_user_only_and_goes_with_the_server(tmp_path: Path) -> None:
    async with control_server(tmp_path, FakeOperator()):
        assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600
    assert not (tmp_path / "control.sock").exists()


async def test_a_data_folder_may_be_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-folder-name"] * 6)
    async with control_server(deep, FakeOperator()), raw_connection(deep) as (reader, writer):
        writer.write(HELLO)
        assert await frame_from(reader) == ["ok", {"protocol": messages.PROTOCOL, "pid": os.getpid()}]


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        struct.pack(">I", messages.MAX_FRAME + 1),
        b"\0\0\0\x05hello",
        struct.pack(">I", 100_000) + b"\x91" * 100_000,
        frame("hello", "no map"),
        frame("hello", {"protocol": "one"}),
        frame(7, {}),
        frame("calls", {}),
        frame("reboot", {}),
    ],
)
async def test_garbage_ends_its_own_connection_with_a_sentence_and_no_other(tmp_path: Path, garbage: bytes) -> None:
    async with control_server(tmp_path, FakeOperator()), raw_connection(tmp_path) as (good, to_server):
        to_server.write(HELLO)
        assert (await frame_from(good))[0] == "ok"
        async with raw_connection(tmp_path) as (bad, writer):
            writer.write(garbage)
            kind, sentence = await frame_from(bad)
            assert kind == "failed"
            assert isinstance(sentence, str)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await bad.readexactly(1)
        to_server.write(frame("hangup", {"call_id": "c1"}))
        assert await frame_from(good) == ["ok", True]


async def test_a_client_of_another_version_is_told_so(tmp_path: Path) -> None:
    async with control_server(tmp_path, FakeOperator()), raw_connection(tmp_path) as (reader, writer):
        writer.write(frame("hello", {"protocol": messages.PROTOCOL + 1}))
        assert await frame_from(reader) == [
            *("failed", "this zvon speaks control protocol 1, not 2: use its own `zvon` command")
        ]


async def test_a_client_that_never_speaks_is_put_down(tmp_path: Path) -> None:
    async with control_server(tmp_path, FakeOperator()), raw_connection(tmp_path) as (reader, _):
        before = asyncio.get_running_loop().time()
        assert await reader.read() == b""
        assert asyncio.get_running_loop().time() - before == server.HELLO_TIMEOUT_S


async def test_a_client_that_leaves_in_the_middle_harms_nobody(tmp_path: Path) -> None:
    async with control_server(tmp_path, FakeOperator()):
        async with raw_connection(tmp_path) as (_, writer):
            writer.write(HELLO + HELLO[:7])
        async with raw_connection(tmp_path) as (reader, writer):
            writer.write(HELLO)
            assert (await frame_from(reader))[0] == "ok"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_bad_frame(payload: bytes) -> None:
    with suppress(BadFrame):
        decode_request(messages.decode_frame(payload))


def test_requests_survive_the_wire() -> None:
    for request in (Hello(), messages.GetHistory(HistoryQuery("101", "102", from_at=1.5)), messages.HangUp("ц1")):
        assert decode_request(messages.decode_frame(messages.encode_request(request)[4:])) == request


def test_an_answer_that_is_too_large_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_FRAME", 100)
    with pytest.raises(ControlError, match="ask for less at a time"):
        messages.encode_frame("ok", "x" * 200)


def test_an_answer_of_another_shape_is_a_bad_frame() -> None:
    with pytest.raises(BadFrame):
        messages.decode_body(Frame("ok", msgspec.Raw(msgspec.msgpack.encode("text"))), int)


# --- one server for one folder -------------------------------------------------------------------------------------


def test_without_a_server_the_client_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match=r"no zvon runs with data folder .*; start it with `zvon run --data "):
        ControlClient(tmp_path)
    with pytest.raises(NotRunning):
        ControlClient(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(NotRunning):
        ControlClient(tmp_path / "file")


def dead_socket(data: Path) -> None:
    """What a killed server leaves behind."""
    listener = socket.socket(socket.AF_UNIX)
    with socket_path(data) as path:
        listener.bind(path)
    listener.close()


def test_the_socket_of_a_dead_server_counts_as_no_server(tmp_path: Path) -> None:
    dead_socket(tmp_path)
    with pytest.raises(NotRunning):
        ControlClient(tmp_path)


async def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    dead_socket(tmp_path)
    async with control_server(tmp_path, FakeOperator()), raw_connection(tmp_path) as (reader, writer):
        writer.write(HELLO)
        assert (await frame_from(reader))[0] == "ok"


async def test_a_second_server_on_a_data_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with control_server(tmp_path, FakeOperator()):
        with pytest.raises(DataFolderInUse, match=rf"another zvon runs with this data folder \(pid {os.getpid()}\)"):
            DataFolderLock.acquire(tmp_path)
        async with raw_connection(tmp_path) as (reader, writer):
            writer.write(HELLO)
            assert (await frame_from(reader))[0] == "ok"


def test_a_released_folder_can_be_taken_again(tmp_path: Path) -> None:
    first = DataFolderLock.acquire(tmp_path / "new" / "folder")
    first.release()
    first.release()
    DataFolderLock.acquire(tmp_path / "new" / "folder").release()


def test_a_data_folder_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ControlError, match="is a file, not a folder: choose another with --data"):
        DataFolderLock.acquire(tmp_path / "file")
    with pytest.raises(ControlError, match="is not a folder"):
        DataFolderLock.acquire(tmp_path / "file" / "below")


def test_a_full_disk_is_told_as_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ControlError, match="is on a full disk: make room there"):
        DataFolderLock.acquire(tmp_path)


@pytest.mark.real_loop
async def test_a_server_that_hangs_up_or_keeps_silent_is_told_as_a_sentence(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\0\0\0\x02\x92\x00")
        await reader.read()
        writer.close()

    for behaviour, sentence in ((hang_up, "ended the connection"), (keep_silent, "does not answer")):
        (tmp_path / "control.sock").unlink(missing_ok=True)
        async with await asyncio.start_unix_server(behaviour, tmp_path / "control.sock"):
            with pytest.raises(ControlError, match=sentence):
                await asyncio.to_thread(ControlClient, tmp_path, timeout_s=0.2)
    (tmp_path / "control.sock").unlink()
    async with await asyncio.start_unix_server(talk_nonsense, tmp_path / "control.sock"):
        with pytest.raises(ControlError, match="is of another version"):
            await asyncio.to_thread(ControlClient, tmp_path, timeout_s=0.2)
