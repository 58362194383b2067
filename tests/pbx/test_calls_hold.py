"""Hold, resume and other changes inside a call by re-INVITE, with glare."""

import asyncio

import pytest

from media.api import Direction, Payload, Play, PlayEnded, StopPlay
from pbx.views import call_view
from sipcore.build import response_to
from sipcore.message import Response
from sipcore.sdp.model import Direction as SdpDirection
from tests.support.builders import codecs_of, direction_of, sdp, terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall

PASS_THROUGH = ("iLBC", "PCMA", "telephone-event")


def state(office: VirtualOffice) -> str:
    (call,) = office.pbx.calls.values()
    return call_view(call, office.clock).state


@pytest.mark.parametrize(
    ("direction", "connection", "ours"),
    [
        ("sendonly", "", Direction.RECVONLY),
        ("inactive", "", Direction.INACTIVE),
        ("sendrecv", "0.0.0.0", Direction.RECVONLY),
    ],
)
@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_party_on_hold_hears_the_hold_tone_until_it_is_taken_back(
    who: str, direction: str, connection: str, ours: Direction
) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        sides = dict(zip(("caller", "callee"), await office.connect(a, b), strict=True))
        holder, held = sides[who], sides["callee" if who == "caller" else "caller"]
        assert state(office) == "talking"
        holder.hold(direction, connection=connection)
        modified = await holder.until_modified()
        assert modified.status == 200
        spec = office.endpoint_of(holder.phone.number).spec
        assert spec is not None
        assert not spec.direction.sends
        if not connection:
            assert spec.direction is ours
        other = office.leg_of(held.phone.number)
        plays = [play for play in office.engine.of(Play) if play.endpoint == other.media.endpoint]
        assert [play.source for play in plays] == [office.pbx.services.sound.hold]
        assert office.engine.endpoints[other.media.endpoint].play == plays[0].play
        assert state(office) == "held"
        await asyncio.sleep(30)
        holder.resume()
        assert (await holder.until_modified()).status == 200
        await asyncio.sleep(0.1)
        assert office.engine.endpoints[other.media.endpoint].play is None
        assert [stop.play for stop in office.engine.of(StopPlay)] == [plays[0].play]
        assert state(office) == "talking"
        assert office.hears("101") == "102"
        assert office.hears("102") == "101"
        holder.hangup()
        await held.until_over()


async def test_both_sides_may_hold_and_come_back_in_any_order() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.hold()
        await call.until_modified()
        ring.hold()
        await ring.until_modified()
        call.resume()
        await call.until_modified()
        assert state(office) == "held"
        assert office.endpoint_of("101").play is not None
        assert office.endpoint_of("102").play is None
        ring.resume()
        await ring.until_modified()
        await asyncio.sleep(0.1)
        assert office.endpoint_of("101").play is None
        assert state(office) == "talking"
        call.hangup()
        await ring.until_over()


async def test_a_call_may_end_while_it_is_held() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.hold()
        await call.until_modified()
        ring.hangup()
        assert await call.until_over() == 200


async def test_a_call_that_begins_on_hold_is_held_from_the_start() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102", sdp(a.host, a.rtp_port, direction="sendonly"))
        ring = await b.rung()
        ring.answer()
        answered = await call.until_answered()
        assert direction_of(answered.sdp) is SdpDirection.RECVONLY
        await asyncio.sleep(0.1)
        assert state(office) == "held"
        assert office.endpoint_of("102").play is not None
        call.resume()
        await call.until_modified()
        await asyncio.sleep(0.1)
        assert state(office) == "talking"
        assert office.endpoint_of("102").play is None
        call.hangup()
        await ring.until_over()


async def test_a_callee_that_answers_on_hold_is_held_from_the_start() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.answer(sdp(b.host, b.rtp_port, ("PCMA", "telephone-event"), direction="inactive"))
        await call.until_answered()
        await asyncio.sleep(0.1)
        assert state(office) == "held"
        assert office.endpoint_of("101").play is not None
        call.hangup()
        await ring.until_over()


async def test_a_new_address_of_a_phone_is_taken_over() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.modify(sdp("10.0.7.7", 45000, version=2))
        await call.until_modified()
        spec = office.endpoint_of("101").spec
        assert spec is not None
        assert str(spec.remote) == "10.0.7.7:45000"
        call.hangup()
        await ring.until_over()


async def test_a_change_to_another_law_is_accepted_and_transcoded() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.modify(call.my_offer("PCMU", "telephone-event"))
        modified = await call.until_modified()
        assert codecs_of(modified.sdp) == ["PCMU", "telephone-event"]
        ours, theirs = office.endpoint_of("101").spec, office.endpoint_of("102").spec
        assert ours is not None
        assert theirs is not None
        assert (ours.payloads[0].name, theirs.payloads[0].name) == ("PCMU", "PCMA")
        assert len(b.requests("INVITE")) == 1, "the other side need not know"
        call.hangup()
        await ring.until_over()


async def wideband(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall]:
    """A call in PCMA between two phones that also know G.722."""
    a = await office.registered("101", codecs=("PCMA", "iLBC", "telephone-event"))
    b = await office.registered("102", codecs=("PCMA", "iLBC", "telephone-event"))
    return await office.connect(a, b)


async def test_a_change_to_a_codec_that_only_the_phones_know_is_put_to_the_other_side() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await wideband(office)
        call.modify(call.my_offer("iLBC", "telephone-event"))
        modified = await call.until_modified()
        assert (modified.status, codecs_of(modified.sdp)) == (200, ["iLBC", "telephone-event"])
        for number in ("101", "102"):
            spec = office.endpoint_of(number).spec
            assert spec is not None
            assert spec.payloads[0] == Payload(97, "iLBC")
        call.hangup()
        await ring.until_over()


async def test_a_change_that_the_other_side_refuses_is_refused_and_the_call_goes_on_as_it_was() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await wideband(office)
        ring.refuse_offers = 488
        call.modify(call.my_offer("iLBC", "telephone-event"))
        assert (await call.until_modified()).status == 488
        spec = office.endpoint_of("101").spec
        assert spec is not None
        assert spec.payloads[0].name == "PCMA"
        assert office.hears("101") == "102"
        call.hangup()
        await ring.until_over()


async def test_a_change_that_meets_one_of_the_other_side_gives_way_and_both_come_about() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await wideband(office)
        call.modify(call.my_offer("iLBC", "telephone-event"))  # goes on to 102, whose own change crosses it
        ring.modify(ring.my_offer("PCMA", "iLBC", "telephone-event"))
        assert (await call.until_modified()).status == 200
        assert (await ring.until_modified()).status == 200
        await asyncio.sleep(10)
        assert ring.phone.responses(491), "102's change was refused for the moment"
        assert [each for each in ring.phone.sent if isinstance(each, Response) and each.status == 491]
        ours, theirs = office.endpoint_of("101").spec, office.endpoint_of("102").spec
        assert ours is not None
        assert theirs is not None
        assert ours.payloads[0].name == theirs.payloads[0].name == "iLBC"
        call.hangup()
        await ring.until_over()


async def test_holds_that_cross_on_both_legs_come_about() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.hold()
        ring.hold()
        assert (await call.until_modified()).status == 200
        assert (await ring.until_modified()).status == 200
        assert state(office) == "held"
        call.hangup()
        await ring.until_over()


async def test_the_caller_may_hang_up_while_its_change_waits_for_the_other_side() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await wideband(office)
        ring.answers_offers = False
        call.modify(call.my_offer("iLBC", "telephone-event"))
        await asyncio.sleep(1)
        call.hangup()
        assert await call.until_over() in (200, 487)
        assert await ring.until_over() == 200


async def test_a_request_for_an_offer_inside_the_call_gets_one_and_its_answer_in_the_ack_counts() -> None:
    async with open_office(terminal("101", trust="10.0.9.9"), terminal("102")) as office:
        b = await office.registered("102")
        raw = office.raw("101", "10.0.9.9")
        raw.send(raw.request("INVITE", "102", 1, body=sdp("10.0.9.9", 41000)))
        ring = await b.rung()
        ring.answer()
        await raw.expect(200)
        raw.send(raw.request("ACK", "102", 1))
        await asyncio.sleep(1)
        raw.send(raw.request("INVITE", "102", 2))
        answered = await raw.expect(200)
        assert codecs_of(answered.body)[0] == "PCMA"
        assert direction_of(answered.body) is SdpDirection.SENDRECV
        raw.send(raw.request("ACK", "102", 2, body=sdp("10.0.9.9", 42000, version=2, direction="sendonly")))
        await asyncio.sleep(1)
        spec = office.endpoint_of("101").spec
        assert spec is not None
        assert (spec.remote.port, spec.direction) == (42000, Direction.RECVONLY)
        assert state(office) == "held"
        ring.hangup()
        bye = await raw.expect_request("BYE")
        raw.send(bytes(response_to(bye, 200)))


async def test_a_broken_description_inside_the_call_is_refused_and_the_call_goes_on() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.modify(b"v=0\r\nnonsense")
        assert (await call.until_modified()).status in (400, 488)
        assert not call.is_over
        call.hold()
        assert (await call.until_modified()).status == 200
        call.hangup()
        await ring.until_over()


async def test_the_hold_tone_that_cannot_be_played_in_the_codec_does_no_harm() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", codecs=("iLBC", "telephone-event"))
        b = await office.registered("102", codecs=("iLBC", "telephone-event"))
        call, ring = await office.connect(a, b)
        ended: list[PlayEnded] = []
        office.engine.listen(lambda event: ended.append(event) if isinstance(event, PlayEnded) else None)
        call.hold()
        await call.until_modified()
        await asyncio.sleep(1)
        assert len(ended) == 1
        call.resume()
        await call.until_modified()
        call.hangup()
        await ring.until_over()


async def test_a_re_invite_of_the_same_description_changes_nothing() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        before = office.endpoint_of("101").spec
        call.modify(sdp(a.host, a.rtp_port))
        modified = await call.until_modified()
        first = [each for each in a.responses(200) if isinstance(each.body, bytes) and each.body]
        assert modified.sdp == first[0].body, "the same o= line and version (RFC 3264 §8)"
        assert office.endpoint_of("101").spec == before
        call.hangup()
        await ring.until_over()


async def test_a_re_invite_that_the_peer_does_not_answer_ends_the_call() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await wideband(office)
        call.modify(call.my_offer("iLBC", "telephone-event"))
        office.wire.detach(ring.phone.address)
        assert await call.until_over(100) in (200, 487)
        ring.hangup()
        await ring.until_over()


async def test_the_other_side_may_hang_up_while_a_change_waits_for_it() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await wideband(office)
        ring.answers_offers = False
        call.modify(call.my_offer("iLBC", "telephone-event"))
        await asyncio.sleep(1)
        ring.hangup()
        assert await ring.until_over() == 200
        await call.until_over(10)
