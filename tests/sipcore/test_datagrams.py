"""Datagrams in and out: the compiled form and its reference do the same on real sockets."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from sipcore.transport import datagrams, datagrams_ref


class Form(Protocol):
    def receive(self) -> list[tuple[bytes, tuple[str, int]]]: ...

    def send(self, data: bytes, remote: tuple[str, int]) -> bool: ...


Pair = tuple[Form, socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[datagrams.Datagrams, datagrams_ref.Datagrams], ids=["compiled", "reference"])
def pair(request: pytest.FixtureRequest, host: str) -> Iterator[Pair]:
    """One form over a socket, that socket, and a peer."""
    with ExitStack() as opened:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        own, peer = (opened.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2))
        for each in (own, peer):
            each.bind((host, 0))
            each.setblocking(False)
        yield request.param(own.fileno()), own, peer


def address(of: socket.socket) -> tuple[str, int]:
    host, port = of.getsockname()[:2]
    return host, port


def test_what_has_come_is_received_in_order_with_its_sender(pair: Pair) -> None:
    form, own, peer = pair
    sent = [b"", b"\0\xff", *(b"%d" % n for n in range(5)), b"x" * 65_000]
    for data in sent:
        peer.sendto(data, own.getsockname())
    assert form.receive() == [(data, address(peer)) for data in sent]
    assert form.receive() == []


def test_a_long_queue_is_received_in_parts(pair: Pair) -> None:
    form, own, peer = pair
    for n in range(70):
        peer.sendto(b"%d" % n, own.getsockname())
    parts = [form.receive() for _ in range(4)]
    assert [len(part) for part in parts] == [32, 32, 6, 0]
    assert [data for part in parts for data, _ in part] == [b"%d" % n for n in range(70)]


def test_what_is_received_stays_as_it_was(pair: Pair) -> None:
    form, own, peer = pair
    peer.sendto(b"first", own.getsockname())
    [(first, _)] = form.receive()
    peer.sendto(b"other", own.getsockname())
    assert form.receive() == [(b"other", address(peer))]
    assert first == b"first"


def test_what_is_sent_arrives(pair: Pair) -> None:
    form, own, peer = pair
    for data in (b"one", b"", b"y" * 60_000):
        assert form.send(data, address(peer))
        got, sender = peer.recvfrom(70_000)
        assert (got, sender[:2]) == (data, address(own))


def test_a_datagram_that_nobody_can_send_is_lost_like_any_other(pair: Pair) -> None:
    form, own, peer = pair
    assert form.send(b"z" * 70_000, address(peer))
    assert form.send(b"to nobody", (address(own)[0], 0))
    assert form.send(b"still there", address(peer))
    assert peer.recv(100) == b"still there"


def test_a_name_is_no_address(pair: Pair) -> None:
    form, own, _ = pair
    for name in ("localhost", "::nobody", "1.2.3", ""):
        with pytest.raises(ValueError, match="addr"):
            form.send(b"x", (name, address(own)[1]))


def test_a_peer_that_is_gone_does_not_stop_the_others(pair: Pair, host: str) -> None:
    form, own, peer = pair
    with socket.socket(own.family, socket.SOCK_DGRAM) as gone:
        gone.bind((host, 0))
        nowhere = address(gone)
    for _ in range(3):
        assert form.send(b"hello", nowhere)
    peer.sendto(b"here", own.getsockname())
    assert form.receive() == [(b"here", address(peer))]


def test_many_peers_are_told_apart(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(12)]
        for each in sockets:
            each.bind((host, 0))
        own, *peers = sockets
        forms: list[Form] = [datagrams.Datagrams(own.fileno()), datagrams_ref.Datagrams(own.fileno())]
        for form in forms:
            for n, peer in enumerate(peers):
                peer.sendto(b"%d" % n, own.getsockname())
            assert form.receive() == [(b"%d" % n, address(peer)) for n, peer in enumerate(peers)]
            for n, peer in enumerate(peers):
                assert form.send(b"%d" % n, address(peer))
                assert peer.recv(10) == b"%d" % n
