"""Non-INVITE client transaction: RFC 3261 §17.1.2.

The request is retransmitted (Timer E, doubling up to T2; every T2 once a provisional response came) until a final
response arrives or Timer F gives up. Copies of the final response are absorbed until Timer K.
"""

from enum import IntEnum

from sipcore.actions import FINISHED, Actions, FlowFailed, Received, Send, TimedOut
from sipcore.fsm import Ignored, Row, Table
from sipcore.message import Response
from sipcore.timers import forget_at
from sipcore.transaction.base import ClientBase


class State(IntEnum):
    TRYING = 0
    PROCEEDING = 1
    COMPLETED = 2
    TERMINATED = 3


class On(IntEnum):
    TIMER_E = 0
    TIMER_F = 1
    TIMER_K = 2
    PROVISIONAL = 3
    FINAL = 4
    FLOW_FAILED = 5


S, I = State, On  # noqa: E741

TABLE = Table(
    "non-INVITE client",
    State,
    On,
    [
        Row(S.TRYING, I.TIMER_E, S.TRYING, "_retransmit", "RFC 3261 §17.1.2.2"),
        Row(S.TRYING, I.TIMER_F, S.TERMINATED, "_time_out", "RFC 3261 §17.1.2.2"),
        Row(S.TRYING, I.PROVISIONAL, S.PROCEEDING, "_proceed", "RFC 3261 §17.1.2.2"),
        Row(S.TRYING, I.FINAL, S.COMPLETED, "_complete", "RFC 3261 §17.1.2.2"),
        Row(S.TRYING, I.FLOW_FAILED, S.TERMINATED, "_fail", "RFC 3261 §17.1.4"),
        Row(S.PROCEEDING, I.TIMER_E, S.PROCEEDING, "_retransmit", "RFC 3261 §17.1.2.2"),
        Row(S.PROCEEDING, I.TIMER_F, S.TERMINATED, "_time_out", "RFC 3261 §17.1.2.2"),
        Row(S.PROCEEDING, I.PROVISIONAL, S.PROCEEDING, "_pass_up", "RFC 3261 §17.1.2.2"),
        Row(S.PROCEEDING, I.FINAL, S.COMPLETED, "_complete", "RFC 3261 §17.1.2.2"),
        Row(S.PROCEEDING, I.FLOW_FAILED, S.TERMINATED, "_fail", "RFC 3261 §17.1.4"),
        Row(S.COMPLETED, I.TIMER_K, S.TERMINATED, "_finish", "RFC 3261 §17.1.2.2"),
    ],
    [
        Ignored(S.TRYING, (I.TIMER_K,), "not running"),
        Ignored(S.PROCEEDING, (I.TIMER_K,), "not running"),
        Ignored(S.COMPLETED, (I.TIMER_E, I.TIMER_F), "not running"),
        Ignored(S.COMPLETED, (I.PROVISIONAL, I.FINAL), "copies of what was already reported"),
        Ignored(S.COMPLETED, (I.FLOW_FAILED,), "the answer is here"),
        Ignored(S.TERMINATED, tuple(On), "terminated"),
    ],
)


class ClientTransaction(ClientBase):
    """One request other than INVITE and ACK, sent on one flow."""

    TABLE = TABLE
    FIRST = State.TRYING
    FLOW_FAILED = On.FLOW_FAILED
    __slots__ = ()

    def start(self, now: float) -> Actions:
        self._data = bytes(self.request)
        self._give_up_at = now + self._timers.give_up
        self.deadline = self._give_up_at if self.flow.reliable else now + self._interval
        return (Send(self._data, self.flow),)

    def receive(self, response: Response, now: float) -> Actions:
        return self._step(On.PROVISIONAL if response.status < 200 else On.FINAL, response, now)

    def on_timer(self, now: float) -> Actions:
        if self.state is State.COMPLETED:
            return self._step(On.TIMER_K, None, now)
        return self._step(On.TIMER_F if now >= self._give_up_at else On.TIMER_E, None, now)

    def _retransmit(self, _: Response | None, now: float) -> Actions:
        t2 = self._timers.t2
        self._interval = t2 if self.state is State.PROCEEDING else min(self._interval * 2, t2)
        self.deadline = min(now + self._interval, self._give_up_at)
        return (Send(self._data, self.flow),)

    def _proceed(self, response: Response, now: float) -> Actions:
        return (Received(response),)

    def _pass_up(self, response: Response, now: float) -> Actions:
        return (Received(response),)

    def _complete(self, response: Response, now: float) -> Actions:
        if self.flow.reliable:
            self.state, self.deadline = State.TERMINATED, None
            return (Received(response), FINISHED)
        self.deadline = forget_at(now, self._timers.t4)
        return (Received(response),)

    def _time_out(self, _: Response | None, now: float) -> Actions:
        self.deadline = None
        return (TimedOut(), FINISHED)

    def _fail(self, _: Response | None, now: float) -> Actions:
        self.deadline = None
        return (FlowFailed(), FINISHED)

    def _finish(self, _: Response | None, now: float) -> Actions:
        self.deadline = None
        return (FINISHED,)
