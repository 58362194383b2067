"""Our own addresses may change while we run: the name of the router outside gets another one (REG-7), a service that is
asked tells another one (REG-8), or the machine has.

`changed` is called after each change; peers must be told then.
"""

import asyncio
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from ipaddress import ip_address
from typing import Protocol

import structlog

from sipcore.locate import Kind, is_address
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.resolver import Located

log = structlog.get_logger("address")
FIRST_S = 1.0  # REG-7: the start waits no longer for DNS
POLL_S = 30.0
SERVICE_S = 60.0
SERVICE_TIMEOUT_S = 5.0
_FAR = ("192.0.2.1", "2001:db8::1")  # of documentation (RFC 5737, RFC 3849): packets there take the default route


class AddressFinder(Protocol):
    """What is needed of a resolver."""

    async def addresses(self, host: str, families: Sequence[Kind]) -> Located: ...


class Service(Protocol):
    """Somebody outside who sees from where we come."""

    async def address(self) -> str:
        """An IP address; raises OSError or ValueError, which say why there is none."""


class AddressService:
    """A web page that is nothing but the address from where it was asked."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def address(self) -> str:
        try:
            return str(ip_address(await asyncio.to_thread(_page, self._url)))
        except HTTPException as error:
            raise OSError(str(error)) from None


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=SERVICE_TIMEOUT_S) as page:  # http and https only: the settings see to it
        text: bytes = page.read(100)
    return text.decode("ascii", "replace").strip()


class OwnAddress:
    """`external` is the setting: nothing, an address, or a host name that is looked up again and again; until it has
    been found, what `addresses` has from the beginning is told. `service` is asked once a minute where there is no such
    name, or it says nothing."""

    def __init__(
        self,
        external: str,
        addresses: AdvertisedAddress,
        finder: AddressFinder,
        changed: Callable[[], None],
        service: Service | None = None,
    ) -> None:
        self._name = "" if not external or is_address(external) else external
        self._service, self._asked_at = service, float("-inf")
        self._addresses, self._finder, self._changed = addresses, finder, changed
        self._found: tuple[str, ...] = ()
        self._sources = self._own_sources()
        self._why = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look for a moment at most; then go on watching."""
        try:
            async with asyncio.timeout(FIRST_S):
                await self._look_up()
        except TimeoutError:
            self._failed("nobody answered in time")
        self._task = asyncio.ensure_future(self._watch())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def describe(self) -> dict[str, object]:
        """What peers outside are told, and what they could not be told and why."""
        is_sought = self._name or self._service is not None
        return {"external": self._name, "addresses": self._found, "why": self._why} if is_sought else {}

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
        """Take over what the name says now, or the service; what was said before holds while nobody answers. True when
        it is news."""
        found = await self._named() if self._name else ()
        if not found and self._service is not None:
            found = await self._served(self._service)
        if not found:
            return False
        self._why = ""
        if set(found) == set(self._found):
            return False
        self._found = found
        self._addresses.set_external(found)
        return True

    async def _named(self) -> tuple[str, ...]:
        located = await self._finder.addresses(self._name, (Kind.A, Kind.AAAA))
        if not located.targets:
            self._failed(located.why)
        return tuple(target.host for target in located.targets)

    async def _served(self, service: Service) -> tuple[str, ...]:
        now = asyncio.get_running_loop().time()
        if now - self._asked_at < SERVICE_S:
            return ()
        found: tuple[str, ...] = ()
        try:
            found = (await service.address(),)
        except (OSError, ValueError) as error:
            self._failed(f"the service gives no address: {error}")
        self._asked_at = now  # not when the start waits no longer: then again at once
        return found

    def _failed(self, why: str) -> None:
        if why != self._why:
            told = self._found or self._addresses.external or "the address of this machine"
            log.warning("our address outside is not known", name=self._name, why=why, told_instead=told)
        self._why = why

    def _own_sources(self) -> tuple[str, ...]:
        return tuple(self._addresses.local_towards(far, "") for far in _FAR)
