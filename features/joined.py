"""A conversation of two that a third phone comes into (RFC 3911): the three are in a room from then on.

Each goes on in a call of its own, so that whoever leaves leaves the others talking; who is left alone is released.
"""

from typing import ClassVar

from features.call_recording import is_wanted
from pbx.api import DECLINED, NORMAL, AppContext, Call, Leg, Next, Room, Wanted


class Join:
    """The app of the phone that comes in, to where the leg `joined` talks."""

    name: ClassVar[str] = "conference"
    stage: ClassVar[str] = "conference"

    def __init__(self, joined: Leg) -> None:
        self._joined = joined

    async def run(self, call: Call, ctx: AppContext) -> Next:
        await ctx.prepare(call)
        joined = self._joined
        peer = joined.bridge.peer_of(joined) if joined.bridge is not None else None
        if peer is None:
            return DECLINED
        call.caller.answer()
        call.link(joined.call.linkedid)
        room = ctx.new_room(call)
        room.enter(call.caller)
        for leg, other in ((joined, peer), (peer, joined)):
            leg.stop_plays()
            ctx.send_on(leg, other.party, Stay(room))
            room.enter(leg)
        if is_wanted(ctx, room.legs):
            policy = ctx.office.recording
            room.record(Wanted(ctx.recording_path(call, "call"), format=policy.format, keep="call"))
        return await Stay(room).run(call, ctx)


class Stay:
    """The app of everybody in the room."""

    name: ClassVar[str] = "conference"
    stage: ClassVar[str] = "conference"

    def __init__(self, room: Room) -> None:
        self._room = room

    async def run(self, call: Call, ctx: AppContext) -> Next:
        try:
            await self._room.until_one_left()
        finally:
            self._room.leave(call.caller)
            if not self._room.legs:
                self._room.close()
        return NORMAL
