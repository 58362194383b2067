"""Numbers to test a phone with (FEAT-32): an echo and a 1000 Hz tone."""

from typing import ClassVar

from pbx.api import NORMAL, AppContext, Call, Cause, ToneSource

ECHO_NUMBER = "10003246"
TONE_NUMBER = "000064"
TONE = ToneSource((((1000.0,), 1000),), loop=True, level_db=-10.0)


class Echo:
    """Sends back what the caller says, in whatever codec the caller prefers."""

    name: ClassVar[str] = "echo"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await ctx.prepare(call)
        call.caller.answer(call.caller.media.offered_formats)
        call.caller.echo()
        await call.caller.until_ended()
        return NORMAL


class MilliwattTone:
    """Plays 1000 Hz until the caller hangs up."""

    name: ClassVar[str] = "tone"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await ctx.prepare(call)
        call.caller.answer()
        await call.caller.start_play(TONE)
        return NORMAL
