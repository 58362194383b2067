"""Paging (FEAT-27): one speaks to the loudspeakers of many phones. They answer by themselves, and are not heard."""

import asyncio
from typing import ClassVar

from pbx.api import BUSY, NORMAL, AppContext, Arrived, Call, Inquiry, Next, Paging, Room, Terminal, say


class Announcer:
    """The app behind a paging number. Phones in a call are left alone."""

    name: ClassVar[str] = "paging"
    stage: ClassVar[str] = "application"

    def __init__(self, paging: Paging) -> None:
        self._paging = paging

    async def run(self, call: Call, ctx: AppContext) -> Next:
        caller = call.caller
        free = self._free(call, ctx)
        if not free:
            await ctx.play_failure(call, BUSY)
            return BUSY
        await ctx.prepare(call)
        caller.answer()
        room = ctx.new_room(call)
        room.enter(caller)
        heard = [ctx.call_out(each, caller.party, Loudspeaker(room)) for each in free]
        try:
            await asyncio.gather(*(each.wait() for each in heard))
        finally:
            for each in heard:
                each.end(NORMAL)
            room.close()
        return NORMAL

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        free = [each.number for each in self._free(asked, ctx)]
        for member in self._paging.members:
            why = say("answers by itself" if member in free else "calls itself, is in a call, or has no phone")
            asked.tried(f"member {member}", matched=member in free, why=why)
        return Arrived(tuple(free), say("answer by themselves: a page")) if free else BUSY

    def _free(self, call: Call | Inquiry, ctx: AppContext) -> list[Terminal]:
        found = [ctx.terminal(number) for number in self._paging.members if number != call.calling.number]
        return [each for each in found if each is not None and ctx.is_reachable(each) and not ctx.calls_at(each.number)]


class Loudspeaker:
    """The app of one phone that is paged."""

    name: ClassVar[str] = "paging"
    stage: ClassVar[str] = "application"

    def __init__(self, room: Room) -> None:
        self._room = room

    async def run(self, call: Call, ctx: AppContext) -> Next:
        self._room.enter(call.caller, talks=False)
        await call.caller.until_ended()
        return NORMAL
