"""A call to a terminal: ring its phones, let both talk, until one of them hangs up."""

from typing import ClassVar

from pbx.api import NORMAL, NOT_FOUND, AppContext, Call, Next, Terminal


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
        outcome = await ctx.ring(call, terminal)
        callee = outcome.answered
        if callee is None:
            await ctx.play_failure(call, outcome.cause)
            return outcome.cause
        bridge = callee.bridge or call.connect(call.caller, callee)
        call.caller.answer(callee.media.formats_for_other_side)
        gone = await bridge.until_one_left()
        return gone.cause or NORMAL
