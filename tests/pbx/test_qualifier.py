"""Phones that are asked whether they are there, and ways through NAT that are kept open, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pbx.events import RegistrationChange, RegistrationChanged
from pbx.qualifier import DATAGRAM_PING, STREAM_PING, Qualifier
from sipcore.build import response_to
from sipcore.events import RequestArrived
from sipcore.flow import Flow
from sipcore.register.binding import RegisterPolicy
from sipcore.transport.driver import SipDriver
from storage.memory import MemoryStorage
from storage.records import Terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone

PASSWORD = "Pass-word_1"
LONG = RegisterPolicy(60, 3600, 3600)


class Watched:
    """Phones with what each of them heard: moments of OPTIONS and pings."""

    def __init__(self, office: VirtualOffice, qualifier: Qualifier) -> None:
        self.office, self.qualifier = office, qualifier
        self.asked: dict[str, list[float]] = {}
        self.pings: dict[str, list[bytes]] = {}

    async def phone(self, number: str, *, answers: int = 200, natted: bool = False, transport: str = "UDP") -> Phone:
        phone = self.office.phone(number, transport=transport)
        self.asked[number], self.pings[number] = [], []
        self.listen(phone, answers)
        contact = f"<sip:{number}@192.168.77.5:5060>" if natted else None
        assert (await phone.register(contact=contact)).status == 200
        return phone

    def listen(self, phone: Phone, answers: int) -> None:
        """Note what the phone hears; it answers OPTIONS with that status, 0 is silence."""

        def on_request(event: RequestArrived) -> None:
            self.asked[phone.number].append(asyncio.get_running_loop().time())
            phone.stack.respond(event.key, response_to(event.request, answers, to_tag="p"), phone.driver.now())
            phone.driver.kick()

        phone.on_request = on_request

        def fed(data: bytes, flow: Flow) -> None:
            if len(data) <= 4:
                self.pings[phone.number].append(data)
            elif answers or not data.startswith(b"OPTIONS"):
                SipDriver.feed(phone.driver, data, flow)

        phone.driver.feed = fed  # type: ignore[method-assign]

    def changes(self) -> list[RegistrationChange]:
        found = [each for each in self.office.of(RegistrationChanged) if isinstance(each, RegistrationChanged)]
        return [each.change for each in found]

    def rings(self, number: str) -> int:
        """How many contacts would ring now."""
        terminal = self.office.pbx.directory.terminal(number)
        assert terminal is not None
        return len(self.office.location.targets(terminal))


@asynccontextmanager
async def watched(
    *numbers: str, qualify_s: float = 60, keepalive_s: float = 25, storage: MemoryStorage | None = None
) -> AsyncIterator[Watched]:
    terminals = [Terminal(number, password=PASSWORD) for number in numbers]
    async with open_office(*terminals, policy=LONG, storage=storage) as office:
        if storage is not None:
            await office.location.restore()
        qualifier = Qualifier(office.driver, office.location, office.bus, qualify_s, keepalive_s)
        qualifier.start()
        try:
            yield Watched(office, qualifier)
        finally:
            qualifier.stop()


@pytest.mark.row("REG-4")
async def test_every_phone_is_asked_once_a_minute_and_its_latency_is_known() -> None:
    async with watched("101") as found:
        phone = await found.phone("101")
        await asyncio.sleep(600)
        moments = found.asked["101"]
        assert 9 <= len(moments) <= 11
        (binding,) = found.office.location.bindings("101")
        assert found.qualifier.latency_ms("101", binding) == 0.0
        assert dict(found.qualifier.latencies()) == {"101": 0.0}
        assert dict(found.qualifier.latencies()) == {}, "nobody has answered since"
        assert found.rings("101") == 1
        assert phone.address == binding.received


@pytest.mark.row("REG-4")
async def test_a_phone_that_falls_silent_is_not_rung_until_it_answers_again() -> None:
    async with watched("101") as found:
        phone = await found.phone("101")
        await asyncio.sleep(100)
        found.listen(phone, 0)
        await asyncio.sleep(60 + 5 + 1 + 5.5)
        assert found.rings("101") == 0
        assert found.qualifier.describe()["unreachable"] == 1
        found.listen(phone, 486)  # whatever it says, it is there
        await asyncio.sleep(70)
        assert found.rings("101") == 1
        assert found.changes()[-2:] == [RegistrationChange.UNREACHABLE, RegistrationChange.REACHABLE]


async def test_a_phone_that_registers_again_is_rung_again_at_once() -> None:
    async with watched("101") as found:
        phone = await found.phone("101", answers=0)
        await asyncio.sleep(80)
        assert found.rings("101") == 0
        await phone.register()
        assert found.rings("101") == 1


async def test_one_silent_device_leaves_the_other_alone() -> None:
    async with watched("101") as found:
        await found.phone("101")
        other = found.office.phone("101", "10.0.1.200")
        found.listen(other, 0)
        await other.register()
        await asyncio.sleep(80)
        assert found.rings("101") == 1


async def test_a_crowd_is_asked_evenly() -> None:
    numbers = [str(number) for number in range(200, 320)]
    async with watched(*numbers) as found:
        for number in numbers:
            await found.phone(number)
        await asyncio.sleep(70)
        begin = asyncio.get_running_loop().time()
        await asyncio.sleep(60)
        moments = [at for each in found.asked.values() for at in each if at >= begin]
        assert 110 <= len(moments) <= 130
        assert max(moments.count(at) for at in moments) <= 6
        assert max(sum(begin + s <= at < begin + s + 1 for at in moments) for s in range(60)) <= 12


async def test_after_a_restart_the_stored_phones_are_asked_evenly_too() -> None:
    storage = MemoryStorage()
    async with open_office(Terminal("101", password=PASSWORD), policy=LONG, storage=storage) as office:
        await office.registered("101")
    async with watched("101", storage=storage) as found:
        assert found.rings("101") == 1
        await asyncio.sleep(75)  # nobody is there any more
        assert found.rings("101") == 0


async def test_a_phone_that_is_gone_is_not_asked() -> None:
    async with watched("101", "102") as found:
        phone = await found.phone("101")
        await phone.register(0)
        other = await found.phone("102")
        await other.register(0)
        await other.register()
        await asyncio.sleep(601)
        assert found.asked["101"] == []
        assert 9 <= len(found.asked["102"]) <= 11  # not twice as often


@pytest.mark.row("REG-5")
async def test_the_way_through_nat_is_kept_open() -> None:
    async with watched("101", "102", "103") as found:
        await found.phone("101", natted=True)
        await found.phone("102")
        await found.phone("103", natted=True, transport="TCP")
        await asyncio.sleep(250)
        assert found.pings["101"] in ([DATAGRAM_PING] * 10, [DATAGRAM_PING] * 9)
        assert found.pings["102"] == []
        assert set(found.pings["103"]) == {STREAM_PING}


async def test_both_can_be_switched_off() -> None:
    async with watched("101", qualify_s=0, keepalive_s=0) as found:
        await found.phone("101", natted=True)
        await asyncio.sleep(300)
        assert (found.asked["101"], found.pings["101"]) == ([], [])


async def test_a_phone_that_sleeps_until_it_is_woken_is_left_alone() -> None:
    async with watched("101") as found:
        phone = found.office.phone("101")
        found.asked["101"], found.pings["101"] = [], []
        found.listen(phone, 0)
        await phone.register(contact=f"<sip:101@{phone.address[0]};pn-provider=apns;pn-prid=x>")
        await asyncio.sleep(300)
        assert (found.asked["101"], found.rings("101")) == ([], 1)
