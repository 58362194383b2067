"""Who is called into a meeting when it begins (CNF-9): a participant outside who belongs to the room, such as a bridge
of another office, and the people of its list."""

from collections.abc import Callable

from pbx.api import NORMAL, App, AppContext, Call, Conference, Party

Summoned = Callable[[str], App]  # the app of who has answered, by the keys that are pressed there


class Summons:
    """Of one meeting. `summoned` makes the app of those who come."""

    def __init__(self, ctx: AppContext, conference: Conference, to: Party, summoned: Summoned) -> None:
        self._ctx, self._conference, self._to, self._summoned = ctx, conference, to, summoned
        self._calls: list[Call] = []

    @property
    def are_out(self) -> bool:
        return bool(self._calls)

    def call(self, *, but: str) -> None:
        """Call everybody; `but` is there already."""
        conference = self._conference
        if conference.outside:
            app = self._summoned(conference.outside_digits)
            self._calls.append(self._ctx.call_outside(conference.outside, self._to, app))
        for number in conference.call_out:
            if number != but:
                self._call(number, self._summoned(""))

    def _call(self, number: str, app: App) -> None:
        terminal = self._ctx.terminal(number)
        if terminal is None:
            self._calls.append(self._ctx.call_outside(number, self._to, app))
        elif not self._ctx.calls_at(number):
            self._calls.append(self._ctx.call_out(terminal, self._to, app, by_itself=False))

    def end(self) -> None:
        """Let them go, and those who still ring."""
        for each in self._calls:
            each.end(NORMAL)
        self._calls.clear()
