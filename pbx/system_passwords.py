"""Whether the passwords of the operating system, with which people sign in over SSH, are others than before (NOT-6).

The file that has them is not for us to read; when it was written is for everybody to see.
"""

from pathlib import Path

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import SystemPasswordsChanged
from pbx.states import States

SHADOW = Path("/etc/shadow")
AREA, KEY = "system passwords", "written"


class SystemPasswords:
    """Looked at by `sweep`; a change while the server was off is told, too. Where there is no such file, nothing is."""

    def __init__(self, states: States, bus: Bus, clock: Clock, file: Path = SHADOW) -> None:
        self._states, self._bus, self._clock, self._file = states, bus, clock, file

    def sweep(self) -> None:
        try:
            written = str(self._file.stat().st_mtime_ns)
        except OSError:
            return
        known = self._states.of(AREA).get(KEY)
        if known == written:
            return
        self._states.put(AREA, KEY, written)
        if known is not None:
            self._bus.publish(SystemPasswordsChanged(self._clock.wall()))
