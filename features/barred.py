"""Who may not call a number hears so (GRP-7)."""

from typing import ClassVar

from features.announcement import announce
from pbx.api import FORBIDDEN, AppContext, Call, Cause, Inquiry


class Barred:
    """The app of calls to members of a group that keeps to itself, and of theirs to others."""

    name: ClassVar[str] = "barred"
    stage: ClassVar[str] = "dial"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        call.log.info(
            "the call is not allowed between these groups", caller=call.caller.party.number, to=call.to.number
        )
        said = ctx.prompts.say("call-not-allowed", language=call.caller.party.language)
        await announce(call, ctx, said)
        return FORBIDDEN

    def explain(self, asked: Inquiry, ctx: AppContext) -> Cause:
        return FORBIDDEN
