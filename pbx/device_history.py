"""The devices of an account in the last 24 hours (EXT-22): from where, with what, how far away, from when until when.

Those that are registered now are read where they are; only the end of a registration is written down, so that a
REGISTER costs nothing more. It outlives a restart.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import astuple

from frozen import dataclass
from pbx.clock import Clock
from pbx.location import Location
from pbx.states import States
from sipcore.register.binding import Binding

AREA = "devices"  # of what outlives a restart
KEPT_S = 86_400.0
MOST = 1000  # of one account: one that comes back over another connection each minute or two, for a day
Latency = Callable[[str, Binding], float | None]


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """One contact of an account from its registration until the end of it; moments are UTC seconds, `until_at` None:
    it is registered. `host` and `port`: where its requests came from last; `latency_ms`: how long it took to answer
    the last OPTIONS, None where it was not asked."""

    number: str
    contact: str
    host: str
    port: int
    user_agent: str
    latency_ms: float | None
    since_at: float
    until_at: float | None = None


class DeviceHistory:
    """`latency_ms` is asked of a contact before it is forgotten."""

    def __init__(self, location: Location, states: States, clock: Clock, latency_ms: Latency) -> None:
        self._location, self._states, self._clock, self._latency_ms = location, states, clock, latency_ms
        self._over: dict[str, deque[tuple[str, DeviceSession]]] = {}  # by number, each with its key in the states
        location.on_gone = self._gone

    def restore(self) -> None:
        """What was written down before, when the states are there."""
        self._over.clear()
        for key, value in sorted(self._states.of(AREA).items()):
            self._enter(key, DeviceSession(*json.loads(value)))

    def sessions(self, number: str = "") -> list[DeviceSession]:
        """Of one account, or of all; those that are registered first, then the latest."""
        location = self._location
        living = [(number, each) for each in location.bindings(number)] if number else list(location)
        wanted = [number] if number else list(self._over)
        self._forget_old(wanted)
        over = [session for account in wanted for _, session in self._over.get(account, ())]
        found = [self._session(*each, until_at=None) for each in living] + over
        return sorted(found, key=lambda each: (-(each.until_at or float("inf")), -each.since_at))

    def sweep(self) -> None:
        self._forget_old(list(self._over))

    def _gone(self, number: str, binding: Binding) -> None:
        """A contact is registered no more."""
        until_at = self._clock.wall_at(min(self._clock.now(), binding.expires_at))
        session = self._session(number, binding, until_at)
        key = f"{until_at:.3f} {number} {session.contact}"
        self._enter(key, session)
        self._states.put(AREA, key, json.dumps(astuple(session)))

    def _enter(self, key: str, session: DeviceSession) -> None:
        known = self._over.setdefault(session.number, deque())
        if len(known) >= MOST:
            self._states.put(AREA, known.popleft()[0], None)
        known.append((key, session))

    def _forget_old(self, numbers: list[str]) -> None:
        before = self._clock.wall() - KEPT_S
        for number in numbers:
            known = self._over.get(number, deque())
            while known and (known[0][1].until_at or 0.0) < before:
                self._states.put(AREA, known.popleft()[0], None)
            if not known:
                self._over.pop(number, None)

    def _session(self, number: str, binding: Binding, until_at: float | None) -> DeviceSession:
        host, port = binding.received or (binding.contact.host, binding.contact.port or 0)
        since_at = self._clock.wall_at(binding.registered_at)
        latency_ms = self._latency_ms(number, binding)
        return DeviceSession(
            number, str(binding.contact), host, port, binding.user_agent, latency_ms, since_at, until_at
        )
