"""Calls that providers bring: from which account, for which number, of whom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar

import pytest

from features import make_apps
from pbx.api import App, AppContext, Arrival, Call, Next
from sipcore.auth.digest import answer
from sipcore.headers import WwwAuthenticate
from storage.records import Office, OutboundRoute, Provider
from tests.support.builders import sdp, terminal
from tests.support.office import SERVER, VirtualOffice, open_office
from tests.support.telco import Telco
from tests.support.ua import Phone

TELCO, OTHER = "192.0.2.10", "192.0.2.20"
BY_LOGIN = Provider("telco", TELCO, login="74951234567", password="Secret_1")
BY_ADDRESS = Provider("gateway", TELCO, kind="ip")


class Desk:
    """An app that answers every call that providers bring."""

    name: ClassVar[str] = "desk"
    stage: ClassVar[str] = "application"

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []

    def incoming(self, _: AppContext, arrival: Arrival) -> App | None:
        self.arrivals.append(arrival)
        return self

    async def run(self, call: Call, ctx: AppContext) -> Next:
        await ctx.prepare(call)
        call.caller.answer()
        await call.caller.until_ended()
        raise AssertionError("interrupted before")


@asynccontextmanager
async def reached(*providers: Provider) -> AsyncIterator[tuple[VirtualOffice, Telco, Desk]]:
    """An office with these providers, the server at TELCO, and an app for what comes."""
    desk = Desk()
    apps = replace(make_apps(), incoming=desk.incoming)
    async with open_office(terminal("201"), office=Office(providers=providers), apps=apps) as office:
        telco = office.telco(TELCO)
        await asyncio.sleep(1)
        yield office, telco, desk


@pytest.mark.parametrize("provider", [BY_LOGIN, BY_ADDRESS, replace(BY_ADDRESS, qualify=0)])
async def test_a_call_over_a_provider_reaches_the_app_with_both_numbers(provider: Provider) -> None:
    async with reached(provider) as (office, telco, desk):
        call = telco.call("+7(495)123-45-67", "+79161234567", name="Client")
        await call.until_answered()
        (endpoint,) = office.engine.endpoints.values()
        assert endpoint.spec is not None
        assert endpoint.spec.silence_s == 60.0, "of a provider"
        call.hangup()
        (arrival,) = desk.arrivals
        assert (arrival.provider, arrival.siblings) == (provider, ())
        assert (arrival.called, arrival.caller.number, arrival.caller.name) == ("74951234567", "79161234567", "Client")
        await asyncio.sleep(1)
    assert (office.row.from_number, office.row.to_number) == ("79161234567", "74951234567")
    assert (office.row.provider_in, office.row.external_number) == (provider.id, "74951234567")


@pytest.mark.row("REG-16")
async def test_credentials_of_an_account_count_before_the_address_and_the_address_before_nothing() -> None:
    desk = Desk()
    apps = replace(make_apps(), incoming=desk.incoming)
    ours = Office(providers=(replace(BY_ADDRESS, qualify=0),))
    async with open_office(terminal("201"), terminal("202"), office=ours, apps=apps) as office:
        await asyncio.sleep(1)
        there, elsewhere = office.raw("201", TELCO), office.raw("201", OTHER)
        elsewhere.send(elsewhere.request("INVITE", "202", 1, body=sdp(OTHER, 40000)))
        challenge = (await elsewhere.expect(401)).headers.all(WwwAuthenticate)[0]
        elsewhere.send(elsewhere.request("ACK", "202", 1, branch="raw201-1"))
        proof = answer(challenge, "201", "Secret-201", "INVITE", f"sip:202@{SERVER[0]}", "abc", 1)
        there.send(there.request("INVITE", "202", 1, f"Authorization: {proof}", body=sdp(TELCO, 40000)))
        assert (await there.expect_final()).status == 480, "a colleague who is not there"
        there.send(there.request("ACK", "202", 1, branch="raw201-1"))
        await asyncio.sleep(1)
        assert (office.row.from_number, desk.arrivals) == ("201", [])
        there.call_id, there.to_tag = "another", ""
        there.send(there.request("INVITE", "202", 1, body=sdp(TELCO, 40000)))
        await there.expect(200)
        there.send(there.request("ACK", "202", 1))
        assert [each.provider.id for each in desk.arrivals] == ["gateway"]
        there.send(there.request("BYE", "202", 2))
        await there.expect(200)


async def test_who_is_no_provider_has_to_prove_who_he_is() -> None:
    async with reached(BY_LOGIN) as (office, _, desk):
        stranger = office.telco(OTHER)
        assert await stranger.call("74951234567", "79161234567").until_over() == 401
    assert not desk.arrivals


async def test_a_disabled_provider_brings_no_calls() -> None:
    async with reached(replace(BY_ADDRESS, disabled=True)) as (_, telco, desk):
        assert await telco.call("74951234567", "79161234567").until_over() == 401
    assert not desk.arrivals


async def test_accounts_at_one_server_are_told_apart_by_the_login_that_is_called() -> None:
    second = replace(BY_LOGIN, id="second", login="74957654321")
    async with reached(BY_LOGIN, second) as (_, telco, desk):
        for user, to in (("74957654321", ""), ("74951234567", ""), ("8800", "74957654321"), ("8800", "")):
            call = telco.call(user, "79161234567", to=to)
            await call.until_answered()
            call.hangup()
            await asyncio.sleep(1)
    assert [each.provider.id for each in desk.arrivals] == ["second", "telco", "second", "telco"]
    assert [each.id for each in desk.arrivals[0].siblings] == ["telco"]


async def test_a_caller_with_the_number_of_a_colleague_is_not_taken_for_one() -> None:
    async with reached(BY_LOGIN) as (office, telco, desk):
        call = telco.call("74951234567", "201")
        await call.until_answered()
        assert office.services.active.count("201") == 0
        call.hangup()
    (arrival,) = desk.arrivals
    assert (arrival.caller.number, arrival.caller.shown_number) == ("+201", "201")


async def test_who_hides_the_number_is_anonymous() -> None:
    async with reached(BY_LOGIN) as (_, telco, desk):
        hidden = (("Privacy", "id"), ("P-Asserted-Identity", "<sip:79161234567@telco.test>"))
        for caller, extra in (("anonymous", ()), ("anonymous", hidden)):
            call = telco.call("74951234567", caller, extra=extra)
            await call.until_answered()
            call.hangup()
            await asyncio.sleep(1)
    assert [(each.caller.number, each.caller.is_private) for each in desk.arrivals] == [
        ("anonymous", True),
        ("79161234567", True),
    ]


async def test_the_provider_hears_nothing_of_who_answers() -> None:
    async with reached(BY_LOGIN) as (_, telco, _):
        call = telco.call("74951234567", "79161234567")
        await call.until_answered()
        call.hangup()
    assert not any("p-asserted-identity" in each.headers for each in telco.responses(200))
    assert not any("remote-party-id" in each.headers for each in telco.responses(200))


async def test_without_an_app_for_it_the_number_does_not_exist() -> None:
    apps = replace(make_apps(), incoming=lambda _, __: None)
    async with open_office(terminal("201"), office=Office(providers=(BY_LOGIN,)), apps=apps) as office:
        telco = office.telco(TELCO)
        await asyncio.sleep(1)
        assert await telco.call("74951234567", "79161234567").until_over() == 404
    assert (office.row.disposition, office.row.provider_in) == ("FAILED", "telco")


DEVICE = Provider("gsm", kind="inbound_register", login="gsm-gate", password="Secret_9")


def device(office: VirtualOffice, password: str = "Secret_9", port: int = 5070) -> Phone:
    """A gateway that registers here with login and password, from wherever it is."""
    found = Phone(office.wire, "gsm-gate", ("203.0.113.7", port), SERVER, password=password)
    office.phones.append(found)
    return found


@pytest.mark.row("PRV-2")
@pytest.mark.row("PRV-3")
async def test_every_kind_of_account_brings_and_carries_calls() -> None:
    """We register there, they know our address, they register here; the way out is the way in."""
    by_login, by_address = replace(BY_LOGIN, id="login"), Provider("address", OTHER, kind="ip")
    providers = (by_login, by_address, DEVICE)
    desk = Desk()
    routes = tuple(OutboundRoute(each.id, each.id, prefix=str(n), strip=1) for n, each in enumerate(providers, 1))
    office_of = Office("Test", providers=providers, outbound_routes=routes)
    apps = replace(make_apps(), incoming=desk.incoming)
    async with open_office(terminal("201"), office=office_of, apps=apps) as office:
        gate, phone = device(office), await office.registered("201")
        telcos: list[Phone] = [office.telco(TELCO), office.telco(OTHER), gate]
        assert await phone.dial("379160000000").until_over() == 480  # nobody is registered
        assert (await gate.register()).status == 200
        await asyncio.sleep(6)
        assert [each.state for each in office.lines.views()] == ["registered", "reachable", "registered"]
        for n, (provider, server) in enumerate(zip(providers, telcos, strict=True), 1):
            call = phone.dial(f"{n}79160000000")
            ring = await server.rung()
            assert ring.invite is not None
            assert str(ring.invite.uri).startswith("sip:79160000000@")
            ring.answer()
            await call.until_answered()
            call.hangup()
            await ring.until_over()
            incoming = server.dial("74951234567")
            await incoming.until_answered()
            incoming.hangup()
            await asyncio.sleep(1)
            assert desk.arrivals[-1].provider == provider
        assert [(row.provider_in, row.provider_out) for row in office.rows[1:]] == [
            ("", "login"), ("login", ""), ("", "address"), ("address", ""), ("", "gsm"), ("gsm", ""),
        ]  # fmt: skip
        await gate.register(expires=0)


async def test_the_device_of_a_provider_may_be_limited_to_a_network() -> None:
    for network, status in (("203.0.113.0/24", 200), ("198.51.100.0/24", 403)):
        async with reached(replace(DEVICE, network=network)) as (office, _, desk):
            gate = device(office)
            assert (await gate.register()).status == status
            call = gate.dial("74951234567")
            if status == 200:
                await call.until_answered()
                call.hangup()
                await gate.register(expires=0)
            else:
                assert await call.until_over() == 403
        assert len(desk.arrivals) == (status == 200)


async def test_the_device_of_a_provider_is_nobody_of_the_office() -> None:
    async with reached(DEVICE) as (office, _, desk):
        gate, liar = device(office), device(office, "wrong", 5080)
        assert (await liar.register()).status == 401
        assert await liar.dial("74951234567").until_over() == 401
        assert (await gate.register()).status == 200
        gate._cseq += 1
        subscribed = await gate.ask("SUBSCRIBE", "sip:201@10.0.0.1", "<sip:201@10.0.0.1>", authorize=True)
        assert subscribed.status == 403
        phone = await office.registered("201")
        assert await phone.dial("gsm-gate").until_over() == 404
        await gate.register(expires=0)
    assert not desk.arrivals
