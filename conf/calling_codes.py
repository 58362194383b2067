"""Which country a number outside is in, by its calling code (ITU-T E.164): no code is the beginning of another."""

from collections.abc import Sequence

from conf.countries import COUNTRIES

# By the country of an office: its own code, and what is dialled before that of another.
_HOME = dict(zip(COUNTRIES, ("49", "45", "34", "33", "30", "39", "81", "31", "48", "351", "7", "44", "1"), strict=True))
_EXIT = {"ru": "810", "us": "011", "jp": "010"}
_ONE = frozenset("17")
_TWO = frozenset(
    f"{tens}{ones}"
    for tens, found in (
        *(("2", "07"), ("3", "0123469"), ("4", "013456789"), ("5", "12345678")),
        *(("6", "0123456"), ("8", "1246"), ("9", "0123458")),
    )
    for ones in found
)


def home_code(country: str) -> str:
    return _HOME.get(country, "")


def exit_code(country: str) -> str:
    """What is dialled before the code of another country."""
    return _EXIT.get(country, "00")


def code_at(digits: str) -> str:
    """The calling code at the beginning; every code that is not of one or two digits has three."""
    return digits[:1] if digits[:1] in _ONE else digits[:2] if digits[:2] in _TWO else digits[:3]


def calling_codes(numbers: Sequence[str], country: str) -> frozenset[str]:
    """The codes of all that are dialled in the international way from that country."""
    leave = exit_code(country)
    bare = [each[1:] if each.startswith("+") else each.removeprefix(leave) for each in numbers]
    return frozenset(code_at(left) for left, each in zip(bare, numbers, strict=True) if left != each and left)
