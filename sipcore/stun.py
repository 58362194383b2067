"""STUN keep-alives on the SIP port: Binding requests and nothing else (RFC 5626 §8, RFC 5389 §7.3.1).

A phone sends them to keep its path through NAT open, and to see by the mapped address that the path has changed.
"""

import struct
from ipaddress import ip_address

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_COOKIE = 0x2112A442
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_ERROR_CODE, _UNKNOWN_ATTRIBUTES, _XOR_MAPPED_ADDRESS = 0x0009, 0x000A, 0x0020
_OPTIONAL = 0x8000  # attributes from here on may be passed over
# MAPPED-ADDRESS, USERNAME, MESSAGE-INTEGRITY, REALM, NONCE: understood, though nothing here asks for them.
_KNOWN = (0x0001, 0x0006, 0x0008, 0x0014, 0x0015, _XOR_MAPPED_ADDRESS)
_AT_MOST = 548  # bytes, RFC 5389 §7.1: what fits into any IPv4 packet


def binding_response(data: bytes, host: str, port: int) -> bytes | None:
    """The answer to a Binding request from that address; None for whatever is no such request."""
    if not _HEADER.size <= len(data) <= _AT_MOST:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != _REQUEST or cookie != _COOKIE or length % 4 or length != len(data) - _HEADER.size:
        return None
    unknown = _unknown_attributes(data)
    if unknown is None:
        return None
    if unknown:
        body = _attribute(_ERROR_CODE, b"\0\0\4\x14Unknown Attribute")
        body += _attribute(_UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown))
        return _HEADER.pack(_ERROR, len(body), _COOKIE, transaction) + body
    body = _attribute(_XOR_MAPPED_ADDRESS, _xored(host, port, transaction))
    return _HEADER.pack(_SUCCESS, len(body), _COOKIE, transaction) + body


def _unknown_attributes(data: bytes) -> list[int] | None:
    """Types that must be understood and are not; None when the attributes cannot be read."""
    unknown, at = [], _HEADER.size
    while at < len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size + length + -length % 4
        if kind < _OPTIONAL and kind not in _KNOWN:
            unknown.append(kind)
    return unknown if at == len(data) else None


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _xored(host: str, port: int, transaction: bytes) -> bytes:
    """RFC 5389 §15.2: the address in a form that no router takes for an address and rewrites."""
    address = ip_address(host.partition("%")[0])
    mask = _COOKIE.to_bytes(4, "big") + transaction
    masked = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ _COOKIE >> 16) + masked
