"""Transfers by codes (FEAT-4, FEAT-5): with the same outcome as those that phones do by themselves."""

from features.call_codes import Talk, ask_target
from features.dialogue import Dialogue
from pbx.api import NORMAL, AppContext


async def blind_transfer(ctx: AppContext, talk: Talk) -> None:
    """The other is sent on at once, and who transfers is out of it."""
    target = await ask_target(ctx, talk)
    if not target or talk.bridge.has_ended:
        return
    if ctx.transfer(talk.mine, talk.other, target):
        ctx.play_hold(talk.other)
        talk.mine.hangup(NORMAL)
    else:
        await _failed(ctx, talk)


async def attended_transfer(ctx: AppContext, talk: Talk) -> None:
    """The other waits while both employees talk."""
    target = await ask_target(ctx, talk)
    if target and not talk.bridge.has_ended and not ctx.consult(talk.mine, talk.other, target):
        await _failed(ctx, talk)


async def _failed(ctx: AppContext, talk: Talk) -> None:
    """There is no such number: the conversation goes on."""
    await Dialogue(talk.mine, ctx).say("transfer-failed")
