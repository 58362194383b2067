"""Lines to providers in virtual time: states for people, health, changes of the office, the end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import ProviderChanged
from pbx.line import LineTerms
from pbx.outward import Outward, Then
from pbx.providers import Providers
from sipcore.build import response_to
from sipcore.flow import Flow
from sipcore.headers import Contact
from sipcore.locate import NextHop
from sipcore.message import Request
from storage.records import Office, Provider
from tests.support.ids import CountingIds

LOCAL = ("198.51.100.1", 5060)
TELCO = Provider("telco", "provider.test", login="7495", password="Secret_1")
Answer = int | Callable[[Request], int]


class World(Outward):
    """The outside: servers by address, each with what it answers to a method; no answer is silence."""

    def __init__(self) -> None:
        self.servers: dict[str, dict[str, Answer]] = {"192.0.2.1": {"REGISTER": 200, "OPTIONS": 200}}
        self.transport, self.open_ids = "UDP", {0}
        self.heard: list[tuple[float, str, str]] = []
        self.dead: deque[str] = deque()
        self.latency_s = 0.02
        self._loop = asyncio.get_running_loop()

    async def flows(self, hop: NextHop, wanted: Sequence[str]) -> tuple[list[Flow], str]:
        path_id = max(self.open_ids)
        flows = [Flow(self.transport, LOCAL, (host, 5060), path_id) for host in self.servers]
        return sorted(flows, key=lambda flow: flow.remote[0] in self.dead), "" if flows else "there is no such host"

    def ask(self, request: Request, flow: Flow, patience_s: float, then: Then) -> None:
        host = flow.remote[0]
        self.heard.append((self._loop.time(), request.method, host))
        answer = self.servers.get(host, {}).get(request.method, 0)
        status = answer(request) if callable(answer) else answer
        if not status:
            self._loop.call_later(patience_s, then, 408, None)
            return
        request.headers.add("via", "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK1", top=True)
        contact = request.headers.first(Contact)
        extra = [("Contact", f"{contact};expires=120")] if request.method == "REGISTER" else []
        self._loop.call_later(self.latency_s, then, status, response_to(request, status, to_tag="p", extra=extra))

    def shun(self, flow: Flow, for_s: float) -> None:
        self.dead.append(flow.remote[0])

    def answered(self, flow: Flow) -> None:
        while flow.remote[0] in self.dead:
            self.dead.remove(flow.remote[0])

    def is_open(self, flow: Flow) -> bool:
        return flow.id in self.open_ids

    def now(self) -> float:
        return self._loop.time()

    def asked(self, method: str) -> list[tuple[float, str]]:
        return [(at, host) for at, each, host in self.heard if each == method]


class Lines(Providers):
    def __init__(self) -> None:
        self.world, bus = World(), Bus()
        clock = Clock(asyncio.get_running_loop())
        super().__init__(LineTerms(120, "Zvon", "urn:uuid:1"), self.world, CountingIds(), clock, bus)
        self.news: list[tuple[str, str]] = []
        bus.subscribe([ProviderChanged], self._hear)

    def _hear(self, event: object) -> None:
        assert isinstance(event, ProviderChanged)
        self.news.append((event.state, event.error))

    @property
    def states(self) -> list[str]:
        return [state for state, _ in self.news]


@asynccontextmanager
async def lines(*providers: Provider) -> AsyncIterator[Lines]:
    found = Lines()
    found.apply(Office(providers=providers))
    yield found
    await found.stop()
    await asyncio.sleep(20)  # what is under way is given up


async def test_a_line_is_tried_then_registered_then_watched() -> None:
    async with lines(TELCO) as found:
        await asyncio.sleep(1)
        (view,) = found.views()
        assert (view.state, view.address, view.latency_ms, view.error) == ("registered", "192.0.2.1:5060", 20.0, "")
        assert found.states == ["trying", "registered"]
        assert found.describe() == {"registered": 1}
    assert [each[1] for each in found.world.heard] == ["REGISTER", "OPTIONS", "REGISTER"]


@pytest.mark.row("PRV-7")
async def test_a_provider_that_falls_silent_is_unreachable_within_seconds_and_comes_back() -> None:
    async with lines(replace(TELCO, kind="ip", qualify=60)) as found:
        await asyncio.sleep(200)
        moments = [at for at, _ in found.world.asked("OPTIONS")]
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert all(54 <= gap <= 66.1 for gap in gaps)
        found.world.servers["192.0.2.1"] = {}
        silent_at = found.world.now()
        await asyncio.sleep(66 + 3 + 1 + 3.1)
        assert found.world.now() - silent_at < 74
        assert found.news[-1] == ("unreachable", "the provider does not answer")
        found.world.servers["192.0.2.1"] = {"OPTIONS": 404}  # whatever it says, it is there
        await asyncio.sleep(70)
        assert found.states == ["trying", "reachable", "unreachable", "reachable"]


async def test_one_lost_question_changes_nothing() -> None:
    async with lines(replace(TELCO, kind="ip", qualify=10)) as found:
        await asyncio.sleep(5)
        found.world.servers["192.0.2.1"] = {}
        asked = len(found.world.heard)
        await asyncio.sleep(11 - found.world.now() + found.world.heard[-1][0] + 0.5)
        assert len(found.world.heard) == asked + 1
        found.world.servers["192.0.2.1"] = {"OPTIONS": 200}
        await asyncio.sleep(30)
        assert found.states == ["trying", "reachable"]


async def test_a_registered_line_whose_server_dies_goes_to_the_other_before_its_refresh() -> None:
    async with lines(replace(TELCO, qualify=10)) as found:
        found.world.servers["192.0.2.2"] = {"REGISTER": 200, "OPTIONS": 200}
        await asyncio.sleep(15)
        found.world.servers["192.0.2.1"] = {}
        await asyncio.sleep(30)
        (view,) = found.views()
        assert (view.state, view.address) == ("registered", "192.0.2.2:5060")


async def test_the_password_goes_with_options_too() -> None:
    def demanding(request: Request) -> int:
        return 200 if "authorization" in request.headers else 403

    async with lines(replace(TELCO, kind="ip", qualify=10)) as found:
        found.world.servers["192.0.2.1"] = {"OPTIONS": demanding}
        await asyncio.sleep(1)
        assert found.states[-1] == "reachable"


async def test_a_connection_that_is_gone_is_registered_over_a_new_one() -> None:
    async with lines(replace(TELCO, qualify=0, transport="tcp")) as found:
        found.world.transport = "TCP"
        await asyncio.sleep(1)
        found.world.open_ids = {1}
        await asyncio.sleep(6)
        assert len(found.world.asked("REGISTER")) == 2
        await asyncio.sleep(20)
        assert len(found.world.asked("REGISTER")) == 2


@pytest.mark.parametrize(
    ("answers", "state", "error"),
    [
        ({"REGISTER": 403}, "rejected", "the registrar answers 403 Forbidden"),
        ({"REGISTER": 500}, "failed", "the registrar answers 500 Server Internal Error"),
        ({}, "failed", "the registrar does not answer"),
    ],
)
async def test_a_line_that_does_not_work_says_why(answers: dict[str, Answer], state: str, error: str) -> None:
    async with lines(TELCO) as found:
        found.world.servers["192.0.2.1"] = answers
        await asyncio.sleep(11)
        assert found.news[-1] == (state, error)
        assert not found.world.asked("OPTIONS")


async def test_a_disabled_line_does_nothing() -> None:
    async with lines(replace(TELCO, disabled=True)) as found:
        await asyncio.sleep(100)
        assert ([view.state for view in found.views()], found.world.heard) == (["off"], [])


async def test_only_lines_that_changed_are_begun_again() -> None:
    other = replace(TELCO, id="other", login="7812")
    async with lines(TELCO, other) as found:
        await asyncio.sleep(1)
        before = found.line("telco")
        found.apply(Office(providers=(TELCO, replace(other, login="7813"))))
        await asyncio.sleep(1)
        assert found.line("telco") is before
        assert len(found.world.asked("REGISTER")) == 4  # three lines, and the old login taken back
        found.apply(Office())
        await asyncio.sleep(1)
        assert list(found.views()) == []


async def test_a_changed_address_of_ours_is_registered_at_once() -> None:
    async with lines(TELCO) as found:
        await asyncio.sleep(1)
        found.renew()
        await asyncio.sleep(1)
        assert len(found.world.asked("REGISTER")) == 2


async def test_the_end_does_not_wait_for_a_provider_that_is_gone() -> None:
    async with lines(TELCO) as found:
        await asyncio.sleep(1)
        found.world.servers["192.0.2.1"] = {}
        began = found.world.now()
        await found.stop()
        assert found.world.now() - began <= 3.0


async def test_many_lines_do_not_ask_at_once() -> None:
    many = [replace(TELCO, id=f"p{number}", kind="ip", qualify=60) for number in range(40)]
    async with lines(*many) as found:
        await asyncio.sleep(200)
        late = [at for at, _ in found.world.asked("OPTIONS") if at > found.world.now() - 60]
        assert len({round(at) for at in late}) > 8
