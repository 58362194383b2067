"""INVITE client transaction: RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2.

Calling retransmits the request (Timer A) until something comes or Timer B gives up. A failure is acknowledged here,
hop by hop, and again for each copy that arrives until Timer D. A 2xx is acknowledged by the user of the transaction,
end to end: Accepted hands up every 2xx, those of other forks included, until Timer M. Proceeding lasts as long as the
peer likes, until the INVITE is abandoned (cancelled, or its dialog ended): then 64*T1 are left (§9.1).
"""

from enum import IntEnum

from sipcore.actions import FINISHED, NOTHING, Actions, FlowFailed, Received, Send, TimedOut
from sipcore.build import ack_for
from sipcore.flow import Flow
from sipcore.fsm import Ignored, Row, Table
from sipcore.message import Request, Response
from sipcore.timers import DEFAULT_TIMERS, TimerConfig, forget_at
from sipcore.transaction.base import ClientBase
from sipcore.transaction.keys import Key


class State(IntEnum):
    CALLING = 0
    PROCEEDING = 1
    COMPLETED = 2
    ACCEPTED = 3
    TERMINATED = 4


class On(IntEnum):
    TIMER_A = 0
    TIMER_B = 1
    TIMER_D = 2
    TIMER_M = 3
    PROVISIONAL = 4
    SUCCESS = 5
    FAILURE = 6
    FLOW_FAILED = 7
    ABANDON = 8
    TIMER_ABANDONED = 9


S, I = State, On  # noqa: E741

TABLE = Table(
    "INVITE client",
    State,
    On,
    [
        Row(S.CALLING, I.TIMER_A, S.CALLING, "_retransmit", "RFC 3261 §17.1.1.2"),
        Row(S.CALLING, I.TIMER_B, S.TERMINATED, "_time_out", "RFC 3261 §17.1.1.2"),
        Row(S.CALLING, I.PROVISIONAL, S.PROCEEDING, "_proceed", "RFC 3261 §17.1.1.2"),
        Row(S.CALLING, I.SUCCESS, S.ACCEPTED, "_accept", "RFC 6026 §7.2"),
        Row(S.CALLING, I.FAILURE, S.COMPLETED, "_complete", "RFC 3261 §17.1.1.2"),
        Row(S.CALLING, I.FLOW_FAILED, S.TERMINATED, "_fail", "RFC 3261 §17.1.4"),
        Row(S.CALLING, I.ABANDON, S.CALLING, "_abandon_later", "RFC 3261 §9.1"),
        Row(S.PROCEEDING, I.PROVISIONAL, S.PROCEEDING, "_pass_up", "RFC 3261 §17.1.1.2"),
        Row(S.PROCEEDING, I.ABANDON, S.PROCEEDING, "_abandon", "RFC 3261 §9.1"),
        Row(S.PROCEEDING, I.TIMER_ABANDONED, S.TERMINATED, "_time_out", "RFC 3261 §9.1"),
        Row(S.PROCEEDING, I.SUCCESS, S.ACCEPTED, "_accept", "RFC 6026 §7.2"),
        Row(S.PROCEEDING, I.FAILURE, S.COMPLETED, "_complete", "RFC 3261 §17.1.1.2"),
        Row(S.PROCEEDING, I.FLOW_FAILED, S.TERMINATED, "_fail", "RFC 3261 §17.1.4"),
        Row(S.COMPLETED, I.FAILURE, S.COMPLETED, "_acknowledge", "RFC 3261 §17.1.1.2"),
        Row(S.COMPLETED, I.TIMER_D, S.TERMINATED, "_finish", "RFC 3261 §17.1.1.2"),
        Row(S.COMPLETED, I.FLOW_FAILED, S.TERMINATED, "_finish", "RFC 3261 §17.1.1.2"),
        Row(S.ACCEPTED, I.SUCCESS, S.ACCEPTED, "_pass_up", "RFC 6026 §7.2"),
        Row(S.ACCEPTED, I.TIMER_M, S.TERMINATED, "_finish", "RFC 6026 §7.2"),
    ],
    [
        Ignored(S.CALLING, (I.TIMER_D, I.TIMER_M, I.TIMER_ABANDONED), "not running"),
        Ignored(S.PROCEEDING, (I.TIMER_A, I.TIMER_B, I.TIMER_D, I.TIMER_M), "a provisional response stopped them"),
        Ignored(S.COMPLETED, (I.TIMER_A, I.TIMER_B, I.TIMER_M, I.TIMER_ABANDONED), "not running"),
        Ignored(S.COMPLETED, (I.ABANDON,), "over already"),
        Ignored(S.COMPLETED, (I.PROVISIONAL, I.SUCCESS), "late: the first final response counts"),
        Ignored(S.ACCEPTED, (I.TIMER_A, I.TIMER_B, I.TIMER_D, I.TIMER_ABANDONED), "not running"),
        Ignored(S.ACCEPTED, (I.ABANDON,), "over already"),
        Ignored(S.ACCEPTED, (I.PROVISIONAL, I.FAILURE), "late: the 2xx counts (RFC 6026 §7.2)"),
        Ignored(S.ACCEPTED, (I.FLOW_FAILED,), "nothing of ours is on the way"),
        Ignored(S.TERMINATED, tuple(On), "terminated"),
    ],
)


class InviteClientTransaction(ClientBase):
    """One INVITE sent on one flow."""

    TABLE = TABLE
    FIRST = State.CALLING
    FLOW_FAILED = On.FLOW_FAILED
    __slots__ = ("_abandoned", "ack")

    def __init__(
        self, key: Key, request: Request, flow: Flow, owner: object = None, timers: TimerConfig = DEFAULT_TIMERS
    ) -> None:
        super().__init__(key, request, flow, owner, timers)
        self.ack = b""
        self._abandoned = False

    def start(self, now: float) -> Actions:
        self._data = bytes(self.request)
        self._give_up_at = now + self._timers.give_up
        self.deadline = self._give_up_at if self.flow.reliable else now + self._interval
        return (Send(self._data, self.flow),)

    def receive(self, response: Response, now: float) -> Actions:
        status = response.status
        on = On.PROVISIONAL if status < 200 else On.SUCCESS if status < 300 else On.FAILURE
        return self._step(on, response, now)

    def on_timer(self, now: float) -> Actions:
        if self.state is State.CALLING:
            return self._step(On.TIMER_B if now >= self._give_up_at else On.TIMER_A, None, now)
        if self.state is State.PROCEEDING:
            return self._step(On.TIMER_ABANDONED, None, now)
        return self._step(On.TIMER_D if self.state is State.COMPLETED else On.TIMER_M, None, now)

    def abandon(self, now: float) -> Actions:
        """Nobody waits for the outcome any longer: stay 64*T1 for a final response, not for ever."""
        return self._step(On.ABANDON, None, now)

    def _retransmit(self, _: Response | None, now: float) -> Actions:
        self._interval *= 2
        self.deadline = min(now + self._interval, self._give_up_at)
        return (Send(self._data, self.flow),)

    def _proceed(self, response: Response, now: float) -> Actions:
        self.deadline = now + self._timers.give_up if self._abandoned else None
        self._data = b""  # it came: there is nothing to send again
        return (Received(response),)

    def _abandon_later(self, _: Response | None, now: float) -> Actions:
        self._abandoned = True
        return NOTHING

    def _abandon(self, _: Response | None, now: float) -> Actions:
        if not self._abandoned:
            self._abandoned, self.deadline = True, now + self._timers.give_up
        return NOTHING

    def _pass_up(self, response: Response, now: float) -> Actions:
        return (Received(response),)

    def _accept(self, response: Response, now: float) -> Actions:
        self.deadline = forget_at(now, self._timers.give_up)
        self._data = b""
        return (Received(response),)

    def _complete(self, response: Response, now: float) -> Actions:
        self.ack = bytes(ack_for(self.request, response))
        if self.flow.reliable:
            self.state, self.deadline = State.TERMINATED, None
            return (Send(self.ack, self.flow), Received(response), FINISHED)
        self.deadline = forget_at(now, self._timers.wait_d)
        return (Send(self.ack, self.flow), Received(response))

    def _acknowledge(self, response: Response, now: float) -> Actions:
        return (Send(self.ack, self.flow),)

    def _time_out(self, _: Response | None, now: float) -> Actions:
        self.deadline = None
        return (TimedOut(), FINISHED)

    def _fail(self, _: Response | None, now: float) -> Actions:
        self.deadline = None
        return (FlowFailed(), FINISHED)

    def _finish(self, _: Response | None, now: float) -> Actions:
        self.deadline = None
        return (FINISHED,)
