"""The basic call flows of RFC 3665, one test for each section, with the server in the place of its proxies.

A server that is a party to both calls differs from a proxy where it has to: 100 comes from it alone, the final
response of one side becomes one of its own on the other. The messages of each phone are in the order of the RFC.
Flows that are about proxies (3.4 failure, 3.5 ALG) have no counterpart in a server of this kind.
"""

import asyncio

import pytest

from media.api import HostPort
from pbx.addressing import dialled
from sipcore.build import response_to
from sipcore.flow import Flow
from sipcore.message import Request
from sipcore.parse import parse_message
from tests.support.builders import sdp, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, RawPhone


def watched(phone: Phone) -> list[str]:
    """What the phone sends (`> INVITE`) and gets (`< 180 INVITE`) from now on, copies left out."""
    seen: list[str] = []
    tap, copies = phone.stack.tap, set[bytes]()
    assert tap is not None

    def both(data: bytes, flow: Flow, incoming: bool) -> None:
        tap(data, flow, incoming)
        if data in copies:
            return
        copies.add(data)
        message = parse_message(data)
        name = message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"
        seen.append(f"{'<' if incoming else '>'} {name}")

    phone.stack.tap = both
    return seen


async def people(office: VirtualOffice) -> tuple[Phone, Phone, list[str], list[str]]:
    """Alice (101) and Bob (102), registered, and what passes at each from now on."""
    alice, bob = await office.registered("101"), await office.registered("102")
    await asyncio.sleep(5)
    return alice, bob, watched(alice), watched(bob)


TWO = (terminal("101"), terminal("102"))

# --- 2 registration ---------------------------------------------------------------------------------------------------


async def test_2_1_successful_new_registration() -> None:
    async with open_office(terminal("101", password="secret")) as office:
        phone = office.phone("101")
        seen = watched(phone)
        response = await phone.register(7200)
        assert seen == ["> REGISTER", "< 401 REGISTER", "> REGISTER", "< 200 REGISTER"]
        assert phone.contact.strip("<>") in (response.headers.get("contact") or "")


async def test_2_2_update_of_contact_list() -> None:
    async with open_office(terminal("101", password="secret")) as office:
        phone = office.phone("101")
        await phone.register(7200)
        response = await phone.register(7200, contact="<sip:101@10.0.5.5>")
        assert response.status == 200
        assert len(list(response.headers.values("contact"))) == 2


async def test_2_3_request_for_current_contact_list() -> None:
    async with open_office(terminal("101", password="secret")) as office:
        phone = office.phone("101")
        await phone.register(7200)
        seen = watched(phone)
        response = await phone.register(None, contact="")
        assert seen[-1] == "< 200 REGISTER"
        assert len(list(response.headers.values("contact"))) == 1


async def test_2_4_cancellation_of_registration() -> None:
    async with open_office(terminal("101", password="secret")) as office:
        phone = office.phone("101")
        await phone.register(7200)
        seen = watched(phone)
        response = await phone.register(0, contact="*")
        assert seen[-1] == "< 200 REGISTER"
        assert list(response.headers.values("contact")) == []
        assert list(office.location) == []


async def test_2_5_unsuccessful_registration() -> None:
    async with open_office(terminal("101", password="secret")) as office:
        phone = office.phone("101", password="wrong")
        seen = watched(phone)
        assert (await phone.register(7200)).status == 401
        assert seen == ["> REGISTER", "< 401 REGISTER", "> REGISTER", "< 401 REGISTER"]


# --- 3 sessions -------------------------------------------------------------------------------------------------------


async def test_3_1_successful_session_establishment() -> None:
    async with open_office(*TWO) as office:
        alice, bob, at_alice, at_bob = await people(office)
        call = alice.dial("102")
        ring = await bob.rung()
        ring.ring()
        await call.until_ringing()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        ring.hangup()
        await call.until_over()
        await ring.until_over()
        assert at_alice[:3] == ["> INVITE", "< 401 INVITE", "> ACK"]
        assert [each for each in at_alice[3:] if each != "< 100 INVITE"] == [
            *("> INVITE", "< 180 INVITE", "< 200 INVITE", "> ACK", "< BYE", "> 200 BYE"),
        ]  # fmt: skip
        assert at_bob == ["< INVITE", "> 180 INVITE", "> 200 INVITE", "< ACK", "> BYE", "< 200 BYE"]


async def test_3_2_and_3_3_session_with_proxy_authentication() -> None:
    """The server challenges the INVITE; the ACK of the refusal and the second INVITE follow."""
    async with open_office(terminal("101", password="secret"), terminal("102")) as office:
        alice, bob, at_alice, at_bob = await people(office)
        call = alice.dial("102")
        ring = await bob.rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        call.hangup()
        await ring.until_over()
        assert at_alice[:4] == ["> INVITE", "< 401 INVITE", "> ACK", "> INVITE"]
        first, second = [each for each in alice.sent if isinstance(each, Request) and each.method == "INVITE"]
        assert ("authorization" in first.headers, "authorization" in second.headers) == (False, True)
        assert second.cseq.number == first.cseq.number + 1
        assert at_bob == ["< INVITE", "> 200 INVITE", "< ACK", "< BYE", "> 200 BYE"]


async def test_3_6_session_with_sdp_in_the_ack() -> None:
    """Alice's INVITE has no offer: it is in the 2xx, and her answer in the ACK."""
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        bob = await office.registered("102")
        alice: RawPhone = office.raw("101", "10.0.9.9")
        alice.send(alice.request("INVITE", "102", 1))
        ring = await bob.rung()
        ring.ring()
        await alice.expect(180)
        ring.answer()
        answered = await alice.expect(200)
        assert answered.body
        alice.send(alice.request("ACK", "102", 1, body=sdp("10.0.9.9", 41000)))
        await ring.until_confirmed()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        ring.hangup()
        bye = await alice.expect_request("BYE")
        assert dialled(bye) == "101"
        alice.send(_ok(bye))
        await ring.until_over()


async def test_3_7_session_with_reinvite_for_another_address() -> None:
    async with open_office(*TWO) as office:
        alice, bob, at_alice, at_bob = await people(office)
        call, ring = await office.connect(alice, bob)
        del at_alice[:], at_bob[:]
        moved = sdp("10.0.7.7", 47000, version=2)
        ring.modify(moved)
        assert (await ring.until_modified()).status == 200
        await asyncio.sleep(1)
        spec = office.endpoint_of("102").spec
        assert spec is not None
        assert spec.remote == HostPort("10.0.7.7", 47000)
        assert at_bob == ["> INVITE", "< 200 INVITE", "> ACK"]
        assert at_alice == []  # her session need not change
        call.hangup()
        await ring.until_over()


async def test_3_8_unsuccessful_no_answer() -> None:
    async with open_office(*TWO) as office:
        alice, bob, at_alice, at_bob = await people(office)
        call = alice.dial("102")
        ring = await bob.rung()
        ring.ring()
        await call.until_ringing()
        await asyncio.sleep(20)
        call.hangup()
        assert await call.until_over() == 487
        await ring.until_over()
        await asyncio.sleep(1)
        assert at_alice[-4:] == ["> CANCEL", "< 200 CANCEL", "< 487 INVITE", "> ACK"]
        assert at_bob == ["< INVITE", "> 180 INVITE", "< CANCEL", "> 200 CANCEL", "> 487 INVITE", "< ACK"]


@pytest.mark.parametrize("status", [486, 480], ids=["3_9 busy", "3_11 temporarily unavailable"])
async def test_3_9_and_3_11_unsuccessful(status: int) -> None:
    async with open_office(*TWO) as office:
        alice, bob, at_alice, at_bob = await people(office)
        call = alice.dial("102")
        (await bob.rung()).reject(status)
        assert await call.until_over() == status
        await asyncio.sleep(1)
        assert at_alice[-2:] == [f"< {status} INVITE", "> ACK"]
        assert at_bob == ["< INVITE", f"> {status} INVITE", "< ACK"]


async def test_3_10_unsuccessful_no_response_from_user_agent() -> None:
    """The INVITE is repeated seven times; after 64*T1 the caller is told that nobody can be reached."""
    async with open_office(*TWO) as office:
        alice, bob, at_alice, at_bob = await people(office)
        call = alice.dial("102")
        office.unplug(bob)
        assert await call.until_over(60) == 480
        assert at_alice[-2:] == ["< 480 INVITE", "> ACK"]
        assert at_bob == []


def _ok(request: Request) -> bytes:
    return bytes(response_to(request, 200))
