"""A place where two legs talk, and others may listen: the engine relays, transcodes or mixes."""

import asyncio
import math
from collections.abc import Collection
from typing import TYPE_CHECKING

from media.api import JoinRoom, LeaveRoom, PassOn, SetGain
from pbx.events import BridgeEnded, BridgeFormed, BridgeId
from pbx.recording import Recording, Wanted
from pbx.services import Services

if TYPE_CHECKING:
    from pbx.leg import Leg

_NOBODY: frozenset[int] = frozenset()


class Bridge:
    """Made by `Call.connect`. It ends when one member is left."""

    __slots__ = ("_call_id", "_guests", "_has_ended", "_left", "_lent", "_services", "_waiters", "id", "members")

    def __init__(self, services: Services, call_id: str) -> None:
        self.id: BridgeId = services.new_id()
        self.members: dict[int, Leg] = {}
        self._lent = _NOBODY
        self._guests: dict[int, tuple[Leg, Collection[Leg]]] = {}
        self._services, self._call_id = services, call_id
        self._has_ended = False
        self._left: Leg | None = None  # who was the last but one to go
        self._waiters: list[asyncio.Future[Leg]] = []

    def form(self, a: "Leg", b: "Leg") -> None:
        """Put both in, each straight from where it talked before; a side whose codec does not fit the other's is asked
        to change. One that has just ended is lost at once."""
        for leg in (a, b):
            if leg.bridge is not None:
                leg.bridge.lost(leg)
            self.members[leg.id] = leg
            leg.bridge = self
            leg.digits.forget()
        self._services.bridges[self.id] = self
        self._services.publish(BridgeFormed(self._services.clock.wall(), self._call_id, self.id, (a.id, b.id)))
        gone = a if a.is_ended else b if b.is_ended else None
        if gone is not None:
            self.lost(gone)
            return
        self._services.submit(JoinRoom(self.id, a.media.endpoint), JoinRoom(self.id, b.media.endpoint))
        a.show(b.party)
        b.show(a.party)
        self.pass_on()
        self.fit()
        for leg in (a, b):
            leg.tell_shown()
            if leg.held:
                self.hold_changed(leg)

    def pass_on(self) -> None:
        """Streams besides sound that both sides take part in reach the other side as they are."""
        if len(self.members) < 2:
            return
        a, b = self.members.values()
        theirs = {each.key: each for each in b.media.passing if each.agreed is not None}
        for each in a.media.passing:
            other = theirs.get(each.key)
            if each.agreed is None or other is None or each.passes is not other.passes or each.worker != other.worker:
                continue
            self._services.submit(PassOn(each.endpoint, other.endpoint))

    def fit(self) -> None:
        """Ask the first side to change when the engine cannot transcode between both; tried again when it may."""
        if len(self.members) < 2:
            return
        a, b = self.members.values()
        codec_a, codec_b = a.media.codec, b.media.codec
        if codec_a is None or codec_b is None or codec_a.encoding == codec_b.encoding:
            return
        codecs = self._services.codecs
        if not (codecs.can_convert(codec_a) and codecs.can_convert(codec_b)):
            a.offer(codecs.like(codec_b))

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    def peer_of(self, leg: "Leg") -> "Leg | None":
        """The other of two."""
        return next((each for each in self.members.values() if each is not leg), None)

    def hold_changed(self, leg: "Leg") -> None:
        """A member put the others on hold, or came back."""
        for other in self.members.values():
            if other is leg or other.id in self._lent:
                continue
            if leg.held:
                self._services.sound.play_hold(other)
            else:
                other.stop_plays()

    def record(self, wanted: Wanted) -> Recording:
        """Keep what all members say in a file; they hear each other as before."""
        return Recording(self._services, list(self.members.values()), wanted)

    def lost(self, leg: "Leg") -> None:
        """A member has ended, or talks elsewhere."""
        if self.members.pop(leg.id, None) is None:
            return
        if leg.id not in self._lent:
            leg.bridge = None
        if len(self.members) <= 1 and self._left is None:
            self._tell_left(leg)
            self._end()

    def replace(self, leg: "Leg", new: "Leg") -> None:
        """A member's place is taken by another leg; nobody else notices."""
        del self.members[leg.id]
        leg.bridge, new.bridge = None, self
        self.members[new.id] = new
        self._services.publish(BridgeFormed(self._services.clock.wall(), self._call_id, self.id, tuple(self.members)))
        self._services.submit(LeaveRoom(leg.media.endpoint), JoinRoom(self.id, new.media.endpoint))
        self.pass_on()
        self._seat_guests()
        self.hold_changed(new)

    def attend(self, guest: "Leg", heard_by: "Collection[Leg]") -> None:
        """A leg that is no member hears what is said here, and is heard by some (FEAT-26)."""
        self._guests[guest.id] = (guest, heard_by)
        self._seat_guests()

    def part(self, guest: "Leg") -> None:
        """A guest goes."""
        if self._guests.pop(guest.id, None) is not None and not guest.is_ended:
            self._services.submit(LeaveRoom(guest.media.endpoint))

    def _seat_guests(self) -> None:
        """Whoever is a member now hears a guest only if that is meant for it."""
        for guest, heard_by in self._guests.values():
            talks = any(member in heard_by for member in self.members.values())
            deaf = [member for member in self.members.values() if member not in heard_by] if talks else []
            self._services.submit(
                JoinRoom(self.id, guest.media.endpoint, talks=talks),
                *(SetGain(self.id, guest.media.endpoint, each.media.endpoint, -math.inf) for each in deaf),
            )

    def lend(self, leg: "Leg") -> None:
        """A member talks elsewhere for a while; its place here is kept, and the others hear music."""
        self._lent |= {leg.id}
        leg.bridge = None
        for other in self.members.values():
            if other is not leg:
                self._services.sound.play_hold(other)

    def take_back(self, leg: "Leg") -> None:
        """A member that was lent talks here again."""
        self._lent -= {leg.id}
        leg.bridge = self
        self._services.publish(BridgeFormed(self._services.clock.wall(), self._call_id, self.id, tuple(self.members)))
        for other in self.members.values():
            if other is not leg:
                other.stop_plays()
        self.enter_again()

    def enter_again(self) -> None:
        """Media of a member have been elsewhere and are back."""
        self._services.submit(*(JoinRoom(self.id, leg.media.endpoint) for leg in self.members.values()))

    def _tell_left(self, leg: "Leg") -> None:
        """One member is left, for that one has gone."""
        self._left = leg
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(leg)

    async def until_one_left(self) -> "Leg":
        """Wait until a member ends or is taken elsewhere; returns it."""
        if self._left is not None:
            return self._left
        waiter: asyncio.Future[Leg] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        finally:
            self._waiters.remove(waiter)

    def close(self) -> None:
        """Let every member go; they stay alive."""
        for leg in list(self.members.values()):
            leg.bridge = None
            if not leg.is_ended:
                self._services.submit(LeaveRoom(leg.media.endpoint))
        self._end()

    def _end(self) -> None:
        """Nobody talks here any longer. Whoever is left keeps its place in the room until it is put elsewhere."""
        if self._has_ended:
            return
        self._has_ended = True
        self._services.bridges.pop(self.id, None)
        for leg in self.members.values():
            if leg.id not in self._lent:
                leg.bridge = None
        self.members.clear()
        self._services.publish(BridgeEnded(self._services.clock.wall(), self._call_id, self.id))
