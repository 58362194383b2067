"""How an account reaches its operator, and from where the operator may come (PRV-1, PRV-5, PRV-6)."""

import asyncio
from dataclasses import replace

import pytest

from conf.load import ConfInvalid, parse_office
from conf.provider_templates import TEMPLATES
from pbx.bans import Bans
from pbx.border import Border
from pbx.line import TRANSPORTS
from storage.records import Provider
from tests.pbx.test_arrival import BY_LOGIN, TELCO, reached
from tests.pbx.test_border import THREE, rule
from tests.support.company import ANY, CLIENT, HOSTS, account, company, talk, user_of

PROXY = HOSTS["third"]


@pytest.mark.row("PRV-6")
async def test_everything_goes_through_the_outbound_proxy_and_digits_go_as_the_account_wants() -> None:
    assert TRANSPORTS == {"any": ("UDP", "TCP"), "udp": ("UDP",), "tcp": ("TCP",), "tls": ("TLS",)}
    assert (Provider("p").transport, Provider("p").dtmf, Provider("p").outbound_proxy) == ("any", "auto", "")
    through = account("first", outbound_proxy=PROXY, transport="udp", dtmf="info", qualify=10)
    async with company(replace(ANY, providers=()), providers=(through,)) as (office, phone, telcos):
        proxy, server = office.telco(PROXY), telcos["first"]
        await asyncio.sleep(60)
        call = phone.dial(CLIENT)
        ring = await proxy.rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        office.engine.press(office.leg_of("201").media.endpoint, "7")
        await asyncio.sleep(1)
        call.hangup()
        assert await ring.until_over() == 200
        for method in ("REGISTER", "OPTIONS", "INVITE"):
            request = proxy.requests(method)[0]
            assert str(request.headers.get("route")) == f"<sip:{PROXY};lr>", method
            assert HOSTS["first"] in str(request.uri)
        assert [each.body for each in proxy.requests("INFO")], "digits go by INFO"
        assert not server.requests("INVITE")


@pytest.mark.row("PRV-5")
async def test_further_addresses_are_the_provider_s_and_are_heard_whatever_the_networks_say() -> None:
    further = ("198.51.100.0/24", "2001:db8:5::/48", "203.0.113.9")
    async with reached(replace(BY_LOGIN, addresses=further)) as (office, _, desk):
        for host, is_known in (("198.51.100.77", True), ("203.0.113.9", True), ("203.0.113.10", False)):
            server = office.telco(host)
            call = server.call("74951234567", "79161234567")
            if is_known:
                await call.until_answered()
                call.hangup()
                await asyncio.sleep(1)
            else:
                assert await call.until_over() == 401
        line = office.lines.line("telco")
        assert line is not None
        for source, is_known in (("2001:db8:5::9", True), ("2001:db8:6::9", False), (TELCO, True)):
            assert line.knows(source) is is_known
        border = Border(Bans(THREE, office.clock), office.pbx.admission, [rule("10.0.0.0/8")])
        heard = {each: not border.refuses(each) for each in ("198.51.100.1", "2001:db8:5::1", "203.0.113.10")}
        assert list(heard.values()) == [True, True, False]
    assert len(desk.arrivals) == 2
    for wrong in ("0.0.0.0/0", "::/0", "x"):
        with pytest.raises(ConfInvalid, match="addresses"):
            parse_office(f'[[providers]]\nid = "p"\nhost = "h"\nkind = "ip"\naddresses = ["{wrong}"]\n')


@pytest.mark.row("PRV-1")
async def test_an_operator_s_template_and_an_account_are_enough_and_without_a_provider_nobody_calls_outside() -> None:
    assert {"zadarma", "sipnet", "multifon", "mango", "uis", "rostelecom", "twilio", "telnyx"} <= set(TEMPLATES)
    for name, template in TEMPLATES.items():
        host = "" if "host" in template or template.get("kind") == "inbound_register" else 'host = "192.0.2.10"\n'
        text = f'[[providers]]\nid = "telco"\ntemplate = "{name}"\nlogin = "login-first"\npassword = "Secret_1"\n{host}'
        (provider,) = parse_office(text).providers
        if provider.kind == "inbound_register":
            continue
        reachable = replace(provider, host=HOSTS["first"], id="first", outbound_proxy="")
        async with company(replace(ANY, providers=()), providers=(reachable,)) as (_, phone, telcos):
            call = phone.dial(CLIENT)
            ring = await telcos["first"].rung()
            assert user_of(ring) == CLIENT
            await talk(call, ring)
    async with company(providers=()) as (_, phone, _):
        assert await phone.dial(CLIENT).until_over() == 404
        assert await phone.dial("112").until_over() == 404
