"""The API over a running server, both in this process: requests are function calls, everything behind them is real."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from pbx.control.link import ControlLink
from pbx.runtime import Server
from storage.memory import MemoryStorage
from storage.records import Office
from tests.pbx.test_runtime import OFFICE, serving
from web.accounts import Accounts, Passwords
from web.app import PREFIX, attach, create_app
from web.border import Border
from web.core import Core
from web.door import Door
from web.hooks import Webhooks

PASSWORD = "Admin-Pass_1"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def the_app() -> FastAPI:
    """Half a second of work, done once."""
    return create_app()


async def at_once(function: Any, *arguments: Any) -> Any:
    return function(*arguments)


@dataclass
class Api:
    """`client` has not signed in; `headers` are those of the administrator who has."""

    server: Server
    core: Core
    door: Door
    client: httpx.AsyncClient
    one_time_password: str

    async def sign_in(self, login: str = "admin", password: str = PASSWORD, **more: Any) -> httpx.Response:
        return await self.client.post("/auth:login", json={"login": login, "password": password, **more})

    async def become(self, login: str = "admin", password: str = PASSWORD) -> None:
        """The client has a token of that account from now on."""
        self.client.headers.pop("Authorization", None)
        token = data_of(await self.sign_in(login, password))["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    async def take_office(self) -> None:
        """The first administrator signs in and has a password of the own."""
        await self.become(password=self.one_time_password)
        change = {"old": self.one_time_password, "new": PASSWORD}
        assert (await self.client.post("/auth:changePassword", json=change)).status_code == 200

    async def create(self, resource: str, **values: Any) -> Any:
        return data_of(await self.client.post(f"/{resource}", json=values), 201)

    async def account_of(self, user: str, login: str = "") -> str:
        """An account of a person of the office, with a password of the own; the client becomes it."""
        name = login or user
        given = await self.create("accounts", login=name, user=user)
        await self.become(name, given["password"])
        own = "Own-Pass_12345"
        change = {"old": given["password"], "new": own}
        assert (await self.client.post("/auth:changePassword", json=change)).status_code == 200
        return own


def data_of(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["result"] is True
    return body["data"]


def errors_of(response: httpx.Response, status: int) -> Mapping[str, str]:
    """The messages of a refusal, by the field that they are about."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body["result"] is False
    return {each["field"]: each["text"] for each in body["messages"]["error"]}


@asynccontextmanager
async def api(folder: Path, office: Office = OFFICE, storage: MemoryStorage | None = None) -> AsyncIterator[Api]:
    """Signed in as the first administrator."""
    async with bare_api(folder, office, storage) as found:
        await found.take_office()
        yield found


@asynccontextmanager
async def bare_api(
    folder: Path,
    office: Office = OFFICE,
    storage: MemoryStorage | None = None,
    source: str = "127.0.0.1",
    *,
    trusts_local: bool = False,
) -> AsyncIterator[Api]:
    """As it is at the first start, asked from the address `source`."""
    async with serving(folder, office=office, storage=storage) as (server, _):
        await server.start()
        core = Core(ControlLink(folder), folder, at_once)
        accounts = Accounts(core, Passwords(CHEAP, at_once))
        password = await accounts.first()
        door = await Door.open(core, accounts, Border(core), trusts_local=trusts_local)
        app = the_app()
        hooks = Webhooks(core)
        attach(app, core, door, hooks)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(source, 123))
        try:
            async with httpx.AsyncClient(transport=transport, base_url=f"http://pbx{PREFIX}") as client:
                yield Api(server, core, door, client, password)
        finally:
            await hooks.close()
            await core.link.close()
            await server.stop()
