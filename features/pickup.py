"""Taking a call that rings elsewhere (FEAT-19…FEAT-22): the code with a number, or the code alone for one's own group.

Only who may call each other may take each other's calls (GRP-8).
"""

from collections.abc import Iterator
from typing import ClassVar

from features.dialogue import Dialogue
from frozen import dataclass
from pbx.api import NORMAL, NOT_FOUND, AppContext, Call, Leg, Next


@dataclass(frozen=True, slots=True)
class Pickup:
    """`number` is the one that rings, "" for any of the group: the call that has rung longest."""

    number: str
    name: ClassVar[str] = "pickup"
    stage: ClassVar[str] = "application"

    async def run(self, call: Call, ctx: AppContext) -> Next:
        picker = call.caller
        await ctx.prepare(call)
        if not any(ctx.pick_up(ringing, picker) for ringing in self._ringing(call, ctx)):
            picker.answer()
            await Dialogue(picker, ctx).say("pickup-nothing")
            return NOT_FOUND
        return NORMAL

    def _ringing(self, call: Call, ctx: AppContext) -> Iterator[Call]:
        """Calls that may be taken, the one that rings longest first."""
        for other in sorted(ctx.calls.values(), key=lambda each: each.started_at):
            is_meant = other is not call and call.wanted_call in ("", other.id)
            if is_meant and any(self._is_wanted(call, ctx, leg) for leg in other.ringing_legs):
                yield other

    def _is_wanted(self, call: Call, ctx: AppContext, leg: Leg) -> bool:
        """`call.wanted_leg` names one of several that ring there (FEAT-21)."""
        picker, number = call.caller.party.number, leg.party.number
        is_there = number == self.number if self.number else number != picker
        is_exact = call.wanted_leg in ("", leg.side.sip_call_id)
        return is_there and is_exact and ctx.may_pick_up(picker, number)
