"""The shell around the stack: sockets feed it, its outbox goes to sockets, one timer is armed.

The user gives a handler for events and calls `kick()` after it used the stack outside a handler.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import structlog

from sipcore.events import StackEvent
from sipcore.flow import Flow
from sipcore.layer import TransactionLayer
from sipcore.stack import SipStack

log = structlog.get_logger("sip")
LAG_SMOOTHING = 0.1  # one late timer is a pause of the machine, many are overload
LAG_KEPT_S = 0.5  # what was measured longer ago says nothing


class Path(Protocol):
    """One listening datagram socket or one connection."""

    def send(self, data: bytes, remote: tuple[str, int]) -> None: ...

    def close(self) -> None: ...


Opener = Callable[[Flow, bytes], None]
Gate = Callable[[bytes, Flow], bytes | None]


class LayerDriver:
    """Drives one transaction layer, with what stands on it, on an asyncio loop."""

    def __init__(self, stack: TransactionLayer, handler: Callable[[StackEvent], None]) -> None:
        self.stack, self._handler = stack, handler
        self._loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self._loop.time
        self.gate: Gate | None = None  # judges what comes in: None lets it in, bytes are the answer instead
        self.on_closed: Callable[[Flow], None] | None = None  # told of connections that are gone
        self._paths: dict[int, Path] = {}
        self._openers: dict[tuple[str, bool], Opener] = {}
        self._next_id = self._failed_events = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._lag_s = self._lag_at = 0.0
        self._received: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._pumping = False
        self._kicked = False

    # --- paths ------------------------------------------------------------------------------------------------

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def add_path(self, path_id: int, path: Path) -> None:
        self._paths[path_id] = path

    def drop_path(self, flow: Flow) -> None:
        """The connection of `flow` is gone."""
        if self._paths.pop(flow.id, None) is not None:
            self.stack.flow_closed(flow, self._loop.time())
            if self.on_closed is not None:
                self.on_closed(flow)
            self.pump()

    def set_opener(self, transport: str, opener: Opener, *, is_ipv6: bool = False) -> None:
        """How to reach a flow of `transport` and address family whose connection is not open."""
        self._openers[transport, is_ipv6] = opener

    def is_open(self, flow: Flow) -> bool:
        return flow.id in self._paths

    # --- in and out -------------------------------------------------------------------------------------------

    def feed(self, data: bytes, flow: Flow) -> None:
        """One datagram or framed message from the network."""
        self._received[flow.transport] += 1
        if self.gate is not None and (answer := self.gate(data, flow)) is not None:
            if answer:
                self._send(answer, flow)
            return
        self.stack.receive(data, flow, self._loop.time())
        self.pump()

    def send(self, data: bytes, flow: Flow) -> None:
        """Bytes that are no message of the stack: a keep-alive."""
        self._send(data, flow)

    def kick(self) -> None:
        """The stack was used from outside a handler: send what it has, soon."""
        if not self._pumping and not self._kicked:
            self._kicked = True
            self._loop.call_soon(self._kicked_pump)

    def _kicked_pump(self) -> None:
        self._kicked = False
        self.pump()

    def pump(self) -> None:
        """Move everything that moves, then arm the timer."""
        if self._pumping:
            return
        self._pumping = True
        try:
            stack = self.stack
            while True:
                for data, flow in stack.outgoing():
                    self._send(data, flow)
                event = stack.next_event()
                if event is None:
                    break
                try:
                    self._handler(event)
                except Exception:
                    self._failed_events += 1
                    log.exception("an event could not be handled", sip_event=type(event).__name__)
        finally:
            self._pumping = False
        self._arm()

    def _send(self, data: bytes, flow: Flow) -> None:
        self._sent[flow.transport] += 1
        path = self._paths.get(flow.id)
        if path is not None:
            path.send(data, flow.remote)
            return
        opener = self._openers.get((flow.transport, ":" in flow.remote[0]))
        if opener is not None:
            opener(flow, data)
        else:
            self.unreachable(flow)

    def unreachable(self, flow: Flow) -> None:
        """`flow` cannot be (re)opened: whatever waits on it fails, after the current step."""
        self._loop.call_soon(self._failed, flow)

    def _failed(self, flow: Flow) -> None:
        self.stack.flow_closed(flow, self._loop.time())
        self.pump()

    # --- time -------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        wanted = self.stack.deadline()
        if wanted == self._timer_at and self._timer is not None:
            return
        if self._timer is not None and wanted is not None and self._timer_at is not None and self._timer_at < wanted:
            return  # it will find nothing due and arm itself again: cheaper than cancelling for each message
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = wanted
        if wanted is not None:
            self._timer = self._loop.call_at(wanted, self._on_timer)

    @property
    def lag_s(self) -> float:
        """How late timers run at the moment, smoothed: what everything on the event loop waits."""
        return self._lag_s if self._loop.time() - self._lag_at < LAG_KEPT_S else 0.0

    def _on_timer(self) -> None:
        now, due = self._loop.time(), self._timer_at
        if due is not None:
            self._lag_s += LAG_SMOOTHING * (now - due - self.lag_s)
            self._lag_at = now
        self._timer = self._timer_at = None
        self.stack.on_timer(now)
        self.pump()

    def describe(self) -> dict[str, object]:
        """Live dump: sockets and connections, messages by transport, lateness of timers."""
        return {
            "paths": len(self._paths),
            "received": {transport.lower(): count for transport, count in self._received.items()},
            "sent": {transport.lower(): count for transport, count in self._sent.items()},
            "lag_ms": round(self.lag_s * 1e3, 1),
            "failed_events": self._failed_events,
        }

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for path in list(self._paths.values()):
            path.close()
        self._paths.clear()
        await asyncio.sleep(0)


class SipDriver(LayerDriver):
    """Drives a stack of user agents."""

    stack: SipStack

    def __init__(self, stack: SipStack, handler: Callable[[StackEvent], None]) -> None:
        super().__init__(stack, handler)
