"""Calls between two terminals that come about: media, early media, both ways to end, under virtual time."""

import asyncio

import pytest

from media.api import ConfigureEndpoint, CreateEndpoint, DestroyEndpoint, HostPort, JoinRoom, Payload
from pbx.events import BridgeEnded, BridgeFormed
from storage.records import User
from tests.support.builders import codecs_of, described, sdp, terminal
from tests.support.office import SERVER, open_office


async def test_an_answered_call_has_two_endpoints_set_up_as_agreed_joined_in_one_room_and_destroyed() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        ours, theirs = office.endpoint_of("101"), office.endpoint_of("102")
        assert ours.spec is not None
        assert ours.spec.remote == HostPort(a.host, a.rtp_port)
        assert ours.spec.sources == (a.host,)
        assert ours.spec.payloads == (Payload(8, "PCMA"), Payload(101, "telephone-event", fmtp="0-16"))
        assert theirs.spec is not None
        assert theirs.spec.remote == HostPort(b.host, b.rtp_port)
        assert theirs.spec.sources == (b.host,)
        assert ours.room is not None
        assert ours.room == theirs.room
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        assert call.on.dialog is not None
        call.hangup()
        assert await ring.until_over() == 200
        created = {command.endpoint for command in office.engine.of(CreateEndpoint)}
        assert len(created) == 2
        (group,) = {command.group for command in office.engine.of(CreateEndpoint)}
        assert group, "the endpoints of a call are on one media worker"
        assert {command.endpoint for command in office.engine.of(DestroyEndpoint)} == created
        assert {command.endpoint for command in office.engine.of(JoinRoom)} == created
    assert len(office.of(BridgeFormed)) == 1
    assert office.row.disposition == "ANSWERED"


async def test_what_phones_are_told_leads_to_the_endpoints() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        assert ring.invite is not None
        offer = described(ring.invite.body)
        assert offer.address_of(offer.media[0]) == SERVER[0]
        assert offer.media[0].port == office.endpoint_of("102").port
        ring.answer()
        answer = described((await call.until_answered()).sdp)
        assert answer.media[0].port == office.endpoint_of("101").port
        call.hangup()


async def test_the_caller_hears_ringing_while_the_callee_rings() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        progress = await call.until_ringing()
        assert (progress.status, progress.sdp) == (180, b"")
        ring.ring()
        await asyncio.sleep(1)
        assert call.statuses == [180], "a second 180 of the callee tells the caller nothing new"
        call.hangup()
        await ring.until_over()


async def test_early_media_of_the_callee_reaches_the_caller_before_the_answer() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring(early=ring.my_answer())
        progress = await call.until_ringing()
        assert progress.status == 183
        assert codecs_of(progress.sdp) == ["PCMA", "telephone-event"]
        assert office.hears("101") == "102"
        ring.answer()
        answered = await call.until_answered()
        assert answered.sdp == progress.sdp, "the answer is given once"
        assert office.hears("102") == "101"
        ring.hangup()
        await call.until_over()
    assert len(office.of(BridgeFormed)) == 1


async def test_a_ringing_callee_may_go_on_to_early_media() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await asyncio.sleep(1)
        ring.ring(early=ring.my_answer())
        await asyncio.sleep(1)
        assert call.statuses == [180, 183]
        ring.reject(486)
        assert await call.until_over() == 486


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_either_side_may_hang_up(who: str) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        await asyncio.sleep(10)
        (call if who == "caller" else ring).hangup()
        assert await call.until_over() == 200
        assert await ring.until_over() == 200
        await asyncio.sleep(0.1)
        assert office.leg_numbers() == []
    assert (office.row.cause, office.row.disposition) == ("normal", "ANSWERED")
    assert office.row.talk_seconds == pytest.approx(11, abs=0.2)


async def test_both_sides_may_hang_up_at_once() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.hangup()
        ring.hangup()
        assert await call.until_over() == 200
        assert await ring.until_over() == 200
    assert office.row.disposition == "ANSWERED"
    assert len(office.of(BridgeEnded)) == len(office.of(BridgeFormed)) == 1


async def test_the_callee_learns_who_calls_by_name() -> None:
    users = [User("anna", 'Anna "the voice"')]
    async with open_office(terminal("101", owner="anna"), terminal("102"), users=users) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        assert ring.invite is not None
        assert ring.invite.from_.display == 'Anna "the voice"'
        assert ring.invite.headers.get("p-asserted-identity") == f'"Anna \\"the voice\\"" <sip:101@{SERVER[0]}>'
        call.hangup()


async def test_a_caller_that_leaves_the_offer_to_us_talks_after_its_answer_in_the_ack() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        b = await office.registered("102")
        raw = office.raw("101", "10.0.9.9")
        raw.send(raw.request("INVITE", "102", 1))
        ring = await b.rung()
        ring.answer()
        answered = await raw.expect(200)
        assert codecs_of(answered.body)[:2] == ["PCMA", "PCMU"], "as who answered, then what is cheap to convert"
        mine = sdp("10.0.9.9", 41000, ("PCMU", "telephone-event"))
        raw.send(raw.request("ACK", "102", 1, body=mine))
        await asyncio.sleep(1)
        spec = office.endpoint_of("101").spec
        assert spec is not None
        assert (spec.remote, spec.payloads[0]) == (HostPort("10.0.9.9", 41000), Payload(0, "PCMU"))
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        raw.send(raw.request("BYE", "102", 2))
        await raw.expect(200)
        assert await ring.until_over() == 200


async def test_a_delayed_offer_that_the_ack_does_not_answer_ends_the_call() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        b = await office.registered("102")
        raw = office.raw("101", "10.0.9.9")
        raw.send(raw.request("INVITE", "102", 1))
        ring = await b.rung()
        ring.answer()
        await raw.expect(200)
        raw.send(raw.request("ACK", "102", 1))
        bye = await raw.expect_request("BYE")
        assert await ring.until_over() == 200
        raw.send(_ok(bye))


async def test_an_ack_that_never_comes_ends_the_call_on_both_sides() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        b = await office.registered("102")
        raw = office.raw("101", "10.0.9.9")
        raw.send(raw.request("INVITE", "102", 1, body=sdp("10.0.9.9", 41000)))
        ring = await b.rung()
        ring.answer()
        bye = await raw.expect_request("BYE", 40)
        raw.send(_ok(bye))
        assert await ring.until_over() == 200
        copies = [message for message in raw.received if getattr(message, "status", 0) == 200]
        assert len(copies) > 5, "the 200 is repeated until its ACK comes"


def _ok(request: object) -> bytes:
    from sipcore.build import response_to
    from sipcore.message import Request

    assert isinstance(request, Request)
    return bytes(response_to(request, 200))


async def test_media_is_configured_only_as_far_as_descriptions_were_agreed() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        await b.rung()
        assert office.engine.of(ConfigureEndpoint) == []
        call.hangup()
