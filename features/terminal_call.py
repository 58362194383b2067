"""A call to a terminal: ring its phones and let both talk, or go on where its rules send the call (FWD-8)."""

import asyncio
from typing import ClassVar

from features.conversation import talk
from features.do_not_disturb import wants_no_calls
from features.forwarding import ALWAYS_STATUS, Rules, may_go_on, rules_of
from pbx.api import (
    BUSY,
    NO_ANSWER,
    NORMAL,
    NOT_FOUND,
    AppContext,
    Call,
    Cause,
    DialOutcome,
    FileSource,
    GoTo,
    Next,
    PlaySource,
    Ringing,
    Terminal,
    ToneSource,
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
        if wants_no_calls(ctx, terminal):
            return DialOutcome(None, BUSY)
        return await ctx.ring(call, terminal, how=Ringing(rules.ring_s, hears=_heard(ctx, terminal)))

    @staticmethod
    async def _send_on(
        call: Call, ctx: AppContext, terminal: Terminal, rule: tuple[str, int], cause: Cause, *, rang: bool = False
    ) -> Next:
        """Go on to the target of a rule; without one, or after too many, the call ends."""
        target, status = rule
        if target and may_go_on(call, ctx, terminal, target, status, rang=rang):
            await asyncio.sleep(PAUSE_S)
            return GoTo(target, cause)
        ends_with = NO_ANSWER if target else cause
        if not call.transferred:  # a transfer returns
            await ctx.play_failure(call, ends_with)
        return ends_with


def _heard(ctx: AppContext, terminal: Terminal) -> tuple[PlaySource, ...]:
    """What callers hear while the terminal rings, in place of the tone of the country: who talks already lets them know
    (FEAT-24), others may have a sound of their own (RBT-1)."""
    if ctx.office.features.call_waiting_notice and ctx.calls_at(terminal.number):
        return NOTICE, ctx.hold_music
    own = ctx.sound(terminal.ringback)
    return () if own is None else (FileSource(own.path, loop=True),)
