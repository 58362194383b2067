"""Who may not call a number hears so (GRP-7)."""

from typing import ClassVar

from pbx.api import FORBIDDEN, AppContext, Call, Cause


class Barred:
    """The app of calls to members of a group that keeps to itself, and of theirs to others."""

    name: ClassVar[str] = "barred"
    stage: ClassVar[str] = "dial"

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        call.log.info(
            "the call is not allowed between these groups", caller=call.caller.party.number, to=call.to.number
        )
        await ctx.play_failure(call, FORBIDDEN)
        return FORBIDDEN
