"""Targets that nobody dials (FEAT-35): the end of a call, and the number that was called from outside."""

from typing import ClassVar

from pbx.api import BUSY, NORMAL, UNAVAILABLE, AppContext, Call, Cause, GoTo, Inquiry, Next


class HangUp:
    """Ends the call without a word."""

    name: ClassVar[str] = "hangup"
    stage: ClassVar[str] = "dial"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        return UNAVAILABLE

    def explain(self, asked: Inquiry, ctx: AppContext) -> Cause:
        return UNAVAILABLE


class Busy:
    """The caller is told that the number is busy."""

    name: ClassVar[str] = "busy"
    stage: ClassVar[str] = "dial"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        if not call.transferred:  # a transfer returns
            await ctx.play_failure(call, BUSY)
        return BUSY

    def explain(self, asked: Inquiry, ctx: AppContext) -> Cause:
        return BUSY


class DidToUser:
    """The terminal whose number is the one that was called (INB-18); without such a terminal the call ends."""

    name: ClassVar[str] = "did2user"
    stage: ClassVar[str] = "application"

    async def run(self, call: Call, ctx: AppContext) -> Next:
        return self._next(call, ctx)

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next:
        return self._next(asked, ctx)

    @staticmethod
    def _next(call: Call | Inquiry, ctx: AppContext) -> Next:
        number = call.to.number
        return GoTo(number) if ctx.terminal(number) is not None else NORMAL
