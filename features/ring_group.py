"""A call to a group: its members ring, all at once or one after the other (GRP-1).

A member's own rules are followed as far as they are known before it rings (GRP-10): all calls, busy, unavailable, and
those only that lead to another terminal. How long the group rings, and where the call goes then, the group says.
"""

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar

from features._refusal import refusal_of
from features.conversation import talk
from features.forwarding import rules_of
from pbx.api import (
    BUSY,
    NO_ANSWER,
    UNAVAILABLE,
    AppContext,
    Arrived,
    Call,
    Cause,
    DialOutcome,
    GoTo,
    Group,
    Inquiry,
    Next,
    Ringing,
    Terminal,
    say,
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

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        group, causes = self._group, list[Cause]()
        found: list[str] = []
        for member in group.members:
            terminals = self._to_ring(asked, ctx, [member], causes)
            found += [each.number for each in terminals if each.number not in found]
            if terminals:
                phones = ", ".join(ctx.phones(terminals[0]))
                why = say("{number} can be rung: {phones}", number=terminals[0].number, phones=phones)
            else:
                why = say(causes[-1].text.lower())
            asked.tried(f"member {member}", matched=bool(terminals), why=why)
        target = group.timeout_target
        asked.tried(
            "timeout_target",
            matched=not found and bool(target),
            why=say("goes on to {target} when nobody answers" if target else "no target", target=target),
        )
        if not found:
            return GoTo(target, _sum_of(causes)) if target else _sum_of(causes)
        if group.strategy == "ringall":
            return Arrived(tuple(found), say("ring for {s} s", s=group.ring_time))
        if group.strategy == "random":
            return Arrived(tuple(found), say("ring one after the other for {s} s, in any order", s=group.ring_time))
        return Arrived((found[0],), say("rings for {s} s, then the next member", s=group.ring_time))

    def _rounds(self) -> Iterator[Sequence[str]]:
        """Who rings together."""
        members = list(self._group.members)
        if self._group.strategy == "ringall":
            yield members
            return
        if self._group.strategy == "random":
            random.shuffle(members)
        yield from ([member] for member in members)

    def _to_ring(
        self, call: Call | Inquiry, ctx: AppContext, members: Sequence[str], causes: list[Cause]
    ) -> list[Terminal]:
        """The terminals that ring for these members, each once; why others do not is added to `causes`."""
        found: dict[str, Terminal] = {}
        for member in members:
            terminal = self._terminal_for(call, ctx, member)
            if isinstance(terminal, Cause):
                causes.append(terminal)
            else:
                found[terminal.number] = terminal
        return list(found.values())

    def _terminal_for(self, call: Call | Inquiry, ctx: AppContext, number: str) -> Terminal | Cause:
        has_rules = not (self._group.ignore_forwarding or ctx.office.forwarding.skip_groups)
        seen: set[str] = set()
        while number not in seen and (terminal := ctx.terminal(number)) is not None:
            seen.add(number)
            refusal = refusal_of(ctx, terminal, call.moment)
            number = _further(call, ctx, terminal, refusal) if has_rules else ""
            if not number:
                return refusal or terminal
        return UNAVAILABLE


def _further(call: Call | Inquiry, ctx: AppContext, terminal: Terminal, refusal: Cause | None) -> str:
    """Where the terminal's own rules send the call."""
    rules = rules_of(call, ctx, terminal)
    return rules.always or (rules.after(DialOutcome(None, refusal))[0] if refusal is not None else "")


def _sum_of(causes: Sequence[Cause]) -> Cause:
    """Somebody was rung, or all were busy, or nobody was there."""
    if NO_ANSWER in causes:
        return NO_ANSWER
    return BUSY if BUSY in causes else next(iter(causes), UNAVAILABLE)
