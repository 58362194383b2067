"""The torture messages of RFC 4475 over real sockets, from strangers: the RFC's answer, or silence, and no harm."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from bench.wire import Message
from tests.e2e.conftest import CALLEE
from tests.e2e.harness import Server
from tests.e2e.ua import registered
from tests.sipcore.test_torture import EXPECTED, FOLDER, INVITE, REQUEST, UNFRAMED

PATIENCE_S = 2.0
SILENCE_S = 0.2


def _vector(name: str) -> bytes:
    data = (FOLDER / f"{name}.dat").read_bytes()
    return data.replace(b"uw39234", b"uw39235") if name == "novelsc" else data  # unkscm has the same branch


@contextlib.contextmanager
def _stranger(kind: socket.SocketKind, server: Server, index: int) -> Iterator[socket.socket]:
    """Each message from an address of its own: nobody's sins count for another."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((f"127.0.44.{index + 1}", 0))
        sock.connect(server.address)
        sock.settimeout(PATIENCE_S)
        yield sock


def _status(data: bytes) -> int:
    return Message.parse(data).status


def _assert_answer(name: str, status: int) -> None:
    expected = EXPECTED[name]
    if isinstance(expected, int):
        assert status == expected
    else:
        assert expected in (INVITE, REQUEST), "an answer where silence was asked for"
        assert status in (100, 200) or 400 <= status < 500


@pytest.mark.parametrize("name", EXPECTED)
def test_a_datagram_gets_the_answer_of_the_rfc(server: Server, name: str) -> None:
    is_silent = isinstance(EXPECTED[name], str) and EXPECTED[name] not in (INVITE, REQUEST)
    with _stranger(socket.SOCK_DGRAM, server, list(EXPECTED).index(name)) as sock:
        sock.send(_vector(name))
        if is_silent:
            sock.settimeout(SILENCE_S)
            with pytest.raises(TimeoutError):
                sock.recv(65535)
        else:
            _assert_answer(name, _status(sock.recv(65535)))


@pytest.mark.parametrize("name", sorted(UNFRAMED - {"dblreq"}))
def test_a_stream_whose_end_is_lost_is_told_so_and_closed(server: Server, name: str) -> None:
    with _stranger(socket.SOCK_STREAM, server, 100 + list(EXPECTED).index(name)) as sock:
        sock.sendall(_vector(name))
        answer = sock.recv(65535)
        assert _status(answer) == 400
        assert sock.recv(65535) == b""


def test_after_all_of_it_a_phone_registers(server: Server) -> None:
    for index, name in enumerate(EXPECTED):
        with _stranger(socket.SOCK_STREAM, server, index) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(_vector(name))
    with registered(server.address, "401", host=CALLEE):
        pass
