"""The redirect role: callers are told where the phones are (RFC 3261 §8.3, RFC 3665 §3.6)."""

from pbx.redirect import Redirector
from sipcore.headers import Contact
from sipcore.message import Response
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall


def redirecting(office: VirtualOffice) -> None:
    office.pbx._intake._redirector = Redirector(office.location, office.clock)


def told(call: PhoneCall) -> Response:
    assert call.ended is not None
    assert call.ended.response is not None
    return call.ended.response


async def test_one_phone_is_a_302_with_its_contact_and_how_long_it_holds() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        redirecting(office)
        callee, caller = await office.registered("101"), await office.registered("102")
        call = caller.dial("101")
        assert await call.until_over() == 302
        (contact,) = told(call).headers.all(Contact)
        assert f"<{contact.uri}>" == callee.contact
        assert contact.expires in (3599, 3600)
        assert not callee.is_ringing
        assert office.rows == []


async def test_several_phones_are_a_300_the_preferred_one_first() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        redirecting(office)
        desk, mobile = office.phone("101", "10.0.2.1"), office.phone("101", "10.0.2.2")
        await desk.register(contact=f"{desk.contact};q=0.3")
        await mobile.register(contact=f"{mobile.contact};q=0.8")
        caller = await office.registered("102")
        call = caller.dial("101")
        assert await call.until_over() == 300
        assert [(str(each.uri), each.q) for each in told(call).headers.all(Contact)] == [
            (mobile.contact.strip("<>"), 0.8),
            (desk.contact.strip("<>"), 0.3),
        ]


async def test_who_is_nowhere_or_nobody_is_told_apart_and_own_numbers_are_answered() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        redirecting(office)
        caller = await office.registered("102")
        for number, status in (("101", 480), ("199", 404)):
            assert await caller.dial(number).until_over() == status
        call = caller.dial("10003246")
        await call.until_answered()
        call.hangup()


async def test_a_stranger_learns_nothing() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        redirecting(office)
        await office.registered("101")
        stranger = office.phone("102", password="")
        assert await stranger.dial("101").until_over() == 401
