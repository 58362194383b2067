"""The shell around the stack on a virtual loop: one timer, events in order, paths that come and go."""

import asyncio

import pytest

from sipcore.build import response_to
from sipcore.events import RequestArrived, ResponseArrived, StackEvent
from sipcore.flow import Flow
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.stack import SipStack, StackConfig
from sipcore.transport.driver import SipDriver
from tests.support.ids import CountingIds
from tests.support.stranger import STRANGER, US, text
from tests.support.vloop import VirtualLoop


class Wire:
    """A path that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes]] = []
        self.is_closed = False

    def send(self, data: bytes, remote: tuple[str, int]) -> None:
        assert remote == STRANGER
        self.sent.append((asyncio.get_running_loop().time() - 1000.0, data))

    def close(self) -> None:
        self.is_closed = True

    def starts(self) -> list[tuple[float, bytes]]:
        return [(round(at, 3), data.split(b" sip:")[0].split(b"\r\n")[0]) for at, data in self.sent]


class Desk:
    """A driver with one path, and what its handler was told."""

    def __init__(self) -> None:
        self.told: list[StackEvent] = []
        self.driver = SipDriver(SipStack(StackConfig(), CountingIds()), self.handle)
        self.wire = Wire()
        self.flow = Flow("UDP", US, STRANGER, self.driver.new_id())
        self.driver.add_path(self.flow.id, self.wire)

    def handle(self, event: StackEvent) -> None:
        self.told.append(event)
        if isinstance(event, RequestArrived):
            assert event.request.method != "REFER", "on purpose"
            response = response_to(event.request, 200, to_tag="t")
            self.driver.stack.respond(event.key, response, self.driver.now())
            self.driver.kick()

    def ask(self, flow: Flow | None = None) -> None:
        """Send an OPTIONS of ours."""
        request = parse_message(text().encode())
        assert isinstance(request, Request)
        request.headers.remove("via")
        self.driver.stack.send(request, flow or self.flow, self.driver.now(), user="me")
        self.driver.kick()

    def timers(self) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return len(loop.timers())


async def test_a_request_is_answered_within_the_same_step() -> None:
    desk = Desk()
    desk.driver.feed(text().encode(), desk.flow)
    assert desk.wire.starts() == [(0.0, b"SIP/2.0 200 OK")]
    await desk.driver.close()


async def test_timers_of_the_stack_fire_when_they_are_due_and_not_before() -> None:
    desk = Desk()
    desk.ask()
    await asyncio.sleep(40.0)
    times = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert desk.wire.starts() == [(at, b"OPTIONS") for at in times]
    (event,) = desk.told
    assert isinstance(event, ResponseArrived)
    assert event.status == 408
    assert desk.timers() == 0
    await desk.driver.close()


async def test_one_timer_is_armed_however_much_waits() -> None:
    desk = Desk()
    for _ in range(50):
        desk.ask()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(desk.wire.sent) == 50
    assert desk.timers() == 1
    await desk.driver.close()
    assert desk.timers() == 0


async def test_an_earlier_deadline_moves_the_timer() -> None:
    desk = Desk()
    desk.driver.feed(text().encode(), desk.flow)  # 32 s are left of it
    await asyncio.sleep(1.0)
    desk.ask()
    await asyncio.sleep(0.6)
    assert desk.wire.starts()[1:] == [(1.0, b"OPTIONS"), (1.5, b"OPTIONS")]
    await desk.driver.close()


async def test_kicks_are_gathered() -> None:
    desk = Desk()
    for _ in range(3):
        desk.ask()
    assert desk.wire.sent == []
    await asyncio.sleep(0)
    assert len(desk.wire.sent) == 3
    await desk.driver.close()


async def test_a_handler_that_fails_stops_nothing() -> None:
    desk = Desk()
    desk.driver.feed(text("REFER", branch="z9hG4bK-bad", call_id="bad").encode(), desk.flow)
    desk.driver.feed(text().encode(), desk.flow)
    assert desk.wire.starts() == [(0.0, b"SIP/2.0 200 OK")]
    assert desk.driver.describe()["failed_events"] == 1
    await desk.driver.close()


async def test_what_waits_on_a_dropped_path_fails_once() -> None:
    desk = Desk()
    desk.ask()
    await asyncio.sleep(0.1)
    assert desk.driver.is_open(desk.flow)
    for _ in range(2):
        desk.driver.drop_path(desk.flow)
    assert [event.status for event in desk.told if isinstance(event, ResponseArrived)] == [503]
    assert not desk.driver.is_open(desk.flow)
    await desk.driver.close()


async def test_a_flow_that_nobody_can_open_fails_after_the_step() -> None:
    desk = Desk()
    desk.ask(Flow("TLS", US, STRANGER, 99))
    await asyncio.sleep(0.1)
    assert [event.status for event in desk.told if isinstance(event, ResponseArrived)] == [503]
    await desk.driver.close()


async def test_the_opener_of_a_transport_and_address_family_is_asked_for_closed_flows() -> None:
    desk = Desk()
    asked: list[Flow] = []
    desk.driver.set_opener("TCP", lambda flow, _: asked.append(flow))
    others: list[Flow] = []
    desk.driver.set_opener("TCP", lambda flow, _: others.append(flow), is_ipv6=True)
    flow, other = Flow("TCP", US, STRANGER, 99), Flow("TCP", ("::1", 5060), ("::2", 5060), 98)
    desk.ask(flow)
    desk.ask(other)
    await asyncio.sleep(0.1)
    assert (asked, others) == ([flow], [other])
    await desk.driver.close()


async def test_closing_closes_every_path() -> None:
    desk = Desk()
    await desk.driver.close()
    assert desk.wire.is_closed
    assert not desk.driver.is_open(desk.flow)


@pytest.mark.virtual_limit(200_000)
async def test_a_month_of_nothing_costs_nothing() -> None:
    desk = Desk()
    desk.driver.feed(text().encode(), desk.flow)
    await asyncio.sleep(100_000.0)
    assert desk.driver.stack.is_idle() or desk.told
    assert desk.timers() == 0
    await desk.driver.close()


async def test_a_gate_lets_in_answers_or_keeps_silent() -> None:
    desk = Desk()
    verdicts: list[bytes | None] = [None, b"SIP/2.0 503 Service Unavailable\r\n\r\n", b""]
    desk.driver.gate = lambda data, flow: verdicts.pop(0)
    for branch in ("1", "2", "3"):
        desk.driver.feed(text(via=f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch};rport").encode(), desk.flow)
    assert [first for _, first in desk.wire.starts()] == [b"SIP/2.0 200 OK", b"SIP/2.0 503 Service Unavailable"]
    assert len(desk.told) == 1
    assert desk.driver.describe() == {
        "paths": 1,
        "received": {"udp": 3},
        "sent": {"udp": 2},
        "lag_ms": 0.0,
        "failed_events": 0,
    }
    await desk.driver.close()


async def test_one_late_timer_is_a_pause_and_many_are_lag() -> None:
    driver, found = Desk().driver, []
    loop = asyncio.get_running_loop()
    for _ in range(40):
        driver._timer_at = loop.time() - 0.2
        driver._on_timer()
        found.append(driver.lag_s)
    assert found[0] == pytest.approx(0.02)
    assert found[-1] == pytest.approx(0.2, rel=0.02)
    await asyncio.sleep(1.0)
    assert driver.lag_s == 0.0
