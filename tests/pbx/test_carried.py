"""Locations (RFC 6442) and signatures (RFC 8224) on their way through a call."""

import pytest

from sipcore.body import Part, joined, parts_of, session_of
from sipcore.message import Request
from tests.support.builders import sdp, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone

SIGNED = "eyJhbGciOiJFUzI1NiJ9.eyJvcmlnIjp7fX0.c2ln;info=<https://cert.example/1.cer>;alg=ES256;ppt=shaken"
SIGNATURE = (("Identity", SIGNED), ("Identity", SIGNED), ("Date", "Thu, 26 Nov 2026 10:00:00 GMT"))
PLACE = Part(
    "application/pidf+xml", b"<presence>\xd0\xb4\xd0\xbe\xd0\xbc</presence>", "by-reference", "optional", "at@home"
)
LOCATED = (("Geolocation", "<cid:at@home>, <https://lis.example/1>"), ("Geolocation-Routing", "yes"))
GATES = (terminal("301", trust="10.0.3.1"), terminal("302", trust="10.0.3.2"))


async def rung(
    office: VirtualOffice, caller: Phone, callee: Phone, extra: tuple[tuple[str, str], ...], *parts: Part
) -> Request:
    """The INVITE that `callee` gets of one by `caller`."""
    offer = sdp(caller.host, caller.rtp_port)
    if parts:
        extra = (*extra, ("Content-Type", "multipart/mixed;boundary=b1"))
    body = joined([Part("application/sdp", offer), *parts], "b1") if parts else offer
    call = caller.dial(callee.number, body, extra=extra)
    ring = await callee.rung()
    assert ring.invite is not None
    ring.reject(486)
    assert await call.until_over() == 486
    return ring.invite


async def test_a_location_goes_on_to_a_gateway_with_the_document_it_names() -> None:
    async with open_office(terminal("101"), *GATES) as office:
        a, gate = await office.registered("101"), await office.registered("301", "10.0.3.1")
        other = Part("application/pidf+xml", b"<presence/>", id="not@named")
        got = await rung(office, a, gate, LOCATED, PLACE, other)
        assert got.headers.raw("geolocation") == [LOCATED[0][1]]
        assert got.headers.get("geolocation-routing") == "yes"
        assert got.content_type == "multipart/mixed"
        assert session_of(got).startswith(b"v=0")
        assert [each for each in parts_of(got) if not each.is_session] == [PLACE]


async def test_a_location_by_reference_needs_no_parts() -> None:
    async with open_office(terminal("101"), *GATES) as office:
        a, gate = await office.registered("101"), await office.registered("301", "10.0.3.1")
        got = await rung(office, a, gate, (("Geolocation", "<https://lis.example/1>"),))
        assert (got.headers.get("geolocation"), got.content_type) == ("<https://lis.example/1>", "application/sdp")


async def test_phones_are_told_neither_location_nor_signature() -> None:
    async with open_office(terminal("101"), terminal("102"), *GATES) as office:
        a, b = await office.registered("101"), await office.registered("102")
        gate = await office.registered("301", "10.0.3.1")
        for got in (await rung(office, a, b, LOCATED, PLACE), await rung(office, gate, b, SIGNATURE)):
            assert got.content_type == "application/sdp"
            assert not {"geolocation", "geolocation-routing", "identity", "date"} & set(dict(got.headers))


async def test_signatures_go_from_one_gateway_to_another() -> None:
    async with open_office(*GATES) as office:
        one, two = await office.registered("301", "10.0.3.1"), await office.registered("302", "10.0.3.2")
        got = await rung(office, one, two, SIGNATURE)
        assert got.headers.raw("identity") == [SIGNED, SIGNED]
        assert got.headers.get("date") == SIGNATURE[2][1]


async def test_a_phone_signs_for_nobody() -> None:
    async with open_office(terminal("101"), *GATES) as office:
        a, gate = await office.registered("101"), await office.registered("301", "10.0.3.1")
        assert "identity" not in (await rung(office, a, gate, SIGNATURE)).headers


@pytest.mark.parametrize(
    "fields",
    [tuple(("Geolocation", f"<https://lis.example/{n}>") for n in range(9)), (("Geolocation", "<x:" + "y" * 12_000),)],
)
async def test_what_is_larger_than_any_real_one_stays_behind(fields: tuple[tuple[str, str], ...]) -> None:
    async with open_office(terminal("101"), *GATES) as office:
        a, gate = await office.registered("101"), await office.registered("301", "10.0.3.1")
        assert "geolocation" not in (await rung(office, a, gate, fields)).headers
