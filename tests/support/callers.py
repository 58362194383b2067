"""Two user agents on a `FakeNet` for tests of sessions: scripts of a call in a few lines."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from sipcore.build import response_to
from sipcore.dialog.profile import ALLOW, SessionProfile
from sipcore.dialog.session import InviteSession
from sipcore.events import InviteArrived, RequestArrived, SessionEnded, SessionEvent, StackEvent
from sipcore.headers import CSeq
from sipcore.message import Request, Response
from sipcore.parse import parse_message
from sipcore.stack import SipStack
from tests.support.fakenet import ANSWER, DELAY_S, FakeNet, Node, Packet, Route, perfect

E = TypeVar("E")
Chosen = Callable[[Node, InviteSession], None]


def leave(_: Node, __: InviteSession) -> None:
    """Do nothing with a new session."""


def ring(node: Node, session: InviteSession) -> None:
    node.perform(session, "progress", 180)


def answer(node: Node, session: InviteSession) -> None:
    node.perform(session, "answer", ANSWER)


class Pair:
    """Alice calls Bob. `taken` says what Bob does with the INVITE once it is his session; `alice` and `bob` are
    fields of their `StackConfig`."""

    def __init__(
        self,
        route: Route = perfect,
        taken: Chosen = answer,
        transport: str = "UDP",
        alice: Mapping[str, Any] = MappingProxyType({}),
        bob: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.net = FakeNet(route)
        self.taken, self.transport = taken, transport
        self.alice = self.net.add("alice", **alice)
        self.bob = self.net.add("bob", self._handle, **bob)
        self.bobs: list[InviteSession] = []
        self.call: InviteSession | None = None

    def _handle(self, node: Node, event: StackEvent) -> None:
        if isinstance(event, InviteArrived):
            session = node.stack.accept_session(event.key, f"<sip:{node.name}@{node.name}>")
            if session is not None:
                self.bobs.append(session)
                self.taken(node, session)
        elif isinstance(event, RequestArrived):
            node.stack.respond(event.key, response_to(event.request, 200), node.net.now)

    def dial(self, **named: object) -> InviteSession:
        self.call = self.alice.call("bob", transport=self.transport, **named)  # type: ignore[arg-type]
        return self.call

    def established(self) -> "Pair":
        """With a call that stands after one second."""
        self.dial()
        self.net.step_until(1.0)
        assert self.a.state.name == self.b.state.name == "CONFIRMED"
        return self

    @property
    def a(self) -> InviteSession:
        """Alice's session."""
        assert self.call is not None
        return self.call

    @property
    def b(self) -> InviteSession:
        """Bob's session."""
        assert self.bobs
        return self.bobs[0]

    def of(self, node: Node) -> InviteSession:
        """The session of that side."""
        return self.a if node is self.alice else self.b

    def told_alice(self) -> list[str]:
        return short(self.alice.session_events(self.a))

    def told_bob(self) -> list[str]:
        return short(self.bob.session_events(self.b)) if self.bobs else []

    def finish(self) -> None:
        """Let every timer run: nothing may be held."""
        self.net.run_out()
        for node in self.net.nodes.values():
            assert node.stack.is_idle(), node.stack.describe()

    def ladder(self) -> list[str]:
        """`alice INVITE`, `bob 200 INVITE`, … in the order of sending."""
        return [f"{packet.source} {packet.label}" for packet in self.net.log]

    def times(self, label: str) -> list[float]:
        """When messages with that label were sent, seconds after the start."""
        return [round(packet.at - 1000.0, 2) for packet in self.net.log if packet.label == label]

    def requests(self, method: str) -> list[Request]:
        found = [packet.message for packet in self.net.log]
        return [message for message in found if isinstance(message, Request) and message.method == method]

    def responses(self, status: int) -> list[Response]:
        found = [packet.message for packet in self.net.log]
        return [message for message in found if isinstance(message, Response) and message.status == status]


def short(events: list[SessionEvent]) -> list[str]:
    """Names without `Session`, an end with its status: `Progress`, `Answered`, `Ended 486`."""
    names = []
    for event in events:
        name = type(event).__name__.removeprefix("Session")
        names.append(f"{name} {event.status}" if isinstance(event, SessionEnded) else name)
    return names


def edited(message: Request, **fields: str) -> bytes:
    """The message with header fields replaced: `edited(bye, from_="…")`."""
    headers = message.headers.copy()
    for name, value in fields.items():
        headers.set(name.rstrip("_").replace("_", "-"), value)
    return bytes(Request(message.method, message.uri, headers, message.body))


def without_update(*stacks: SipStack) -> None:
    """These sides take no UPDATE."""
    allow = ALLOW.replace(", UPDATE", "")

    def older(made: Callable[[str], SessionProfile]) -> Callable[[str], SessionProfile]:
        return lambda contact: replace(made(contact), allow=allow)

    for stack in stacks:
        stack.profile = older(stack.profile)  # type: ignore[method-assign, assignment]


def again_with(message: Request, cseq: int, branch: str) -> Request:
    """A later request of the same dialog: another CSeq number and branch."""
    via = str(message.via).replace(message.via.branch or "", branch)
    found = parse_message(edited(message, via=via, cseq=str(CSeq(cseq, message.method))))
    assert isinstance(found, Request)
    return found


def answering(node: Node, status: int, times: int = 99, method: str = "UPDATE", **fields: str) -> list[Request]:
    """From now on that side's stack answers the first requests of that method with a status of the
    test's; they are listed."""
    taken: list[Request] = []
    net, inner = node.net, node.net.route

    def route(packet: Packet) -> list[float]:
        message = packet.message
        if packet.target != node.name or packet.label != method or len(taken) >= times:
            return list(inner(packet))
        assert isinstance(message, Request)
        taken.append(message)
        extra = [(name.replace("_", "-"), value) for name, value in fields.items()]
        answer = bytes(response_to(message, status, extra=extra))
        net.after(DELAY_S, lambda: net.inject(answer, packet.source, node.name))
        return []

    net.route = route
    return taken
