"""STUN messages as ICE sends them (RFC 8489, RFC 8445 §7.1): read and written, with integrity and fingerprint."""

import hmac
import struct
import zlib
from collections.abc import Mapping
from dataclasses import field
from ipaddress import ip_address

from frozen import dataclass

REQUEST, INDICATION, SUCCESS, ERROR = 0x0001, 0x0011, 0x0101, 0x0111
USERNAME, INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x0006, 0x0008, 0x0009, 0x000A
XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE, FINGERPRINT = 0x0020, 0x0024, 0x0025, 0x8028
ICE_CONTROLLED, ICE_CONTROLLING = 0x8029, 0x802A
KNOWN = frozenset((0x0001, USERNAME, INTEGRITY, 0x0014, 0x0015, XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE))

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_COOKIE = 0x2112A442
_OPTIONAL = 0x8000  # attributes from here on may be passed over
_AT_MOST = 1280
_SIGNATURE, _CHECK = 24, 8  # bytes of the two last attributes, headers included
_CHECK_XOR = 0x5354554E


@dataclass(frozen=True, slots=True)
class Stun:
    """One message; of an attribute that is there twice the first one counts (RFC 8489 §5). `signed`: the bytes that
    MESSAGE-INTEGRITY is of, with their length as it says; empty when there is none."""

    kind: int
    transaction: bytes
    attributes: Mapping[int, bytes] = field(default_factory=dict)
    signed: bytes = b""

    @property
    def unknown(self) -> tuple[int, ...]:
        """What must be understood and is not."""
        return tuple(each for each in self.attributes if each < _OPTIONAL and each not in KNOWN)

    def is_signed_with(self, password: bytes) -> bool:
        found = self.attributes.get(INTEGRITY, b"")
        return bool(self.signed) and hmac.compare_digest(hmac.digest(password, self.signed, "sha1"), found)


def read_stun(data: bytes) -> Stun | None:
    """The message; None for what is none, or has a wrong FINGERPRINT or none at all (ICE demands it)."""
    if not _HEADER.size <= len(data) <= _AT_MOST or len(data) % 4:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if cookie != _COOKIE or length != len(data) - _HEADER.size or not _has_fingerprint(data):
        return None
    attributes: dict[int, bytes] = {}
    signed, at = b"", _HEADER.size
    while at + _ATTRIBUTE.size <= len(data):
        name, size = _ATTRIBUTE.unpack_from(data, at)
        end = at + _ATTRIBUTE.size + size
        if end > len(data):
            return None
        if INTEGRITY not in attributes or name == FINGERPRINT:  # nothing behind it counts (§14.5)
            attributes.setdefault(name, data[at + _ATTRIBUTE.size : end])
        if name == INTEGRITY and not signed and size == 20:
            signed = data[:2] + struct.pack("!H", at + _SIGNATURE - _HEADER.size) + data[4:at]
        at = end + -size % 4
    return Stun(kind, transaction, attributes, signed) if at == len(data) else None


def write_stun(kind: int, transaction: bytes, attributes: Mapping[int, bytes], password: bytes = b"") -> bytes:
    """With MESSAGE-INTEGRITY when there is a password, and FINGERPRINT."""
    body = b"".join(_attribute(name, value) for name, value in attributes.items())
    if password:
        head = _HEADER.pack(kind, len(body) + _SIGNATURE, _COOKIE, transaction)
        body += _attribute(INTEGRITY, hmac.digest(password, head + body, "sha1"))
    message = _HEADER.pack(kind, len(body) + _CHECK, _COOKIE, transaction) + body
    return message + _attribute(FINGERPRINT, _check(message))


def mapped_address(host: str, port: int, transaction: bytes) -> bytes:
    """The value of XOR-MAPPED-ADDRESS (§14.2)."""
    address = ip_address(host.partition("%")[0])
    mask = _COOKIE.to_bytes(4, "big") + transaction
    hidden = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ _COOKIE >> 16) + hidden


def error_code(code: int, reason: str) -> bytes:
    """The value of ERROR-CODE (§14.8)."""
    return struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode()


def _has_fingerprint(data: bytes) -> bool:
    expected = _ATTRIBUTE.pack(FINGERPRINT, 4) + _check(data[:-_CHECK])
    return hmac.compare_digest(data[-_CHECK:], expected)


def _check(message: bytes) -> bytes:
    return struct.pack("!I", zlib.crc32(message) ^ _CHECK_XOR)


def _attribute(name: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4)
