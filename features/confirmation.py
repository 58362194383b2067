"""What somebody hears who has dialled a code that changes something."""

from pbx.api import NORMAL, NOT_FOUND, AppContext, Call, Cause, ToneSource

DONE = ToneSource((((1000.0,), 100), ((), 100), ((1000.0,), 100), ((), 400)), loop=False, level_db=-20.0)


async def confirm(call: Call, ctx: AppContext, *, is_done: bool) -> Cause:
    """Two short beeps when it is done; the tone of a failed call, and 404, when the code means nothing."""
    if not is_done:
        await ctx.play_failure(call, NOT_FOUND)
        return NOT_FOUND
    await ctx.prepare(call)
    call.caller.answer()
    await call.caller.play(DONE)
    return NORMAL
