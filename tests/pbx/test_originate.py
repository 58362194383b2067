"""Click to dial and transfers at somebody else's wish, with the headers that let a phone answer by itself."""

import asyncio
from dataclasses import replace

import pytest

from features.test_numbers import ECHO_NUMBER
from pbx.control.messages import ControlError, Intercept, Originate
from storage.records import EmployeeGroup, Office, User
from tests.support.builders import terminal
from tests.support.company import ANY, CLIENT, company, user_of
from tests.support.office import VirtualOffice, open_office

OFFICE = tuple(terminal(number) for number in ("101", "102", "103"))


def originate(office: VirtualOffice, *, by_itself: bool = True, to: str = "102") -> str:
    return office.pbx.originator.originate(Originate("101", to, by_itself))


@pytest.mark.row("FEAT-29")
async def test_a_click_rings_the_employee_then_the_number_by_the_rules_and_failures_are_in_the_history() -> None:
    async with company(replace(ANY, prefix="7")) as (office, phone, telcos):
        start = office.pbx.originator.originate
        start(Originate("201", "+7 916 123-45-67", shown_name="Client", shown_number="+7916"))
        own = await phone.rung()
        assert own.invite is not None
        assert own.invite.headers.get("answer-mode") == "Auto"
        assert (own.invite.headers.get("from") or "").startswith('"Client" <sip:+7916@')
        assert not telcos["first"].is_ringing
        own.answer()
        ring = await telcos["first"].rung()
        assert user_of(ring) == CLIENT
        ring.answer()
        await ring.until_confirmed()
        own.hangup()
        await ring.until_over()
        second = await office.registered("201", "10.0.7.7")
        for every_phone in (False, True):
            start(Originate("201", CLIENT, every_phone=every_phone))
            for device in (phone, second):
                rung = await device.rung()
                assert rung.invite is not None
                assert ("answer-mode" in rung.invite.headers) is every_phone
            rung.reject(603)
            phone.calls[-1].reject(603)
            await asyncio.sleep(1)
        for number, to, sentence in (("202", CLIENT, "no phone of 202"), ("201", "nobody", "nobody has")):
            with pytest.raises(ControlError, match=sentence):
                start(Originate(number, to))
            await asyncio.sleep(0.1)
    told = [(row.from_number, row.to_number, row.disposition, row.cause) for row in office.rows]
    assert office.rows[0].provider_out == "first", "by the rule"
    assert told == [
        ("201", f"+{CLIENT}", "ANSWERED", "normal"),
        ("201", CLIENT, "BUSY", "declined"),
        ("201", CLIENT, "BUSY", "declined"),
        ("202", CLIENT, "FAILED", "unavailable"),
        ("201", "nobody", "FAILED", "not_found"),
    ]


async def test_a_click_calls_nobody_whom_the_phone_may_not_call() -> None:
    people = [User("anna", "Anna"), User("boris", "Boris")]
    groups = (EmployeeGroup("closed", members=("boris",), isolate=True), EmployeeGroup("rest", is_default=True))
    phones = (terminal("101", owner="anna"), terminal("102", owner="boris"))
    async with open_office(*phones, users=people, office=Office("Test", employee_groups=groups)) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        originate(office)
        own = await a.rung()
        own.answer()
        assert await own.until_over() == 200
        assert not b.is_ringing


@pytest.mark.row("FEAT-30")
@pytest.mark.parametrize("by_call", [True, False])
async def test_a_call_that_rings_is_pulled_to_somebody_else_and_not_once_it_is_answered(by_call: bool) -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        intercept = office.pbx.originator.intercept
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await asyncio.sleep(1)
        (id,) = office.pbx.calls
        wanted = Intercept("103", call_id=id) if by_call else Intercept("103", "102")
        intercept(wanted)
        own = await c.rung()
        own.answer()
        assert await ring.until_over() == 487
        await call.until_answered()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("103")) == ("103", "101")
        for late in (Intercept("102", call_id=id), Intercept("102", "103")):
            with pytest.raises(ControlError, match="only what nobody has answered yet"):
                intercept(late)
        call.hangup()
        await own.until_over()


async def test_who_is_too_late_for_a_call_hears_so_and_groups_keep_their_calls() -> None:
    people = [User("anna", "Anna"), User("boris", "Boris")]
    groups = (EmployeeGroup("closed", members=("boris",), isolate_pickup=True), EmployeeGroup("rest", is_default=True))
    phones = (terminal("101"), terminal("102", owner="anna"), terminal("103"), terminal("104", owner="boris"))
    async with open_office(*phones, users=people, office=Office("Test", employee_groups=groups)) as office:
        a, b, c, _ = [await office.registered(number) for number in ("101", "102", "103", "104")]
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await asyncio.sleep(1)
        with pytest.raises(ControlError, match="104 may not pick up what rings at 102"):
            office.pbx.originator.intercept(Intercept("104", "102"))
        office.pbx.originator.intercept(Intercept("103", "102"))
        own = await c.rung()
        ring.answer()
        await call.until_answered()
        own.answer()
        assert await own.until_over() == 200
        assert office.hears("101") == "102", "the two talk on"
        call.hangup()
        await ring.until_over()


async def test_rfc_5359_2_18_click_to_dial() -> None:
    async with open_office(*OFFICE) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call_id = originate(office)
        own = await a.rung()
        assert own.invite is not None
        assert "sip:102@" in (own.invite.headers.get("from") or ""), "the phone shows whom it will call"
        assert (own.invite.headers.get("call-info") or "").endswith("answer-after=0")
        assert "info=alert-autoanswer" in (own.invite.headers.get("alert-info") or "")
        assert own.invite.headers.get("answer-mode") == "Auto"
        assert not b.is_ringing, "who is called is not rung for nobody"
        own.answer()
        ring = await b.rung()
        assert ring.invite is not None
        assert "sip:101@" in (ring.invite.headers.get("from") or "")
        assert "answer-mode" not in ring.invite.headers
        ring.ring()
        await asyncio.sleep(1)
        assert office.endpoint_of("101").play is not None, "who waits hears a ringing tone"
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(5)
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        own.hangup()
        await ring.until_over()
    row = office.row
    assert row.id.startswith(call_id)
    assert (row.from_number, row.to_number, row.disposition) == ("101", "102", "ANSWERED")
    assert row.talk_seconds == pytest.approx(5, abs=0.5)
    assert len(row.sip_call_ids) == 2


async def test_several_phones_ring_and_the_one_that_answers_calls() -> None:
    async with open_office(*OFFICE) as office:
        first = await office.registered("101")
        second = await office.registered("101", "10.0.7.7")
        b = await office.registered("102")
        originate(office)
        one, two = await first.rung(), await second.rung()
        assert one.invite is not None
        assert "answer-mode" not in one.invite.headers, "not on several devices at once"
        one.reject(486)
        two.ring()
        await asyncio.sleep(1)
        two.answer()
        ring = await b.rung()
        ring.answer()
        await asyncio.sleep(1)
        assert office.hears("102") == "101"
        ring.hangup()
        await two.until_over()


async def test_a_phone_may_be_left_to_ring() -> None:
    async with open_office(*OFFICE) as office:
        a, _ = [await office.registered(number) for number in ("101", "102")]
        originate(office, by_itself=False)
        own = await a.rung()
        assert own.invite is not None
        assert "call-info" not in own.invite.headers
        own.reject(603)
        await asyncio.sleep(1)
    assert (office.row.disposition, office.row.cause) == ("BUSY", "declined")


async def test_who_does_not_answer_its_own_phone_calls_nobody() -> None:
    async with open_office(*OFFICE) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        originate(office)
        own = await a.rung()
        own.ring()
        assert await own.until_over() == 487
        assert not b.is_ringing
    assert (office.row.disposition, office.row.cause) == ("NOANSWER", "no_answer")


async def test_whom_nobody_answers_is_told_to_who_wanted_the_call() -> None:
    async with open_office(*OFFICE) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        originate(office)
        own = await a.rung()
        own.answer()
        (await b.rung()).reject(486)
        assert await own.until_over() == 200
        assert "cause=17" in (a.requests("BYE")[0].headers.get("reason") or "")
    assert (office.row.from_number, office.row.to_number, office.row.disposition) == ("101", "102", "BUSY")


async def test_a_test_number_can_be_called_for_a_phone() -> None:
    async with open_office(*OFFICE) as office:
        a = await office.registered("101")
        originate(office, to=ECHO_NUMBER)
        own = await a.rung()
        own.answer()
        await own.until_confirmed()
        await asyncio.sleep(1)
        assert office.endpoint_of("101").echo
        own.hangup()
        await asyncio.sleep(1)
    assert office.row.to_number == ECHO_NUMBER


async def test_what_cannot_be_started_is_a_sentence() -> None:
    async with open_office(*OFFICE) as office:
        with pytest.raises(ControlError, match=r"no phone of 101 is registered"):
            originate(office)
        a, b = [await office.registered(number) for number in ("101", "102")]
        with pytest.raises(ControlError, match=r"nobody has the number 999"):
            originate(office, to="999")
        with pytest.raises(ControlError, match=r"there is no terminal 555"):
            office.pbx.originator.originate(Originate("555", "102"))
        call, ring = await office.connect(a, b)
        with pytest.raises(ControlError, match=r"101 is busy"):
            originate(office, to="103")
        office.pbx.draining = True
        with pytest.raises(ControlError, match=r"takes no new calls"):
            originate(office)
        call.hangup()
        await ring.until_over()


async def test_an_operator_sends_the_caller_on() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call, ring = await office.connect(a, b)
        (call_id,) = office.pbx.calls
        onward = office.pbx.originator.transfer(call_id, "103")
        assert onward in office.pbx.calls
        with pytest.raises(ControlError, match=r"being transferred already|nobody talks"):
            office.pbx.originator.transfer(call_id, "103")
        third = await c.rung()
        assert not ring.is_over, "until somebody answers"
        third.answer()
        await ring.until_over()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("103")) == ("103", "101")
        call.hangup()
        await third.until_over()
    assert [(row.stage, row.to_number) for row in office.rows] == [("dial", "102"), ("transfer", "103")]


async def test_who_was_called_back_is_sent_on_like_anybody() -> None:
    async with open_office(*OFFICE) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call_id = originate(office)
        own = await a.rung()
        own.answer()
        ring = await b.rung()
        ring.answer()
        await ring.until_confirmed()
        await asyncio.sleep(1)
        office.pbx.originator.transfer(call_id, "103")
        (await c.rung()).answer()
        await ring.until_over()
        await asyncio.sleep(1)
        assert (office.hears("101"), office.hears("103")) == ("103", "101")
        own.hangup()
        await c.calls[-1].until_over()


async def test_what_cannot_be_sent_on_is_a_sentence() -> None:
    async with open_office(*OFFICE) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        with pytest.raises(ControlError, match=r"there is no call none now"):
            office.pbx.originator.transfer("none", "102")
        call = a.dial("102")
        ring = await b.rung()
        (call_id,) = office.pbx.calls
        with pytest.raises(ControlError, match=r"nobody talks in call"):
            office.pbx.originator.transfer(call_id, "103")
        ring.answer()
        await call.until_answered()
        with pytest.raises(ControlError, match=r"nobody has the number 999"):
            office.pbx.originator.transfer(call_id, "999")
        call.hangup()
        await ring.until_over()
