"""Phones that sleep: woken by a push notification, rung when they have registered again (RFC 8599).

A phone says in its Contact how it can be woken. We know nothing of the notification services themselves: a gateway,
which the settings name, is asked by HTTP. Without a gateway nothing leaves the server and such a phone is rung as any.
"""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from http.client import HTTPException
from typing import Protocol

import structlog

from frozen import dataclass
from pbx.bus import Bus
from pbx.events import BusEvent, RegistrationChange, RegistrationChanged
from pbx.location import Target
from sipcore.errors import ParseError
from sipcore.uri import SipUri

GATEWAY_TIMEOUT_S = 5.0
MOST_UNDER_WAY = 50  # requests to the gateway

log = structlog.get_logger("push")


@dataclass(frozen=True, slots=True)
class Wake:
    """What the gateway is told, as one JSON object. `provider`, `prid` and `param` are the phone's own words (RFC 8599
    §4); `number` is called by `caller` in call `call`."""

    provider: str
    prid: str
    param: str
    number: str
    caller: str
    call: str


class PushSender(Protocol):
    """Whoever can have a notification sent."""

    async def notify(self, wake: Wake) -> None:
        """Never raises."""

    def describe(self) -> dict[str, int]: ...


class HttpPushSender:
    """A POST with a JSON body for each phone; any 2xx is success."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._under_way = 0
        self.sent = self.failed = 0

    async def notify(self, wake: Wake) -> None:
        if self._under_way >= MOST_UNDER_WAY:
            self._note("too many requests are under way")
            return
        self._under_way += 1
        try:
            await asyncio.to_thread(_post, self._url, json.dumps(asdict(wake)).encode())
            self.sent += 1
        except (OSError, HTTPException, ValueError) as error:
            self._note(f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else str(error))
        finally:
            self._under_way -= 1

    def _note(self, why: str) -> None:
        self.failed += 1
        log.warning("the push gateway did not take a request", gateway=self._url, why=why)

    def describe(self) -> dict[str, int]:
        return {"sent": self.sent, "failed": self.failed}


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=GATEWAY_TIMEOUT_S):  # http and https only: the settings see to it
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise


class Waker:
    """Wakes phones and waits for them, `wait_s` at most."""

    def __init__(self, gateway: PushSender | None, bus: Bus, wait_s: float) -> None:
        self._gateway, self._wait_s = gateway, wait_s
        self._waiting: dict[str, dict[asyncio.Future[None], str]] = {}
        self._notices: set[asyncio.Task[None]] = set()
        if gateway is not None:
            bus.subscribe([RegistrationChanged], self._changed)

    def asleep(self, targets: Sequence[Target]) -> list[Target]:
        """Those that have to be woken first."""
        return [each for each in targets if self._gateway is not None and prid_of(each.uri)]

    async def wake(self, target: Target, number: str, caller: str, call: str) -> bool:
        """Whether the phone has registered again in time."""
        assert self._gateway is not None
        params, prid = target.uri.params, prid_of(target.uri)
        wake = Wake(params.get("pn-provider") or "", prid, params.get("pn-param") or "", number, caller, call)
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(number, {})[heard] = prid
        notice = asyncio.ensure_future(self._gateway.notify(wake))
        self._notices.add(notice)
        notice.add_done_callback(self._notices.discard)
        try:
            async with asyncio.timeout(self._wait_s):
                await heard
        except TimeoutError:
            return False
        finally:
            self._stop_waiting(number, heard)
        return True

    def describe(self) -> dict[str, int]:
        """Live dump: phones that are waited for, what the gateway did."""
        told = self._gateway.describe() if self._gateway is not None else {}
        return {"waiting": sum(map(len, self._waiting.values())), **told}

    def _stop_waiting(self, number: str, heard: asyncio.Future[None]) -> None:
        del self._waiting[number][heard]
        if not self._waiting[number]:
            del self._waiting[number]

    def _changed(self, event: BusEvent) -> None:
        assert isinstance(event, RegistrationChanged)
        waiting = self._waiting.get(event.number)
        if waiting is None or event.change not in (RegistrationChange.ADDED, RegistrationChange.REFRESHED):
            return
        try:
            prid = prid_of(SipUri.parse(event.contact))
        except ParseError:
            return
        for heard, wanted in waiting.items():
            if wanted == prid and not heard.done():
                heard.set_result(None)


def prid_of(uri: SipUri) -> str:
    """By what the notification service knows the phone; empty for one that needs no waking."""
    params = uri.params
    return (params.get("pn-prid") or "") if params.get("pn-provider") else ""
