"""The response context: one request received, its branches, and what goes back upstream (RFC 3261 §16.7-§16.10).

A provisional response and every 2xx of an INVITE go upstream at once; of all failures the best one, when no branch
is left. For requests other than INVITE: RFC 4320, nothing but 100 before the final response and no 408 at all.
"""

from collections.abc import Callable
from enum import IntEnum

from sipcore.actions import FINISHED, NOTHING, Action, Actions, Respond, SendRequest, Tell
from sipcore.build import response_to
from sipcore.fsm import Ignored, Row, Table
from sipcore.message import Request, Response
from sipcore.proxy.best import Outcome, best, with_all_challenges
from sipcore.proxy.branch import Branch
from sipcore.proxy.forward import breadth, copy_for, without_our_via
from sipcore.proxy.plan import Hop, HopFailed, Plan
from sipcore.timers import TimerConfig
from sipcore.transaction.keys import Key

TIMER_C_S = 300.0  # more than three minutes (§16.6 step 11); phones repeat their 180 every minute (§13.3.1.1)
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326
RETRY_AFTER_S = 5
_NEXT_ON = (408, 430, 503)


class State(IntEnum):
    OPEN = 0
    CLOSING = 1
    ANSWERED = 2


class On(IntEnum):
    PROVISIONAL = 0
    SUCCESS = 1
    FAILURE = 2
    DECLINED = 3
    CANCEL = 4
    EXHAUSTED = 5
    DECIDED = 6


S, I = State, On  # noqa: E741

TABLE = Table(
    "proxy response context",
    State,
    On,
    [
        Row(S.OPEN, I.PROVISIONAL, S.OPEN, "_progress", "RFC 3261 §16.7"),
        Row(S.OPEN, I.SUCCESS, S.ANSWERED, "_succeed", "RFC 3261 §16.7"),
        Row(S.OPEN, I.FAILURE, S.OPEN, "_collect", "RFC 3261 §16.7"),
        Row(S.OPEN, I.DECLINED, S.CLOSING, "_give_up", "RFC 3261 §16.7"),
        Row(S.OPEN, I.DECIDED, S.ANSWERED, "_decide", "RFC 3261 §16.7"),
        Row(S.OPEN, I.CANCEL, S.CLOSING, "_give_up", "RFC 3261 §16.10"),
        Row(S.OPEN, I.EXHAUSTED, S.ANSWERED, "_answer", "RFC 3261 §16.7"),
        Row(S.CLOSING, I.SUCCESS, S.ANSWERED, "_succeed", "RFC 3261 §16.7"),
        Row(S.CLOSING, I.FAILURE, S.CLOSING, "_collect", "RFC 3261 §16.7"),
        Row(S.CLOSING, I.DECLINED, S.CLOSING, "_collect", "RFC 3261 §16.7"),
        Row(S.CLOSING, I.DECIDED, S.CLOSING, "_collect", "RFC 3261 §16.7"),
        Row(S.CLOSING, I.EXHAUSTED, S.ANSWERED, "_answer", "RFC 3261 §16.7"),
        Row(S.ANSWERED, I.SUCCESS, S.ANSWERED, "_repeat", "RFC 6026 §7.2"),
        Row(S.ANSWERED, I.EXHAUSTED, S.ANSWERED, "_finish", "RFC 3261 §16.7"),
    ],
    [
        Ignored(S.CLOSING, (I.PROVISIONAL,), "nobody waits for it to ring"),
        Ignored(S.CLOSING, (I.CANCEL,), "every branch is being cancelled"),
        Ignored(S.ANSWERED, (I.PROVISIONAL, I.FAILURE, I.DECLINED, I.DECIDED), "the final response is out"),
        Ignored(S.ANSWERED, (I.CANCEL,), "too late (§9.2)"),
    ],
)


class ResponseContext:
    """`make_branch` gives the branch parameter of the next copy."""

    TABLE = TABLE
    __slots__ = (
        "_branches", "_company_at", "_groups", "_make_branch", "_plan", "_reason", "_share", "_spare", "_timer_c_s",
        "_trying_at", "deadline", "is_withdrawn", "key", "queued_at", "request", "state",
    )  # fmt: skip

    def __init__(
        self,
        key: Key,
        request: Request,
        plan: Plan,
        make_branch: Callable[[], str],
        timers: TimerConfig,
        timer_c_s: float = TIMER_C_S,
    ) -> None:
        self.key, self.request, self._plan = key, request, plan
        self._groups = list(plan.groups)
        self._make_branch, self._timer_c_s = make_branch, timer_c_s
        self._branches: dict[str, Branch] = {}
        self._spare = breadth(request)
        self._share = max(1, self._spare // max(1, sum(map(len, plan.groups))))
        self.state = State.OPEN
        self.is_withdrawn = False
        self._reason = ""
        self._company_at: float | None = None
        # RFC 4320 §4.1: 100 when Timer E of the sender has grown to T2, over streams as well
        self._trying_at = None if request.method == "INVITE" else 0.0
        self.deadline: float | None = None
        self.queued_at: float | None = None
        self._set_trying(timers)

    def _set_trying(self, timers: TimerConfig) -> None:
        if self._trying_at is not None:
            wait, interval = 0.0, timers.t1
            while interval < timers.t2:
                wait, interval = wait + interval, interval * 2
            self._trying_at = wait

    @property
    def is_invite(self) -> bool:
        return self.request.method == "INVITE"

    @property
    def is_over(self) -> bool:
        return self.state is State.ANSWERED and not self._pending()

    # --- inputs -----------------------------------------------------------------------------------------------

    def start(self, now: float) -> Actions:
        """Send to the first group."""
        if self._trying_at is not None:
            self._trying_at += now
        return self._settled(self._next_group(now), now)

    def receive(self, branch_id: str, response: Response, now: float) -> Actions:
        """A response to one of the copies."""
        branch, status = self._branches[branch_id], response.status
        if status < 200:
            return self._settled((*branch.progress(status, now), *self._step(On.PROVISIONAL, response, now)), now)
        actions = branch.end(Outcome(status, response), now)
        on = On.SUCCESS if status < 300 else On.FAILURE if status < 600 else On.DECLINED
        if self._plan.failover and status >= 300 and status not in _NEXT_ON:
            on = On.DECIDED
        return self._settled((*actions, *self._step(on, response, now)), now)

    def failed(self, branch_id: str, status: int, now: float) -> Actions:
        """No final response came (408) or the flow failed (503)."""
        branch = self._branches[branch_id]
        if branch.is_done:
            return NOTHING
        status = branch.hop.gone if status == 503 else status
        actions = branch.end(Outcome(status), now)
        told = NOTHING if self.is_withdrawn else self._told(branch)
        return self._settled((*actions, *told, *self._step(On.FAILURE, None, now)), now)

    def cancelled(self, reason: str, now: float) -> Actions:
        """The sender gave up: with a CANCEL, or by going away."""
        if not self.is_invite:
            return NOTHING
        self.is_withdrawn, self._reason = True, reason
        return self._settled(self._step(On.CANCEL, None, now), now)

    def on_timer(self, now: float) -> Actions:
        actions: list[Action] = []
        for branch in self._branches.values():
            actions += branch.on_timer(now)
        if self._company_at is not None and now >= self._company_at:
            silent = [each for each in self._pending() if each.is_silent]
            actions += [action for branch in silent for action in self._told(branch)]
            actions += self._next_group(now)
        if self._trying_at is not None and now >= self._trying_at:
            self._trying_at = None
            if self.state is State.OPEN:
                actions.append(Respond(self.key, response_to(self.request, 100)))
        return self._settled(tuple(actions), now)

    # --- rows -------------------------------------------------------------------------------------------------

    def _step(self, on: On, response: Response | None, now: float) -> Actions:
        row = TABLE.row(self.state, on)
        if row is None:
            return NOTHING
        self.state = row.to
        actions: Actions = getattr(self, row.do)(response, now)
        return actions

    def _progress(self, response: Response, now: float) -> Actions:
        self._company_at = None
        if response.status == 100 or not self.is_invite:
            return NOTHING
        return (Respond(self.key, without_our_via(response)),)

    def _succeed(self, response: Response, now: float) -> Actions:
        self._groups.clear()
        return (Respond(self.key, without_our_via(response)), *self._cancel_pending(ELSEWHERE, now))

    def _decide(self, response: Response, now: float) -> Actions:
        """A server has spoken; those that were asked because it took its time need not."""
        self._groups.clear()
        return (Respond(self.key, without_our_via(response)), *self._cancel_pending(ELSEWHERE, now))

    def _repeat(self, response: Response, now: float) -> Actions:
        return (Respond(self.key, without_our_via(response)),) if self.is_invite else NOTHING

    def _collect(self, response: Response | None, now: float) -> Actions:
        return NOTHING

    def _give_up(self, response: Response | None, now: float) -> Actions:
        self._groups.clear()
        return self._cancel_pending(self._reason, now)

    def _answer(self, response: Response | None, now: float) -> Actions:
        outcomes = [each.outcome for each in self._branches.values() if each.outcome is not None]
        chosen = best(outcomes) if outcomes else Outcome(440)
        if self.is_withdrawn and chosen.response is None:
            chosen = Outcome(487)
        if chosen.status == 408 and not self.is_invite:
            return (FINISHED,)  # RFC 4320 §4.2
        return (Respond(self.key, self._final(chosen, outcomes)), FINISHED)

    def _finish(self, response: Response | None, now: float) -> Actions:
        return (FINISHED,)

    # --- parts of them ----------------------------------------------------------------------------------------

    def _final(self, chosen: Outcome, outcomes: list[Outcome]) -> Response:
        """What goes upstream. A 503 of one target says nothing of us and becomes a 500 (§16.7 step 6); when all
        servers that could do it are out of service the sender may as well wait."""
        if chosen.status == 503 and not self._plan.failover:
            return response_to(self.request, 500, to_tag=self._tag(chosen))
        if chosen.response is not None:
            return with_all_challenges(without_our_via(chosen.response), outcomes)
        extra = [("Retry-After", RETRY_AFTER_S)] if chosen.status == 503 else ()
        return response_to(self.request, chosen.status, to_tag=self._tag(chosen), extra=extra)

    def _tag(self, chosen: Outcome) -> str:
        """Of the branch whose response this replaces, else one that no other element uses."""
        of_response = chosen.response.to.tag if chosen.response is not None else None
        return of_response or (next(iter(self._branches), "") or self._make_branch())[-16:]

    def _told(self, branch: Branch) -> Actions:
        return (Tell(HopFailed(branch.hop.name)),) if branch.hop.name is not None else NOTHING

    def _pending(self) -> list[Branch]:
        return [each for each in self._branches.values() if not each.is_done]

    def _cancel_pending(self, reason: str, now: float) -> Actions:
        """Only an INVITE can be cancelled (§9.1)."""
        if not self.is_invite:
            return NOTHING
        return tuple([action for branch in self._pending() for action in branch.cancel(reason, now)])

    def _next_group(self, now: float) -> Actions:
        """As many of the next targets as the breadth allows (RFC 5393 §5.3.3)."""
        self._company_at = None
        if not self._groups:
            return NOTHING
        hops = self._groups.pop(0)[: self._spare // self._share]
        actions = [self._send(hop) for hop in hops]
        self._spare -= self._share * len(hops)
        if self._groups and self._plan.patience_s is not None:
            self._company_at = now + self._plan.patience_s
        return tuple(actions)

    def _send(self, hop: Hop) -> SendRequest:
        branch_id = self._make_branch()
        request = copy_for(self.request, hop, branch_id, self._share)
        self._branches[branch_id] = Branch(branch_id, request, hop, self._timer_c_s)
        return SendRequest(request, hop.flow, branch_id)

    def _settled(self, actions: Actions, now: float) -> Actions:
        """Go on with the next group or the end when no branch is left, and note when to wake up."""
        more = list(actions)
        while not self._pending():
            sent = self._next_group(now) if self.state is State.OPEN and self._may_go_on() else NOTHING
            more += sent or self._step(On.EXHAUSTED, None, now)
            if not sent:
                break
        self._set_deadline()
        return tuple(more)

    def _may_go_on(self) -> bool:
        outcomes = [each.outcome for each in self._branches.values() if each.outcome is not None]
        return not self._plan.failover or all(each.status in _NEXT_ON for each in outcomes)

    def _set_deadline(self) -> None:
        moments = [each.timer_c_at for each in self._branches.values()]
        if self.state is State.OPEN:
            moments += [self._company_at, self._trying_at]
        self.deadline = min((at for at in moments if at is not None), default=None)
