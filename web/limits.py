"""How much one address may try, and how much work is taken at a time (API-3, API-12, SEC-15)."""

import asyncio
import time
from collections import defaultdict, deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.answers import BEGAN, Refused, error_answer, refused

LOGINS, REFRESHES, WINDOW_S = 10, 100, 300.0
MOST_WAITING, LIFETIME_S = 50, 35.0
# What browsers may not do with an answer.
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
# RFC 6797: whoever came by HTTPS once comes by it always.
STRICT = ((b"strict-transport-security", b"max-age=31536000"),)
MAX_BODY = 12 * 1024 * 1024
MAX_UPLOAD, UPLOAD_S = 128 * 1024 * 1024, 600.0  # of requests whose body is a file; it goes to the disk as it comes
MAX_BACKUP, BACKUP_S = 1 << 40, 4 * 3600.0  # a year of recordings over a slow line
# How large they may be and how long they may take.
UPLOADS = {"/api/v3/sounds:upload": (MAX_UPLOAD, UPLOAD_S), "/api/v3/backups:upload": (MAX_BACKUP, BACKUP_S)}
_ADDRESSES_KEPT = 10_000


class Attempts:
    """Counts what failed in the last `window_s` by address."""

    def __init__(self, most: int, window_s: float = WINDOW_S) -> None:
        self._most, self._window_s = most, window_s
        self._at: defaultdict[str, deque[float]] = defaultdict(deque)

    def check(self, address: str) -> None:
        """Raises `Refused` (429) when there were too many."""
        found, now = self._at[address], time.monotonic()
        while found and found[0] <= now - self._window_s:
            found.popleft()
        if len(found) >= self._most:
            wait = int(found[0] + self._window_s - now) + 1
            raise Refused(429, ("", f"too many attempts: wait {wait} s"), headers={"Retry-After": str(wait)})
        if not found:
            del self._at[address]

    def count(self, address: str) -> None:
        if len(self._at) >= _ADDRESSES_KEPT:
            self._at.clear()
        self._at[address].append(time.monotonic())

    def forget(self, address: str) -> None:
        self._at.pop(address, None)


class OverloadGuard:
    """At most so many requests at a time, each with a limited life; the others get 503 at once, large bodies 413."""

    def __init__(self, app: ASGIApp, most: int = MOST_WAITING, lifetime_s: float = LIFETIME_S) -> None:
        self._app, self._most, self._lifetime_s = app, most, lifetime_s
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        BEGAN.set(time.perf_counter())
        if self._waiting >= self._most:
            return await error_answer(_overloaded())(scope, receive, send)
        most, lifetime_s = UPLOADS.get(scope["path"], (MAX_BODY, self._lifetime_s))
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            return await error_answer(refused(413, "the body is too large"))(scope, receive, send)
        self._waiting += 1
        try:
            await self._limited(scope, receive, send, lifetime_s)
        finally:
            self._waiting -= 1

    async def _limited(self, scope: Scope, receive: Receive, send: Send, lifetime_s: float) -> None:
        """The life of a request ends with the first octet of its answer: a recording may take long to go out."""
        timeout = asyncio.timeout(lifetime_s)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                timeout.reschedule(None)
                message["headers"] = [*message["headers"], *HEADERS, *(STRICT if scope["scheme"] == "https" else ())]
            await send(message)

        try:
            async with timeout:
                await self._app(scope, receive, watched)
        except TimeoutError:
            if not timeout.expired():
                raise
            await error_answer(_overloaded())(scope, receive, send)


def _overloaded() -> Refused:
    return Refused(503, ("", "the server is too busy; try again"), headers={"Retry-After": "5"})
