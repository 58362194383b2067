"""Webhooks: events posted to addresses elsewhere, signed, in their order, again until they are taken.

Each hook follows the events by itself and remembers how far it has come, so a receiver that is away for a while, or a
web process that starts again, loses nothing that the server still keeps; what it keeps no more is said as a gap.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgspec
import structlog

from pbx.control.desk import EventView, Followed, FollowEvents
from pbx.control.messages import ControlError
from web.api.events import event_object
from web.core import Core

AREA, POSITIONS = "webhooks", "webhook positions"
SIGNATURE = "Zvon-Signature"
AGAIN_S = (1.0, 5.0, 30.0, 120.0, 600.0)  # before the next try; the last one for ever
ANSWER_S = 10.0
EVERY = 500  # events after which the position is remembered, even if none was posted

log = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class Webhook:
    """`kinds` of events that are posted, empty: all. `secret` signs them."""

    id: str
    url: str
    secret: str = field(repr=False)
    kinds: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """How far a hook has come, and how it went: `failures` in a row, the last `error`, "" when it went well."""

    run: str = ""
    seq: int = -1
    failures: int = 0
    error: str = ""
    posted_at: float = 0.0


def signature(secret: str, at: int, body: bytes) -> str:
    """`t=…,v1=…`: HMAC-SHA256 of the time, a point and the body. An old time is a replay."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class Webhooks:
    """A task for each hook that is switched on."""

    def __init__(self, core: Core, client: httpx.AsyncClient | None = None, again_s: Sequence[float] = AGAIN_S) -> None:
        self._core, self._again_s = core, again_s
        self._client = client or httpx.AsyncClient(timeout=ANSWER_S)
        self._tasks: dict[str, tuple[Webhook, asyncio.Task[None]]] = {}

    async def refresh(self) -> None:
        """As they are remembered now."""
        wanted = {id: hook for id, hook in (await self._core.remembered(AREA, Webhook)).items() if not hook.disabled}
        for id, (hook, task) in list(self._tasks.items()):
            if wanted.get(id) != hook:
                task.cancel()
                del self._tasks[id]
        for id, hook in wanted.items():
            if id not in self._tasks:
                self._tasks[id] = (hook, asyncio.ensure_future(self._run(hook)))

    async def begin(self, hook: Webhook) -> None:
        """Whatever happens from now on is for it, however late its task comes to run."""
        feed = await self._core.link.follow(FollowEvents())
        await feed.close()
        await self._came_to(hook, feed.start.run, feed.start.after)

    async def close(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        await self._client.aclose()

    async def _run(self, hook: Webhook) -> None:
        """For ever: what ends the stream, be it a slow receiver, is begun again."""
        while True:
            try:
                await self._follow(hook)
            except ControlError as error:
                log.warning("the events of a webhook begin again", hook=hook.id, why=str(error))
            await asyncio.sleep(self._again_s[0])

    async def _follow(self, hook: Webhook) -> None:
        at = await self._core.recall(POSITIONS, hook.id, Position) or Position()
        feed = await self._core.link.follow(FollowEvents(at.seq, at.run))
        is_gap, known = feed.start.is_gap, feed.start.after
        try:
            async for batch in feed.batches():
                wanted = [event for event in batch if not hook.kinds or event.kind in hook.kinds]
                if wanted or is_gap:
                    await self._deliver(hook, feed.start, wanted, is_gap=is_gap)
                    is_gap = False
                if wanted or batch[-1].seq >= known + EVERY:
                    known = batch[-1].seq
                    await self._came_to(hook, feed.start.run, known)
        finally:
            await feed.close()

    async def _came_to(self, hook: Webhook, run: str, seq: int) -> None:
        await self._core.remember(POSITIONS, hook.id, Position(run, seq, posted_at=time.time()))

    async def _deliver(self, hook: Webhook, start: Followed, events: Sequence[EventView], *, is_gap: bool) -> None:
        """Until the receiver takes it."""
        body = msgspec.json.encode({"run": start.run, "is_gap": is_gap, "events": list(map(event_object, events))})
        failures = 0
        while error := await self._post(hook, body):
            position = await self._core.recall(POSITIONS, hook.id, Position) or Position()
            await self._core.remember(POSITIONS, hook.id, _failed(position, failures + 1, error))
            log.warning("a webhook is not taken and tried again", hook=hook.id, why=error)
            await asyncio.sleep(self._again_s[min(failures, len(self._again_s) - 1)])
            failures += 1

    async def _post(self, hook: Webhook, body: bytes) -> str:
        """Why it was not taken; "" when it was."""
        headers = {"Content-Type": "application/json", SIGNATURE: signature(hook.secret, int(time.time()), body)}
        try:
            response = await self._client.post(hook.url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return "" if response.is_success else f"HTTP {response.status_code}"


def _failed(position: Position, failures: int, error: str) -> Position:
    return Position(position.run, position.seq, failures, error[:200], position.posted_at)
