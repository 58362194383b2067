"""HEPv3: the packet byte by byte, read back by an independent decoder, sent by a running exporter."""

import asyncio
import socket
import struct

import pytest

from pbx.clock import Clock
from pbx.hep import HepExporter, HepMessage, encode
from sipcore.flow import Flow

T = 1_700_000_000.25
OPTIONS = b'OPTIONS sip:a SIP/2.0\r\nCall-ID: out\r\nAuthorization: Digest response="0123"\r\n\r\n'
FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.2", 5062))


def decoded(packet: bytes) -> dict[int, bytes]:
    """The chunks of a packet by type."""
    assert packet[:4] == b"HEP3"
    assert int.from_bytes(packet[4:6], "big") == len(packet)
    chunks, at = {}, 6
    while at < len(packet):
        vendor, kind, length = struct.unpack_from("!3H", packet, at)
        assert vendor == 0
        assert length >= 6
        chunks[kind] = packet[at + 6 : at + length]
        at += length
    assert at == len(packet)
    return chunks


def test_the_packet_byte_by_byte() -> None:
    message = HepMessage(T, "UDP", ("10.0.0.5", 5062), ("192.0.2.1", 5060), b"c1", b"SIP")
    assert encode(message, 7).hex(" ", 1) == (
        "48 45 50 33 00 6e "
        "00 00 00 01 00 07 02 "  # IPv4
        "00 00 00 02 00 07 11 "  # UDP
        "00 00 00 03 00 0a 0a 00 00 05 "
        "00 00 00 04 00 0a c0 00 02 01 "
        "00 00 00 07 00 08 13 c6 "
        "00 00 00 08 00 08 13 c4 "
        "00 00 00 09 00 0a 65 53 f1 00 "
        "00 00 00 0a 00 0a 00 03 d0 90 "
        "00 00 00 0b 00 07 01 "  # SIP
        "00 00 00 0c 00 0a 00 00 00 07 "
        "00 00 00 11 00 08 63 31 "
        "00 00 00 0f 00 09 53 49 50"
    )


@pytest.mark.parametrize(
    ("source", "target", "family", "kinds"),
    [
        ("::1", "2001:db8::5", 10, (5, 6)),
        ("127.0.0.1", "::1", 10, (5, 6)),
        ("pbx.example.net", "10.0.0.1", 2, (3, 4)),
    ],
)
def test_addresses_of_both_families(source: str, target: str, family: int, kinds: tuple[int, int]) -> None:
    found = decoded(encode(HepMessage(T, "TLS", (source, 5061), (target, 5062), b"", b"x"), 1))
    assert found[1] == bytes([family])
    assert found[2] == b"\x06"
    assert all(len(found[kind]) == (16 if family == 10 else 4) for kind in kinds)


class Collector:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)

    async def packet(self) -> dict[int, bytes]:
        async with asyncio.timeout(5):
            return decoded(await asyncio.get_running_loop().sock_recv(self.socket, 65535))


@pytest.mark.real_loop
async def test_messages_reach_the_capture_server_masked_and_correlated() -> None:
    collector, clock = Collector(), Clock(asyncio.get_running_loop(), lambda: T)
    exporter = HepExporter(collector.socket.getsockname(), clock, lambda call_id: f"call of {call_id}")
    try:
        exporter.tap(b"\r\n\r\n", FLOW, True)  # no SIP: not told
        exporter.tap(OPTIONS, FLOW, True)
        exporter.tap(OPTIONS, FLOW, False)
        inbound, outbound = await collector.packet(), await collector.packet()
        assert inbound[0x0F] == OPTIONS.replace(b"0123", b"****")
        assert inbound[0x11] == b"call of out"
        assert (inbound[7], inbound[8]) == (struct.pack("!H", 5062), struct.pack("!H", 5060))
        assert (outbound[7], outbound[8]) == (inbound[8], inbound[7])
        assert (exporter.describe()["sent"], exporter.describe()["lost"]) == (2, 0)
    finally:
        exporter.close()
        collector.socket.close()


@pytest.mark.real_loop
async def test_what_cannot_be_sent_is_counted_and_nothing_else() -> None:
    clock = Clock(asyncio.get_running_loop(), lambda: T)
    exporter = HepExporter(("127.0.0.1", 9), clock, lambda call_id: call_id)
    exporter.tap(OPTIONS + b"x" * 65_500, FLOW, True)
    exporter.flush()
    assert exporter.describe()["lost"] == 1
    exporter.close()
    exporter.tap(OPTIONS, FLOW, True)
    exporter.flush()
    assert exporter.describe()["lost"] == 2
