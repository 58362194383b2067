"""STUN on the SIP port, against the sample requests and responses of RFC 5769 without their integrity."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.stun import binding_response

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def request(attributes: bytes = b"", *, kind: int = 1, cookie: int = 0x2112A442, length: int | None = None) -> bytes:
    size = len(attributes) if length is None else length
    return struct.pack("!HHI", kind, size, cookie) + ID + attributes


def mapped(response: bytes) -> tuple[str, int]:
    """The address in a success response, read the way RFC 5389 §15.2 says."""
    kind, length, cookie = struct.unpack_from("!HHI", response)
    assert (kind, length, cookie, response[8:20]) == (0x0101, len(response) - 20, 0x2112A442, ID)
    name, size, _, family, port = struct.unpack_from("!HHBBH", response, 20)
    assert name == 0x0020
    assert (family, size) in ((1, 8), (2, 20))
    mask = response[4:20]
    return str(ip_address(bytes(a ^ b for a, b in zip(response[28:], mask, strict=False)))), port ^ 0x2112


@pytest.mark.parametrize(
    ("host", "port", "value"),
    [
        ("192.0.2.1", 32853, "0001a147e112a643"),  # RFC 5769 §2.2
        ("2001:db8:1234:5678:11:2233:4455:6677", 32853, "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),  # §2.3
    ],
)
def test_the_mapped_address_is_that_of_the_rfc(host: str, port: int, value: str) -> None:
    response = binding_response(request(), host, port)
    assert response is not None
    assert response[24:].hex() == value
    assert mapped(response) == (host, port)


def test_attributes_that_may_be_ignored_are_ignored() -> None:
    software, username = attribute(0x8022, b"test vector"), attribute(0x0006, b"evtj:h6vY")
    response = binding_response(request(software + username + attribute(0x8028, b"\0\0\0\0")), "192.0.2.1", 5060)
    assert response is not None
    assert mapped(response) == ("192.0.2.1", 5060)


def test_an_attribute_that_must_be_understood_and_is_not_is_named_in_an_error() -> None:
    response = binding_response(request(attribute(0x0024, b"\0\0\0\1") + attribute(0x7777, b"")), "192.0.2.1", 5060)
    assert response is not None
    assert response[:2] == b"\x01\x11"
    assert response[24:28] == b"\0\0\4\x14"
    assert response.endswith(attribute(0x000A, b"\x00\x24\x77\x77"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x00\x00\x00",
        request()[:-1],
        request(cookie=1),
        request(kind=0x0011),  # an indication
        request(kind=0x0101),  # a response: never answered, or two servers would talk for ever
        request(length=4),
        request(b"\0\6\0\1"),
        request(b"\0\6\xff\xff"),
        request(b"\0\0\0", length=3),
        request(attribute(0x8022, bytes(600))),
    ],
)
def test_what_is_no_binding_request_gets_no_answer(data: bytes) -> None:
    assert binding_response(data, "192.0.2.1", 5060) is None


@given(st.binary(max_size=80))
def test_no_bytes_raise_and_no_answer_is_a_request(rest: bytes) -> None:
    for data in (rest, request(rest), request(rest + bytes(-len(rest) % 4))):
        response = binding_response(data, "192.0.2.1", 5060)
        assert response is None or response[0] == 1
