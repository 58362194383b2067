"""SIP stacks joined by a network that exists only as a queue of arrivals, in virtual time.

`FakeNet(route=…)` asks `route` for every datagram: the delays after which its copies arrive, none when it is lost.
`step_until(t)` pops the earliest of arrivals, timers of the stacks and scheduled calls. Streams (TCP flows) keep
their order and lose nothing; `cut` closes one.
"""

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sipcore.build import Extra, new_request
from sipcore.dialog.session import InviteSession
from sipcore.events import SessionEvent, StackEvent
from sipcore.flow import Flow
from sipcore.message import Request, Response
from sipcore.parse import parse_message
from sipcore.stack import SipStack, StackConfig
from sipcore.timers import TimerConfig
from sipcore.uri import parse_uri
from tests.support.ids import CountingIds

START_S = 1000.0
DELAY_S = 0.01
OFFER, ANSWER = b"v=0\r\no=offer\r\n", b"v=0\r\no=answer\r\n"


@dataclass(frozen=True, slots=True)
class Packet:
    """One message on its way; `number` counts them from 0."""

    data: bytes
    source: str
    target: str
    number: int
    at: float

    @property
    def message(self) -> Request | Response:
        return parse_message(self.data)

    @property
    def label(self) -> str:
        """`INVITE`, or `200 INVITE` for a response."""
        message = self.message
        return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


Route = Callable[[Packet], Sequence[float]]
Handler = Callable[["Node", StackEvent], None]


def perfect(_: Packet) -> Sequence[float]:
    return (DELAY_S,)


def impaired(seed: int, *, loss: float = 0.0, copies: float = 0.0, spread_s: float = 0.0) -> Route:
    """A network with random loss, duplication and delays up to `spread_s` beyond the normal, hence reordering."""
    chance = random.Random(seed)

    def route(_: Packet) -> Sequence[float]:
        if chance.random() < loss:
            return ()
        count = 2 if chance.random() < copies else 1
        return [DELAY_S + chance.random() * spread_s for _ in range(count)]

    return route


def dropping(*labels: str, times: int = 1, route: Route = perfect) -> Route:
    """Lose the first `times` messages of each label."""
    left = dict.fromkeys(labels, times)

    def chosen(packet: Packet) -> Sequence[float]:
        if left.get(packet.label, 0):
            left[packet.label] -= 1
            return ()
        return route(packet)

    return chosen


def delaying(label: str, seconds: float, times: int = 1) -> Route:
    """The first `times` messages of that label arrive `seconds` late."""
    left = [times]

    def chosen(packet: Packet) -> Sequence[float]:
        if packet.label == label and left[0]:
            left[0] -= 1
            return (DELAY_S + seconds,)
        return (DELAY_S,)

    return chosen


class Node:
    """One stack at one address, with everything that its user was told."""

    def __init__(self, net: "FakeNet", name: str, handler: Handler | None, config: StackConfig) -> None:
        self.net, self.name, self.handler = net, name, handler
        self.stack = SipStack(config, CountingIds(name))
        self.events: list[StackEvent] = []
        self.sent: list[Packet] = []
        self.shift_s = 0.0  # this node's clock beyond that of the net

    @property
    def now(self) -> float:
        """This node's own monotonic clock."""
        return self.net.now + self.shift_s

    @property
    def address(self) -> tuple[str, int]:
        return (self.name, 5060)

    def flow_to(self, other: str, transport: str = "UDP") -> Flow:
        return Flow(transport, self.address, (other, 5060), 0 if transport == "UDP" else 1)

    def call(
        self, other: str, *, transport: str = "UDP", sdp: bytes = OFFER, user: object = None, extra: Extra = ()
    ) -> InviteSession:
        """Send an INVITE to `other`, with more header fields if need be."""
        stack = self.stack
        request = new_request(
            "INVITE",
            parse_uri(f"sip:{other}@{other}"),
            from_=f"<sip:{self.name}@{self.name}>;tag={stack.ids.tag()}",
            to=f"<sip:{other}@{other}>",
            call_id=stack.ids.call_id(),
            cseq=1,
            extra=extra,
            body=sdp,
        )
        session = stack.invite(
            request, self.flow_to(other, transport), f"<sip:{self.name}@{self.name}>", self.now, user=user
        )
        self.net.settle()
        return session

    def perform(self, session: InviteSession, verb: str, *args: object, **named: object) -> None:
        """Use a verb of a session of this node now: `perform(session, "answer", sdp)`."""
        now = self.now
        if verb in ("answer", "modify", "accept_offer", "refuse_offer", "progress", "reject"):
            actions = getattr(session, verb)(*args, now, **named)
        else:
            actions = getattr(session, verb)(now, *args, **named)
        self.stack.perform(session, actions, now)
        self.net.settle()

    def told(self, kind: type[StackEvent] | None = None) -> list[str]:
        """Names of the events so far, or of those of one kind."""
        return [type(event).__name__ for event in self.events if kind is None or isinstance(event, kind)]

    def session_events(self, session: InviteSession) -> list[SessionEvent]:
        return [event for event in self.events if getattr(event, "session", None) is session]  # type: ignore[misc]

    def sent_labels(self) -> list[str]:
        return [packet.label for packet in self.sent]


class FakeNet:
    """Nodes, arrivals, and one clock that starts at `START_S`."""

    def __init__(self, route: Route = perfect) -> None:
        self.route = route
        self.now = START_S
        self.nodes: dict[str, Node] = {}
        self.log: list[Packet] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._stream_at: dict[tuple[str, str], float] = defaultdict(float)
        self._settling = False

    def add(self, name: str, handler: Handler | None = None, timers: TimerConfig | None = None, **config: Any) -> Node:
        """A node; `config` are further fields of its `StackConfig`."""
        made = StackConfig(agent=name, timers=timers or TimerConfig(), **config)
        node = self.nodes[name] = Node(self, name, handler, made)
        return node

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        """Do something `when_s` seconds after the start."""
        self._push(START_S + when_s, action)

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        self._push(self.now + delay_s, action)

    def inject(self, data: bytes, target: str, source: str = "stranger", transport: str = "UDP") -> None:
        """Bytes from an address where no stack lives arrive now."""
        flow = Flow(transport, (target, 5060), (source, 5060), 0 if transport == "UDP" else 1)
        self.nodes[target].stack.receive(data, flow, self.nodes[target].now)
        self.settle()

    def cut(self, one: str, other: str) -> None:
        """The TCP connection between two nodes closes; what is on its way is lost."""
        for here, there in ((one, other), (other, one)):
            self._stream_at[here, there] = -1.0
            node = self.nodes[here]
            node.stack.flow_closed(node.flow_to(there, "TCP"), node.now)
        self.settle()

    def step_until(self, when_s: float) -> None:
        """Run everything up to `when_s` seconds after the start."""
        end = START_S + when_s
        while (at := self._next()) is not None and at <= end:
            self._step(at)
        self.now = max(self.now, end)

    def run_out(self, limit_s: float = 3600.0) -> None:
        """Run until nothing is scheduled any more."""
        end = self.now + limit_s
        while (at := self._next()) is not None:
            assert at <= end, f"still busy after {limit_s} s"
            self._step(at)

    def settle(self) -> None:
        """Move what the stacks have to say: events to the handlers, messages onto the wire."""
        if self._settling:
            return
        self._settling = True
        try:
            while any(self._drain(node) for node in self.nodes.values()):
                pass
        finally:
            self._settling = False

    def _drain(self, node: Node) -> bool:
        outgoing = node.stack.outgoing()
        for data, flow in outgoing:
            self._carry(node, data, flow)
        event = node.stack.next_event()
        if event is not None:
            node.events.append(event)
            if node.handler is not None:
                node.handler(node, event)
        return bool(outgoing) or event is not None

    def _carry(self, node: Node, data: bytes, flow: Flow) -> None:
        packet = Packet(data, node.name, flow.remote[0], len(self.log), self.now)
        self.log.append(packet)
        node.sent.append(packet)
        target = self.nodes.get(flow.remote[0])
        if target is None:
            return
        back = Flow(flow.transport, flow.remote, flow.local, flow.id)
        if flow.reliable:
            self._carry_in_order(packet, target, back)
            return
        for delay_s in self.route(packet):
            self.after(delay_s, lambda: target.stack.receive(data, back, target.now))

    def _carry_in_order(self, packet: Packet, target: Node, back: Flow) -> None:
        ends = (packet.source, packet.target)
        if self._stream_at[ends] < 0:
            node = self.nodes[packet.source]
            flow = node.flow_to(packet.target, "TCP")
            self.after(0.0, lambda: node.stack.flow_closed(flow, node.now))
            return
        at = self._stream_at[ends] = max(self.now + DELAY_S, self._stream_at[ends])
        self._push(at, lambda: self._arrive(ends, packet.data, target, back))

    def _arrive(self, ends: tuple[str, str], data: bytes, target: Node, back: Flow) -> None:
        if self._stream_at[ends] >= 0:
            target.stack.receive(data, back, target.now)

    def _next(self) -> float | None:
        moments = [at - node.shift_s for node in self.nodes.values() if (at := node.stack.deadline()) is not None]
        if self._queue:
            moments.append(self._queue[0][0])
        return min(moments, default=None)

    def _step(self, at: float) -> None:
        self.now = max(self.now, at)
        while self._queue and self._queue[0][0] <= self.now:
            heapq.heappop(self._queue)[2]()
            self.settle()
        for node in self.nodes.values():
            node.stack.on_timer(node.now)
        self.settle()

    def _push(self, at: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, action))
