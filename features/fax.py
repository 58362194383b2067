"""Faxes on external numbers (INB-32): a number that is a fax, and one where a fax is noticed before anybody rings."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

from pbx.api import NORMAL, SERVER_ERROR, AppContext, Call, Cause, ExternalNumber, FaxLine, NoFaxHere

FAX = "fax"  # the service that takes them, and the stage of history
LISTEN_S = 5.0  # a calling fax says so every three seconds and a half

T = TypeVar("T")


class TakeFax:
    """The service: the pages are kept, and told to whoever gets the faxes of the number."""

    name: ClassVar[str] = FAX
    stage: ClassVar[str] = FAX

    async def run(self, call: Call, ctx: AppContext) -> Cause:
        await ctx.prepare(call)
        ctx.answer_for_fax(call)
        try:
            line = await ctx.fax_line(call.caller)
        except NoFaxHere as error:
            call.log.error("a fax cannot be taken", why=str(error))
            return SERVER_ERROR
        try:
            await asyncio.shield(line.receive(ctx.recording_path(call, FAX).with_suffix(".tif")))
        finally:
            line.close()
        return NORMAL


async def unless_fax(
    call: Call, ctx: AppContext, number: ExternalNumber, work: Callable[[], Awaitable[T]]
) -> tuple[bool, T | None]:
    """Do what is done before anybody rings, and listen meanwhile whether a fax calls: whether it does, and otherwise
    what the work came to. Numbers without faxes do not listen."""
    if number.fax != "detect":
        return False, await work()
    await ctx.prepare(call)
    ctx.answer_for_fax(call)
    try:
        line = await ctx.fax_line(call.caller)
    except NoFaxHere as error:
        call.log.error("nobody listens whether a fax calls", why=str(error))
        return False, await work()
    try:
        return await _listening(call, ctx, line, work)
    finally:
        line.close()


async def _listening(
    call: Call, ctx: AppContext, line: FaxLine, work: Callable[[], Awaitable[T]]
) -> tuple[bool, T | None]:
    working = asyncio.ensure_future(_for_a_while(call, ctx, work))
    try:
        await asyncio.wait((working, line.calling), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return False, working.result()
        call.caller.stop_plays()
        return True, None
    finally:
        working.cancel()


async def _for_a_while(call: Call, ctx: AppContext, work: Callable[[], Awaitable[T]]) -> T:
    """What is over too soon for a fax to be noticed is followed by the tone of a phone that rings."""
    began = ctx.now()
    found = await work()
    left = LISTEN_S - (ctx.now() - began)
    if left > 0:
        call.caller.start_play(ctx.tones.ringback)
        await asyncio.sleep(left)
        call.caller.stop_plays()
    return found
