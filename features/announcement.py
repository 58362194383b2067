"""What the server says to a caller, without anybody else."""

from pbx.api import NORMAL, NOT_FOUND, AppContext, Call, Cause, Playlist, ToneSource

DONE = ToneSource((((1000.0,), 100), ((), 100), ((1000.0,), 100), ((), 400)), loop=False, level_db=-20.0)


async def announce(call: Call, ctx: AppContext, said: Playlist) -> None:
    """Play to the end, as early media where the caller is not answered and takes it."""
    caller = call.caller
    await ctx.prepare(call)
    caller.ring(early_media=True)
    if said.files and (caller.is_answered or caller.has_early_media):
        await caller.play(said)


async def confirm(call: Call, ctx: AppContext, said: Playlist | None) -> Cause:
    """The answer to a code: two short beeps and what has been done; a refusal, and the tone of a failed call, when the
    code means nothing."""
    if said is None:
        await ctx.play_failure(call, NOT_FOUND)
        return NOT_FOUND
    await ctx.prepare(call)
    call.caller.answer()
    await call.caller.play(DONE)
    if said.files:
        await call.caller.play(said)
    return NORMAL
