"""REGISTER through the stack: what phones are told, where they can be reached afterwards."""

import asyncio

import pytest

from pbx.events import RegistrationChanged
from sipcore.headers import Contact
from sipcore.message import Response
from sipcore.register.binding import RegisterPolicy
from storage.memory import MemoryStorage
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office


def contacts(response: Response) -> dict[str, int | None]:
    return {str(each.uri): each.expires for each in response.headers.all(Contact)}


def changes(office: VirtualOffice) -> list[tuple[str, str]]:
    return [(event.number, event.change.value) for event in office.events if isinstance(event, RegistrationChanged)]


async def test_a_registration_is_confirmed_with_its_contact_and_lifetime_and_can_be_called() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = office.phone("101"), office.phone("102")
        b.user_agent = "Desk/1.0"
        response = await b.register(600)
        assert contacts(response) == {f"sip:102@{b.host}:5060": 600}
        (binding,) = office.location.bindings("102")
        assert (binding.received, binding.user_agent) == (b.address, "Desk/1.0")
        await a.register()
        call = a.dial("102")
        (await b.rung()).reject(486)
        assert await call.until_over() == 486
    assert changes(office)[0] == ("102", "added")


async def test_a_refresh_prolongs_the_registration() -> None:
    async with open_office(terminal("101")) as office:
        phone = office.phone("101")
        await phone.register(300)
        registered_at = office.location.bindings("101")[0].registered_at
        await asyncio.sleep(200)
        assert contacts(await phone.register(300)) == {f"sip:101@{phone.host}:5060": 300}
        (binding,) = office.location.bindings("101")
        assert binding.registered_at == registered_at
        assert changes(office) == [("101", "added"), ("101", "refreshed")]


async def test_a_query_changes_nothing_and_lists_what_is_there() -> None:
    async with open_office(terminal("101")) as office:
        one, two = await office.registered("101", "10.0.2.1"), await office.registered("101", "10.0.2.2")
        await asyncio.sleep(100)
        response = await one.register(None, contact="")
        assert contacts(response) == {f"sip:101@{one.host}:5060": 3500, f"sip:101@{two.host}:5060": 3500}
        assert changes(office) == [("101", "added")] * 2


async def test_expires_zero_and_a_star_take_registrations_away() -> None:
    async with open_office(terminal("101")) as office:
        phones = [await office.registered("101", f"10.0.2.{n}") for n in (1, 2, 3)]
        assert len(contacts(await phones[0].register(0))) == 2
        assert len(contacts(await phones[1].register(None, contact=f"{phones[1].contact};expires=0"))) == 1
        assert contacts(await phones[2].register(0, contact="*")) == {}
        assert office.location.bindings("101") == ()
        assert changes(office)[3:] == [("101", "removed")] * 3


async def test_a_star_that_does_not_ask_to_remove_is_refused_and_nothing_changes() -> None:
    async with open_office(terminal("101")) as office:
        phone = await office.registered("101")
        assert (await phone.register(300, contact="*")).status == 400
        assert (await phone.register(0, contact=f"*, {phone.contact}")).status == 400
        assert len(office.location.bindings("101")) == 1


async def test_an_older_cseq_of_the_same_call_id_changes_nothing() -> None:
    async with open_office(terminal("101", trust="10.0.9.9")) as office:
        raw = office.raw("101", "10.0.9.9")
        raw.send(raw.request("REGISTER", "101", 5, "Expires: 300", to_tag=""))
        await raw.expect(200)
        raw.send(raw.request("REGISTER", "101", 4, "Expires: 0", to_tag=""))
        await raw.expect(500)
        assert len(office.location.bindings("101")) == 1


@pytest.mark.row("REG-3")
async def test_a_lifetime_out_of_range_is_moved_to_the_nearest_limit_and_the_default_taken_without_one() -> None:
    async with open_office(terminal("101")) as office:
        phone = office.phone("101")
        granted = []
        for asked in (10, 60, 90, 3600, 86400, None):
            (lifetime,) = contacts(await phone.register(asked)).values()
            granted.append(lifetime)
        assert granted == [60, 60, 90, 3600, 3600, 120]


async def test_where_clamping_is_off_a_short_lifetime_is_refused_with_423_and_the_minimum() -> None:
    async with open_office(terminal("101"), policy=RegisterPolicy(clamp=False)) as office:
        response = await office.phone("101").register(10)
        assert response.status == 423
        assert response.headers.get("min-expires") == "60"


@pytest.mark.parametrize(
    "contact", ["<sip:101@", "tel:+7495", "<mailto:x@y>", "<sip:101@10.0.0.9>;expires=1;q=banana", "\x01"]
)
async def test_a_malformed_contact_is_refused_and_nothing_changes(contact: str) -> None:
    async with open_office(terminal("101")) as office:
        phone = office.phone("101")
        response = await phone.register(300, contact=contact)
        if response.status == 200:  # a value that the grammar lets through with its default
            assert "banana" in contact
        else:
            assert response.status == 400
            assert office.location.bindings("101") == ()


async def test_a_terminal_registers_itself_only() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        phone = office.phone("101")
        assert (await phone.register(300, to="<sip:102@10.0.0.1>")).status == 403
        assert office.location.bindings("102") == ()
        assert (await phone.register(300, to="<tel:102>")).status == 400  # RFC 4475 §3.3.4


async def test_a_lost_answer_does_not_make_the_repeated_register_fail() -> None:
    async with open_office(terminal("101", trust="10.0.9.9")) as office:
        raw = office.raw("101", "10.0.9.9")
        text = raw.request("REGISTER", "101", 1, "Expires: 300", to_tag="")
        raw.send(text)
        first = await raw.expect(200)
        raw.send(text)
        assert bytes(await raw.expect(200)) == bytes(first)


@pytest.mark.row("EXT-13")
async def test_the_contact_that_expires_first_makes_room() -> None:
    async with open_office(terminal("101", max_contacts=2)) as office:
        phones = [office.phone("101", f"10.0.2.{n}") for n in (1, 2, 3)]
        for phone, lifetime in zip(phones, (3000, 1000, 2000), strict=True):
            await phone.register(lifetime)
        kept = {binding.received for binding in office.location.bindings("101")}
        assert kept == {phones[0].address, phones[2].address}
        assert changes(office)[-1] == ("101", "removed")


async def test_an_expired_registration_is_not_rung_and_swept_with_an_event() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101")
        await office.phone("102").register(60)
        await asyncio.sleep(61)
        assert await a.dial("102").until_over(5) == 480
        office.location.sweep()
        assert changes(office)[-1] == ("102", "expired")
        assert [number for number, _ in office.location] == ["101"]
        assert await office.storage.locations.load(office.clock.wall()) != []
        office.location.sweep()
        assert [change for _, change in changes(office)].count("expired") == 1


async def test_a_phone_that_comes_back_after_its_registration_expired_is_first_gone_then_new() -> None:
    async with open_office(terminal("101")) as office:
        phone = office.phone("101")
        await phone.register(60)
        await asyncio.sleep(61)
        await phone.register(60)
        assert changes(office) == [("101", "added"), ("101", "expired"), ("101", "added")]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_registrations_survive_a_restart_with_their_paths(transport: str) -> None:
    storage = MemoryStorage()
    async with open_office(terminal("101"), terminal("102"), storage=storage) as office:
        await office.registered("102", "10.0.2.2", 5071, transport=transport)
        before = office.location.bindings("102")[0]
        wall_before = office.clock.wall_at(before.expires_at)
    async with open_office(terminal("101"), terminal("102"), storage=storage) as office:
        assert await office.location.restore() == 1
        (after,) = office.location.bindings("102")
        assert (after.contact, after.call_id, after.cseq) == (before.contact, before.call_id, before.cseq)
        assert office.clock.wall_at(after.expires_at) == pytest.approx(wall_before)
        assert after.flow is not None
        assert (after.flow.transport, after.flow.remote) == (transport, ("10.0.2.2", 5071))
        if transport == "UDP":
            a, b = await office.registered("101"), office.phone("102", "10.0.2.2", 5071)
            call = a.dial("102")
            (await b.rung()).reject(486)
            assert await call.until_over() == 486


async def test_a_damaged_row_of_the_store_is_left_out_at_the_start() -> None:
    from dataclasses import replace

    storage = MemoryStorage()
    async with open_office(terminal("101"), storage=storage) as office:
        await office.registered("101")
        (good,) = await storage.locations.load(0)
    for damage in (
        {"contact": "nonsense"},
        {"received": ""},
        {"received": "10.0.0.1 x"},
        {"received": "host 5060"},
        {"path": ("<<",)},
    ):
        storage.locations.put("101", [replace(good, **damage)])
        async with open_office(terminal("101"), storage=storage) as office:
            assert await office.location.restore() == 0


async def test_a_phone_behind_nat_is_rung_where_it_really_is() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), office.phone("102", "10.0.3.3", 6000)
        await b.register(300, contact="<sip:102@192.168.1.2:5060>")
        call = a.dial("102")
        ring = await b.rung()
        assert ring.invite is not None
        assert str(ring.invite.uri) == "sip:102@192.168.1.2:5060", "the Request-URI is the contact as registered"
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(0.1)
        spec = office.endpoint_of("102").spec
        assert spec is not None
        assert spec.sources == ("10.0.3.3",)
        call.hangup()
        assert await ring.until_over() == 200
