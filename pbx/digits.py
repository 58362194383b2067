"""Digits of a party by either way, each press once (EXT-9): RFC 4733 events in its audio, SIP INFO beside it."""

from collections import deque
from collections.abc import Callable

SAME_PRESS_S = 1.0  # longer than a press and the way of an INFO, shorter than a deliberate second press by another way
TYPED_AHEAD = 32  # kept for the app that asks next; whoever dials more has not listened at all
Listener = Callable[[str], None]


class Digits:
    """Some phones send each press both ways: the second of a pair is dropped, whichever comes first."""

    __slots__ = ("_listener", "_typed", "_unpaired")

    def __init__(self) -> None:
        self._unpaired: list[tuple[str, bool, float]] = []
        self._listener: Listener | None = None
        self._typed: deque[str] = deque(maxlen=TYPED_AHEAD)

    def listen(self, listener: Listener | None) -> None:
        """Give what the party dials to `listener`, first of all what nobody has asked for yet; None: nobody asks."""
        self._listener = listener
        while self._listener is not None and self._typed:
            self._listener(self._typed.popleft())

    def give(self, digit: str) -> None:
        """The party has dialled a digit."""
        if self._listener is not None:
            self._listener(digit)
        else:
            self._typed.append(digit)

    def forget(self) -> None:
        """What nobody has asked for so far is not meant for who asks later: the party talked to somebody meanwhile."""
        self._typed.clear()

    def is_new(self, digit: str, *, by_info: bool, now: float) -> bool:
        """Whether this is another press than the one that came the other way."""
        self._unpaired = [each for each in self._unpaired if now - each[2] < SAME_PRESS_S]
        for each in self._unpaired:
            if each[0] == digit and each[1] is not by_info:
                self._unpaired.remove(each)
                return False
        self._unpaired.append((digit, by_info, now))
        return True
