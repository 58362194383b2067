"""Targets that end a call (FEAT-35)."""

from typing import ClassVar

from pbx.api import BUSY, UNAVAILABLE, AppContext, Call, Cause


class HangUp:
    """Ends the call without a word."""

    name: ClassVar[str] = "hangup"
    stage: ClassVar[str] = "dial"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        return UNAVAILABLE


class Busy:
    """The caller is told that the number is busy."""

    name: ClassVar[str] = "busy"
    stage: ClassVar[str] = "dial"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        if not call.transferred:  # a transfer returns
            await ctx.play_failure(call, BUSY)
        return BUSY
