"""Who is in which conference now, as the bus tells it, for those who watch (RFC 4575)."""

from collections.abc import Callable

from pbx.bus import Bus
from pbx.events import BusEvent, RoomMember, RosterChanged


class Rosters:
    """`changed` is called with the number of each room whose participants are others now."""

    def __init__(self, bus: Bus, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._rosters: dict[str, tuple[RoomMember, ...]] = {}
        bus.subscribe([RosterChanged], self._told)

    def of(self, number: str) -> tuple[RoomMember, ...]:
        """In the order in which they came."""
        return self._rosters.get(number, ())

    def _told(self, event: BusEvent) -> None:
        assert isinstance(event, RosterChanged)
        if event.members:
            self._rosters[event.number] = event.members
        else:
            self._rosters.pop(event.number, None)
        self._changed(event.number)
