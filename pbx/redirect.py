"""Calls that are not switched but redirected: the caller is told where the phones are (RFC 3261 §8.3).

For sites where phones reach each other directly and the server shall carry neither signalling nor audio of their
calls. Numbers of the server itself (echo, …) are answered as ever.
"""

from math import ceil

from pbx.clock import Clock
from pbx.directory import Directory
from pbx.location import Location
from pbx.numbering import wanted_number
from sipcore.message import Request
from sipcore.register.binding import Binding

Redirection = tuple[int, list[tuple[str, str]]]


class Redirector:
    """Knows the answer to an INVITE for a terminal."""

    def __init__(self, location: Location, clock: Clock) -> None:
        self._location, self._clock = location, clock

    def answer(self, request: Request, directory: Directory) -> Redirection | None:
        """300 or 302 with the contacts, 480 without any; None for a number that is no terminal."""
        only = self._location.addressee(request.uri)
        terminal = directory.terminal(wanted_number(request.uri) if only is None else only.number)
        if terminal is None:
            return None
        now = self._clock.now()
        alive = [each for each in self._location.bindings(terminal.number) if each.expires_at > now and not each.path]
        if only is not None:
            alive = [each for each in alive if only.fits(each.instance, each.call_id)]
        if not alive:
            return 480, []
        alive.sort(key=lambda binding: -binding.q)
        return 300 if len(alive) > 1 else 302, [("Contact", self._contact(each, now)) for each in alive]

    @staticmethod
    def _contact(binding: Binding, now: float) -> str:
        """Where, how gladly, and for how long that is true (§20.10)."""
        return f"<{binding.contact}>;q={binding.q:g};expires={ceil(binding.expires_at - now)}"
