"""Supervision of a conversation (FEAT-26): listen unheard, whisper to the employee alone, or talk to both.

Administrators may, and supervisors within their scope; nobody else learns whether anybody talks there.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import ClassVar

from features.announcement import announce
from pbx.api import FORBIDDEN, NORMAL, NOT_FOUND, AppContext, Bridge, Call, Leg, Next


class Mode(StrEnum):
    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"


class Supervision:
    """The app behind the codes with the number of an employee after them."""

    name: ClassVar[str] = "supervision"
    stage: ClassVar[str] = "application"

    def __init__(self, number: str, mode: Mode) -> None:
        self._number, self._mode = number, mode

    async def run(self, call: Call, ctx: AppContext) -> Next:
        guest = call.caller
        if not ctx.may_supervise(guest.party.number, self._number):
            await announce(call, ctx, ctx.prompts.say("call-not-allowed", language=guest.party.language))
            return FORBIDDEN
        await ctx.prepare(call)
        found = self._conversation(ctx)
        if found is None:
            await announce(call, ctx, ctx.prompts.say("pickup-nothing", language=guest.party.language))
            return NOT_FOUND
        guest.answer()
        bridge, employee = found
        bridge.attend(guest, self._listeners(bridge, employee))
        try:
            await bridge.until_one_left()
        finally:
            bridge.part(guest)
        return NORMAL

    def _conversation(self, ctx: AppContext) -> tuple[Bridge, Leg] | None:
        """Where the employee talks now, and its side of it."""
        for call in ctx.calls.values():
            for leg in call.legs:
                if leg.party.number == self._number and leg.bridge is not None and leg.bridge.peer_of(leg) is not None:
                    return leg.bridge, leg
        return None

    def _listeners(self, bridge: Bridge, employee: Leg) -> Collection[Leg]:
        """Who hears the one who supervises."""
        match self._mode:
            case Mode.LISTEN:
                return ()
            case Mode.WHISPER:
                return (employee,)
            case Mode.BARGE:
                return tuple(bridge.members.values())
