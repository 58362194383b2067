"""An office with ways outside, and the servers of its providers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from pbx.api import Apps
from storage.records import Office, OutboundRoute, Provider, Terminal, User
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.telco import Telco
from tests.support.ua import Phone, PhoneCall

HOSTS = {"first": "192.0.2.10", "second": "192.0.2.20", "third": "192.0.2.30"}
CLIENT = "79161234567"
ANY = OutboundRoute("All", "first", ("second",))


def account(id: str, **settings: object) -> Provider:
    values: dict[str, object] = {"id": id, "host": HOSTS[id], "login": f"login-{id}", "password": "Secret_1"}
    return Provider(**(values | settings))  # type: ignore[arg-type]


@asynccontextmanager
async def company(
    *routes: OutboundRoute,
    providers: tuple[Provider, ...] = (account("first"), account("second")),
    terminals: tuple[Terminal, ...] = (terminal("201", max_calls=9), terminal("202", owner="ann")),
    users: tuple[User, ...] = (User("ann", "Ann"),),
    office: Office = Office("Test"),  # noqa: B008 - frozen
    apps: Apps | None = None,
) -> AsyncIterator[tuple[VirtualOffice, Phone, dict[str, Telco]]]:
    """An office with these ways outside, the phone of 201, and the providers' servers."""
    office = replace(office, providers=providers, outbound_routes=routes)
    async with open_office(*terminals, users=users, office=office, apps=apps) as opened:
        telcos = {each.id: opened.telco(HOSTS[each.id]) for each in providers}
        phone = await opened.registered("201")
        await asyncio.sleep(1)
        yield opened, phone, telcos
        await asyncio.sleep(1)


def user_of(call: PhoneCall) -> str:
    assert call.invite is not None
    return str(call.invite.uri).partition("@")[0].removeprefix("sip:")


async def talk(call: PhoneCall, ring: PhoneCall) -> None:
    ring.answer()
    await call.until_answered()
    await asyncio.sleep(1)
    call.hangup()
    assert await ring.until_over() == 200
