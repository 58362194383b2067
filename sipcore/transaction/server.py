"""Non-INVITE server transaction: RFC 3261 §17.2.2, without 100 responses (RFC 4320 §4.1)."""

from enum import IntEnum

from sipcore.actions import FINISHED, Actions, FlowFailed, Send
from sipcore.fsm import Ignored, Row, Table
from sipcore.message import Request, Response
from sipcore.timers import forget_at
from sipcore.transaction.base import ServerBase


class State(IntEnum):
    TRYING = 0
    PROCEEDING = 1
    COMPLETED = 2
    TERMINATED = 3


class On(IntEnum):
    TIMER_J = 0
    REQUEST = 1
    SEND_PROVISIONAL = 2
    SEND_FINAL = 3
    FLOW_FAILED = 4


S, I = State, On  # noqa: E741

TABLE = Table(
    "non-INVITE server",
    State,
    On,
    [
        Row(S.TRYING, I.SEND_PROVISIONAL, S.PROCEEDING, "_send", "RFC 3261 §17.2.2"),
        Row(S.TRYING, I.SEND_FINAL, S.COMPLETED, "_complete", "RFC 3261 §17.2.2"),
        Row(S.TRYING, I.FLOW_FAILED, S.TERMINATED, "_fail", "RFC 3261 §17.2.4"),
        Row(S.PROCEEDING, I.REQUEST, S.PROCEEDING, "_repeat", "RFC 3261 §17.2.2"),
        Row(S.PROCEEDING, I.SEND_PROVISIONAL, S.PROCEEDING, "_send", "RFC 3261 §17.2.2"),
        Row(S.PROCEEDING, I.SEND_FINAL, S.COMPLETED, "_complete", "RFC 3261 §17.2.2"),
        Row(S.PROCEEDING, I.FLOW_FAILED, S.TERMINATED, "_fail", "RFC 3261 §17.2.4"),
        Row(S.COMPLETED, I.REQUEST, S.COMPLETED, "_repeat", "RFC 3261 §17.2.2"),
        Row(S.COMPLETED, I.TIMER_J, S.TERMINATED, "_finish", "RFC 3261 §17.2.2"),
        Row(S.COMPLETED, I.FLOW_FAILED, S.TERMINATED, "_finish", "RFC 3261 §17.2.4"),
    ],
    [
        Ignored(S.TRYING, (I.TIMER_J,), "not running"),
        Ignored(S.TRYING, (I.REQUEST,), "copies are discarded until there is a response"),
        Ignored(S.PROCEEDING, (I.TIMER_J,), "not running"),
        Ignored(S.COMPLETED, (I.SEND_PROVISIONAL, I.SEND_FINAL), "the final response is out"),
        Ignored(S.TERMINATED, tuple(On), "terminated"),
    ],
)


class ServerTransaction(ServerBase):
    """One request other than INVITE and ACK, received on one flow."""

    TABLE = TABLE
    FIRST = State.TRYING
    FLOW_FAILED = On.FLOW_FAILED
    __slots__ = ()

    def receive(self, request: Request, now: float) -> Actions:
        return self._step(On.REQUEST, None, now)

    def respond(self, response: Response, now: float) -> Actions:
        return self._step(On.SEND_PROVISIONAL if response.status < 200 else On.SEND_FINAL, response, now)

    def on_timer(self, now: float) -> Actions:
        return self._step(On.TIMER_J, None, now)

    def _send(self, response: Response, now: float) -> Actions:
        self._data = bytes(response)
        return (Send(self._data, self.flow),)

    def _repeat(self, _: None, now: float) -> Actions:
        return (Send(self._data, self.flow),)

    def _complete(self, response: Response, now: float) -> Actions:
        self._data = bytes(response)
        if self.flow.reliable:
            self.state = State.TERMINATED
            return (Send(self._data, self.flow), FINISHED)
        self.request = self.request.outline()  # thousands wait like this
        self.deadline = forget_at(now, self._timers.give_up)
        return (Send(self._data, self.flow),)

    def _fail(self, _: None, now: float) -> Actions:
        self.deadline = None
        return (FlowFailed(), FINISHED)

    def _finish(self, _: None, now: float) -> Actions:
        self.deadline = None
        return (FINISHED,)
