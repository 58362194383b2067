"""The servers behind an edge: where they are and which of them answers (OPTIONS, RFC 3261 §11)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from conf.fields import Server
from pbx.addressing import bracketed
from sipcore.build import new_request
from sipcore.events import ResponseArrived, StackEvent
from sipcore.flow import Flow
from sipcore.transport.driver import LayerDriver
from sipcore.uri import SipUri

PROBE_EVERY_S = 5.0
PROBE_AGAIN_S = 2.0  # while it does not answer
PROBE_PATIENCE_S = 3.0

log = structlog.get_logger("edge")
_NONE: Mapping[str, Sequence[Server]] = MappingProxyType({})
FlowMaker = Callable[[str, str, int], Flow | None]


@dataclass(slots=True)
class Node:
    """One server. It counts as up until it has been silent once. `domains`: those that it serves, "" all others."""

    server: Server
    domains: frozenset[str] = frozenset({""})
    is_up: bool = True
    probes: int = 0
    failures: int = 0
    round_trip_ms: float | None = None
    asked_at: float = field(default=0.0, repr=False)

    @property
    def name(self) -> str:
        return str(self.server)

    @property
    def address(self) -> tuple[str, int]:
        return self.server.host, self.server.port

    @property
    def transport(self) -> str:
        return self.server.transport.upper()


class Nodes:
    """Asks every server from time to time whether it is there; `order` puts those that are first. `domains`: servers of
    offices of their own (CFG-10)."""

    def __init__(
        self, servers: Sequence[Server], flow_to: FlowMaker, domains: Mapping[str, Sequence[Server]] = _NONE
    ) -> None:
        of = {"": servers, **domains}
        everyone = dict.fromkeys(server for some in of.values() for server in some)
        self._all = [Node(each, frozenset(name for name, some in of.items() if each in some)) for each in everyone]
        found = {node.server: node for node in self._all}
        self._order = {name: [found[each] for each in some] for name, some in of.items()}
        self._flow_to = flow_to
        self._driver: LayerDriver
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, driver: LayerDriver) -> None:
        """Begin to ask, by way of `driver`."""
        self._driver = driver
        self._tasks = [asyncio.ensure_future(self._watch(node)) for node in self._all]

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def order(self, domain: str = "") -> list[Node]:
        """The servers of a domain as configured, the silent ones last; an unknown domain is one of all others."""
        return sorted(self._order.get(domain.lower().rstrip("."), self._order[""]), key=lambda node: not node.is_up)

    @property
    def names(self) -> list[str]:
        return [node.name for node in self._all]

    def at(self, host: str, port: int) -> Node | None:
        """The server that is reached at that address."""
        return next((node for node in self._all if node.address == (host, port)), None)

    def sent(self, flow: Flow) -> bool:
        """Whether a message on `flow` comes from one of them; a connection of theirs may come from any port."""
        host, port = flow.remote
        return any(
            (node.transport, node.server.host) == (flow.transport, host) and (flow.reliable or node.server.port == port)
            for node in self._all
        )

    def flow_of(self, node: Node) -> Flow | None:
        return self._flow_to(node.transport, *node.address)

    def failed(self, node: Node) -> None:
        """It was silent, or could not be reached."""
        node.failures += 1
        if node.is_up:
            node.is_up = False
            log.warning("a node does not answer", node=node.name)

    def handle(self, event: StackEvent) -> None:
        """What the transaction layer tells: the outcome of a probe."""
        if not isinstance(event, ResponseArrived) or not isinstance(event.user, Node):
            return
        node = event.user
        if event.response is None:
            self.failed(node)
        elif event.status >= 200:
            node.round_trip_ms = round((self._driver.now() - node.asked_at) * 1e3, 1)
            if not node.is_up:
                node.is_up = True
                log.info("a node answers again", node=node.name)

    async def _watch(self, node: Node) -> None:
        while True:
            answered_ms = node.round_trip_ms
            node.round_trip_ms = None
            self._probe(node)
            await asyncio.sleep(PROBE_PATIENCE_S)
            if node.round_trip_ms is None:
                self.failed(node)
                node.round_trip_ms = answered_ms if node.is_up else None
            await asyncio.sleep(PROBE_EVERY_S if node.is_up else PROBE_AGAIN_S)

    def _probe(self, node: Node) -> None:
        flow = self.flow_of(node)
        if flow is None:
            return
        stack, (host, port) = self._driver.stack, node.address
        local = bracketed(flow.local[0])
        request = new_request(
            "OPTIONS",
            SipUri("sip", None, host, port),
            from_=f"<sip:{local}>;tag={stack.ids.tag()}",
            to=f"<sip:{bracketed(host)}:{port}>",
            call_id=stack.ids.call_id(),
            cseq=1,
        )
        node.probes, node.asked_at = node.probes + 1, self._driver.now()
        stack.send(request, flow, self._driver.now(), user=node)
        self._driver.kick()

    def describe(self) -> list[dict[str, object]]:
        """Live dump, in the order of the settings."""
        return [
            {
                "node": node.name,
                "domains": sorted(node.domains - {""}),
                "up": node.is_up,
                "round_trip_ms": node.round_trip_ms,
                "probes": node.probes,
                "failures": node.failures,
            }
            for node in self._all
        ]
