"""Requests that are too large for a datagram take a stream to the same host: RFC 3261 §18.1.1.

Only on paths that we chose by an address, as that of a gateway or a provider: a phone is reached where it registered
from, and behind NAT nowhere else. A host that takes no stream gets the request as a datagram after all, and for an hour
the next ones at once.
"""

from collections.abc import Callable

from sipcore.actions import SendRequest
from sipcore.flow import Flow
from sipcore.headers import Via

LARGEST_DATAGRAM = 1300  # bytes, where nobody knows the MTU
NO_STREAM_S = 3600.0
_MOST_HOSTS = 1000


class LargeRequests:
    """`stream_to` finds the stream that goes where a datagram path goes; None when there is none."""

    def __init__(self, stream_to: Callable[[Flow], Flow | None]) -> None:
        self._stream_to = stream_to
        self._datagram: dict[tuple[str, str], Flow] = {}
        self._no_stream: dict[tuple[str, int], float] = {}

    def fitting(self, action: SendRequest, now: float) -> SendRequest:
        """The request on the path that suits its size, its Via saying so."""
        flow = action.flow
        if not flow.by_address or flow.reliable or self._no_stream.get(flow.remote, now) > now:
            return action
        stream = self._stream_to(flow) if len(bytes(action.request)) > LARGEST_DATAGRAM else None
        if stream is None:
            return action
        self._datagram[action.branch, action.request.method] = flow
        return _over(action, stream)

    def failed(self, action: SendRequest, now: float) -> SendRequest | None:
        """The same as a datagram, when its stream was our idea and could not be opened."""
        flow = self._datagram.pop((action.branch, action.request.method), None)
        if flow is None:
            return None
        if len(self._no_stream) >= _MOST_HOSTS:
            self._no_stream.clear()
        self._no_stream[flow.remote] = now + NO_STREAM_S
        return _over(action, flow)

    def forget(self, branch: str, method: str) -> None:
        """That request was answered over its stream."""
        self._datagram.pop((branch, method), None)


def _over(action: SendRequest, flow: Flow) -> SendRequest:
    host, port = flow.local
    via = action.request.via
    action.request.replace_via(Via(flow.transport, host, port, via.params))
    return SendRequest(action.request, flow, action.branch, action.owner)
