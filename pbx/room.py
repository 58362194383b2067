"""A place where any number of legs hear each other: a conference, or a page with one who speaks (`media.api.JoinRoom`).

Legs come and go without the others noticing. Who puts the room on hold is not heard there: its music is not for the
others.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from media.api import JoinRoom, LeaveRoom
from pbx.bridge import Bridge
from pbx.recording import Recording, Wanted

if TYPE_CHECKING:
    from pbx.leg import Leg
    from pbx.services import Services


class Room(Bridge):
    """Lives as long as somebody wants it: empty, it can be entered again."""

    def __init__(self, services: "Services", call_id: str) -> None:
        super().__init__(services, call_id)
        self._muted: set[int] = set()
        self._listeners: set[int] = set()
        services.bridges[self.id] = self

    @property
    def legs(self) -> "Sequence[Leg]":
        """Who is in, in the order in which they came."""
        return list(self.members.values())

    def enter(self, leg: "Leg", *, talks: bool = True) -> None:
        """A leg comes in, straight from where it talked before. `talks` False: it only listens."""
        if leg.is_ended:
            return
        if leg.bridge is not None:
            leg.bridge.lost(leg)
        self.members[leg.id] = leg
        leg.bridge = self
        if not talks:
            self._listeners.add(leg.id)
        self._apply(leg)

    def leave(self, leg: "Leg") -> None:
        """A living leg goes; it hears nobody from now on."""
        if self.members.get(leg.id) is leg:
            self.lost(leg)
            if not leg.is_ended:
                self._services.submit(LeaveRoom(leg.media.endpoint))

    def mute(self, leg: "Leg", *, is_muted: bool) -> None:
        """Let the others hear a member or not; it hears them in any case."""
        if is_muted:
            self._muted.add(leg.id)
        else:
            self._muted.discard(leg.id)
        self._apply(leg)

    def is_muted(self, leg: "Leg") -> bool:
        return leg.id in self._muted

    def record(self, wanted: Wanted) -> Recording:
        """Keep what is said here in one file, whoever comes and goes."""
        return Recording(self._services, self.legs, wanted, room=self.id)

    # --- as a bridge --------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Whatever a member speaks, the engine mixes."""

    def pass_on(self) -> None:
        """Sound only."""

    def peer_of(self, leg: "Leg") -> "Leg | None":
        """There is no other one."""
        return None

    def hold_changed(self, leg: "Leg") -> None:
        self._apply(leg)

    def lost(self, leg: "Leg") -> None:
        if self.members.pop(leg.id, None) is not None:
            leg.bridge = None
            self._muted.discard(leg.id)
            self._listeners.discard(leg.id)
            if len(self.members) == 1 and self._left is None:
                self._tell_left(leg)

    def close(self) -> None:
        """Nobody needs the room any longer."""
        for leg in self.legs:
            self.leave(leg)
        self._services.bridges.pop(self.id, None)
        self._has_ended = True

    def _apply(self, leg: "Leg") -> None:
        talks = not leg.held and leg.id not in self._muted | self._listeners
        self._services.submit(JoinRoom(self.id, leg.media.endpoint, talks=talks, tells=True))
