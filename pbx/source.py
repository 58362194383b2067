"""Where a request really comes from: the peer itself, or the phone that an edge of ours tells of (RFC 3581 §4)."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from conf.fields import Network
from sipcore.errors import ParseError
from sipcore.flow import Flow
from sipcore.headers import Via
from sipcore.message import Request


class Sources:
    """`edges` are believed what they note about the hop before them; nobody else is."""

    def __init__(self, edges: Sequence[Network] = ()) -> None:
        self._edges = tuple(edges)
        self._known: dict[str, bool] = {}

    def is_edge(self, host: str) -> bool:
        """Whether one of our edges is there."""
        if not self._edges:
            return False
        found = self._known.get(host)
        if found is None:
            if len(self._known) > 10_000:
                self._known.clear()
            address = ip_address(host)
            found = self._known[host] = any(address in net for net in self._edges if net.version == address.version)
        return found

    def of(self, request: Request, flow: Flow) -> Flow:
        """The path of the phone itself: `flow`, or what the last edge on the way saw."""
        if not self.is_edge(flow.remote[0]):
            return flow
        try:
            seen = [found for via in request.headers.all(Via)[1:] if (found := _seen(via, flow)) is not None]
        except ParseError:
            return flow
        return next((each for each in seen if not self.is_edge(each.remote[0])), flow)


def _seen(via: Via, flow: Flow) -> Flow | None:
    """The source that the receiver of that hop noted in it."""
    port = int(via.rport) if via.rport and via.rport.isascii() and via.rport.isdigit() else via.port or 5060
    try:
        host = str(ip_address(via.received or via.host))
    except ValueError:
        return None
    return replace(flow, transport=via.transport, remote=(host, port), id=0)
