"""Parking (FEAT-13…FEAT-18): a call waits with music at a slot, and whoever dials the slot takes it.

A call that nobody takes goes to who parked it. The first parked call takes the lowest free slot.
"""

import asyncio
from typing import ClassVar

from features.call_codes import Talk
from features.dialogue import Dialogue
from frozen import dataclass
from pbx.api import NORMAL, NOT_FOUND, AppContext, Arrived, Call, GoTo, Inquiry, Leg, Next, Office, Party, say


@dataclass(eq=False, slots=True)
class Parked:
    """A party that waits at a slot."""

    slot: str
    leg: Leg
    taken: asyncio.Event


def slots_of(office: Office) -> list[str]:
    """The numbers of the slots, lowest first."""
    parking = office.features.parking
    first, _, last = parking.slots.partition("-")
    if not parking.number or not last:
        return []
    return [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]


class ParkingLot:
    """Who waits where. One per server."""

    def __init__(self) -> None:
        self._parked: dict[str, Parked] = {}

    def claim(self, office: Office, number: str) -> "Park | Unpark | None":
        """The app behind the parking number, or behind a slot."""
        if number and number == office.features.parking.number:
            return Park(self)
        return Unpark(self, number) if number in slots_of(office) else None

    def park(self, office: Office, leg: Leg) -> Parked | None:
        """Give a party the lowest free slot; None when all are taken."""
        slot = next((each for each in slots_of(office) if each not in self._parked), None)
        if slot is None:
            return None
        found = self._parked[slot] = Parked(slot, leg, asyncio.Event())
        return found

    def at(self, slot: str) -> Parked | None:
        return self._parked.get(slot)

    def leave(self, parked: Parked) -> None:
        if self._parked.get(parked.slot) is parked:
            del self._parked[parked.slot]

    async def by_code(self, ctx: AppContext, talk: Talk) -> None:
        """FEAT-13: the other party is parked; who parks hears the slot and is released."""
        parked = self.park(ctx.office, talk.other)
        if parked is None:
            await Dialogue(talk.mine, ctx).say("parking-full")
            return
        by = talk.mine.party.number
        ctx.send_on(talk.mine, _party(parked.slot), Announce(parked.slot))
        ctx.send_on(talk.other, _party(parked.slot), Park(self, parked, by))


@dataclass(frozen=True, slots=True)
class Announce:
    """Says the slot to who parked a call."""

    slot: str
    name: ClassVar[str] = "parking"
    stage: ClassVar[str] = "application"

    async def run(self, call: Call, ctx: AppContext) -> Next:
        await Dialogue(call.caller, ctx).say("parking-parked", slot=self.slot)
        return NORMAL


class Park:
    """The app of a call that waits at a slot: one that it has been given already, or the lowest that is free."""

    name: ClassVar[str] = "parking"
    stage: ClassVar[str] = "parking"

    def __init__(self, lot: ParkingLot, parked: Parked | None = None, by: str = "") -> None:
        self._lot, self._parked, self._by = lot, parked, by

    async def run(self, call: Call, ctx: AppContext) -> Next:
        leg = call.caller
        await ctx.prepare(call)
        leg.answer()
        parked = self._parked or self._lot.park(ctx.office, leg)
        by = self._by or (call.referred_by.number if call.referred_by is not None else "")
        if parked is None:
            await Dialogue(leg, ctx).say("parking-full")
            return GoTo(by) if by else NORMAL
        try:
            if not by:  # who dials the number hears the slot: to park itself, or to ask where a call will be
                await Dialogue(leg, ctx).say("parking-parked", slot=parked.slot)
            ctx.play_hold(leg)
            async with asyncio.timeout(ctx.office.features.parking.timeout):
                await parked.taken.wait()
        except TimeoutError:
            leg.stop_plays()
            return GoTo(by) if by else NORMAL
        finally:
            self._lot.leave(parked)
        return NORMAL


class Unpark:
    """The app behind a slot: whoever dials it talks to the party that waits there (FEAT-16)."""

    name: ClassVar[str] = "parking"
    stage: ClassVar[str] = "parking"

    def __init__(self, lot: ParkingLot, slot: str) -> None:
        self._lot, self._slot = lot, slot

    async def run(self, call: Call, ctx: AppContext) -> Next:
        await ctx.prepare(call)
        parked = self._lot.at(self._slot)
        if parked is None:
            call.caller.answer()
            await Dialogue(call.caller, ctx).say("parking-empty")
            return NOT_FOUND
        self._lot.leave(parked)
        waiting, leg = parked.leg.call, parked.leg
        call.caller.answer(leg.media.formats_for_other_side)
        call.link(waiting.linkedid)
        call.take(leg, silently=True)
        call.announce(leg, is_callee=True)
        leg.stop_plays()
        parked.taken.set()
        gone = await call.connect(call.caller, leg).until_one_left()
        return gone.cause or NORMAL

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next | Arrived:
        parked = self._lot.at(self._slot)
        party = parked.leg.party if parked is not None else None
        if party is None:
            asked.tried("parking slot", matched=False, why=say("nobody waits there"))
            return NOT_FOUND
        why = say("{who} waits there", who=f"{party.shown_number} {party.name}".rstrip())
        asked.tried("parking slot", matched=True, why=why)
        return Arrived((self._slot,), say("is taken: {why}", why=why))


def _party(slot: str) -> Party:
    """As FEAT-18 names it in the history."""
    return Party.of_application(slot, f"Park:{slot}")
