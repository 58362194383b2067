"""Whether registered phones can be reached, and the ways to them kept open (REG-4, REG-5).

Each contact is asked by OPTIONS once in `qualify_s`, at a moment of its own, so that a thousand phones are never asked
at once; whatever it answers, it is there. One that stays silent twice is not rung until it answers or registers again.
What is behind NAT gets a few bytes every `keepalive_s`, before a router forgets the way back. A phone that sleeps until
it is woken by a push notification (RFC 8599) is left alone.
"""

import asyncio
import heapq
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

import structlog

from pbx.bus import Bus
from pbx.events import BusEvent, RegistrationChange, RegistrationChanged
from pbx.health import Health
from pbx.location import FLOW_FAILED, Location, Target
from sipcore.build import new_request
from sipcore.events import ResponseArrived
from sipcore.flow import Flow
from sipcore.message import Request
from sipcore.register.binding import Binding
from sipcore.transport.driver import SipDriver

log = structlog.get_logger("location")
PATIENCE_S = 5.0  # REG-4
TICK_S = 0.2
MOST_IN_A_TICK = 50  # 250 a second: what has piled up is worked off without a storm
DATAGRAM_PING, STREAM_PING = b"\0\0\0\0", b"\r\n"
_PINGS = {"UDP": DATAGRAM_PING, "TCP": STREAM_PING, "TLS": STREAM_PING}
_PUSH = "pn-provider"


class _Due(NamedTuple):
    """One contact at its moment; `number` of the entry keeps equal moments in order."""

    at: float
    order: int
    number: str
    contact: str
    health: Health
    is_ping: bool


class Qualifier:
    """`start` when registrations are restored. 0 switches a kind of message off."""

    def __init__(self, driver: SipDriver, location: Location, bus: Bus, qualify_s: float, keepalive_s: float) -> None:
        self._driver, self._location, self._bus = driver, location, bus
        self._qualify_s, self._keepalive_s = qualify_s, keepalive_s
        self._queue: list[_Due] = []
        self._order = count()
        self._health: dict[tuple[str, str], Health] = {}
        self._slowest: dict[str, float] = {}  # answer of each number, in ms, since somebody asked
        self._task: asyncio.Task[None] | None = None
        self.asked = self.pings = 0

    def start(self) -> None:
        for number, binding in self._location:
            self._begin(number, binding)
        self._bus.subscribe([RegistrationChanged], self._changed)
        self._task = asyncio.ensure_future(self._run())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def latency_ms(self, number: str, binding: Binding) -> float | None:
        """How long the latest answer took."""
        found = self._health.get((number, str(binding.contact)))
        return found.latency_ms if found is not None else None

    def latencies(self) -> Iterable[tuple[str, float]]:
        """Number → ms of the slowest answer of its phones since this was asked last: not all phones each time, of which
        there may be a hundred thousand."""
        slowest, self._slowest = self._slowest, {}
        return slowest.items()

    def describe(self) -> dict[str, int]:
        silent = sum(1 for health in self._health.values() if health.is_reachable is False)
        return {"asked": self.asked, "pings": self.pings, "unreachable": silent}

    # --- who is asked when ------------------------------------------------------------------------------------------

    def _changed(self, event: BusEvent) -> None:
        assert isinstance(event, RegistrationChanged)
        key = (event.number, event.contact)
        if event.change is RegistrationChange.ADDED:
            binding = self._find(*key)
            if binding is not None:
                self._begin(event.number, binding)
        elif event.change is RegistrationChange.REFRESHED:
            if key in self._health:
                self._health[key].misses, self._health[key].is_reachable = 0, None  # it has just spoken
        elif event.change in (RegistrationChange.REMOVED, RegistrationChange.EXPIRED):
            self._health.pop(key, None)

    def _begin(self, number: str, binding: Binding) -> None:
        contact = str(binding.contact)
        if (number, contact) in self._health:
            return
        health = self._health[number, contact] = Health()
        fraction = self._driver.stack.ids.fraction
        if self._qualify_s and _PUSH not in binding.contact.params:
            self._push(self._qualify_s * fraction(), number, contact, health, is_ping=False)
        if self._keepalive_s:
            self._push(self._keepalive_s * fraction(), number, contact, health, is_ping=True)

    def _push(self, wait_s: float, number: str, contact: str, health: Health, *, is_ping: bool) -> None:
        heapq.heappush(
            self._queue, _Due(self._driver.now() + wait_s, next(self._order), number, contact, health, is_ping)
        )

    def _find(self, number: str, contact: str) -> Binding | None:
        return next((each for each in self._location.bindings(number) if str(each.contact) == contact), None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now, left = self._driver.now(), MOST_IN_A_TICK
            while left and self._queue and self._queue[0].at <= now:
                self._take(heapq.heappop(self._queue))
                left -= 1
            if left < MOST_IN_A_TICK:
                self._driver.kick()

    def _take(self, due: _Due) -> None:
        """Send what is due to a contact that is still there; one that is gone is not put down again."""
        binding = self._find(due.number, due.contact)
        if self._health.get((due.number, due.contact)) is not due.health or binding is None or binding.flow is None:
            return
        if due.is_ping:
            self._ping(binding, binding.flow)
            self._push(self._keepalive_s, due.number, due.contact, due.health, is_ping=True)
        else:
            self._ask(due.number, binding, binding.flow, due.health)

    # --- messages ---------------------------------------------------------------------------------------------------

    def _ping(self, binding: Binding, flow: Flow) -> None:
        data = _PINGS.get(flow.transport)
        if binding.natted and not binding.path and data is not None and self._driver.is_open(flow):
            self.pings += 1
            self._driver.send(data, flow)

    def _ask(self, number: str, binding: Binding, flow: Flow, health: Health) -> None:
        began = self._driver.now()
        self.asked += 1

        def heard(event: ResponseArrived) -> None:
            if event.response is None:
                self._missed(number, binding, health)
            elif event.status == FLOW_FAILED:
                self._location.lost(number, Target(binding.contact, flow, tuple(map(str, binding.path))))
            elif event.status >= 200:
                self._answered(number, binding, health, self._driver.now() - began)

        request = self._options(binding, flow)
        self._driver.stack.send(request, flow, began, user=heard, patience_s=PATIENCE_S)

    def _answered(self, number: str, binding: Binding, health: Health, latency_s: float) -> None:
        if health.answered(latency_s):
            self._tell(number, binding, is_reachable=True)
        self._slowest[number] = max(self._slowest.get(number, 0.0), health.latency_ms or 0.0)
        self._push(self._qualify_s, number, str(binding.contact), health, is_ping=False)

    def _missed(self, number: str, binding: Binding, health: Health) -> None:
        if health.missed():
            self._tell(number, binding, is_reachable=False)
        self._push(health.pause_s(self._qualify_s), number, str(binding.contact), health, is_ping=False)

    def _tell(self, number: str, binding: Binding, *, is_reachable: bool) -> None:
        if self._location.set_reachable(number, binding.contact, is_reachable):
            log.info("contact", number=number, contact=str(binding.contact), reachable=is_reachable)

    def _options(self, binding: Binding, flow: Flow) -> Request:
        ids = self._driver.stack.ids
        ours = f"<sip:{flow.sent_by}>"
        return new_request(
            "OPTIONS",
            binding.contact,
            from_=f"{ours};tag={ids.tag()}",
            to=f"<{binding.contact}>",
            call_id=ids.call_id(),
            cseq=1,
            extra=[*(("Route", path) for path in binding.path), ("Contact", ours), ("Accept", "application/sdp")],
        )
