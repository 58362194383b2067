"""Attended transfer: REFER with Replaces, every order of events, on one media worker and on several."""

import asyncio
from urllib.parse import quote

import pytest

from media.api import CreateEndpoint, EngineFailed
from pbx.transfer import EXTENSIONS
from sipcore.stack import StackConfig
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.referrer import Referrer
from tests.support.ua import Phone, PhoneCall

OFFICE = tuple(terminal(number, max_calls=4) for number in ("101", "102", "103", "104"))


def replacing(call: PhoneCall, number: str = "103", *extra: str) -> str:
    """A Refer-To that asks to take this call over."""
    dialog = call.on.dialog
    call_id = call.on.request.call_id
    remote = dialog.remote_tag if dialog is not None else next(tag for tag in call.tags)
    value = f"{call_id};to-tag={remote};from-tag={call.on.local_tag}"
    return f"<sip:{number}@10.0.0.1?{'&'.join((f'Replaces={quote(value)}', *extra))}>"


class Three:
    """101 talks to 102, holds it, and talks to 103."""

    def __init__(self, office: VirtualOffice, phones: list[Phone]) -> None:
        self.office, (self.a, self.b, self.c) = office, phones
        self.referrer = Referrer(self.a)

    async def talk(self, *, by_callee: bool = False, hold: bool = True) -> None:
        """The first conversation; `by_callee`: it was 102 that called."""
        if by_callee:
            self.b_leg, self.held = await self.office.connect(self.b, self.a)
        else:
            self.held, self.b_leg = await self.office.connect(self.a, self.b)
        if hold:
            self.held.hold()
            await self.held.until_modified()

    async def consult(self) -> None:
        self.consulted, self.c_leg = await self.office.connect(self.a, self.c)

    async def transfer(self, *extra: tuple[str, str]) -> int:
        return (await self.referrer.refer(self.held, replacing(self.consulted), *extra)).status


async def three(office: VirtualOffice, *, by_callee: bool = False) -> Three:
    found = Three(office, [await office.registered(number) for number in ("101", "102", "103")])
    await found.talk(by_callee=by_callee)
    await found.consult()
    return found


def talk(office: VirtualOffice, one: str, other: str) -> bool:
    """Both hear each other and nothing else."""
    return (office.hears(one), office.hears(other)) == (other, one)


@pytest.mark.row("CDR-18")
@pytest.mark.parametrize("by_callee", [False, True])
async def test_rfc_5359_2_5_attended_transfer(by_callee: bool) -> None:
    async with open_office(*OFFICE) as office:
        it = await three(office, by_callee=by_callee)
        assert await it.transfer() == 202
        assert await it.referrer.until_told() == 200
        assert it.referrer.notes == ["active 100", "terminated 200"]
        assert await it.held.until_over() == 200
        assert await it.consulted.until_over() == 200
        await asyncio.sleep(1)
        assert sorted(office.leg_numbers()) == ["102", "103"]
        assert talk(office, "102", "103")
        await asyncio.sleep(10)
        it.b_leg.hangup()
        await it.c_leg.until_over()
    assert len({row.linkedid for row in office.rows}) == 1, "one conversation"
    joined = office.rows[-1]
    assert (joined.stage, joined.from_number, joined.to_number) == ("transfer", "102", "103")
    assert (joined.disposition, joined.cause) == ("ANSWERED", "normal")
    assert joined.talk_seconds == pytest.approx(11, abs=0.5)
    assert len(joined.sip_call_ids) == 2
    talks = {(row.from_number, row.to_number, row.disposition, row.transfer) for row in office.rows[:2]}
    first = ("102", "101") if by_callee else ("101", "102")
    assert talks == {(*first, "ANSWERED", ""), ("101", "103", "ANSWERED", "consultation")}
    assert joined.transfer == "attended"


async def test_media_of_one_phone_are_on_one_worker_so_nobody_is_asked_to_move() -> None:
    async with open_office(*OFFICE) as office:
        office.engine.workers = 3
        it = await three(office, by_callee=True)
        assert await it.transfer() == 202
        assert await it.referrer.until_told() == 200
        await asyncio.sleep(1)
        assert talk(office, "102", "103")
        assert not it.b.requests("INVITE")
        assert len(it.c.requests("INVITE")) == 1, "no re-INVITE"
        it.c_leg.hangup()
        await it.b_leg.until_over()


async def apart(office: VirtualOffice) -> Three:
    """The same with both conversations on different media workers: 102 and 103 had other calls when they began."""
    it = Three(office, [await office.registered(number) for number in ("101", "102", "103")])
    await it.talk()
    office.pbx.near = lambda *_: None  # type: ignore[method-assign]
    office.engine.workers = 2
    await it.consult()
    assert office.leg_of("102").media.worker != office.leg_of("103").media.worker
    return it


def ports(office: VirtualOffice) -> int:
    return len(office.engine.of(CreateEndpoint))


async def test_media_on_different_workers_move_and_both_talk() -> None:
    async with open_office(*OFFICE) as office:
        it = await apart(office)
        assert await it.transfer() == 202
        assert await it.referrer.until_told() == 200
        await asyncio.sleep(1)
        assert talk(office, "102", "103")
        assert len(it.c.requests("INVITE")) == 2, "who was consulted moved"
        assert ports(office) == 5
        assert len(office.engine.endpoints) == 2
        it.c_leg.hold()
        await it.c_leg.until_modified()
        it.c_leg.resume()
        await it.c_leg.until_modified()
        assert talk(office, "102", "103")
        it.b_leg.hangup()
        await it.c_leg.until_over()
    assert office.rows[-1].disposition == "ANSWERED"


async def test_when_one_does_not_move_the_other_does() -> None:
    async with open_office(*OFFICE) as office:
        it = await apart(office)
        it.c_leg.refuse_offers = 488
        assert await it.transfer() == 202
        assert await it.referrer.until_told() == 200
        await asyncio.sleep(1)
        assert talk(office, "102", "103")
        it.c_leg.hangup()
        await it.b_leg.until_over()


async def test_when_nobody_moves_all_stay_as_they_were() -> None:
    async with open_office(*OFFICE) as office:
        it = await apart(office)
        it.c_leg.refuse_offers = it.b_leg.refuse_offers = 488
        assert await it.transfer() == 202
        assert await it.referrer.until_told() == 503
        await asyncio.sleep(1)
        assert office.hears("103") == "101"
        it.consulted.hangup()
        await it.c_leg.until_over()
        assert not it.b_leg.is_over
        it.held.resume()
        await it.held.until_modified()
        assert talk(office, "101", "102")
        it.held.hangup()
        await it.b_leg.until_over()
    failed = next(row for row in office.rows if row.stage == "transfer")
    assert failed.answered_at is None


async def test_a_target_whose_phone_vanishes_while_it_moves_loses_nobody_else() -> None:
    async with open_office(*OFFICE) as office:
        it = await apart(office)
        office.unplug(it.c)
        assert await it.transfer() == 202
        assert await it.referrer.until_told() == 480
        assert not it.b_leg.is_over
        it.held.resume()
        await it.held.until_modified()
        assert talk(office, "101", "102")
        it.b_leg.hangup()
        await it.held.until_over()


async def test_a_transferee_that_hangs_up_while_the_target_moves_leaves_it_to_the_transferor() -> None:
    async with open_office(*OFFICE) as office:
        it = await apart(office)
        it.c_leg.answers_offers = False
        assert await it.transfer() == 202
        it.b_leg.hangup()
        assert await it.referrer.until_told() == 487
        await it.held.until_over()
        assert not it.c_leg.is_over
        accept(it.c_leg)
        await asyncio.sleep(60)
        assert talk(office, "101", "103"), "its media came back"
        it.consulted.hangup()
        await it.c_leg.until_over()


def accept(call: PhoneCall) -> None:
    """Answer the offer that was left waiting, and all that come."""
    call.answers_offers = True
    call._do(lambda now: call.on.accept_offer(call.my_offer("PCMA", "telephone-event"), now))


async def test_a_transferor_that_hangs_up_at_once_while_the_target_moves_has_done_its_part() -> None:
    async with open_office(*OFFICE) as office:
        it = await apart(office)
        it.c_leg.answers_offers = False
        assert await it.transfer() == 202
        it.held.hangup()
        it.consulted.hangup()
        await asyncio.sleep(2)
        accept(it.c_leg)
        await asyncio.sleep(1)
        assert it.referrer.notes[-1] == "terminated 200"
        assert talk(office, "102", "103")
        it.c_leg.hangup()
        await it.b_leg.until_over()


async def test_a_worker_that_dies_while_the_target_moves_there_ends_only_its_calls() -> None:
    async with open_office(*OFFICE) as office:
        office.may_log |= {"a media worker died, its calls end", "a recording ended before its time"}
        it = await apart(office)
        it.c_leg.answers_offers = False
        assert await it.transfer() == 202
        await asyncio.sleep(1)
        place = office.leg_of("102").media.worker
        gone = tuple(each for each, worker in office.engine.placement.endpoints.items() if worker == place)
        for endpoint in gone:
            del office.engine.endpoints[endpoint]
            office.engine.placement.destroy(endpoint)
        office.engine.emit(EngineFailed(place, gone))
        await it.b_leg.until_over()
        await it.held.until_over()
        accept(it.c_leg)
        await asyncio.sleep(60)
        assert talk(office, "101", "103")
        it.consulted.hangup()
        await it.c_leg.until_over()


async def test_a_target_that_still_rings_rings_for_the_transferee() -> None:
    async with open_office(*OFFICE) as office:
        it = Three(office, [await office.registered(number) for number in ("101", "102", "103")])
        await it.talk()
        it.consulted = it.a.dial("103")
        ring = await it.c.rung()
        ring.ring()
        await it.consulted.until_ringing()
        await asyncio.sleep(1)
        assert await it.transfer() == 202
        assert await it.consulted.until_over() == 487
        assert await ring.until_over() == 487
        again = await it.c.rung()
        assert again.invite is not None
        assert "sip:102@" in (again.invite.headers.get("from") or "")
        again.ring()
        await asyncio.sleep(1)
        again.answer()
        assert await it.referrer.until_told() == 200
        await asyncio.sleep(1)
        assert talk(office, "102", "103")
        again.hangup()
        await it.b_leg.until_over()
    assert len({row.linkedid for row in office.rows}) == 1
    assert [(row.to_number, row.disposition) for row in office.rows] == [
        ("103", "NOANSWER"),
        ("102", "ANSWERED"),
        ("103", "ANSWERED"),
    ]


async def test_a_consulted_test_number_is_entered_by_the_transferee() -> None:
    async with open_office(*OFFICE) as office:
        it = Three(office, [await office.registered(number) for number in ("101", "102", "103")])
        await it.talk()
        it.consulted = it.a.dial("10003246")
        await it.consulted.until_answered()
        assert await it.transfer() == 202
        assert await it.referrer.until_told() == 200
        await it.consulted.until_over()
        assert office.endpoint_of("102").echo
        it.b_leg.hangup()


@pytest.mark.parametrize("whose", ["another phone's", "unknown", "its own", "not the same dialog"])
async def test_only_the_phone_s_own_other_call_can_be_joined(whose: str) -> None:
    async with open_office(*OFFICE) as office:
        it = await three(office)
        where = {
            "another phone's": replacing(it.c_leg),
            "unknown": "<sip:103@10.0.0.1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>",
            "its own": replacing(it.held),
            "not the same dialog": replacing(it.consulted).replace("from-tag%3D", "from-tag%3Dx"),
        }[whose]
        assert (await it.referrer.refer(it.held, where)).status == 403
        await asyncio.sleep(1)
        assert office.hears("103") == "101"
        assert not it.b_leg.is_over
        it.held.hangup()
        it.consulted.hangup()
        await it.c_leg.until_over()
        await it.b_leg.until_over()
        assert it.referrer.notes == []


async def test_headers_in_the_refer_to_do_not_disturb() -> None:
    async with open_office(*OFFICE, stack=StackConfig(extensions=EXTENSIONS)) as office:
        it = await three(office)
        where = replacing(it.consulted, "103", "Require=replaces", "Subject=hello")
        response = await it.referrer.refer(it.held, where, ("Refer-Sub", "false"), ("Require", "norefersub"))
        assert (response.status, response.headers.get("refer-sub")) == (202, "false")
        await it.consulted.until_over()
        await asyncio.sleep(1)
        assert talk(office, "102", "103")
        assert it.referrer.notes == []
        it.c_leg.hangup()
        await it.b_leg.until_over()


async def test_who_takes_part_in_a_transfer_cannot_be_joined_meanwhile() -> None:
    async with open_office(*OFFICE) as office:
        it = await apart(office)
        it.c_leg.answers_offers = False
        assert await it.transfer() == 202
        assert (await it.referrer.refer(it.held, "104")).status == 491
        assert (await it.referrer.refer(it.consulted, replacing(it.held))).status == 491
        accept(it.c_leg)
        await it.consulted.until_over()
        it.c_leg.hangup()
        await it.b_leg.until_over()


async def test_two_joined_parties_can_be_transferred_again() -> None:
    async with open_office(*OFFICE) as office:
        d = await office.registered("104")
        it = await three(office)
        await it.transfer()
        await it.consulted.until_over()
        again = Referrer(it.c)
        other, d_leg = await office.connect(it.c, d)
        response = await again.refer(it.c_leg, replacing(other, "104"))
        assert response.status == 202
        assert await again.until_told() == 200
        await asyncio.sleep(1)
        assert talk(office, "102", "104")
        d_leg.hangup()
        await it.b_leg.until_over()
    assert len({row.linkedid for row in office.rows}) == 1


async def test_two_conversations_that_were_transferred_before_keep_what_is_told_already() -> None:
    """The consulted conversation has rows in the history: they give the name."""
    async with open_office(*OFFICE) as office:
        it = Three(office, [await office.registered(number) for number in ("101", "102", "103")])
        d = await office.registered("104")
        call, ring = await office.connect(d, it.c)  # 104 calls 103 and transfers it to 101
        await Referrer(d).refer(call, "101")
        it.consulted = await it.a.rung()
        it.consulted.answer()
        await call.until_over()
        it.c_leg = ring
        await it.talk()
        assert await it.transfer() == 202
        await it.held.until_over()
        await asyncio.sleep(1)
        assert talk(office, "102", "103")
        it.b_leg.hangup()
        await ring.until_over()
    assert len(office.rows) == 4
    assert len({row.linkedid for row in office.rows}) == 1
