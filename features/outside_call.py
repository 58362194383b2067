"""A call to a number outside: the ways that rules give are tried in their order until somebody answers (OUT-8)."""

from collections.abc import Sequence
from typing import ClassVar

from features.announcement import announce
from features.conversation import talk
from features.forwarding import is_same
from features.spending import Spending
from pbx.api import (
    BUSY,
    DECLINED,
    FORBIDDEN,
    LIMIT_REACHED,
    LOOP,
    NOT_FOUND,
    UNAVAILABLE,
    AppContext,
    Arrived,
    Call,
    Cause,
    Considered,
    Inquiry,
    Leg,
    Next,
    WayOut,
    say,
)

SAID = {  # FEAT-34
    NOT_FOUND.name: "call-cannot-complete",
    FORBIDDEN.name: "call-cannot-complete",
    UNAVAILABLE.name: "call-lines-busy",
}
SORRY = "call-sorry"
BY_TONE = (BUSY, DECLINED)  # what a person out there says is heard as from colleagues


class OutsideCall:
    """The app behind every number outside."""

    name: ClassVar[str] = "outside"
    stage: ClassVar[str] = "dial"

    def __init__(self, number: str, spending: Spending, known_as: str = "") -> None:
        """`known_as`: the number of the office that stands for it."""
        self._number, self._spending, self._known_as = number, spending, known_as

    async def run(self, call: Call, ctx: AppContext) -> Next:
        if self._comes_back(call):
            return LOOP
        considered = ctx.consider_outside(call, self._number)
        cause = self._cause_of_none(call, considered)
        limited = self._limited(considered)
        for stop in self._spending.judge(call, ctx, self._number, limited) if limited else ():
            self._spending.refused(call, ctx, self._number, stop)
            if not stop.is_alert:
                await self._tell(call, ctx, FORBIDDEN, "call-not-allowed")
                return FORBIDDEN
        if limited:
            self._spending.begun(call, ctx, self._number, limited)
        for way in self._ways(call, ctx, considered):
            obstacle = ctx.obstacle(way)
            if obstacle is not None:
                call.log.info("a way outside is passed over", route=way.route, why=str(obstacle))
            else:
                outcome = await ctx.dial_outside(call, self._number, way)
                if outcome.answered is not None:
                    return await self._talk(call, ctx, outcome.answered, is_limited=bool(limited))
                cause = outcome.cause
                if not (cause.may_retry or way.is_emergency):
                    break
            if way.is_last:
                break
        await self._tell(call, ctx, cause)
        return cause

    async def _talk(self, call: Call, ctx: AppContext, callee: Leg, *, is_limited: bool) -> Cause:
        if is_limited:
            self._spending.talks(call, ctx, callee, self._number)
        cause = await talk(call, callee)
        if cause.name == LIMIT_REACHED.name and not call.caller.is_ended:
            await self._tell(call, ctx, cause, "call-limit-reached")
        return cause

    @staticmethod
    def _limited(considered: Sequence[Considered]) -> Sequence[WayOut]:
        """The ways for which limits hold: none for an emergency."""
        ways = [way for each in considered for way in each.ways]
        return [] if any(way.is_emergency for way in ways) else ways

    @staticmethod
    async def _tell(call: Call, ctx: AppContext, cause: Cause, prompt: str = "") -> None:
        """Why nothing comes of the call."""
        if call.transferred:  # a transfer returns
            return
        if cause in BY_TONE:
            await ctx.play_failure(call, cause)
        else:
            said = ctx.prompts.say(prompt or SAID.get(cause.name, SORRY), language=call.caller.party.language)
            await announce(call, ctx, said)

    @staticmethod
    def _ways(call: Call | Inquiry, ctx: AppContext, considered: Sequence[Considered]) -> Sequence[WayOut]:
        """All ways in their order, the same attempt once; first that by which the call came, where the office wants it
        so (FWD-14)."""
        ways: dict[tuple[str, str], WayOut] = {}
        for way in (way for each in considered for way in each.ways):
            ways.setdefault((way.provider.id, way.number), way)
        came_by = call.arrival.provider.id if call.arrival is not None else ""
        prefers = came_by if ctx.office.forwarding.same_provider else ""
        return sorted(ways.values(), key=lambda way: bool(prefers) and way.provider.id != prefers)

    def _cause_of_none(self, call: Call | Inquiry, considered: Sequence[Considered]) -> Cause:
        """Why the call ends when no way is tried. What is wrong with the number is told to who has dialled it."""
        if any(each.ways for each in considered) or call.to.number not in (self._number, self._known_as):
            return UNAVAILABLE
        return FORBIDDEN if any(each.is_barred for each in considered) else NOT_FOUND

    def _comes_back(self, call: Call) -> bool:
        """A call from outside would come in once more where it came in."""
        return call.arrival is not None and is_same(call.arrival.called, self._number)

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        considered = ctx.consider_outside(asked, self._number)
        for each in considered:
            asked.tried(each.rule, matched=bool(each.ways), why=each.why)
        limited = self._limited(considered)
        if limited and self._spending.tell(asked, ctx, self._number, limited) is not None:
            return FORBIDDEN
        usable: list[WayOut] = []
        for way in self._ways(asked, ctx, considered):
            obstacle = ctx.obstacle(way)
            if obstacle is not None:
                asked.tried("provider", matched=False, why=obstacle)
            else:
                usable.append(way)
            if way.is_last:
                break
        if not usable:
            return self._cause_of_none(asked, considered)
        first, *others = usable
        how = say("is dialled as {number} {way}", number=first.number, way=first.way)
        for other in others:
            how = say("{how}, else {number} {way}", how=how, number=other.number, way=other.way)
        return Arrived((self._number,), how)
