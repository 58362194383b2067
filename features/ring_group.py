"""A call to a group: its members ring, all at once or one after the other (GRP-1).

A member's own rules are followed as far as they are known before it rings (GRP-10): all calls, busy, unavailable, and
those only that lead to another terminal. How long the group rings, and where the call goes then, the group says.
"""

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar

from features.conversation import talk
from features.do_not_disturb import wants_no_calls
from features.forwarding import rules_of
from pbx.api import (
    BUSY,
    NO_ANSWER,
    UNAVAILABLE,
    AppContext,
    Call,
    Cause,
    DialOutcome,
    GoTo,
    Group,
    Next,
    Ringing,
    Terminal,
)


class RingGroup:
    """The app behind the number of a group."""

    name: ClassVar[str] = "group"
    stage: ClassVar[str] = "group"

    def __init__(self, group: Group) -> None:
        self._group = group

    async def run(self, call: Call, ctx: AppContext) -> Next:
        how = Ringing(float(self._group.ring_time), follows=False)
        causes: list[Cause] = []
        for members in self._rounds():
            terminals = self._to_ring(call, ctx, members, causes)
            if terminals:
                outcome = await ctx.ring(call, *terminals, how=how)
                if outcome.answered is not None:
                    return await talk(call, outcome.answered)
                causes.append(outcome.cause)
        cause = _sum_of(causes)
        if self._group.timeout_target:
            return GoTo(self._group.timeout_target, cause)
        if not call.transferred:  # a transfer returns
            await ctx.play_failure(call, cause)
        return cause

    def _rounds(self) -> Iterator[Sequence[str]]:
        """Who rings together."""
        members = list(self._group.members)
        if self._group.strategy == "ringall":
            yield members
            return
        if self._group.strategy == "random":
            random.shuffle(members)
        yield from ([member] for member in members)

    def _to_ring(self, call: Call, ctx: AppContext, members: Sequence[str], causes: list[Cause]) -> list[Terminal]:
        """The terminals that ring for these members, each once; why others do not is added to `causes`."""
        found: dict[str, Terminal] = {}
        for member in members:
            terminal = self._terminal_for(call, ctx, member)
            if isinstance(terminal, Cause):
                causes.append(terminal)
            else:
                found[terminal.number] = terminal
        return list(found.values())

    def _terminal_for(self, call: Call, ctx: AppContext, number: str) -> Terminal | Cause:
        has_rules = not (self._group.ignore_forwarding or ctx.office.forwarding.skip_groups)
        seen: set[str] = set()
        while number not in seen and (terminal := ctx.terminal(number)) is not None:
            seen.add(number)
            refusal = _refusal(ctx, terminal)
            number = _further(call, ctx, terminal, refusal) if has_rules else ""
            if not number:
                return refusal or terminal
        return UNAVAILABLE


def _refusal(ctx: AppContext, terminal: Terminal) -> Cause | None:
    """Why a terminal need not be rung."""
    if wants_no_calls(ctx, terminal) or ctx.calls_at(terminal.number) >= terminal.max_calls:
        return BUSY
    return None if ctx.is_reachable(terminal) else UNAVAILABLE


def _further(call: Call, ctx: AppContext, terminal: Terminal, refusal: Cause | None) -> str:
    """Where the terminal's own rules send the call."""
    rules = rules_of(call, ctx, terminal)
    return rules.always or (rules.after(DialOutcome(None, refusal))[0] if refusal is not None else "")


def _sum_of(causes: Sequence[Cause]) -> Cause:
    """Somebody was rung, or all were busy, or nobody was there."""
    if NO_ANSWER in causes:
        return NO_ANSWER
    return BUSY if BUSY in causes else next(iter(causes), UNAVAILABLE)
