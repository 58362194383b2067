"""The stream of events (API-8): a WebSocket that begins anywhere in what is kept and never skips without saying so."""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from pbx.control.desk import EventView, FollowEvents
from pbx.control.link import EventFeed
from pbx.control.messages import ControlError
from web.answers import Refused
from web.door import address_of, core_of, door_of
from web.rights import Principal
from web.times import utc

router = APIRouter()
HELLO_S = 10.0
LOOK_S = 60.0  # how often it is looked whether the session still counts
REFUSED, GONE = 4401, 1013


class Hello(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says first. `after`: the last event that it has seen in `run`; -1: only what comes."""

    token: str = ""
    after: int = -1
    run: str = ""


@router.websocket("/events")
async def events(socket: WebSocket) -> None:
    """First message of the client: `{"token": …, "after": 17, "run": …}`; then one message for each event."""
    await socket.accept()
    try:
        async with asyncio.timeout(HELLO_S):
            hello = msgspec.json.decode(await socket.receive_text(), type=Hello)
        who = await _enter(socket, hello)
        core = await core_of(socket)
        feed = await core.link.follow(FollowEvents(hello.after, hello.run))
    except (Refused, ControlError, msgspec.MsgspecError, TimeoutError) as error:
        await socket.close(REFUSED, str(error)[:100])
        return
    except WebSocketDisconnect:
        return
    try:
        await socket.send_json({"kind": "hello", **msgspec.to_builtins(feed.start)})
        await _converse(socket, who, feed)
    finally:
        await feed.close()


async def _enter(socket: WebSocket, hello: Hello) -> Principal:
    door = await door_of(socket)
    shown = f"Bearer {hello.token}" if hello.token else socket.headers.get("authorization", "")
    who = await door.enter(shown, address_of(socket))
    who.check("events", "read")
    return who


async def _converse(socket: WebSocket, who: Principal, feed: EventFeed) -> None:
    """Until the client, its session or the server goes."""
    tasks = [asyncio.ensure_future(each) for each in (_send(socket, who, feed), _wait(socket), _watch(socket, who))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    told = next((each for each in results if isinstance(each, ControlError | Refused)), None)
    if told is not None:
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(REFUSED if isinstance(told, Refused) else GONE, str(told)[:100])


async def _send(socket: WebSocket, who: Principal, feed: EventFeed) -> None:
    async for batch in feed.batches():
        for event in batch:
            if is_seen(who, event):
                await socket.send_text(event_text(event))


async def _wait(socket: WebSocket) -> None:
    """For the end of the client, which has nothing to say."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _watch(socket: WebSocket, who: Principal) -> None:
    door = await door_of(socket)
    while True:
        await asyncio.sleep(LOOK_S)
        if who.session and await door.accounts.session(who.session) is None:
            raise Refused(401, ("", "the session is over"))


def is_seen(who: Principal, event: EventView) -> bool:
    """Events of numbers are for whoever sees one of them, all others for administrators."""
    return who.sees(*event.numbers) if event.numbers else who.role == "administrator"


def event_text(event: EventView) -> str:
    return msgspec.json.encode(event_object(event)).decode()


def event_object(event: EventView) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(event)
    return found | {"at": utc(event.at)}
