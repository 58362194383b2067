"""Several phones of one terminal (EXT-13) and how many calls a terminal takes part in (EXT-7)."""

import asyncio

import pytest

from media.api import JoinRoom
from tests.support.builders import terminal
from tests.support.office import open_office

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


@pytest.mark.row("EXT-13")
async def test_every_phone_of_a_terminal_rings_the_first_answer_wins_and_the_others_are_told_so() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        desk, mobile, home = [await office.registered("102", f"10.0.2.{n}") for n in (1, 2, 3)]
        call = a.dial("102")
        rings = [await phone.rung() for phone in (desk, mobile, home)]
        for ring in rings[:2]:
            ring.ring()
        await call.until_ringing()
        assert call.statuses == [180]
        rings[1].answer()
        await call.until_answered()
        assert await rings[0].until_over() == 487
        home_ring = rings[2]
        home_ring.ring()  # it had said nothing yet: only now it may be cancelled
        assert await home_ring.until_over() == 487
        for phone in (desk, home):
            (cancel,) = phone.requests("CANCEL")
            assert cancel.headers.get("reason") == ELSEWHERE
        assert mobile.requests("CANCEL") == []
        assert office.leg_numbers() == ["101", "102"]
        assert office.endpoint_of("102").spec is not None
        assert office.hears("101") == "102"
        call.hangup()
        assert await rings[1].until_over() == 200
    assert office.row.disposition == "ANSWERED"
    assert len(office.row.sip_call_ids) == 4
    assert len({command.endpoint for command in office.engine.of(JoinRoom)}) == 2


@pytest.mark.row("EXT-13")
async def test_a_new_registration_beyond_the_limit_takes_the_place_of_the_one_that_expires_first() -> None:
    async with open_office(terminal("101"), terminal("102", max_contacts=1)) as office:
        a = await office.registered("101")
        old = await office.registered("102", "10.0.2.1")
        new = await office.registered("102", "10.0.2.2")
        call = a.dial("102")
        ring = await new.rung()
        assert not old.is_ringing
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()
        outgoing = old.dial("101")
        back = await a.rung()
        back.answer()
        await outgoing.until_answered()
        outgoing.hangup()
        await back.until_over()


async def test_two_answers_at_the_same_moment_leave_one_winner() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        phones = [await office.registered("102", f"10.0.2.{n}") for n in (1, 2)]
        call = a.dial("102")
        rings = [await phone.rung() for phone in phones]
        for ring in rings:
            ring.ring()
        await call.until_ringing()
        for ring in rings:
            ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        assert [ring.is_over for ring in rings] == [False, True]
        bye = phones[1].requests("BYE")
        assert [request.headers.get("reason") for request in bye] == [ELSEWHERE]
        assert office.leg_numbers() == ["101", "102"]
        call.hangup()
        await rings[0].until_over()
    assert office.row.disposition == "ANSWERED"


async def test_declining_on_one_phone_ends_the_call_on_all() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        phones = [await office.registered("102", f"10.0.2.{n}") for n in (1, 2)]
        call = a.dial("102")
        rings = [await phone.rung() for phone in phones]
        for ring in rings:
            ring.ring()
        await call.until_ringing()
        rings[1].reject(603)
        assert await call.until_over() == 603
        assert await rings[0].until_over() == 487
        (cancel,) = phones[0].requests("CANCEL")
        assert cancel.headers.get("reason") == 'Q.850;cause=21;text="Call rejected"', "nobody took it elsewhere"
    assert (office.row.disposition, office.row.cause) == ("BUSY", "declined")


async def test_a_decline_says_more_than_another_phone_that_is_busy() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        phones = [await office.registered("102", f"10.0.2.{n}") for n in (1, 2)]
        call = a.dial("102")
        rings = [await phone.rung() for phone in phones]
        rings[0].reject(486)
        await asyncio.sleep(1)
        rings[1].reject(603)
        assert await call.until_over() == 603, "RFC 3261 §16.7 step 6: a 6xx is chosen when there is one"


async def test_a_phone_that_is_busy_does_not_end_the_ringing_of_the_others() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        phones = [await office.registered("102", f"10.0.2.{n}") for n in (1, 2)]
        call = a.dial("102")
        rings = [await phone.rung() for phone in phones]
        rings[0].reject(486)
        await asyncio.sleep(5)
        assert not call.is_over
        rings[1].answer()
        await call.until_answered()
        call.hangup()
        await rings[1].until_over()
    assert office.row.disposition == "ANSWERED"


async def test_early_media_of_a_phone_that_loses_gives_way_to_the_one_that_answers() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        early = await office.registered("102", "10.0.2.1")
        late = await office.registered("102", "10.0.2.2", codecs=("PCMU", "telephone-event"))
        call = a.dial("102")
        first, second = await early.rung(), await late.rung()
        first.ring(early=first.my_answer())
        await call.until_ringing()
        second.answer()
        answered = await call.until_answered()
        await asyncio.sleep(1)
        assert first.is_over
        assert office.hears("101") == "102"
        assert office.hears("102") == "101"
        spec = office.endpoint_of("101").spec
        assert spec is not None
        assert spec.payloads[0].name == "PCMA", "the answer given with the early media stands; the engine transcodes"
        assert answered.sdp
        call.hangup()
        await second.until_over()


async def test_a_caller_bound_by_early_media_to_a_codec_that_the_answering_phone_lacks_is_asked_to_change() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", codecs=("iLBC", "PCMA", "telephone-event"))
        early = await office.registered("102", "10.0.2.1", codecs=("iLBC", "telephone-event"))
        late = await office.registered("102", "10.0.2.2", codecs=("PCMA", "telephone-event"))
        call = a.dial("102")
        first, second = await early.rung(), await late.rung()
        first.ring(early=first.my_answer())
        await call.until_ringing()
        a.codecs = ("PCMA", "telephone-event")
        second.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        specs = [office.endpoint_of(number).spec for number in ("101", "102")]
        assert [spec.payloads[0].name for spec in specs if spec is not None] == ["PCMA", "PCMA"]
        call.hangup()
        await second.until_over()


async def test_the_caller_cancels_all_phones() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        phones = [await office.registered("102", f"10.0.2.{n}") for n in range(1, 11)]
        call = a.dial("102")
        rings = [await phone.rung() for phone in phones]
        for ring in rings:
            ring.ring()
        await call.until_ringing()
        call.hangup()
        for ring in rings:
            assert await ring.until_over() == 487


@pytest.mark.row("EXT-7")
async def test_a_terminal_at_its_limit_is_busy_without_ringing() -> None:
    async with open_office(terminal("101"), terminal("102"), terminal("103")) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call, ring = await office.connect(a, b)
        third = c.dial("102")
        assert await third.until_over() == 486
        assert not b.is_ringing
        outgoing = c.dial("101")
        assert await outgoing.until_over() == 486, "a call made counts like a call received"
        call.hangup()
        await ring.until_over()
        again = c.dial("102")
        (await b.rung()).answer()
        await again.until_answered()
        again.hangup()
    assert [row.disposition for row in office.rows] == ["BUSY", "BUSY", "ANSWERED", "ANSWERED"]


@pytest.mark.row("EXT-7")
async def test_a_second_call_waits_at_a_terminal_that_takes_two_and_the_third_finds_it_busy() -> None:
    async with open_office(*[terminal(n, max_calls=2) for n in ("101", "102", "103", "104")]) as office:
        a, b, c, d = [await office.registered(number) for number in ("101", "102", "103", "104")]
        call, ring = await office.connect(a, b)
        waiting = c.dial("102")
        second = await b.rung()
        second.ring()
        await waiting.until_ringing()
        assert await d.dial("102").until_over() == 486
        ring.hold()
        await ring.until_modified()
        second.answer()
        await waiting.until_answered()
        second.hangup()
        assert await waiting.until_over() == 200
        ring.resume()
        await ring.until_modified()
        call.hangup()
        await ring.until_over()


async def test_two_callers_at_the_same_moment_do_not_both_ring_a_terminal_that_takes_one_call() -> None:
    async with open_office(terminal("101"), terminal("102"), terminal("103")) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        office.engine.answer_after_s = 0.5
        first, second = a.dial("103"), b.dial("103")
        ring = await c.rung()
        await asyncio.sleep(2)
        assert not c.is_ringing
        assert sorted([first.is_over, second.is_over]) == [False, True]
        ring.reject(486)
        assert await first.until_over() == await second.until_over() == 486


async def test_of_two_phones_that_call_each_other_at_the_same_moment_one_rings_at_most() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        calls = [a.dial("102"), b.dial("101")]
        await asyncio.sleep(1)
        assert [call.ended.status for call in calls if call.ended is not None] == [486]
        assert a.is_ringing != b.is_ringing
        for call in calls:
            if not call.is_over:
                (await (a if a.is_ringing else b).rung()).reject(603)
                assert await call.until_over() == 603


async def test_two_phones_with_call_waiting_may_talk_twice_at_the_same_time() -> None:
    async with open_office(terminal("101", max_calls=2), terminal("102", max_calls=2)) as office:
        a, b = await office.registered("101"), await office.registered("102")
        one, other = a.dial("102"), b.dial("101")
        at_b, at_a = await b.rung(), await a.rung()
        at_b.answer()
        at_a.answer()
        await one.until_answered()
        await other.until_answered()
        rooms = {endpoint.room for endpoint in office.engine.endpoints.values()}
        assert len(rooms) == 2
        one.hangup()
        await at_b.until_over()
        assert not other.is_over
        at_a.hangup()
        await other.until_over()
    assert [row.disposition for row in office.rows] == ["ANSWERED", "ANSWERED"]


async def test_a_phone_that_dials_its_own_number_finds_itself_busy() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        assert await a.dial("101").until_over() == 486
