"""Our own addresses may change while we run: the name of the router outside gets another one (REG-7), or the machine.

`changed` is called after each change; peers must be told then.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from sipcore.locate import Kind, is_address
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.resolver import Located

log = structlog.get_logger("address")
FIRST_S = 1.0  # REG-7: the start waits no longer for DNS
POLL_S = 30.0
_FAR = ("192.0.2.1", "2001:db8::1")  # of documentation (RFC 5737, RFC 3849): packets there take the default route


class AddressFinder(Protocol):
    """What is needed of a resolver."""

    async def addresses(self, host: str, families: Sequence[Kind]) -> Located: ...


class OwnAddress:
    """`external` is the setting: nothing, an address, or a host name that is looked up again and again."""

    def __init__(
        self, external: str, addresses: AdvertisedAddress, finder: AddressFinder, changed: Callable[[], None]
    ) -> None:
        self._name = "" if not external or is_address(external) else external
        self._addresses, self._finder, self._changed = addresses, finder, changed
        self._found: tuple[str, ...] = ()
        self._sources = self._own_sources()
        self._why = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look the name up, for a moment at most; then go on watching."""
        try:
            async with asyncio.timeout(FIRST_S):
                await self._look_up()
        except TimeoutError:
            self._failed("DNS did not answer in time")
        self._task = asyncio.ensure_future(self._watch())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def describe(self) -> dict[str, object]:
        """What peers outside are told, and what they could not be told and why."""
        return {"external": self._name, "addresses": self._found, "why": self._why} if self._name else {}

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            is_other = await self._look_up()
            sources = self._own_sources()
            if is_other or sources != self._sources:
                log.info("our address changed", external=self._found, own=sources)
                self._sources = sources
                self._changed()

    async def _look_up(self) -> bool:
        """Take over what the name says now; what it said before holds while nobody answers. True when it is news."""
        if not self._name:
            return False
        located = await self._finder.addresses(self._name, (Kind.A, Kind.AAAA))
        found = tuple(target.host for target in located.targets)
        if not found:
            self._failed(located.why)
            return False
        self._why = ""
        if set(found) == set(self._found):
            return False
        self._found = found
        self._addresses.set_external(found)
        return True

    def _failed(self, why: str) -> None:
        if why != self._why:
            told = self._found or "the address of this machine"
            log.warning("the external host name has no address", name=self._name, why=why, told_instead=told)
        self._why = why

    def _own_sources(self) -> tuple[str, ...]:
        return tuple(self._addresses.local_towards(far, "") for far in _FAR)
