"""Fax by T.38: a party changes from sound to an image stream and back, and the other party is asked first."""

import asyncio

import pytest

from media.api import Passes
from sipcore.sdp.model import SessionDescription
from tests.support.builders import described, sdp, terminal
from tests.support.fakemedia import FakeEndpoint
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall

T38 = (
    "a=T38FaxVersion:0",
    "a=T38MaxBitRate:14400",
    "a=T38FaxRateManagement:transferredTCF",
    "a=T38FaxUdpEC:t38UDPRedundancy",
)


def fax(host: str, port: int, *, version: int = 5, audio: int | None = None) -> bytes:
    """A description with an image stream. `audio`: the port of the sound before it, 0 when it is off; None puts the fax
    in its place, as many gateways do."""
    lines = ["v=0", f"o=- 1 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    if audio is not None:
        lines += [f"m=audio {audio} RTP/AVP 8"]
    lines += [f"m=image {port} udptl t38", *T38]
    return "".join(f"{line}\r\n" for line in lines).encode()


def media_of(text: bytes) -> list[tuple[str, bool]]:
    """Kinds of the m= lines, and whether they are on."""
    found: SessionDescription = described(text)
    return [(each.media, bool(each.port)) for each in found.media]


def faxes(office: VirtualOffice) -> list[FakeEndpoint]:
    return [each for each in office.engine.endpoints.values() if each.passes is Passes.DATAGRAMS]


async def talking(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall]:
    a, b = await office.registered("101"), await office.registered("102")
    return await office.connect(a, b)


@pytest.mark.parametrize("audio", [None, 0])
async def test_the_called_fax_changes_to_t38_and_both_change_back(audio: int | None) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await talking(office)
        call.answers_offers = False
        ring.modify(fax(ring.phone.host, 6000, audio=audio))
        offer = await call.next_offer()
        assert media_of(offer.sdp) == [("audio", False), ("image", True)]
        (image,) = [each for each in described(offer.sdp).media if each.media == "image"]
        assert [f"a={name}:{value}" for name, value in image.attributes] == list(T38), "told as it was said"
        call.accept(fax(call.phone.host, 4000, audio=0))
        modified = await ring.until_modified()
        assert modified.status == 200
        assert ("image", True) in media_of(modified.sdp)
        await asyncio.sleep(1)
        one, other = faxes(office)
        assert one.partner == other.endpoint
        assert {each.spec.remote.port for each in (one, other) if each.spec is not None} == {6000, 4000}
        await asyncio.sleep(700)
        assert not call.is_over, "nobody expects sound now"
        call.answers_offers = True
        back = sdp(ring.phone.host, ring.phone.rtp_port, ring.phone.codecs, version=6)
        ring.modify(back if audio is None else back + b"m=image 0 udptl t38\r\n")
        modified = await ring.until_modified()
        assert modified.status == 200
        assert media_of(modified.sdp)[0] == ("audio", True)
        await asyncio.sleep(1)
        assert faxes(office) == []
        assert office.hears("101") == "102"
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("status", [488, 415])
async def test_a_party_without_t38_leaves_the_fax_in_the_sound(status: int) -> None:
    """The one that asked hears 488 and goes on in G.711, on the stream that is there."""
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await talking(office)
        call.refuse_offers = status
        for _ in range(2):
            ring.modify(fax(ring.phone.host, 6000, audio=0))
            assert (await ring.until_modified()).status == 488
            assert media_of(call.phone.requests("INVITE")[-1].body) == [("audio", False), ("image", True)]
        await asyncio.sleep(1)
        assert faxes(office) == []
        assert office.hears("101") == "102"
        assert office.hears("102") == "101"
        ring.modify(ring.my_offer())
        assert (await ring.until_modified()).status == 200
        call.hangup()
        await ring.until_over()


async def test_an_application_has_no_fax() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        call = a.dial("10003246")
        await call.until_answered()
        call.modify(fax(a.host, 4000, audio=0))
        assert (await call.until_modified()).status == 488
        assert not call.is_over
        call.hangup()
        await call.until_over()


async def test_a_call_may_begin_as_a_fax() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102", fax(a.host, 4000))
        ring = await b.rung()
        assert ring.invite is not None
        assert media_of(ring.invite.body) == [("image", True)]
        ring.answer(fax(b.host, 5000))
        assert media_of((await call.until_answered()).sdp) == [("image", True)]
        one, other = faxes(office)
        assert one.partner == other.endpoint
        call.hangup()
        await ring.until_over()


async def test_both_sides_change_at_once() -> None:
    """Each offer meets the other one; the server answers 491 to one of them at least, and nobody is left hanging."""
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await talking(office)
        ring.modify(fax(ring.phone.host, 6000, audio=0))
        call.modify(fax(call.phone.host, 4000, audio=0))
        statuses = {(await each.until_modified()).status for each in (call, ring)}
        assert 491 in statuses
        await asyncio.sleep(1)
        assert not call.is_over
        assert faxes(office) == []
        asked = len(ring.phone.requests("INVITE"))
        call.modify(fax(call.phone.host, 4000, audio=0))
        await call.until_modified()
        assert len(ring.phone.requests("INVITE")) > asked, "it was busy then, it has not declined"
        call.hangup()
        await ring.until_over()
