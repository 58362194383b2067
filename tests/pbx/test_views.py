"""Live state as the command line shows it."""

import asyncio

from pbx.control.messages import CallView
from pbx.views import call_view, registration_view
from storage.records import User
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office


def view(office: VirtualOffice) -> CallView:
    (call,) = office.pbx.calls.values()
    return call_view(call, office.clock)


async def test_a_call_is_shown_ringing_then_talking_then_held() -> None:
    users = [User("anna", "Anna"), User("boris", "Boris")]
    async with open_office(terminal("101", owner="anna"), terminal("102", owner="boris"), users=users) as office:
        a = await office.registered("101")
        phones = [await office.registered("102", f"10.0.2.{n}") for n in (1, 2)]
        call = a.dial("102")
        rings = [await phone.rung() for phone in phones]
        rings[0].ring()
        await asyncio.sleep(4)
        shown = view(office)
        assert (shown.state, shown.answered_at, shown.codec_a, shown.codec_b) == ("ringing", None, "", "")
        assert (shown.from_number, shown.from_name) == ("101", "Anna")
        assert (shown.to_number, shown.to_name) == ("102", "Boris")
        assert 3.9 < shown.duration_s < 4.1
        rings[1].answer()
        await call.until_answered()
        await asyncio.sleep(10)
        shown = view(office)
        assert (shown.state, shown.codec_a, shown.codec_b) == ("talking", "PCMA/8000", "PCMA/8000")
        assert 9.9 < shown.duration_s < 10.1, "counted from the answer"
        assert (shown.stage, shown.linkedid) == ("dial", shown.id)
        rings[1].hold()
        await rings[1].until_modified()
        assert view(office).state == "held"
        call.hangup()
        await rings[1].until_over()


async def test_a_call_to_an_application_is_shown_with_one_codec() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        call = a.dial("10003246")
        await call.until_answered()
        shown = view(office)
        assert (shown.state, shown.stage, shown.codec_a, shown.codec_b) == ("talking", "application", "PCMA/8000", "")
        assert shown.answered_at is not None
        call.hangup()
        await call.until_over()


async def test_a_call_with_early_media_still_rings() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring(early=ring.my_answer())
        await call.until_ringing()
        assert view(office).state == "ringing"
        call.hangup()
        await ring.until_over()


async def test_a_registration_is_shown_with_where_it_came_from_and_how_long_it_lasts() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        b = office.phone("102", "10.0.2.2", 5099, transport="TCP")
        b.user_agent = "Desk/1"
        await b.register(600, contact="<sip:102@192.168.0.2:5060>")
        await asyncio.sleep(100)
        ((number, binding),) = office.location
        shown = registration_view(number, binding, office.clock)
        assert (shown.number, shown.contact) == ("102", "sip:102@192.168.0.2:5060")
        assert (shown.received, shown.transport, shown.user_agent) == ("10.0.2.2:5099", "tcp", "Desk/1")
        assert shown.expires_in_s == 500.0
