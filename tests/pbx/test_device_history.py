"""The devices of an account in the last 24 hours (EXT-22)."""

import asyncio

import pytest

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.device_history import KEPT_S, MOST, DeviceHistory, DeviceSession
from pbx.location import Location
from pbx.states import States
from sipcore.flow import Flow
from sipcore.register.binding import Binding, RegisterResult
from sipcore.uri import SipUri
from storage.memory import MemoryStorage

WALL = 1_800_000_000.0


class Setting:
    """A server that may be started again on the same storage, also later; every phone answers within 20 ms."""

    def __init__(self, storage: MemoryStorage | None = None, later_s: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self.storage = storage or MemoryStorage()
        self.clock = Clock(loop, lambda: WALL + later_s + loop.time())
        self.location = Location(self.storage.locations, self.clock, Bus(), self.flow_to)
        self.states = States(self.storage.states)
        self.history = DeviceHistory(self.location, self.states, self.clock, lambda _, __: 20.0)
        self.began = loop.time()

    async def start(self) -> None:
        await self.location.restore()
        await self.states.restore()
        self.history.restore()

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        return Flow(transport, ("10.0.0.1", 5060), (host, port))

    def register(self, number: str, host: str, *, expires_s: float = 100.0, port: int = 5060, via: str = "UDP") -> None:
        """The only phone of a number; refreshed where it was there."""
        now, contact = self.clock.now(), SipUri("sip", number, host)
        before = [each for each in self.location.bindings(number) if each.contact == contact]
        since = before[0].registered_at if before else now
        flow = self.flow_to(via, "203.0.113.9", port)
        binding = Binding(
            contact, "call", 1, now + expires_s, received=("203.0.113.9", port), flow=flow, user_agent="Desk 1.2",
            registered_at=since,
        )  # fmt: skip
        added, refreshed = ((), (binding,)) if before else ((binding,), ())
        gone = tuple(each for each in self.location.bindings(number) if each.contact != contact)
        self.location.update(number, RegisterResult((binding,), added=added, refreshed=refreshed, removed=gone))

    def session(self, host: str, since: float, until: float | None, **other: object) -> DeviceSession:
        """With moments counted from the beginning of the test."""
        ended = None if until is None else pytest.approx(WALL + self.began + until)
        values: dict[str, object] = {
            "number": "101", "contact": f"sip:101@{host}", "host": "203.0.113.9", "port": 5060,
            "user_agent": "Desk 1.2", "latency_ms": 20.0, "since_at": pytest.approx(WALL + self.began + since),
            "until_at": ended,
        }  # fmt: skip
        return DeviceSession(**{**values, **other})  # type: ignore[arg-type]


@pytest.mark.row("EXT-22")
async def test_each_contact_has_a_session_with_address_port_user_agent_and_latency_for_24_hours() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2")
    await asyncio.sleep(50)
    setting.register("101", "10.0.0.2", port=1024)  # its router has given it another port
    assert setting.history.sessions("101") == [setting.session("10.0.0.2", 0, None, port=1024)]
    await asyncio.sleep(10)
    setting.register("101", "10.0.0.3")
    await asyncio.sleep(200)
    setting.location.sweep()
    over = [setting.session("10.0.0.3", 60, 160), setting.session("10.0.0.2", 0, 60, port=1024)]
    assert setting.history.sessions("101") == setting.history.sessions() == over
    assert setting.history.sessions("102") == []
    for later_s, kept in ((KEPT_S - 210, over), (KEPT_S - 180, over[:1]), (KEPT_S - 90, [])):
        later = Setting(setting.storage, later_s)
        await later.start()
        assert later.history.sessions("101") == kept
    later.history.sweep()
    assert not later.states.of("devices")


@pytest.mark.row("EXT-22")
async def test_it_outlives_a_restart_and_knows_what_ended_meanwhile() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2")
    setting.register("101", "10.0.0.3")
    setting.register("102", "10.0.0.4", via="WSS", expires_s=900.0)
    setting.register("103", "10.0.0.5", expires_s=900.0)
    await asyncio.sleep(300)
    again = Setting(setting.storage)
    await again.start()
    found = [(each.contact, each.until_at is None) for each in again.history.sessions()]
    assert found == [
        ("sip:103@10.0.0.5", True),
        ("sip:102@10.0.0.4", False),
        ("sip:101@10.0.0.3", False),
        ("sip:101@10.0.0.2", False),
    ]
    assert again.history.sessions("101")[0].until_at == pytest.approx(WALL + setting.began + 100)
    assert [number for number, _ in again.location] == ["103"]
    once_more = Setting(setting.storage)
    await once_more.start()
    assert len(once_more.history.sessions()) == 4


async def test_a_phone_that_comes_back_all_the_time_fills_nothing() -> None:
    setting = Setting()
    for n in range(MOST + 10):
        setting.register("101", f"10.0.{n // 250}.{n % 250}")
        await asyncio.sleep(1)
    assert len(setting.history.sessions("101")) == MOST + 1
    assert len(setting.states.of("devices")) == MOST
