"""Who may reach the web (SEC-18), as the server has told it: a request asks nobody.

The server tells each change while this process waits for it. While the connection is lost each request asks anew, and
when nobody answers, what was told last stays in force: never is anybody let in whom the server would refuse.
"""

import asyncio
import time
from contextlib import suppress

from conf.fields import network
from conf.networks import NetworkRule, NetworkRules, source_key
from pbx.control.clerk import BorderView, CountFailure, WatchBorder
from pbx.control.messages import ControlError
from web.core import Core

WAIT_S = 20.0
RETRY_S = 0.2


class Border:
    """`watch` keeps it up to date for as long as it runs."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._run, self._seq = "", 0
        self._rules = NetworkRules()
        self._until: dict[str, float] = {}  # monotonic
        self._refused = 0  # not told to the server yet
        self._is_current = False

    async def refuses(self, source: str, service: str = "web") -> bool:
        """Whether nothing that an address asks of a service, `web` or `api`, is answered; counted."""
        if not self._is_current:
            with suppress(ControlError):
                await self._ask(0.0)
        if self._rules.let_in(source, service) and time.monotonic() >= self._until.get(source_key(source), 0.0):
            return False
        self._refused += 1
        return True

    async def count(self, source: str, reason: str) -> None:
        """An attack, or what looks like one, came from an address: too many are a ban, which counts at once."""
        if await self._core.ask(CountFailure(source, reason), bool):
            await self._ask(0.0)

    async def watch(self) -> None:
        """For ever."""
        while True:
            try:
                await self._ask(WAIT_S if self._is_current else 0.0)
                self._is_current = True
            except ControlError:
                self._is_current = False
                await asyncio.sleep(RETRY_S)

    async def _ask(self, wait_s: float) -> None:
        refused, self._refused = self._refused, 0
        try:
            self._take(await self._core.ask(WatchBorder(self._run, self._seq, wait_s, refused), BorderView, 2 * WAIT_S))
        except BaseException:
            self._refused += refused
            raise

    def _take(self, view: BorderView) -> None:
        if view.is_whole:
            self._until.clear()
            named = enumerate(view.networks)
            self._rules = NetworkRules(NetworkRule(network(text), may, place) for place, (text, may) in named)
        elif view.run != self._run or view.seq < self._seq:
            return  # an older answer has come late
        self._run, self._seq = view.run, view.seq
        now = time.monotonic()
        self._until |= {source: now + seconds for source, seconds in view.banned.items()}
        for source in [source for source, until in self._until.items() if until <= now]:
            del self._until[source]
