"""What callers hear before the answer: early media that gets through a bad network, forks, changes (RFC 3262, 3311)."""

import asyncio

import pytest

from sipcore.build import response_to
from sipcore.message import Request, Response
from sipcore.stack import StackConfig
from tests.support.builders import direction_of, sdp, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall
from tests.support.wire import Faults

RELIABLE = frozenset({"100rel"})
STACK = StackConfig(extensions=RELIABLE)


async def early(office: VirtualOffice, **callee: frozenset[str]) -> tuple[PhoneCall, PhoneCall]:
    """102 gives early media to 101; both phones know the extension unless said otherwise."""
    a = await office.registered("101", extensions=RELIABLE)
    b = await office.registered("102", extensions=callee.get("extensions", RELIABLE))
    call = a.dial("102")
    ring = await b.rung()
    ring.ring(early=ring.my_answer())
    await call.until_ringing()
    await asyncio.sleep(1)
    return call, ring


def racks(phone: Phone) -> list[str | None]:
    return [each.headers.get("rack") for each in phone.requests("PRACK")]


async def test_early_media_is_acknowledged_on_both_legs() -> None:
    async with open_office(terminal("101"), terminal("102"), stack=STACK) as office:
        call, ring = await early(office)
        assert len(racks(ring.phone)) == 1
        assert office.hears("101") == "102"
        ring.answer()
        await ring.until_confirmed()
        await call.until_answered()
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()
    assert office.row.disposition == "ANSWERED"


async def test_a_phone_without_the_extension_gives_early_media_as_before() -> None:
    async with open_office(terminal("101"), terminal("102"), stack=STACK) as office:
        call, ring = await early(office, extensions=frozenset())
        assert racks(ring.phone) == []
        assert office.hears("101") == "102"
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("seed", range(6))
async def test_early_media_survives_a_network_that_loses_every_third_packet(seed: int) -> None:
    faults = Faults(loss=0.33, delay_s=(0.001, 0.05))
    async with open_office(terminal("101"), terminal("102"), stack=STACK) as office:
        a = await office.registered("101", extensions=RELIABLE)
        b = await office.registered("102", extensions=RELIABLE)
        office.wire.faults = faults
        call = a.dial("102")
        ring = await b.rung()
        ring.ring(early=ring.my_answer())
        await asyncio.sleep(20)
        assert 183 in call.statuses
        assert office.hears("101") == "102"
        office.wire.faults = Faults()
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("by_caller", [True, False], ids=["caller", "callee"])
async def test_a_phone_may_change_its_early_media(by_caller: bool) -> None:
    async with open_office(terminal("101"), terminal("102"), stack=STACK) as office:
        call, ring = await early(office)
        side = call if by_caller else ring
        assert side.on.may_update_offer
        side._do(lambda now: side.on.update(now, sdp=side.my_offer(direction="sendonly")))
        modified = await side.until_modified()
        assert modified.status == 200
        assert direction_of(modified.sdp).name == "RECVONLY"
        ring.answer()
        await call.until_answered()
        assert office.leg_of(side.phone.number).held
        call.hangup()
        await ring.until_over()


async def test_an_answer_while_early_media_is_unacknowledged_comes_through_after_it() -> None:
    async with open_office(terminal("101"), terminal("102"), stack=STACK) as office:
        a = await office.registered("101", extensions=RELIABLE)
        b = await office.registered("102", extensions=RELIABLE)
        call = a.dial("102")
        ring = await b.rung()
        office.wire.faults = Faults(loss=0.9, delay_s=(0.01, 0.02))
        ring.ring(early=ring.my_answer())
        await asyncio.sleep(0.1)
        ring.answer()
        await asyncio.sleep(3)
        office.wire.faults = Faults()
        await call.until_answered()
        await ring.until_confirmed()
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()


def said(office: VirtualOffice, request: Request, status: int, tag: str, port: int, *extra: str) -> bytes:
    """A response of one of the phones behind a proxy, with a description; `port` says which one is heard."""
    headers = request.headers.copy()
    for name in ("content-type", "contact", "allow", "supported", "session-expires", "max-forwards"):
        headers.remove(name)
    headers.set("to", f"{request.headers.get('to')};tag={tag}")
    headers.set("contact", f"<sip:{tag}@10.0.9.9>")
    for line in extra:
        name, _, value = line.partition(": ")
        headers.set(name.lower(), value)
    if port:
        headers.set("content-type", "application/sdp")
    return bytes(Response(status, "Said", headers, sdp("10.0.9.9", port) if port else b""))


@pytest.mark.parametrize("winner", ["one", "two"])
@pytest.mark.parametrize("reliable", [False, True])
async def test_of_several_phones_behind_a_proxy_the_first_with_media_is_heard_until_one_answers(
    winner: str, reliable: bool
) -> None:
    async with open_office(terminal("101"), terminal("102", trust="10.0.9.9"), stack=STACK) as office:
        a = await office.registered("101", extensions=RELIABLE)
        proxy = office.raw("102", "10.0.9.9")
        proxy.send(proxy.request("REGISTER", "102", 1, "Expires: 600"))
        await proxy.expect(200)
        call = a.dial("102")
        invite = await proxy.expect_request("INVITE")
        for tag, port in (("none", 0), ("two", 42000), ("one", 41000)):
            extra = ["Require: 100rel", "RSeq: 5"] if reliable else []
            proxy.send(said(office, invite, 183, tag, port, *extra))
            if reliable:
                prack = await proxy.expect_request("PRACK")
                assert prack.to_tag == tag
                proxy.send(bytes(response_to(prack, 200)))
        await call.until_ringing()
        await asyncio.sleep(1)
        assert remote_port(office) == 42000
        proxy.send(said(office, invite, 200, winner, 0 if reliable else 41000 if winner == "one" else 42000))
        await call.until_answered()
        ack = await proxy.expect_request("ACK")
        assert ack.to_tag == winner
        await asyncio.sleep(1)
        assert remote_port(office) == (41000 if winner == "one" else 42000)
        call.hangup()
        bye = await proxy.expect_request("BYE")
        assert bye.to_tag == winner
        assert bye.cseq.number == (3 if reliable else 2)
        proxy.send(bytes(response_to(bye, 200)))


def remote_port(office: VirtualOffice) -> int:
    spec = office.endpoint_of("102").spec
    assert spec is not None
    return spec.remote.port
