"""Where terminals are, apart from REGISTER: targets, removal, what is stored."""

import asyncio

import pytest

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, RegistrationChange, RegistrationChanged
from pbx.location import Location
from sipcore.flow import Flow
from sipcore.register.binding import Binding, RegisterResult
from sipcore.uri import SipUri
from storage.memory import MemoryStorage
from tests.support.builders import terminal

WALL = 1_700_000_000.0


class Setting:
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.clock = Clock(loop, lambda: WALL + loop.time())
        self.store = MemoryStorage().locations
        self.events: list[BusEvent] = []
        bus = Bus()
        bus.subscribe((RegistrationChanged,), self.events.append)
        self.closed: set[int] = set()
        self.location = Location(self.store, self.clock, bus, self.flow_to, lambda flow: flow.id not in self.closed)

    def flow_to(self, transport: str, host: str, port: int) -> Flow | None:
        return None if host == "10.9.9.9" else Flow(transport, ("10.0.0.1", 5060), (host, port))

    def register(self, number: str, *hosts: str, expires_s: float = 100.0) -> None:
        now = self.clock.now()
        found = tuple(
            Binding(
                SipUri("sip", number, host),
                "call",
                1,
                now + expires_s,
                received=(host, 5060),
                flow=self.flow_to("UDP", host, 5060),
                registered_at=now,
            )
            for host in hosts
        )
        self.location.update(number, RegisterResult(found, added=found))


async def test_every_living_binding_with_a_path_is_a_target() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2", "10.0.0.3", "10.9.9.9")
    assert [target.flow.remote[0] for target in setting.location.targets(terminal("101"))] == ["10.0.0.2", "10.0.0.3"]
    await asyncio.sleep(100)
    assert setting.location.targets(terminal("101")) == []


@pytest.mark.parametrize(
    ("trust", "transport", "expected"),
    [
        ("10.0.0.7", "any", ("UDP", ("10.0.0.7", 5060))),
        ("10.0.0.7", "tcp", ("TCP", ("10.0.0.7", 5060))),
        ("10.0.0.7", "tls", ("TLS", ("10.0.0.7", 5061))),
        ("10.0.0.0/24", "any", None),
        ("10.9.9.9", "any", None),
        ("", "any", None),
    ],
)
async def test_a_terminal_that_does_not_register_is_reached_at_the_address_it_trusts(
    trust: str, transport: str, expected: tuple[str, tuple[str, int]] | None
) -> None:
    targets = Setting().location.targets(terminal("101", trust=trust, transport=transport))
    found = (targets[0].flow.transport, targets[0].flow.remote) if targets else None
    assert found == expected


async def test_a_registration_goes_before_the_trusted_address() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2")
    (target,) = setting.location.targets(terminal("101", trust="10.0.0.7"))
    assert target.flow.remote == ("10.0.0.2", 5060)


async def test_forgetting_removes_everything_with_an_event_each_and_from_the_store() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2", "10.0.0.3")
    setting.events.clear()
    setting.location.forget("101")
    setting.location.forget("102")
    assert [str(getattr(event, "change", "")) for event in setting.events] == ["removed", "removed"]
    assert await setting.store.load(setting.clock.wall()) == []


async def test_sweeping_removes_only_what_has_expired() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2", expires_s=50)
    setting.register("102", "10.0.0.3", expires_s=500)
    await asyncio.sleep(50)
    setting.location.sweep()
    assert [number for number, _ in setting.location] == ["102"]
    assert [registration.aor for registration in await setting.store.load(0)] == ["102"]


async def test_a_part_is_swept_at_a_time_and_in_the_end_all() -> None:
    setting = Setting()
    for number in range(100, 200):
        setting.register(str(number), "10.0.0.2", expires_s=50)
    await asyncio.sleep(50)
    left = []
    for _ in range(10):
        setting.location.sweep(0.1)
        left.append(len(list(setting.location)))
    assert left == [90, 81, 72, 64, 57, 51, 45, 40, 36, 32]
    for _ in range(40):
        setting.location.sweep(0.1)
    assert not list(setting.location)


async def test_restoring_leaves_out_what_expired_while_we_were_away() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2", expires_s=50)
    setting.register("102", "10.0.0.3", "10.0.0.4", expires_s=500)
    await asyncio.sleep(60)
    fresh = Location(setting.store, setting.clock, Bus(), setting.flow_to)
    assert await fresh.restore() == 2
    assert fresh.bindings("102") == setting.location.bindings("102")


def connected(setting: Setting, transport: str, contact: str, source: str, flow_id: int) -> Binding:
    """A registration over a connection from `source`."""
    flow = Flow(transport, ("10.0.0.1", 5060), (source, 40000), flow_id)
    now = setting.clock.now()
    uri = SipUri.parse(contact)
    return Binding(uri, "call", 1, now + 100, received=flow.remote, flow=flow, registered_at=now)


@pytest.mark.parametrize(
    ("transport", "contact", "expected"),
    [
        ("TCP", "sip:101@10.0.0.2:5070;transport=tcp", ("10.0.0.2", 5070)),
        ("TCP", "sip:101@10.0.0.2;transport=tcp", ("10.0.0.2", 5060)),
        ("TLS", "sip:101@10.0.0.2;transport=tls", ("10.0.0.2", 5061)),
        ("TCP", "sip:101@192.168.1.2:5070;transport=tcp", None),
    ],
)
async def test_a_phone_whose_connection_is_closed_is_called_back_where_it_listens_unless_that_is_behind_nat(
    transport: str, contact: str, expected: tuple[str, int] | None
) -> None:
    setting = Setting()
    binding = connected(setting, transport, contact, "10.0.0.2", 7)
    setting.location.update("101", RegisterResult((binding,), added=(binding,)))
    (target,) = setting.location.targets(terminal("101"))
    assert target.flow is binding.flow
    setting.closed.add(7)
    remotes = [target.flow.remote for target in setting.location.targets(terminal("101"))]
    assert remotes == ([expected] if expected else [])


async def test_a_browser_is_registered_as_long_as_its_connection_stands() -> None:
    setting = Setting()
    first = connected(setting, "WSS", "sip:a@a.invalid;transport=ws", "10.0.0.2", 7)
    second = connected(setting, "WS", "sip:b@b.invalid;transport=ws", "10.0.0.2", 8)
    setting.location.update("101", RegisterResult((first, second), added=(first, second)))
    setting.location.flow_closed(Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.9", 5060), 1))
    setting.events.clear()
    assert first.flow is not None
    setting.location.flow_closed(first.flow)
    assert setting.location.bindings("101") == (second,)
    (event,) = setting.events
    assert isinstance(event, RegistrationChanged)
    assert event.change is RegistrationChange.EXPIRED


async def test_a_browser_is_not_registered_any_more_after_a_restart() -> None:
    setting = Setting()
    phone = connected(setting, "TCP", "sip:101@10.0.0.3", "10.0.0.3", 7)
    browser = connected(setting, "WS", "sip:a@a.invalid;transport=ws", "10.0.0.2", 8)
    setting.location.update("101", RegisterResult((phone, browser), added=(phone, browser)))
    again = Location(setting.store, setting.clock, Bus(), setting.flow_to)
    assert await again.restore() == 1
    assert [str(binding.contact) for binding in again.bindings("101")] == ["sip:101@10.0.0.3"]


async def test_requests_to_phones_name_our_new_address_after_it_changed() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2")
    setting.flow_to = lambda transport, host, port: Flow(transport, ("10.0.0.77", 5060), (host, port))  # type: ignore[method-assign]
    setting.location._flow_to = setting.flow_to
    setting.location.readdress()
    (target,) = setting.location.targets(terminal("101"))
    assert target.flow == Flow("UDP", ("10.0.0.77", 5060), ("10.0.0.2", 5060))


async def test_a_contact_that_does_not_answer_is_no_target_until_it_does() -> None:
    setting = Setting()
    setting.register("101", "10.0.0.2", "10.0.0.3")
    contact = SipUri("sip", "101", "10.0.0.2")
    assert setting.location.set_reachable("101", contact, False)
    assert not setting.location.set_reachable("101", contact, False)
    assert [target.flow.remote[0] for target in setting.location.targets(terminal("101"))] == ["10.0.0.3"]
    assert setting.location.set_reachable("101", contact, True)
    assert len(setting.location.targets(terminal("101"))) == 2
