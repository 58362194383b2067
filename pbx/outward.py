"""How requests of ours reach hosts that are named in the settings: found by DNS, the next target where one fails
(RFC 3263 §4.3), credentials where they are asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from frozen import dataclass
from sipcore.events import ResponseArrived
from sipcore.exchange import Exchange, Next
from sipcore.flow import Flow
from sipcore.locate import DeadTargets, Kind, NextHop
from sipcore.message import Request, Response
from sipcore.transport.driver import SipDriver
from sipcore.transport.resolver import Located

FlowMaker = Callable[[str, str, int], Flow | None]
Then = Callable[[int, Response | None], None]


class Finder(Protocol):
    """What is needed of a resolver."""

    dead: DeadTargets

    def locate(self, hop: NextHop, transports: Sequence[str], families: Sequence[Kind]) -> Awaitable[Located]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: 408 or 503 without a response when nobody answered; `flow` is where it went last."""

    status: int
    response: Response | None
    flow: Flow


class Outward:
    """One per server. `flow_to` finds a path; `bound` names what we listen on: transport and host."""

    def __init__(
        self, driver: SipDriver, finder: Finder, flow_to: FlowMaker, bound: Callable[[], Sequence[tuple[str, str]]]
    ) -> None:
        self._driver, self._finder, self._flow_to, self._bound = driver, finder, flow_to, bound

    async def flows(self, hop: NextHop, wanted: Sequence[str]) -> tuple[list[Flow], str]:
        """The paths to a host over the `wanted` transports, in the order to try them; none, and a sentence why."""
        bound = self._bound()
        usable = [each for each in wanted if any(transport == each for transport, _ in bound)]
        if not usable:
            names = " or ".join(each.lower() for each in wanted)
            return [], f"there is no listener for {names}: give [sip] {wanted[0].lower()} an address"
        families = [Kind.A] if any(":" not in host for _, host in bound) else []
        families += [Kind.AAAA] if any(":" in host for _, host in bound) else []
        located = await self._finder.locate(hop, usable, families)
        found = [self._flow_to(each.transport, each.host, each.port) for each in located.targets]
        by_address = "TCP" in usable
        flows = list(dict.fromkeys(replace(flow, by_address=by_address) for flow in found if flow is not None))
        if located.targets and not flows:
            return [], f"no listener of this server reaches the addresses of {hop.host}"
        return flows, located.why

    def ask(self, request: Request, flow: Flow, patience_s: float, then: Then) -> None:
        """Send one request; `then` hears its outcome, once."""

        def arrived(event: ResponseArrived) -> None:
            if event.response is None or event.status >= 200:
                then(event.status, event.response)

        self._driver.stack.send(request, flow, self._driver.now(), user=arrived, patience_s=patience_s)
        self._driver.kick()

    async def carry_out(self, exchange: Exchange, patience_s: float) -> Outcome:
        """Ask until somebody answers; `patience_s` is for one attempt."""
        while True:
            done: asyncio.Future[tuple[int, Response | None]] = asyncio.get_running_loop().create_future()
            self.ask(*exchange.ask(), patience_s, lambda *outcome, done=done: done.done() or done.set_result(outcome))
            status, response = await done
            following = exchange.judge(status, response)
            while exchange.dead:
                self.shun(*exchange.dead.pop())
            if following is not Next.AGAIN:
                if following is Next.DONE:
                    self.answered(exchange.flow)
                return Outcome(status, response, exchange.flow)

    def shun(self, flow: Flow, for_s: float) -> None:
        """Nobody answers there."""
        self._finder.dead.note(flow.transport, *flow.remote, self._driver.now(), for_s)

    def answered(self, flow: Flow) -> None:
        """Somebody does."""
        self._finder.dead.forget(flow.transport, *flow.remote)

    def is_open(self, flow: Flow) -> bool:
        """Whether what is sent there goes over a path that exists: a datagram socket, or a live connection."""
        return self._driver.is_open(flow)

    def now(self) -> float:
        return self._driver.now()
