"""Our address outside, found by a name that changes; the machine's own address, when that changes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from pbx.own_address import AddressService, OwnAddress
from sipcore.locate import Kind, Target
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.resolver import Located

FAR = "203.0.113.9"


class Dns:
    """One name with addresses that may change; `None` is a server that never answers."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: tuple[str, ...] | None = addresses
        self.asked = 0

    async def addresses_of(self) -> tuple[str, ...]:
        self.asked += 1
        if self.addresses is None:
            await asyncio.sleep(5)
        return self.addresses or ()


class Finder:
    def __init__(self, dns: Dns) -> None:
        self.dns = dns

    async def addresses(self, host: str, families: Sequence[Kind]) -> Located:
        found = await self.dns.addresses_of()
        return Located(
            tuple(Target("", each, 0, host) for each in found), "" if found else f'there is no host "{host}"'
        )


class Page:
    """A service that tells `address`, or fails when there is none."""

    def __init__(self, address: str) -> None:
        self.address_now, self.asked = address, 0

    async def address(self) -> str:
        self.asked += 1
        if not self.address_now:
            raise OSError("gone")
        return self.address_now


class World:
    def __init__(self, external: str, dns: Dns, service: "Page | None" = None, instead: str = "") -> None:
        self.dns, self.news = dns, 0
        self.addresses = AdvertisedAddress(instead, ["127.0.0.0/8"])
        self.own = OwnAddress(external, self.addresses, Finder(dns), self._changed, service)

    def _changed(self) -> None:
        self.news += 1

    @property
    def told(self) -> str:
        return self.addresses.towards(FAR, "127.0.0.1")


@asynccontextmanager
async def watching(
    external: str, *addresses: str, is_silent: bool = False, service: Page | None = None, instead: str = ""
) -> AsyncIterator[World]:
    """`instead`: what is told while the name has no address."""
    world = World(external, Dns(*addresses), service, instead)
    if is_silent:
        world.dns.addresses = None
    await world.own.start()
    yield world
    world.own.stop()


async def test_a_host_name_is_told_as_the_address_it_has() -> None:
    async with watching("pbx.example.net", "198.51.100.4") as world:
        assert (world.told, world.news) == ("198.51.100.4", 0)
        await asyncio.sleep(100)
        assert world.news == 0
        world.dns.addresses = ("198.51.100.5", "2001:db8::5")
        await asyncio.sleep(31)
        assert (world.told, world.news) == ("198.51.100.5", 1)
        assert world.addresses.towards("2a00:1450::9", "::1") == "2001:db8::5"


async def test_the_start_waits_a_second_for_dns_and_no_longer() -> None:
    began = asyncio.get_running_loop().time()
    with capture_logs() as logs:
        async with watching("pbx.example.net", is_silent=True) as world:
            assert asyncio.get_running_loop().time() - began == 1.0
            assert world.told == "127.0.0.1"
            assert [entry["why"] for entry in logs] == ["nobody answered in time"]
            world.dns.addresses = ("198.51.100.4",)
            await asyncio.sleep(31)
            assert (world.told, world.news) == ("198.51.100.4", 1)


async def test_while_the_name_has_no_address_the_last_one_holds() -> None:
    async with watching("pbx.example.net", "198.51.100.4") as world:
        world.dns.addresses = ()
        with capture_logs() as logs:
            await asyncio.sleep(300)
        assert (world.told, world.news, len(logs)) == ("198.51.100.4", 0, 1)
        assert world.own.describe()["why"] == 'there is no host "pbx.example.net"'


@pytest.mark.row("REG-7")
@pytest.mark.parametrize("is_silent", [False, True])
async def test_the_address_is_told_where_the_name_has_none_within_a_second_and_until_it_has(is_silent: bool) -> None:
    began = asyncio.get_running_loop().time()
    with capture_logs() as logs:
        async with watching("pbx.example.net", is_silent=is_silent, instead="198.51.100.77") as world:
            assert asyncio.get_running_loop().time() - began <= 1.0
            assert world.told == "198.51.100.77"
            assert [entry["told_instead"] for entry in logs] == [("198.51.100.77",)]
            world.dns.addresses = ("198.51.100.4",)
            await asyncio.sleep(31)
            assert (world.told, world.news) == ("198.51.100.4", 1)
            world.dns.addresses = ()
            await asyncio.sleep(100)
            assert world.told == "198.51.100.4"


@pytest.mark.row("REG-7")
async def test_a_name_goes_before_the_address() -> None:
    async with watching("pbx.example.net", "198.51.100.4", instead="198.51.100.77") as world:
        assert world.told == "198.51.100.4"


@pytest.mark.row("REG-8")
async def test_a_service_is_asked_every_minute_for_the_address_and_holds_while_it_says_nothing() -> None:
    page = Page("198.51.100.4")
    async with watching("", service=page) as world:
        assert (world.told, page.asked) == ("198.51.100.4", 1)
        page.address_now = "198.51.100.5"
        await asyncio.sleep(61)
        assert (world.told, world.news, page.asked) == ("198.51.100.5", 1, 2)
        page.address_now = ""
        with capture_logs() as logs:
            await asyncio.sleep(300)
        assert (world.told, world.news, page.asked, len(logs)) == ("198.51.100.5", 1, 7, 1)
        assert world.own.describe()["why"] == "the service gives no address: gone"


async def test_a_name_goes_before_the_service() -> None:
    page = Page("198.51.100.9")
    async with watching("pbx.example.net", "198.51.100.4", service=page) as world:
        assert (world.told, page.asked) == ("198.51.100.4", 0)
        world.dns.addresses = ()
        await asyncio.sleep(31)
        assert world.told == "198.51.100.9"


@pytest.mark.real_loop
@pytest.mark.parametrize(
    ("page", "told"), [("203.0.113.7\n", "203.0.113.7"), ("<html>", ""), ("", ""), ("x" * 500, ""), (None, "")]
)
async def test_a_web_page_tells_the_address_or_nothing(page: str | None, told: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status = "200 OK" if page is not None else "503 No"
        writer.write(f"HTTP/1.0 {status}\r\n\r\n{page or ''}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        service = AddressService(f"http://{host}:{port}/")
        if told:
            assert await service.address() == told
        else:
            with pytest.raises((OSError, ValueError)):
                await service.address()


async def test_an_address_needs_no_dns() -> None:
    async with watching("198.51.100.4") as world:
        await asyncio.sleep(100)
        assert (world.dns.asked, world.own.describe()) == (0, {})


async def test_a_machine_with_another_address_tells_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ["192.168.1.7"]
    monkeypatch.setattr(AdvertisedAddress, "local_towards", staticmethod(lambda *_: own[0]))
    async with watching("") as world:
        await asyncio.sleep(100)
        assert world.news == 0
        own[0] = "192.168.1.8"
        await asyncio.sleep(31)
        assert world.news == 1
        await asyncio.sleep(100)
        assert world.news == 1
