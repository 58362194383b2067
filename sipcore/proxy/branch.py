"""One branch of a forked request: how its INVITE is given up (RFC 3261 §16.7 step 2, §16.8, §16.10, §9.1)."""

from enum import IntEnum

from sipcore.actions import NOTHING, Actions, CancelInvite
from sipcore.fsm import Ignored, Row, Table
from sipcore.message import Request
from sipcore.proxy.best import Outcome
from sipcore.proxy.plan import Hop


class State(IntEnum):
    CALLING = 0
    PROCEEDING = 1
    UNWANTED = 2
    CANCELLED = 3
    DONE = 4


class On(IntEnum):
    PROVISIONAL = 0
    FINAL = 1
    FAILED = 2
    TIMER_C = 3
    CANCEL = 4


S, I = State, On  # noqa: E741

TABLE = Table(
    "proxy branch",
    State,
    On,
    [
        Row(S.CALLING, I.PROVISIONAL, S.PROCEEDING, "_proceed", "RFC 3261 §16.7"),
        Row(S.CALLING, I.FINAL, S.DONE, "_end", "RFC 3261 §16.7"),
        Row(S.CALLING, I.FAILED, S.DONE, "_end", "RFC 3261 §16.9"),
        Row(S.CALLING, I.CANCEL, S.UNWANTED, "_wait", "RFC 3261 §9.1"),
        Row(S.PROCEEDING, I.PROVISIONAL, S.PROCEEDING, "_proceed", "RFC 3261 §16.7"),
        Row(S.PROCEEDING, I.FINAL, S.DONE, "_end", "RFC 3261 §16.7"),
        Row(S.PROCEEDING, I.FAILED, S.DONE, "_end", "RFC 3261 §16.9"),
        Row(S.PROCEEDING, I.TIMER_C, S.CANCELLED, "_cancel", "RFC 3261 §16.8"),
        Row(S.PROCEEDING, I.CANCEL, S.CANCELLED, "_cancel", "RFC 3261 §16.10"),
        Row(S.UNWANTED, I.PROVISIONAL, S.CANCELLED, "_cancel", "RFC 3261 §9.1"),
        Row(S.UNWANTED, I.FINAL, S.DONE, "_end", "RFC 3261 §16.7"),
        Row(S.UNWANTED, I.FAILED, S.DONE, "_end", "RFC 3261 §16.9"),
        Row(S.CANCELLED, I.FINAL, S.DONE, "_end", "RFC 3261 §16.7"),
        Row(S.CANCELLED, I.FAILED, S.DONE, "_end", "RFC 3261 §9.1"),
    ],
    [
        Ignored(S.CALLING, (I.TIMER_C,), "not running: Timer B of the transaction is shorter"),
        Ignored(S.UNWANTED, (I.TIMER_C,), "not running"),
        Ignored(S.UNWANTED, (I.CANCEL,), "it waits for a provisional response already"),
        Ignored(S.CANCELLED, (I.PROVISIONAL, I.TIMER_C, I.CANCEL), "the CANCEL is under way"),
        Ignored(S.DONE, tuple(On), "over; a 2xx that comes later is the context's"),
    ],
)


class Branch:
    """A request of ours to one target. `outcome` is how it ended."""

    TABLE = TABLE
    __slots__ = ("_reason", "_timer_c_s", "hop", "id", "outcome", "request", "state", "timer_c_at")

    def __init__(self, branch_id: str, request: Request, hop: Hop, timer_c_s: float) -> None:
        self.id, self.request, self.hop = branch_id, request, hop
        self.state = State.CALLING
        self.outcome: Outcome | None = None
        self.timer_c_at: float | None = None
        self._timer_c_s = timer_c_s
        self._reason = ""

    @property
    def is_done(self) -> bool:
        return self.state is State.DONE

    @property
    def is_silent(self) -> bool:
        """Nothing has come yet."""
        return self.state is State.CALLING

    def progress(self, status: int, now: float) -> Actions:
        """A provisional response; 100 leaves Timer C alone."""
        return self._step(On.PROVISIONAL, now, status)

    def end(self, outcome: Outcome, now: float) -> Actions:
        """A final response, or none will come."""
        self.outcome = outcome
        return self._step(On.FINAL if outcome.response is not None else On.FAILED, now)

    def cancel(self, reason: str, now: float) -> Actions:
        """Its outcome is not wanted any more."""
        self._reason = reason
        return self._step(On.CANCEL, now)

    def on_timer(self, now: float) -> Actions:
        if self.timer_c_at is None or now < self.timer_c_at:
            return NOTHING
        return self._step(On.TIMER_C, now)

    def _step(self, on: On, now: float, status: int = 0) -> Actions:
        row = TABLE.row(self.state, on)
        if row is None:
            return NOTHING
        was, self.state = self.state, row.to
        actions: Actions = getattr(self, row.do)(now, status, was)
        return actions

    def _proceed(self, now: float, status: int, was: State) -> Actions:
        if status > 100 or was is State.CALLING:
            self.timer_c_at = now + self._timer_c_s
        return NOTHING

    def _wait(self, now: float, status: int, was: State) -> Actions:
        return NOTHING

    def _cancel(self, now: float, status: int, was: State) -> Actions:
        self.timer_c_at = None
        return (CancelInvite(self.id, self._reason),)

    def _end(self, now: float, status: int, was: State) -> Actions:
        self.timer_c_at = None
        return NOTHING
