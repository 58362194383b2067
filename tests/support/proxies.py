"""Proxies on a `FakeNet`: a node whose stack is a `SipProxy`, routed by a table, and callers that go through it."""

from collections.abc import Callable
from typing import Any

from sipcore.build import new_request
from sipcore.dialog.session import InviteSession
from sipcore.flow import Flow
from sipcore.headers import Route
from sipcore.message import Request, Response, Uri
from sipcore.parse import parse_message
from sipcore.proxy.plan import Answer, Hop, HopFailed, Plan, Verdict
from sipcore.proxy.proxy import SipProxy
from sipcore.stack_config import StackConfig
from sipcore.uri import SipUri, parse_uri
from tests.support.callers import Chosen, answer
from tests.support.fakenet import OFFER, FakeNet, Node, Packet
from tests.support.ids import CountingIds

Rule = Verdict | Callable[[Request], Verdict]


class TableRouter:
    """Users by name; requests inside dialogs follow their Route, else their Request-URI."""

    def __init__(self, node: "ProxyNode") -> None:
        self._node = node
        self.rules: dict[str, Rule] = {}
        self.failures: list[object] = []
        self.record_routes = True

    def is_ours(self, uri: Uri) -> bool:
        return isinstance(uri, SipUri) and uri.host == self._node.name

    def hop(self, host: str, **more: Any) -> Hop:
        routes = (f"<sip:{self._node.name};lr>",) if self.record_routes else ()
        return Hop(self._node.flow_to(host), record_routes=routes, name=host, **more)

    def to(self, *hosts: str, **more: Any) -> Plan:
        return Plan.to(*(self.hop(host, **more) for host in hosts))

    def route(self, request: Request, flow: Flow, own: tuple[Route, ...]) -> Verdict:
        following = request.routes()[0].uri if request.routes() else request.uri
        assert isinstance(following, SipUri)
        rule = None if request.to.tag or request.routes() else self.rules.get(following.user or "")
        if rule is None:
            return self.to(following.host) if following.host in self._node.net.nodes else Answer(404)
        return rule(request) if callable(rule) else rule

    def failed(self, failure: HopFailed) -> None:
        self.failures.append(failure.name)


class ProxyNode(Node):
    """A proxy called `name`."""

    def __init__(self, net: FakeNet, name: str, **config: Any) -> None:
        super().__init__(net, name, None, StackConfig(agent=name))
        self.router = TableRouter(self)
        self.proxy = SipProxy(StackConfig(agent=name), CountingIds(name), self.router, **config)
        self.stack = self.proxy  # type: ignore[assignment]
        net.nodes[name] = self

    def serve(self, user: str, rule: Rule) -> None:
        self.router.rules[user] = rule


class Callee:
    """A phone that does `taken` with what it is called for; others of its kind may ring at once."""

    def __init__(self, net: FakeNet, name: str, taken: Chosen = answer) -> None:
        from tests.support.callers import Pair

        self.node = net.add(name, lambda node, event: Pair._handle(self, node, event))  # type: ignore[arg-type]
        self.taken = taken
        self.bobs: list[InviteSession] = []

    @property
    def session(self) -> InviteSession:
        return self.bobs[0]


def call_over(node: Node, proxy: str, to: str = "bob", *, cseq: int = 1, **headers: str) -> InviteSession:
    """Call `to` by way of `proxy`."""
    stack = node.stack
    request = new_request(
        "INVITE",
        parse_uri(f"sip:{to}@home"),
        from_=f"<sip:{node.name}@{node.name}>;tag={stack.ids.tag()}",
        to=f"<sip:{to}@home>",
        call_id=stack.ids.call_id(),
        cseq=cseq,
        extra=[(name.replace("_", "-"), value) for name, value in headers.items()],
        body=OFFER,
    )
    session = stack.invite(request, node.flow_to(proxy), f"<sip:{node.name}@{node.name}>", node.now)
    node.net.settle()
    return session


def text(method: str, uri: str = "sip:bob@home", *lines: str, branch: str = "z9hG4bKone", to_tag: str = "") -> bytes:
    """A request of a stranger, as text."""
    return "\r\n".join(
        [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP stranger;branch={branch}",
            "From: <sip:stranger@stranger>;tag=s1",
            f"To: <sip:bob@home>{f';tag={to_tag}' if to_tag else ''}",
            "Call-ID: c1",
            f"CSeq: 7 {method}",
            *lines,
            "Content-Length: 0",
            "",
            "",
        ]
    ).encode()


def between(net: FakeNet, source: str, target: str) -> list[str]:
    """Labels of what one sent to the other."""
    return [packet.label for packet in net.log if (packet.source, packet.target) == (source, target)]


def last(net: FakeNet, label: str, target: str) -> Request | Response:
    """The last message with that label to that node."""
    found: list[Packet] = [each for each in net.log if each.label == label and each.target == target]
    return parse_message(found[-1].data)
