"""Retransmission of a 2xx to an INVITE until its ACK comes: RFC 3261 §13.3.1.4.

The transaction layer does not do it, because the ACK of a 2xx is a request end to end. Reliable transports are no
exception: a hop further on may be unreliable.
"""

from sipcore.actions import FINISHED, NOTHING, Actions, Send
from sipcore.flow import Flow
from sipcore.timers import TimerConfig


class SuccessRetransmission:
    """One 2xx. `on_timer` sends it again (T1 doubling to T2); after 64*T1 it reports FINISHED: nobody listens."""

    __slots__ = ("_data", "_flow", "_give_up_at", "_interval", "_t2", "cseq", "deadline")

    def __init__(self, data: bytes, cseq: int, flow: Flow, now: float, timers: TimerConfig) -> None:
        self._data, self._flow, self.cseq = data, flow, cseq
        self._interval, self._t2 = timers.t1, timers.t2
        self._give_up_at = now + timers.give_up
        self.deadline: float | None = now + self._interval

    def on_timer(self, now: float) -> Actions:
        if self.deadline is None or now < self.deadline:
            return NOTHING
        if now >= self._give_up_at:
            self.deadline = None
            return (FINISHED,)
        self._interval = min(self._interval * 2, self._t2)
        self.deadline = min(now + self._interval, self._give_up_at)
        return (Send(self._data, self._flow),)

    def acknowledged(self, cseq: int) -> bool:
        """The ACK with this CSeq number came; False when it belongs to another INVITE or came before."""
        if cseq != self.cseq or self.deadline is None:
            return False
        self.deadline = None
        return True
