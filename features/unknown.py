"""Who dials a number that nobody has hears so (FEAT-34)."""

from typing import ClassVar

from features.announcement import announce
from pbx.api import NOT_FOUND, AppContext, Call, Cause


class UnknownNumber:
    """The app of calls of terminals to numbers that are neither of the office nor outside: told before the answer."""

    name: ClassVar[str] = "unknown number"
    stage: ClassVar[str] = "dial"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await announce(call, ctx, ctx.prompts.say("call-number-unknown", language=call.caller.party.language))
        return NOT_FOUND
