"""Fax over real sockets: two phones change from sound to T.38 and back; one that cannot goes on with sound."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bench.wire import Address, Message, sdp
from sipcore.sdp.parse import parse_sdp
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server
from tests.e2e.ua import Call, Phone, eventually, registered

SOUND = {CALLER: sdp((CALLER, 7600), (8,)), CALLEE: sdp((CALLEE, 7600), (8,))}


@contextmanager
def fax_port(host: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind((host, 0))
        port.settimeout(0.1)
        yield port


def with_fax(port: socket.socket) -> str:
    """The sound off, a fax instead."""
    host, number = port.getsockname()
    head, _, _ = sdp((host, 0), (8,), version=2).partition("a=sendrecv")
    return f"{head}m=image {number} udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"


def place_of(message: Message) -> Address:
    """Where the fax goes that a description offers or accepts."""
    found = parse_sdp(message.body.encode())
    (section,) = [each for each in found.media if each.media == "image"]
    assert section.port
    return found.address_of(section), section.port


def arrives(sender: socket.socket, to: Address, receiver: socket.socket) -> bool:
    """Datagrams are sent until one arrives: the first may come before the engine has been told."""
    for number in range(30):
        packet = bytes((0, number, 2, 0xC0, 1, 0x80)) + bytes(range(200))
        sender.sendto(packet, to)
        try:
            return receiver.recv(2048) == packet
        except TimeoutError:
            continue
    return False


def connected(caller: Phone, callee: Phone) -> tuple[Call, Call]:
    call = caller.dial(callee.number, offer=SOUND[CALLER])
    ring = callee.wait_for_call()
    ring.reply(200, SOUND[CALLEE])
    call.expect(200)
    call.acknowledge()
    callee.expect("ACK")
    return call, ring


def test_a_fax_goes_over_by_t38_and_by_sound_where_one_side_knows_no_other(server: Server) -> None:
    with (
        Phone(server.address, "303", host=CALLER) as caller,
        registered(server.address, "404", host=CALLEE) as callee,
        fax_port(CALLER) as near,
        fax_port(CALLEE) as far,
    ):
        call, ring = connected(caller, callee)
        ring.request("INVITE", with_fax(far))
        refused = caller.expect("INVITE")
        caller.reply(refused, 488)
        caller.expect("ACK")
        ring.expect(488)

        ring.request("INVITE", with_fax(far))
        offered = caller.expect("INVITE")
        assert "a=T38FaxUdpEC:t38UDPRedundancy" in offered.body
        caller.reply(offered, 200, with_fax(near))
        answer = ring.expect(200)
        ring.acknowledge()
        caller.expect("ACK")
        assert arrives(far, place_of(answer), near)
        assert arrives(near, place_of(offered), far)

        ring.request("INVITE", SOUND[CALLEE] + "m=image 0 udptl t38\r\n")
        offered = caller.expect("INVITE")
        caller.reply(offered, 200, SOUND[CALLER] + "m=image 0 udptl t38\r\n")
        ring.expect(200)
        ring.acknowledge()
        caller.expect("ACK")
        call.hang_up()
        ring.expect_hang_up()
    eventually(lambda: server.json("status")["media"]["endpoints"] == 0, "all ports are given back")
