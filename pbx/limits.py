"""How many calls each terminal takes part in now (EXT-7), and each line to a provider carries (OUT-15)."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from pbx.events import CallId, LegId

_NO_LEG: LegId = 0  # legs are numbered from 1


class ActiveCalls:
    """Calls by number; several legs of one call (forks) count once. All operations take constant time."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, dict[CallId, tuple[LegId, ...]]] = defaultdict(dict)

    def enter(self, number: str, call: CallId, leg: LegId) -> None:
        calls = self._calls[number]
        calls[call] = (*calls.get(call, ()), leg)

    def leave(self, number: str, call: CallId, leg: LegId) -> None:
        calls = self._calls[number]
        legs = tuple([each for each in calls.get(call, ()) if each != leg])
        if legs:
            calls[call] = legs
        else:
            calls.pop(call, None)
        if not calls:
            del self._calls[number]

    def move(self, number: str, left: CallId, call: CallId, leg: LegId) -> None:
        """A leg belongs to another call from now on."""
        self.enter(number, call, leg)
        self.leave(number, left, leg)

    @contextmanager
    def reserved(self, numbers: Collection[str], call: CallId) -> Iterator[None]:
        """The numbers take part in the call for the length of the body, before they have a leg there."""
        for number in numbers:
            self.enter(number, call, _NO_LEG)
        try:
            yield
        finally:
            for number in numbers:
                self.leave(number, call, _NO_LEG)

    def count(self, number: str) -> int:
        calls = self._calls.get(number)
        return len(calls) if calls is not None else 0

    def calls_of(self, number: str) -> list[CallId]:
        """The calls of a number, oldest first."""
        return list(self._calls.get(number, ()))

    def numbers(self) -> list[str]:
        """Every number that takes part in a call."""
        return list(self._calls)
