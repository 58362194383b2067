"""Where an edge sends requests: those of phones to a node, those of nodes over the flow that their Route names.

Phones cannot use the edge to reach anything but a node, and only the nodes can use the flows of phones (RFC 5626 §5).
"""

import socket
from collections.abc import Callable
from ipaddress import ip_address

from pbx.nodes import Node, Nodes
from sipcore.flow import Flow
from sipcore.headers import Route, Via
from sipcore.message import Request, Uri
from sipcore.proxy.forward import set_routes
from sipcore.proxy.plan import Answer, Hop, HopFailed, Plan, Verdict
from sipcore.proxy.token import FlowTokens
from sipcore.uri import SipUri

PATIENCE_S = 1.5  # of a node that says nothing at all, before the next one is asked as well
FORBIDDEN, NOT_FOUND, FLOW_FAILED, DRAINING = Answer(403), Answer(404), Answer(430), Answer(503, [("Retry-After", 5)])
_ALLOW = "INVITE, ACK, CANCEL, OPTIONS, BYE, REGISTER, SUBSCRIBE, NOTIFY, MESSAGE, INFO, REFER, UPDATE, PRACK, PUBLISH"


class EdgeRouter:
    """`is_open`: the connection of a flow stands; `datagrams`: our flow to a peer from one of our addresses;
    `is_our_port`: something of ours listens there; `proved` is told of hosts that have a dialog through us."""

    def __init__(
        self,
        nodes: Nodes,
        tokens: FlowTokens,
        *,
        external: str,
        is_open: Callable[[Flow], bool],
        datagrams: Callable[[tuple[str, int], tuple[str, int]], Flow | None],
        is_our_port: Callable[[int], bool],
        proved: Callable[[str], None],
    ) -> None:
        self._proved = proved
        self._nodes, self._tokens, self._external = nodes, tokens, external
        self._is_open, self._datagrams, self._is_our_port = is_open, datagrams, is_our_port
        self._our_hosts: dict[str, bool] = {}
        self.is_draining = False

    # --- what the proxy asks ----------------------------------------------------------------------------------

    def is_ours(self, uri: Uri) -> bool:
        if not isinstance(uri, SipUri):
            return False
        if uri.user and self._tokens.open(uri.user) is not None:
            return True
        port = uri.port or (5061 if uri.secure or uri.transport == "tls" else 5060)
        return self._is_our_port(port) and self._is_our_host(uri.host)

    def route(self, request: Request, flow: Flow, own: tuple[Route, ...]) -> Verdict:
        if request.method == "OPTIONS" and self._is_for_us(request):
            return Answer(200, [("Allow", _ALLOW), ("Supported", "path, outbound")])
        if self._nodes.sent(flow):
            return self._to_phone(request, flow, own)
        if any(_is_same(self._flow_of(each.uri), flow) for each in own):
            self._proved(flow.remote[0])
        if self.is_draining and not request.to.tag:
            return DRAINING
        return self._to_nodes(request, flow)

    def failed(self, failure: HopFailed) -> None:
        if isinstance(failure.name, Node):
            self._nodes.failed(failure.name)

    # --- towards phones ---------------------------------------------------------------------------------------

    def _to_phone(self, request: Request, flow: Flow, own: tuple[Route, ...]) -> Verdict:
        """A node names the flow by the Path or Record-Route that we gave it (RFC 5626 §5.3)."""
        sealed = next((found for route in own if (found := self._flow_of(route.uri)) is not None), None)
        if sealed is None:
            return NOT_FOUND
        phone = self._standing(sealed)
        if phone is None:
            return FLOW_FAILED
        return Plan.to(Hop(phone, record_routes=self._record_routes(phone, phone, flow), gone=430))

    def _flow_of(self, uri: Uri) -> Flow | None:
        return self._tokens.open(uri.user) if isinstance(uri, SipUri) and uri.user else None

    def _standing(self, sealed: Flow) -> Flow | None:
        if sealed.reliable:
            return sealed if self._is_open(sealed) else None
        return self._datagrams(sealed.local, sealed.remote)

    # --- towards nodes ----------------------------------------------------------------------------------------

    def _to_nodes(self, request: Request, phone: Flow) -> Verdict:
        """Requests of a dialog go to the node that has it, others to the first node of their domain that answers: what
        is said to one office reaches no other (CFG-10)."""
        if any(self._node_of(route.uri) is None for route in request.routes()):
            set_routes(request.headers, ())  # nothing else can be reached through us
        routes = request.routes()
        named = self._node_of(routes[0].uri if routes else request.uri)
        candidates = [named] if named is not None else self._nodes.order(_host_of(request.uri))
        if not candidates:
            return NOT_FOUND
        paths = [(node, flow) for node in candidates if (flow := self._nodes.flow_of(node)) is not None]
        groups = tuple([(self._hop(request, node, phone, flow),) for node, flow in paths])
        patience_s = PATIENCE_S if len(groups) > 1 else None
        return Plan(groups, failover=True, patience_s=patience_s) if groups else FORBIDDEN

    def _hop(self, request: Request, node: Node, phone: Flow, flow: Flow) -> Hop:
        paths = (self._path(request, phone, flow),) if request.method == "REGISTER" else ()
        return Hop(flow, record_routes=self._record_routes(phone, flow, phone), paths=paths, name=node)

    def _node_of(self, uri: Uri) -> Node | None:
        return self._nodes.at(uri.host, uri.port or 5060) if isinstance(uri, SipUri) else None

    # --- what we write ----------------------------------------------------------------------------------------

    def _path(self, request: Request, phone: Flow, node: Flow) -> str:
        """RFC 3327 with the flow in it. `ob`: we are the first hop and keep the flow (RFC 5626 §5.1)."""
        first_hop = ";ob" if len(request.headers.all(Via)) == 1 else ""
        return f"<{self._uri(self._tokens.seal(phone), node)};lr{first_hop}>"

    def _record_routes(self, phone: Flow, outgoing: Flow, incoming: Flow) -> tuple[str, ...]:
        """One value where both sides reach us at the same address, else one for each (RFC 5658)."""
        token = self._tokens.seal(phone)
        out, back = self._uri(token, outgoing), self._uri(token, incoming)
        return (f"<{out};lr>",) if out == back else (f"<{out};lr>", f"<{back};lr>")

    @staticmethod
    def _uri(token: str, side: Flow) -> str:
        transport = "" if side.transport == "UDP" else f";transport={side.transport.lower()}"
        return f"sip:{token}@{side.sent_by}{transport}"

    # --- who we are -------------------------------------------------------------------------------------------

    def _is_for_us(self, request: Request) -> bool:
        uri = request.uri
        return request.headers.get("max-forwards") == "0" or (
            isinstance(uri, SipUri) and not uri.user and self.is_ours(uri)
        )

    def _is_our_host(self, host: str) -> bool:
        if host == self._external:
            return True
        found = self._our_hosts.get(host)
        if found is None:
            if len(self._our_hosts) > 10_000:
                self._our_hosts.clear()
            found = self._our_hosts[host] = _is_local(host)
        return found


def _host_of(uri: Uri) -> str:
    return uri.host if isinstance(uri, SipUri) else ""


def _is_same(sealed: Flow | None, flow: Flow) -> bool:
    """Whether a token names the very flow on which it came: only who has a dialog through us was given it."""
    if sealed is None or (sealed.transport, sealed.local, sealed.remote) != (flow.transport, flow.local, flow.remote):
        return False
    return not flow.reliable or sealed.id == flow.id


def _is_local(host: str) -> bool:
    """Whether an address is one of this machine: then, and only then, a socket can be bound to it."""
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return False
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
