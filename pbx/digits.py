"""Digits of a party by either way, each press once (EXT-9): RFC 4733 events in its audio, SIP INFO beside it."""

SAME_PRESS_S = 1.0  # longer than a press and the way of an INFO, shorter than a deliberate second press by another way


class Digits:
    """Some phones send each press both ways: the second of a pair is dropped, whichever comes first."""

    __slots__ = ("_unpaired",)

    def __init__(self) -> None:
        self._unpaired: list[tuple[str, bool, float]] = []

    def is_new(self, digit: str, *, by_info: bool, now: float) -> bool:
        """Whether this is another press than the one that came the other way."""
        self._unpaired = [each for each in self._unpaired if now - each[2] < SAME_PRESS_S]
        for each in self._unpaired:
            if each[0] == digit and each[1] is not by_info:
                self._unpaired.remove(each)
                return False
        self._unpaired.append((digit, by_info, now))
        return True
