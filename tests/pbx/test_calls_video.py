"""Pictures beside the sound: offered on to the other party, agreed on, held, added and taken away (REG-14)."""

import asyncio

import pytest

from media.api import DestroyEndpoint, Passes, StreamReport
from sipcore.sdp.model import MediaSection, SessionDescription
from tests.support.builders import answer_sdp, described, sdp, terminal
from tests.support.fakemedia import FakeEndpoint
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

H264 = ("a=rtpmap:97 H264/90000", "a=fmtp:97 profile-level-id=42801F", "a=rtcp-fb:* nack pli")


def with_video(description: bytes, port: int, *, lines: tuple[str, ...] = H264, direction: str = "sendrecv") -> bytes:
    """A description with a stream of pictures below."""
    section = [f"m=video {port} RTP/AVP 97", *lines, f"a={direction}"]
    return description + "".join(f"{line}\r\n" for line in section).encode()


def pictures(office: VirtualOffice) -> list[FakeEndpoint]:
    return [each for each in office.engine.endpoints.values() if each.passes is Passes.RTP]


def video_of(text: bytes) -> MediaSection:
    found: SessionDescription = described(text)
    (section,) = [each for each in found.media if each.media == "video"]
    return section


def offer_of(phone: Phone) -> bytes:
    return with_video(sdp(phone.host, phone.rtp_port, phone.codecs), phone.rtp_port + 2)


def answer_of(ring: PhoneCall) -> bytes:
    """Sound and picture accepted."""
    assert ring.invite is not None
    phone = ring.phone
    found = answer_sdp(ring.invite.body.partition(b"m=video")[0], phone.host, phone.rtp_port, phone.codecs)
    assert found is not None
    return with_video(found, phone.rtp_port + 2)


async def connected(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall]:
    """A call with pictures both ways."""
    a, b = await office.registered("101"), await office.registered("102")
    call = a.dial("102", offer_of(a))
    ring = await b.rung()
    ring.ring()
    await asyncio.sleep(1)
    ring.answer(answer_of(ring))
    await ring.until_confirmed()
    await call.until_answered()
    await asyncio.sleep(1)
    return call, ring


async def test_two_phones_that_can_see_each_other() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await connected(office)
        assert ring.invite is not None
        offered = video_of(ring.invite.body)
        assert (offered.payloads, offered.attribute("fmtp")) == (("97",), "97 profile-level-id=42801F")
        assert offered.attribute("rtcp-fb") == "* nack pli"
        one, other = pictures(office)
        assert one.partner == other.endpoint
        assert offered.port in (one.port, other.port)
        answered = video_of(call.phone.responses(200)[-1].body)
        assert answered.port in (one.port, other.port)
        assert answered.port != offered.port
        remotes = {each.spec.remote.port for each in (one, other) if each.spec is not None}
        assert remotes == {call.phone.rtp_port + 2, ring.phone.rtp_port + 2}
        assert all(each.spec is not None and each.spec.feedback == ("pli",) for each in (one, other))
        office.engine.report = StreamReport(0, 5, 6, 1)
        call.hangup()
        await ring.until_over()
    assert office.row.quality["from_video_received"] == 5
    assert office.row.quality["to_video_lost"] == 1
    assert office.row.quality["from_received"] == 5, "sound apart"


@pytest.mark.parametrize("leaves_out", [False, True])
async def test_a_phone_without_a_screen_talks_all_the_same(leaves_out: bool) -> None:
    """It refuses the picture, or knows so little of it that it leaves it out of its answer."""
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102", offer_of(a))
        ring = await b.rung()
        ring.answer(ring.my_answer().partition(b"m=video")[0] if leaves_out else None)
        await call.until_answered()
        await asyncio.sleep(1)
        assert video_of(a.responses(200)[-1].body).port == 0
        assert pictures(office) == []
        assert office.hears("101") == "102"
        call.hangup()
        await ring.until_over()


async def test_an_application_takes_the_sound_only() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        call = a.dial("10003246", offer_of(a))
        await call.until_answered()
        assert video_of(a.responses(200)[-1].body).port == 0
        assert pictures(office) == []
        call.hangup()
        await call.until_over()


async def test_of_several_phones_the_one_that_answers_decides() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        seeing, blind = [await office.registered("102", f"10.0.2.{n}") for n in (1, 2)]
        call = a.dial("102", offer_of(a))
        first, second = await seeing.rung(), await blind.rung()
        assert len(pictures(office)) == 3
        second.answer()
        await call.until_answered()
        await first.until_over()
        await asyncio.sleep(1)
        assert video_of(a.responses(200)[-1].body).port == 0
        assert pictures(office) == []
        call.hangup()
        await second.until_over()


async def test_a_hold_stops_the_picture_of_who_holds_and_the_other_hears_nothing_of_it() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        call, ring = await connected(office)
        asked = len(ring.phone.requests("INVITE"))
        held = with_video(call.my_offer(direction="sendonly"), call.phone.rtp_port + 2, direction="inactive")
        call.modify(held)
        answer = await call.until_modified()
        assert video_of(answer.sdp).attribute("inactive") == ""
        directions = {each.spec.direction.value for each in pictures(office) if each.spec is not None}
        assert directions == {"inactive", "sendrecv"}
        call.modify(with_video(call.my_offer(), call.phone.rtp_port + 2))
        assert (await call.until_modified()).status == 200
        assert {each.spec.direction.value for each in pictures(office) if each.spec is not None} == {"sendrecv"}
        assert len(ring.phone.requests("INVITE")) == asked
        call.hangup()
        await ring.until_over()


async def test_a_picture_is_added_to_a_call_when_the_other_party_wants_it_and_taken_away_again() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        ring.answers_offers = False
        call.modify(with_video(call.my_offer(), a.rtp_port + 2))
        offer = await ring.next_offer()
        assert video_of(offer.sdp).port
        found = answer_sdp(offer.sdp.partition(b"m=video")[0], b.host, b.rtp_port, b.codecs, version=5)
        assert found is not None
        ring.accept(with_video(found, b.rtp_port + 2))
        modified = await call.until_modified()
        assert modified.status == 200
        assert video_of(modified.sdp).port
        await asyncio.sleep(1)
        one, other = pictures(office)
        assert one.partner == other.endpoint
        ring.answers_offers = True
        call.modify(call.my_offer() + b"m=video 0 RTP/AVP 97\r\n")
        modified = await call.until_modified()
        assert (modified.status, video_of(modified.sdp).port) == (200, 0)
        await asyncio.sleep(1)
        assert video_of(ring.phone.requests("INVITE")[-1].body).port == 0
        assert pictures(office) == []
        assert office.hears("101") == "102"
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("refuses_all", [False, True])
async def test_a_picture_that_the_other_party_does_not_want_leaves_the_call_as_it_was(refuses_all: bool) -> None:
    """Asked once: a phone that offers it again with each hold does not bother the other one each time."""
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        ring.refuse_offers = 488 if refuses_all else 0
        for _ in range(2):
            call.modify(with_video(call.my_offer(), a.rtp_port + 2))
            modified = await call.until_modified()
            assert (modified.status, video_of(modified.sdp).port) == (200, 0)
            await asyncio.sleep(2)
        assert len([each for each in b.requests("INVITE") if each.to.tag]) == 1
        assert pictures(office) == []
        assert office.hears("101") == "102"
        call.hangup()
        await ring.until_over()


async def test_whoever_hangs_up_while_a_picture_is_being_agreed_on_leaves_nothing() -> None:
    for hangs_up in ("caller", "callee"):
        async with open_office(terminal("101"), terminal("102")) as office:
            a, b = await office.registered("101"), await office.registered("102")
            call, ring = await office.connect(a, b)
            office.engine.answer_after_s = 2.0
            ring.answers_offers = False
            call.modify(with_video(call.my_offer(), a.rtp_port + 2))
            await asyncio.sleep(1)
            (call if hangs_up == "caller" else ring).hangup()
            await (ring if hangs_up == "caller" else call).until_over()
            await asyncio.sleep(5)
            assert len(office.engine.of(DestroyEndpoint)) == 4


async def test_a_call_with_a_picture_alone_is_a_call_too() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        alone = b"v=0\r\no=- 1 1 IN IP4 10.0.1.102\r\ns=-\r\nc=IN IP4 10.0.1.102\r\nt=0 0\r\n"
        call = a.dial("102", with_video(alone, 4000))
        ring = await b.rung()
        ring.answer(with_video(alone, 5000))
        answer = await call.until_answered()
        assert video_of(answer.sdp).port
        one, other = pictures(office)
        assert one.partner == other.endpoint
        await asyncio.sleep(700)
        assert not call.is_over, "nobody expects sound"
        call.hangup()
        await ring.until_over()
