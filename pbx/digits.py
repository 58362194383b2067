"""Digits of a party, each press once, whichever way it comes (EXT-9): RFC 4733 events, tones in its audio, SIP INFO.

The other side of a conversation gets each press in its own way. What both sides have in common the engine carries:
events go over as packets, tones with the audio. Everything else is told to the other side anew; so is what a party
presses who may use codes, once it is known to be none.
"""

from collections.abc import Callable
from enum import Enum

SAME_PRESS_S = 1.0  # longer than a press and the way of an INFO, shorter than a deliberate second press by another way
TYPED_AHEAD = 32  # kept for the app that asks next; whoever dials more has not listened at all
Listener = Callable[[str], None]


class Way(Enum):
    """How a party sends and takes digits."""

    EVENTS = "RFC 4733"
    TONES = "tones in the audio"
    INFO = "SIP INFO"
    NONE = "not at all"


def offers_events(setting: str) -> bool:
    """Whether RFC 4733 may be agreed on with a party of this setting."""
    return setting not in ("info", "inband")


def way_of(setting: str, *, has_events: bool) -> Way:
    """The way of a party with the setting auto, auto_info, inband, rfc4733 or info, which has RFC 4733 or not."""
    if has_events:
        return Way.EVENTS
    return {"info": Way.INFO, "auto_info": Way.INFO, "rfc4733": Way.NONE}.get(setting, Way.TONES)


def reaches(one: Way, other: Way, *, by_info: bool) -> bool:
    """Whether the engine carries a press from one party to the other. A party with events sends them too, when one came
    by INFO."""
    return one is other and (one is Way.EVENTS or (one is Way.TONES and not by_info))


class Digits:
    """Some phones send each press both ways: the second of a pair is dropped, whichever comes first."""

    __slots__ = ("_listener", "_typed", "_unpaired", "are_held")

    def __init__(self) -> None:
        self.are_held = False  # who listens decides what the other side is told
        self._unpaired: tuple[tuple[str, bool, float], ...] = ()
        self._listener: Listener | None = None
        self._typed = ""

    def listen(self, listener: Listener | None) -> None:
        """Give what the party dials to `listener`, first of all what nobody has asked for yet; None: nobody asks."""
        self._listener = listener
        while self._listener is not None and self._typed:
            digit, self._typed = self._typed[0], self._typed[1:]
            self._listener(digit)

    def give(self, digit: str) -> None:
        """The party has dialled a digit."""
        if self._listener is not None:
            self._listener(digit)
        else:
            self._typed = (self._typed + digit)[-TYPED_AHEAD:]

    def forget(self) -> None:
        """What nobody has asked for so far is not meant for who asks later: the party talked to somebody meanwhile."""
        self._typed = ""

    def is_new(self, digit: str, *, by_info: bool, now: float) -> bool:
        """Whether this is another press than the one that came the other way."""
        fresh = tuple([each for each in self._unpaired if now - each[2] < SAME_PRESS_S])
        pair = next((each for each in fresh if each[0] == digit and each[1] is not by_info), None)
        if pair is not None:
            self._unpaired = tuple([each for each in fresh if each is not pair])
            return False
        self._unpaired = (*fresh, (digit, by_info, now))
        return True
