"""A call to a terminal: ring its phones and let both talk, or go on where its rules send the call (FWD-8)."""

import asyncio
from typing import ClassVar

from features._refusal import explain_refusal
from features.conversation import talk
from features.do_not_disturb import wants_no_calls
from features.forwarding import ALWAYS_STATUS, Rules, explain_always, may_go_on, rules_of
from features.working_hours import is_off_duty
from pbx.api import (
    BUSY,
    NO_ANSWER,
    NORMAL,
    NOT_FOUND,
    UNAVAILABLE,
    AppContext,
    Arrived,
    Call,
    Cause,
    DialOutcome,
    FileSource,
    GoTo,
    Inquiry,
    Next,
    PlaySource,
    Ringing,
    Terminal,
    ToneSource,
    say,
)

PAUSE_S = 1.0  # FWD-8
NOTICE = ToneSource((((425.0,), 150), ((), 350)), loop=False, level_db=-20.0)  # FEAT-24


class TerminalCall:
    """The app behind every internal number that is a terminal."""

    name: ClassVar[str] = "terminal"
    stage: ClassVar[str] = "dial"

    def __init__(self, terminal: Terminal) -> None:
        self._number = terminal.number

    async def run(self, call: Call, ctx: AppContext) -> Next:
        terminal = ctx.terminal(self._number)
        if terminal is None:
            return NOT_FOUND
        rules = rules_of(call, ctx, terminal)
        if rules.always:
            return await self._send_on(call, ctx, terminal, (rules.always, ALWAYS_STATUS), NORMAL)
        outcome = await self._ring(call, ctx, terminal, rules)
        if outcome.answered is not None:
            return await talk(call, outcome.answered)
        if outcome.sent_on_to:
            return GoTo(outcome.sent_on_to, outcome.cause)
        return await self._send_on(call, ctx, terminal, rules.after(outcome), outcome.cause, rang=outcome.has_rung)

    async def _ring(self, call: Call, ctx: AppContext, terminal: Terminal, rules: Rules) -> DialOutcome:
        if is_off_duty(call, ctx, terminal):
            return DialOutcome(None, UNAVAILABLE)
        if wants_no_calls(ctx, terminal):
            return DialOutcome(None, BUSY)
        return await ctx.ring(call, terminal, how=Ringing(rules.ring_s, hears=_heard(ctx, terminal)))

    @staticmethod
    async def _send_on(
        call: Call, ctx: AppContext, terminal: Terminal, rule: tuple[str, int], cause: Cause, *, rang: bool = False
    ) -> Next:
        """Go on to the target of a rule; without one, or after too many, the call ends."""
        step = _onward(call, ctx, terminal, rule, cause, rang=rang)
        if isinstance(step, GoTo):
            await asyncio.sleep(PAUSE_S)
        elif not call.transferred:  # a transfer returns
            await ctx.play_failure(call, step)
        return step

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        terminal = ctx.terminal(self._number)
        if terminal is None:
            return NOT_FOUND
        rules = rules_of(asked, ctx, terminal)
        explain_always(asked, ctx, terminal)
        if rules.always:
            return _explain_onward(asked, ctx, terminal, (rules.always, ALWAYS_STATUS), NORMAL)
        refusal = explain_refusal(asked, ctx, terminal)
        after = ("", 0) if refusal is None else rules.after(DialOutcome(None, refusal))
        for rule, target, cause, when in (
            ("forward.busy", rules.busy, BUSY, say("when it is busy")),
            ("forward.unavailable", rules.unavailable, UNAVAILABLE, say("when it cannot be reached")),
            ("forward.no_answer", rules.no_answer, NO_ANSWER, say("after it has rung for {s:g} s", s=rules.ring_s)),
        ):
            holds = cause is refusal and bool(target)
            leads = say("goes on to {target} {when}" if target else "no target {when}", target=target, when=when)
            asked.tried(rule, matched=holds, why=say("goes on to {target}", target=target) if holds else leads)
        if refusal is not None:
            return _explain_onward(asked, ctx, terminal, after, refusal)
        return Arrived((terminal.number,), say("rings at {phones}", phones=", ".join(ctx.phones(terminal))))


def _onward(
    call: Call | Inquiry, ctx: AppContext, terminal: Terminal, rule: tuple[str, int], cause: Cause, *, rang: bool
) -> GoTo | Cause:
    """What a rule makes of the call."""
    target, status = rule
    if not target:
        return cause
    return GoTo(target, cause) if may_go_on(call, ctx, terminal, target, status, rang=rang) else NO_ANSWER


def _explain_onward(
    asked: Inquiry, ctx: AppContext, terminal: Terminal, rule: tuple[str, int], cause: Cause
) -> GoTo | Cause:
    step = _onward(asked, ctx, terminal, rule, cause, rang=False)
    if rule[0] and isinstance(step, Cause):
        most = ctx.office.forwarding.max_forwards
        why = say("the call has been at {number} already, or was sent on {most} times", number=rule[0], most=most)
        asked.tried("forwarding.max_forwards", matched=True, why=why)
    return step


def _heard(ctx: AppContext, terminal: Terminal) -> tuple[PlaySource, ...]:
    """What callers hear while the terminal rings, in place of the tone of the country: who talks already lets them know
    (FEAT-24), others may have a sound of their own (RBT-1)."""
    if ctx.office.features.call_waiting_notice and ctx.calls_at(terminal.number):
        return NOTICE, ctx.hold_music
    own = ctx.sound(terminal.ringback)
    return () if own is None else (FileSource(own.path, loop=True),)
