"""Webhooks: signed, in order, again until they are taken, from where they were."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from pbx.events import DiskShort, OfficeChanged
from tests.support.api import Api, api, data_of, errors_of, the_app
from web.hooks import POSITIONS, SIGNATURE, Position, Webhooks


class Receiver:
    """Somebody elsewhere; `refuses` so many requests before it takes one."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.requests: list[httpx.Request] = []
        self.taken: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.refuses:
            self.refuses -= 1
            return httpx.Response(500)
        self.taken.append(json.loads(request.content))
        return httpx.Response(204)

    @property
    def figures(self) -> list[int]:
        return [event["data"]["free_mb"] for body in self.taken for event in body["events"]]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.5)
    raise AssertionError("it never happened")


async def hooked(found: Api, receiver: Receiver) -> Webhooks:
    """The hooks of the API post to the receiver."""
    await the_app().state.hooks.close()
    client = httpx.AsyncClient(transport=httpx.MockTransport(receiver))
    hooks = Webhooks(found.core, client, again_s=(0.5, 1.0))
    the_app().state.hooks = hooks
    await hooks.refresh()
    return hooks


async def test_events_are_posted_signed_and_only_those_that_are_wanted(tmp_path: Path) -> None:
    receiver = Receiver()
    async with api(tmp_path) as found:
        hooks = await hooked(found, receiver)
        made = await found.create("webhooks", url="https://crm.example.com/zvon", kinds=["disk_short"])
        await asyncio.sleep(1)
        found.server.bus.publish(OfficeChanged(5.0, 7, "anna"))
        for free_mb in (3, 2):
            found.server.bus.publish(DiskShort(5.0, free_mb))
        await until(lambda: receiver.figures == [3, 2])
        request = receiver.requests[0]
        at, mac = request.headers[SIGNATURE].removeprefix("t=").split(",v1=")
        expected = hmac.new(made["secret"].encode(), f"{at}.".encode() + request.content, hashlib.sha256)
        assert mac == expected.hexdigest()
        assert receiver.taken[0]["events"][0]["kind"] == "disk_short"
        assert "secret" not in str(data_of(await found.client.get("/webhooks")))
        await hooks.close()


async def test_a_receiver_that_is_away_gets_everything_in_order_later(tmp_path: Path) -> None:
    receiver = Receiver(refuses=4)
    async with api(tmp_path) as found:
        hooks = await hooked(found, receiver)
        made = await found.create("webhooks", url="https://crm.example.com/zvon", kinds=["disk_short"])
        await asyncio.sleep(1)
        found.server.bus.publish(DiskShort(5.0, 1))
        await until(lambda: len(receiver.requests) == 2)
        (shown,) = data_of(await found.client.get("/webhooks"))
        assert (shown["error"], shown["failures"] > 0) == ("HTTP 500", True)
        found.server.bus.publish(DiskShort(5.0, 2))
        await until(lambda: len(receiver.taken) >= 2 or receiver.figures == [1, 2])
        assert receiver.figures == [1, 2]
        position = await found.core.recall(POSITIONS, made["id"], Position)
        assert position is not None
        assert position.error == ""
        await hooks.close()
        found.server.bus.publish(DiskShort(5.0, 3))  # while there is no web process
        hooks = await hooked(found, receiver)
        await until(lambda: receiver.figures == [1, 2, 3])
        await hooks.close()


async def test_a_webhook_is_changed_switched_off_and_removed(tmp_path: Path) -> None:
    receiver = Receiver()
    async with api(tmp_path) as found:
        hooks = await hooked(found, receiver)
        id = (await found.create("webhooks", url="http://crm.example.com"))["id"]
        errors_of(await found.client.post("/webhooks", json={"url": "file:///etc/passwd"}), 422)
        data_of(await found.client.patch(f"/webhooks/{id}", json={"disabled": True}))
        found.server.bus.publish(DiskShort(5.0, 1))
        await asyncio.sleep(5)
        assert receiver.requests == []
        data_of(await found.client.delete(f"/webhooks/{id}"))
        assert data_of(await found.client.get("/webhooks")) == []
        errors_of(await found.client.delete(f"/webhooks/{id}"), 404)
        await hooks.close()
