"""What the four transactions share: a table, a request, a flow, one deadline."""

from enum import IntEnum
from typing import Any, ClassVar, Self

from sipcore.actions import NOTHING, Actions
from sipcore.flow import Flow
from sipcore.fsm import Table
from sipcore.message import Request, Response
from sipcore.timers import DEFAULT_TIMERS, TimerConfig
from sipcore.transaction.keys import Key


class Transaction:
    """One request on one flow. `owner` is the user of the transaction, for whoever drives it.

    `_data` is what would be retransmitted; `_interval` and `_give_up_at` belong to the timers that do so.
    """

    TABLE: ClassVar[Table[Any, Any]]
    FIRST: ClassVar[IntEnum]
    FLOW_FAILED: ClassVar[IntEnum]

    __slots__ = (
        "_data",
        "_give_up_at",
        "_interval",
        "_timers",
        "deadline",
        "flow",
        "key",
        "owner",
        "queued_at",
        "request",
        "state",
    )

    def __init__(
        self, key: Key, request: Request, flow: Flow, owner: object = None, timers: TimerConfig = DEFAULT_TIMERS
    ) -> None:
        self.key, self.request, self.flow, self.owner = key, request, flow, owner
        self.state = self.FIRST
        self.deadline: float | None = None
        self.queued_at: float | None = None
        self._timers = timers
        self._data = b""
        self._interval = timers.t1
        self._give_up_at = 0.0

    def on_timer(self, now: float) -> Actions:
        """The moment in `deadline` has come."""
        raise NotImplementedError

    def flow_failed(self, now: float) -> Actions:
        """The transport could not deliver, or its connection closed."""
        return self._step(self.FLOW_FAILED, None, now)

    def _step(self, on: IntEnum, message: Request | Response | None, now: float) -> Actions:
        row = self.TABLE.index[self.state][on] or self.TABLE.row(self.state, on)
        if row is None:
            return NOTHING
        self.state = row.to
        actions: Actions = getattr(self, row.do)(message, now)
        return actions


class ClientBase(Transaction):
    """A request of ours."""

    __slots__ = ()

    def on(self, flow: Flow) -> Self:
        """The same from the beginning, on another path."""
        return type(self)(self.key, self.request, flow, self.owner, self._timers)

    def start(self, now: float) -> Actions:
        """Send it for the first time."""
        raise NotImplementedError

    def receive(self, response: Response, now: float) -> Actions:
        raise NotImplementedError


class ServerBase(Transaction):
    """A request of the peer."""

    __slots__ = ()

    def receive(self, request: Request, now: float) -> Actions:
        raise NotImplementedError

    def respond(self, response: Response, now: float) -> Actions:
        raise NotImplementedError
