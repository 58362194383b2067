"""SIP messages as a capture file: each one an Ethernet frame with IP and UDP, whatever carried it really.

What went over TCP, TLS or WebSocket is written as a datagram too: the text is what somebody wants to read, and no
capture of those transports could show it. The format is libpcap's classic one (magic a1b2c3d4, link type Ethernet).
"""

import ipaddress
import struct
from collections.abc import Iterable
from typing import NamedTuple

_FILE_HEADER = struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
_MOST_PAYLOAD = {4: 65_507, 6: 65_527}  # what fits into the length fields (RFC 768, RFC 791, RFC 8200)
_UDP, _HOPS = 17, 64
_ETHER = {4: b"\x08\x00", 6: b"\x86\xdd"}
_OURS, _THEIRS = b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02"  # locally administered
_NOWHERE = ipaddress.IPv4Address("0.0.0.0")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
HostAndPort = tuple[str, int]


class Datagram(NamedTuple):
    """One message on its way; `at` is wall-clock time, UTC seconds."""

    at: float
    source: HostAndPort
    target: HostAndPort
    data: bytes


def pcap(datagrams: Iterable[Datagram]) -> bytes:
    """The whole file."""
    return _FILE_HEADER + b"".join(map(_record, datagrams))


def _record(datagram: Datagram) -> bytes:
    frame = _frame(datagram)
    micros = round(datagram.at * 1e6)
    return struct.pack("!IIII", micros // 1_000_000, micros % 1_000_000, len(frame), len(frame)) + frame


def _frame(datagram: Datagram) -> bytes:
    source, target = _same_family(_address(datagram.source[0]), _address(datagram.target[0]))
    version = source.version
    payload = datagram.data[: _MOST_PAYLOAD[version]]
    udp = _udp(source, target, datagram, payload)
    ip = _ipv4(source, target, len(udp)) if version == 4 else _ipv6(source, target, len(udp))
    return _THEIRS + _OURS + _ETHER[version] + ip + udp


def _udp(source: IpAddress, target: IpAddress, datagram: Datagram, payload: bytes) -> bytes:
    length = 8 + len(payload)
    ports = struct.pack("!HHH", datagram.source[1], datagram.target[1], length)
    pseudo = source.packed + target.packed + struct.pack("!IHBB", length, 0, 0, _UDP)
    checksum = internet_checksum(pseudo + ports + b"\0\0" + payload) or 0xFFFF  # 0 means none (RFC 768)
    return ports + struct.pack("!H", checksum) + payload


def _ipv4(source: IpAddress, target: IpAddress, length: int) -> bytes:
    fields = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, _HOPS, _UDP)
    addresses = source.packed + target.packed
    return fields + struct.pack("!H", internet_checksum(fields + b"\0\0" + addresses)) + addresses


def _ipv6(source: IpAddress, target: IpAddress, length: int) -> bytes:
    return struct.pack("!IHBB", 6 << 28, length, _UDP, _HOPS) + source.packed + target.packed


def internet_checksum(data: bytes) -> int:
    """RFC 1071: the one's complement sum of 16 bit words, complemented."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _address(host: str) -> IpAddress:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _NOWHERE  # advertised by name


def _same_family(source: IpAddress, target: IpAddress) -> tuple[IpAddress, IpAddress]:
    if source.version == target.version:
        return source, target
    return _as_v6(source), _as_v6(target)


def _as_v6(address: IpAddress) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
