"""Whether a password is among those that everybody tries first: the most frequent 30,000 of the leaks, from zxcvbn."""

from functools import cache

_DECORATION = "0123456789!@#$%^&*()-_=+.,;:?[]{} "
_SHORTEST_WORD = 5  # what is left of a password without its decoration, to be looked up as well


@cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # a tenth of a second, when somebody asks

    return frozenset(FREQUENCY_LISTS["passwords"])


def is_common(password: str) -> bool:
    """As it stands, in small letters, or without the digits and signs around it: `Password-1!` is `password`."""
    lower = password.casefold()
    word = lower.strip(_DECORATION)
    return lower in _common() or (len(word) >= _SHORTEST_WORD and word in _common())
