"""Unattended transfer: REFER inside a call, every outcome, and what else may happen meanwhile."""

import asyncio

import pytest

from sipcore.uri import SipUri
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.referrer import Referrer
from tests.support.ua import Phone, PhoneCall

OFFICE = tuple(terminal(number) for number in ("101", "102", "103", "104"))


async def talking(office: VirtualOffice, *, by_callee: bool = False) -> tuple[PhoneCall, PhoneCall, Referrer, Phone]:
    """A call of which one side is about to transfer the other: both sides, who refers, the target's phone."""
    a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
    call, ring = await office.connect(a, b)
    return (ring, call, Referrer(b), c) if by_callee else (call, ring, Referrer(a), c)


@pytest.mark.row("CDR-18")
@pytest.mark.parametrize("by_callee", [False, True])
async def test_rfc_5359_2_4_unattended_transfer(by_callee: bool) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office, by_callee=by_callee)
        stays = other.phone.number
        mine.hold()
        await mine.until_modified()
        response = await referrer.refer(mine, "103")
        assert response.status == 202
        ring = await c.rung()
        assert ring.invite is not None
        uri = ring.invite.from_.uri
        assert isinstance(uri, SipUri)
        assert uri.user == stays, "the target sees who will talk to it"
        assert referrer.phone.number in (ring.invite.headers.get("referred-by") or "")
        ring.ring()
        await asyncio.sleep(3)
        ring.answer()
        assert await referrer.until_told() == 200
        assert referrer.notes == ["active 100", "active 180", "terminated 200"]
        assert await mine.until_over() == 200
        await asyncio.sleep(1)
        assert sorted(office.leg_numbers()) == sorted([stays, "103"])
        assert (office.hears(stays), office.hears("103")) == ("103", stays)
        await asyncio.sleep(10)
        other.hangup()
        assert await ring.until_over() == 200
    first, second = office.rows
    assert first.linkedid == second.linkedid
    assert (first.stage, first.from_number, first.to_number, first.disposition) == ("dial", "101", "102", "ANSWERED")
    assert (second.stage, second.from_number, second.to_number) == ("transfer", stays, "103")
    assert (first.transfer, second.transfer) == ("", "blind")
    assert second.disposition == "ANSWERED"
    assert second.talk_seconds == pytest.approx(11, abs=0.5)
    assert first.ended_at == pytest.approx(second.answered_at, abs=0.2)
    assert len(second.sip_call_ids) == 2


async def test_notifies_are_numbered_and_name_their_refer() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        (await c.rung()).answer()
        await referrer.until_told()
        numbers = [each.cseq.number for each in referrer.notifies]
        assert numbers == sorted(set(numbers))
        assert len({each.headers.get("event") for each in referrer.notifies}) == 1
        assert (referrer.notifies[0].headers.get("event") or "").startswith("refer;id=")
        assert "expires=" in (referrer.notifies[0].headers.get("subscription-state") or "")
        assert referrer.notifies[-1].headers.get("subscription-state") == "terminated;reason=noresource"
        other.hangup()


async def test_who_transfers_is_told_the_outcome_before_it_is_hung_up_on() -> None:
    """A phone that has seen the BYE listens to nothing more of the call."""
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        referrer.answers = 0
        await referrer.refer(mine, "103")
        (await c.rung()).answer()
        await asyncio.sleep(1)
        assert not mine.is_over
        referrer.answers = 200  # to a copy of the first NOTIFY; the last one waits for that
        assert await mine.until_over(3) == 200
        assert referrer.notes[-1] == "terminated 200"
        other.hangup()


async def test_a_phone_that_does_not_listen_to_its_notifies_is_hung_up_on_after_4_seconds() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        referrer.answers = 0
        await referrer.refer(mine, "103")
        (await c.rung()).answer()
        began = office.clock.now()
        assert await mine.until_over() == 200
        assert office.clock.now() - began == pytest.approx(4, abs=0.5)
        other.hangup()


async def test_a_phone_that_hangs_up_when_it_hears_the_outcome_gets_no_bye() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        referrer.answers = 0
        await referrer.refer(mine, "103")
        (await c.rung()).answer()
        await asyncio.sleep(1)
        mine.hangup()
        await asyncio.sleep(5)
        assert referrer.phone.requests("BYE") == []
        assert mine.is_over
        other.hangup()


async def test_a_call_that_is_being_left_takes_no_further_changes() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        referrer.answers = 0
        await referrer.refer(mine, "103")
        (await c.rung()).answer()
        await asyncio.sleep(1)
        mine.hold()
        assert await mine.until_over() == 481
        other.hangup()


@pytest.mark.parametrize("status", [486, 603, 480, 500])
async def test_a_target_that_refuses_leaves_the_call_as_it_was(status: int) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        mine.hold()
        await mine.until_modified()
        await referrer.refer(mine, "103")
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(1)
        ring.reject(status)
        assert await referrer.until_told() == status
        await asyncio.sleep(1)
        assert not mine.is_over
        assert not other.is_over
        mine.resume()
        await mine.until_modified()
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        mine.hangup()
        await other.until_over()
    first, second = sorted(office.rows, key=lambda row: row.stage)
    assert (first.stage, first.disposition, first.cause) == ("dial", "ANSWERED", "normal")
    assert (second.stage, second.answered_at) == ("transfer", None)
    assert first.linkedid == second.linkedid


@pytest.mark.parametrize(("target", "status"), [("999", 404), ("104", 480), ("101", 486)])
async def test_a_target_that_cannot_be_rung_is_told_and_the_call_goes_on(target: str, status: int) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, _ = await talking(office)
        assert (await referrer.refer(mine, target)).status == 202
        assert await referrer.until_told() == status
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        other.hangup()
        await mine.until_over()


async def test_a_target_that_never_answers_is_given_up() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        ring = await c.rung()
        ring.ring()
        assert await referrer.until_told() == 480
        assert await ring.until_over() == 487
        assert office.hears("102") == "101"
        mine.hangup()
        await other.until_over()


async def test_without_a_subscription_nothing_is_notified() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        response = await referrer.refer(mine, "103", ("Refer-Sub", "false"))
        assert (response.status, response.headers.get("refer-sub")) == (202, "false")
        ring = await c.rung()
        ring.answer()
        await mine.until_over()
        assert referrer.notes == []
        assert office.hears("102") == "103"
        other.hangup()


async def test_a_transferor_that_hangs_up_at_once_has_done_its_part() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        mine.hangup()
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(5)
        assert not other.is_over
        ring.answer()
        await asyncio.sleep(1)
        assert referrer.notes == ["active 100", "active 180", "terminated 200"]
        assert (office.hears("102"), office.hears("103")) == ("103", "102")
        ring.hangup()
        await other.until_over()


async def test_a_transferee_that_nobody_wants_returns_to_the_transferor() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        mine.hangup()
        (await c.rung()).reject(486)
        assert await referrer.until_told() == 486
        back = await mine.phone.rung(within_s=5)
        back.answer()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        back.hangup()
        await other.until_over()
    assert [row.to_number for row in office.rows] == ["102", "103", "101"]
    assert [row.disposition for row in office.rows] == ["ANSWERED", "BUSY", "ANSWERED"]


async def test_a_transferor_that_does_not_want_it_back_ends_the_call() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        mine.hangup()
        (await c.rung()).reject(486)
        (await mine.phone.rung()).reject(603)
        assert await other.until_over() == 200


async def test_a_transferee_that_hangs_up_ends_everything() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(1)
        other.hangup()
        assert await ring.until_over() == 487
        assert await mine.until_over() == 200
        assert await referrer.until_told() == 487


async def test_a_second_refer_waits_for_the_first() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        assert (await referrer.refer(mine, "103")).status == 202
        assert (await referrer.refer(mine, "104")).status == 491
        (await c.rung()).reject(486)
        assert await referrer.until_told() == 486
        referrer.notes.clear()
        assert (await referrer.refer(mine, "103")).status == 202
        (await c.rung()).answer()
        assert await referrer.until_told() == 200
        other.hangup()


async def test_of_two_refers_that_cross_one_goes_first() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        against = Referrer(other.phone)
        sent = [referrer.start(mine, "103"), against.start(other, "104")]
        statuses = sorted([(await each).status for each in sent])
        assert statuses == [202, 491]
        (await c.rung()).answer()
        await referrer.until_told()
        assert office.hears("103") == "102"
        other.hangup()


async def test_a_transferred_party_may_be_transferred_again() -> None:
    async with open_office(*OFFICE) as office:
        d = await office.registered("104")
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        middle = await c.rung()
        middle.answer()
        await referrer.until_told()
        again = Referrer(c)
        await middle.until_confirmed()
        assert (await again.refer(middle, "104")).status == 202
        (await d.rung()).answer()
        assert await again.until_told() == 200
        await asyncio.sleep(1)
        assert (office.hears("102"), office.hears("104")) == ("104", "102")
        other.hangup()
    assert [row.to_number for row in office.rows] == ["102", "103", "104"]
    assert len({row.linkedid for row in office.rows}) == 1


async def test_a_party_may_be_transferred_to_a_test_number() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, _ = await talking(office)
        await referrer.refer(mine, "10003246")
        assert await referrer.until_told() == 200
        assert await mine.until_over() == 200
        assert office.endpoint_of("102").echo
        other.hangup()
    assert office.rows[-1].stage == "transfer"
    assert office.rows[-1].disposition == "ANSWERED"


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ("<sip:103@evil.example>", 403),
        ("<sip:+4930123456@203.0.113.9>", 403),
        ("<sips:103@evil.example;transport=tls>", 403),
        ("<mailto:103@10.0.0.1>", 416),
        ("<sip:103@10.0.0.1;method=BYE>", 403),
        ("<<>>", 400),
        ("<sip:103@10.0.0.1?Replaces=nonsense>", 400),
        ("<sip:103@10.0.0.1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>", 403),
    ],
)
async def test_a_refer_that_leads_elsewhere_is_refused(where: str, status: int) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, _ = await talking(office)
        assert (await referrer.refer(mine, where)).status == status
        assert office.hears("102") == "101"
        mine.hangup()
        await other.until_over()
        assert referrer.notes == []


@pytest.mark.parametrize("targets", [(), ("<sip:103@10.0.0.1>", "<sip:104@10.0.0.1>")])
async def test_a_refer_needs_exactly_one_target(targets: tuple[str, ...]) -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, _ = await talking(office)
        arrived = await referrer.send(mine, *(("Refer-To", target) for target in targets))
        assert arrived.status == 400
        mine.hangup()
        await other.until_over()


async def test_who_talks_to_nobody_cannot_transfer() -> None:
    async with open_office(*OFFICE) as office:
        a = await office.registered("101")
        call = a.dial("10003246")
        await call.until_answered()
        assert (await Referrer(a).refer(call, "103")).status == 403
        call.hangup()


async def test_a_phone_that_wants_no_reports_is_left_alone() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        referrer.answers = 481
        await referrer.refer(mine, "103")
        ring = await c.rung()
        ring.ring()
        await asyncio.sleep(1)
        ring.answer()
        await mine.until_over()
        assert referrer.notes == ["active 100"]
        other.hangup()


async def test_a_phone_that_never_answers_a_notify_does_not_hold_up_the_transfer() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        referrer.answers = 0
        await referrer.refer(mine, "103")
        (await c.rung()).answer()
        await mine.until_over()
        assert office.hears("102") == "103"
        other.hangup()


async def test_without_media_ports_the_call_goes_on() -> None:
    async with open_office(*OFFICE) as office:
        office.may_log.add("no media ports for the call")
        mine, other, referrer, _ = await talking(office)
        office.engine.ports_left = 0
        await referrer.refer(mine, "103")
        assert await referrer.until_told() == 503
        office.engine.ports_left = None
        assert office.hears("102") == "101"
        mine.hangup()
        await other.until_over()


async def test_the_operator_may_end_a_transfer() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, c = await talking(office)
        await referrer.refer(mine, "103")
        ring = await c.rung()
        await asyncio.sleep(1)
        assert office.pbx.hangup(list(office.pbx.calls)[-1])
        await mine.until_over()
        await other.until_over()
        assert await ring.until_over() == 487


async def test_who_drains_transfers_nobody() -> None:
    async with open_office(*OFFICE) as office:
        mine, other, referrer, _ = await talking(office)
        office.pbx.draining = True
        assert (await referrer.refer(mine, "103")).status == 503
        mine.hangup()
        await other.until_over()


async def test_codecs_of_the_new_pair_are_made_to_fit() -> None:
    async with open_office(*OFFICE) as office:
        a = await office.registered("101", codecs=("iLBC", "PCMA", "telephone-event"))
        b = await office.registered("102", codecs=("iLBC", "PCMA", "telephone-event"))
        c = await office.registered("103", codecs=("PCMA", "telephone-event"))
        call, ring = await office.connect(a, b)
        referrer = Referrer(a)
        await referrer.refer(call, "103")
        (await c.rung()).answer()
        await call.until_over()
        await asyncio.sleep(2)
        codecs = {office.leg_of(number).media.codec for number in ("102", "103")}
        assert {codec.name for codec in codecs if codec is not None} == {"PCMA"}
        ring.hangup()


async def test_a_number_at_the_host_of_a_proxy_on_the_way_is_ours() -> None:
    """A phone behind a proxy knows the office by the name of the proxy (seen with Kamailio in front)."""
    async with open_office(*OFFICE) as office:
        call, ring, referrer, c = await talking(office)
        target = f"<sip:103@{referrer.phone.host}>"
        assert (await referrer.refer(call, target)).status == 403, "a host that nobody knows"
        behind = ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbehind")  # the phone is further away than who sends
        assert (await referrer.refer(call, target, behind)).status == 202
        (await c.rung()).reject(486)
        await referrer.until_told()
        call.hangup()
        await ring.until_over()
