"""Calls whose messages bring more than a session description, or something else (RFC 5621, RFC 3261 §8.2.3)."""

import asyncio

import pytest

from sipcore.body import Part, joined
from sipcore.build import response_to
from tests.support.builders import answer_sdp, sdp, terminal
from tests.support.office import open_office
from tests.support.ua import Phone, PhoneCall, RawPhone

SIGNAL = Part("application/isup;version=itu-t92+", b"\x01\x11\x48\r\n\x03\x02", "signal", "optional")
TYPED = (("Content-Type", "multipart/mixed;boundary=b1"), ("MIME-Version", "1.0"))


def with_signal(description: bytes) -> bytes:
    return joined([Part("application/sdp", description), SIGNAL], "b1")


def dialled(phone: Phone, number: str, *parts: Part) -> PhoneCall:
    offer = Part("application/sdp", sdp(phone.host, phone.rtp_port))
    return phone.dial(number, joined([offer, *parts], "b1"), extra=TYPED)


async def test_a_gateway_may_send_its_signalling_along() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = dialled(a, "102", SIGNAL)
        ring = await b.rung()
        assert ring.invite is not None
        assert ring.invite.content_type == "application/sdp", "what was not understood goes no further"
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()


async def test_the_answer_may_have_several_parts() -> None:
    async with open_office(terminal("101"), terminal("301", trust="10.0.9.8")) as office:
        a, gate = await office.registered("101"), office.raw("301", "10.0.9.8")
        call = a.dial("301")
        invite = await gate.expect_request("INVITE")
        answer = answer_sdp(invite.body, "10.0.9.8", 41000, ("PCMA",))
        assert answer is not None
        extra = [("Contact", "<sip:301@10.0.9.8>"), *TYPED]
        gate.send(bytes(response_to(invite, 200, to_tag="x", extra=extra, body=with_signal(answer))))
        await gate.expect_request("ACK")
        await call.until_answered()
        assert office.leg_of("301").media.codec is not None
        call.hangup()
        gate.send(bytes(response_to(await gate.expect_request("BYE"), 200)))
        await call.until_over()


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/mixed;boundary=other", "multipart/mixed;boundary=;"])
async def test_a_body_whose_parts_cannot_be_found_is_a_bad_request(kind: str) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        call = a.dial("102", with_signal(b"v=0"), extra=(("Content-Type", kind),))
        assert await call.until_over() == 400


async def test_a_part_that_must_be_understood_and_is_not_is_refused() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        call = dialled(a, "102", Part("application/x-secret", b"?", "session", "required"))
        assert await call.until_over() == 415
        assert call.ended is not None
        assert call.ended.response is not None
        assert call.ended.response.headers.get("accept") == "application/sdp, multipart/mixed"
        assert call.ended.response.headers.get("accept-encoding") == "identity"


async def test_a_body_that_is_packed_is_refused() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        extra = (("Content-Type", "application/sdp"), ("Content-Encoding", "gzip"))
        assert await a.dial("102", b"\x1f\x8b...", extra=extra).until_over() == 415


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_inside_a_call_a_body_that_is_no_description_changes_nothing(method: str) -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        raw, b = office.raw("101", "10.0.9.9"), await office.registered("102")
        ring = await talking(raw, b)
        text = raw.request(method, "102", 2, body=b"hello").replace(b"application/sdp", b"text/plain")
        raw.send(text)
        refusal = await raw.expect(415)
        assert refusal.cseq.method == method
        if method == "INVITE":
            branch = refusal.via.branch or ""
            raw.send(raw.request("ACK", "102", 2, branch=branch.removeprefix("z9hG4bK")))
        await asyncio.sleep(1)
        assert office.hears("102") == "101"
        raw.send(raw.request("BYE", "102", 3))
        await ring.until_over()
        await raw.expect(200)


async def talking(raw: RawPhone, callee: Phone) -> PhoneCall:
    """The raw phone talks to `callee`."""
    raw.send(raw.request("INVITE", callee.number, 1, body=sdp(raw.address[0], 41000)))
    ring = await callee.rung()
    ring.answer()
    await raw.expect(200)
    raw.send(raw.request("ACK", callee.number, 1))
    await ring.until_confirmed()
    await asyncio.sleep(1)
    return ring
