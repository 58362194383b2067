"""INVITE server transaction: RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1.

A 100 goes out by itself when the user has said nothing for 200 ms. A failure is retransmitted (Timer G) until its ACK
comes or Timer H gives up. A 2xx is retransmitted by the user of the transaction, end to end; Accepted stays so that
copies of the INVITE are absorbed and not taken for new calls.
"""

from enum import IntEnum

from sipcore.actions import FINISHED, NOTHING, AckMissing, AckReceived, Actions, FlowFailed, Send
from sipcore.build import response_to
from sipcore.fsm import Ignored, Row, Table
from sipcore.message import Request, Response
from sipcore.timers import forget_at
from sipcore.transaction.base import ServerBase

TRYING_AFTER_S = 0.2  # RFC 3261 §17.2.1


class State(IntEnum):
    PROCEEDING = 0
    COMPLETED = 1
    CONFIRMED = 2
    ACCEPTED = 3
    TERMINATED = 4


class On(IntEnum):
    TIMER_TRYING = 0
    TIMER_G = 1
    TIMER_H = 2
    TIMER_I = 3
    TIMER_L = 4
    INVITE = 5
    ACK = 6
    SEND_PROVISIONAL = 7
    SEND_SUCCESS = 8
    SEND_FAILURE = 9
    FLOW_FAILED = 10


S, I = State, On  # noqa: E741

TABLE = Table(
    "INVITE server",
    State,
    On,
    [
        Row(S.PROCEEDING, I.TIMER_TRYING, S.PROCEEDING, "_trying", "RFC 3261 §17.2.1"),
        Row(S.PROCEEDING, I.INVITE, S.PROCEEDING, "_repeat", "RFC 3261 §17.2.1"),
        Row(S.PROCEEDING, I.SEND_PROVISIONAL, S.PROCEEDING, "_provisional", "RFC 3261 §17.2.1"),
        Row(S.PROCEEDING, I.SEND_SUCCESS, S.ACCEPTED, "_accept", "RFC 6026 §7.1"),
        Row(S.PROCEEDING, I.SEND_FAILURE, S.COMPLETED, "_complete", "RFC 3261 §17.2.1"),
        Row(S.PROCEEDING, I.FLOW_FAILED, S.TERMINATED, "_fail", "RFC 3261 §17.2.4"),
        Row(S.COMPLETED, I.TIMER_G, S.COMPLETED, "_retransmit", "RFC 3261 §17.2.1"),
        Row(S.COMPLETED, I.TIMER_H, S.TERMINATED, "_no_ack", "RFC 3261 §17.2.1"),
        Row(S.COMPLETED, I.INVITE, S.COMPLETED, "_repeat", "RFC 3261 §17.2.1"),
        Row(S.COMPLETED, I.ACK, S.CONFIRMED, "_confirm", "RFC 3261 §17.2.1"),
        Row(S.COMPLETED, I.FLOW_FAILED, S.TERMINATED, "_finish", "RFC 3261 §17.2.4"),
        Row(S.CONFIRMED, I.TIMER_I, S.TERMINATED, "_finish", "RFC 3261 §17.2.1"),
        Row(S.ACCEPTED, I.SEND_SUCCESS, S.ACCEPTED, "_provisional", "RFC 6026 §7.1"),
        Row(S.ACCEPTED, I.ACK, S.ACCEPTED, "_pass_ack", "RFC 6026 §7.1"),
        Row(S.ACCEPTED, I.TIMER_L, S.TERMINATED, "_finish", "RFC 6026 §7.1"),
        Row(S.ACCEPTED, I.FLOW_FAILED, S.ACCEPTED, "_tell", "RFC 6026 §7.1"),
    ],
    [
        Ignored(S.PROCEEDING, (I.TIMER_G, I.TIMER_H, I.TIMER_I, I.TIMER_L), "not running"),
        Ignored(S.PROCEEDING, (I.ACK,), "nothing to acknowledge yet"),
        Ignored(S.COMPLETED, (I.TIMER_TRYING, I.TIMER_I, I.TIMER_L), "not running"),
        Ignored(S.COMPLETED, (I.SEND_PROVISIONAL, I.SEND_SUCCESS, I.SEND_FAILURE), "the final response is out"),
        Ignored(S.CONFIRMED, (I.TIMER_TRYING, I.TIMER_G, I.TIMER_H, I.TIMER_L), "not running"),
        Ignored(S.CONFIRMED, (I.INVITE, I.ACK), "copies under way are absorbed (RFC 3261 §17.2.1)"),
        Ignored(S.CONFIRMED, (I.SEND_PROVISIONAL, I.SEND_SUCCESS, I.SEND_FAILURE), "the final response is out"),
        Ignored(S.CONFIRMED, (I.FLOW_FAILED,), "nothing of ours is on the way"),
        Ignored(S.ACCEPTED, (I.TIMER_TRYING, I.TIMER_G, I.TIMER_H, I.TIMER_I), "not running"),
        Ignored(S.ACCEPTED, (I.INVITE,), "copies are absorbed, the user repeats its 2xx (RFC 6026 §7.1)"),
        Ignored(S.ACCEPTED, (I.SEND_PROVISIONAL, I.SEND_FAILURE), "the final response is out"),
        Ignored(S.TERMINATED, tuple(On), "terminated"),
    ],
)


class InviteServerTransaction(ServerBase):
    """One INVITE received on one flow; responses go out on the same."""

    TABLE = TABLE
    FIRST = State.PROCEEDING
    FLOW_FAILED = On.FLOW_FAILED
    __slots__ = ()

    @property
    def is_proceeding(self) -> bool:
        """No final response has been given."""
        return self.state is State.PROCEEDING

    def start(self, now: float) -> Actions:
        self.deadline = now + TRYING_AFTER_S
        return NOTHING

    def receive(self, request: Request, now: float) -> Actions:
        """A copy of the INVITE, or its ACK."""
        return self._step(On.ACK if request.method == "ACK" else On.INVITE, request, now)

    def respond(self, response: Response, now: float) -> Actions:
        status = response.status
        on = On.SEND_PROVISIONAL if status < 200 else On.SEND_SUCCESS if status < 300 else On.SEND_FAILURE
        return self._step(on, response, now)

    def on_timer(self, now: float) -> Actions:
        if self.state is State.COMPLETED:
            return self._step(On.TIMER_H if now >= self._give_up_at else On.TIMER_G, None, now)
        if self.state is State.PROCEEDING:
            return self._step(On.TIMER_TRYING, None, now)
        return self._step(On.TIMER_I if self.state is State.CONFIRMED else On.TIMER_L, None, now)

    def _trying(self, _: None, now: float) -> Actions:
        return self._provisional(response_to(self.request, 100), now)

    def _provisional(self, response: Response, now: float) -> Actions:
        if self.state is State.PROCEEDING:
            self.deadline = None
        self._data = bytes(response)
        return (Send(self._data, self.flow),)

    def _repeat(self, _: Request, now: float) -> Actions:
        return (Send(self._data, self.flow),) if self._data else NOTHING

    def _accept(self, response: Response, now: float) -> Actions:
        self.deadline = forget_at(now, self._timers.give_up)
        self._data = b""  # the user repeats its 2xx
        return (Send(bytes(response), self.flow),)

    def _complete(self, response: Response, now: float) -> Actions:
        self._give_up_at = now + self._timers.give_up
        self.deadline = self._give_up_at if self.flow.reliable else now + self._interval
        self._data = bytes(response)
        return (Send(self._data, self.flow),)

    def _retransmit(self, _: None, now: float) -> Actions:
        self._interval = min(self._interval * 2, self._timers.t2)
        self.deadline = min(now + self._interval, self._give_up_at)
        return (Send(self._data, self.flow),)

    def _confirm(self, ack: Request, now: float) -> Actions:
        if self.flow.reliable:
            self.state, self.deadline = State.TERMINATED, None
            return (AckReceived(ack), FINISHED)
        self.deadline = forget_at(now, self._timers.t4)
        return (AckReceived(ack),)

    def _pass_ack(self, ack: Request, now: float) -> Actions:
        return (AckReceived(ack),)

    def _no_ack(self, _: None, now: float) -> Actions:
        self.deadline = None
        return (AckMissing(), FINISHED)

    def _tell(self, _: None, now: float) -> Actions:
        return (FlowFailed(),)

    def _fail(self, _: None, now: float) -> Actions:
        self.deadline = None
        return (FlowFailed(), FINISHED)

    def _finish(self, _: None, now: float) -> Actions:
        self.deadline = None
        return (FINISHED,)
