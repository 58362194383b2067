"""Numbers of callers: written in one way (INB-26), and compared with patterns (INB-10). Pure.

A pattern has digits, X (0-9), Z (1-9), N (2-9), a class such as [1-5], `.` for at least one more character and `!` for
any more; `_` in front of it may be left out. Whatever has other letters is a name, which fits itself only.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from storage.records import NumberRule

_PATTERN = re.compile(r"\+?(?:[0-9XZN*#]|\[[0-9-]+\])*[.!]?")
_PIECE = re.compile(r"\[[0-9-]+\]|.")
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}
_BREADTH = {"N": 8, "Z": 9, "X": 10, ".": 100, "!": 101}
ANY = (1000,)  # how broad the empty pattern is


def normalised(number: str, provider: str, rules: Iterable[NumberRule]) -> str:
    """The number as the first rule of its length and beginning writes it; rules of the provider before those of all."""
    ours = sorted((each for each in rules if each.provider in ("", provider)), key=lambda rule: not rule.provider)
    for rule in ours:
        if number.startswith(rule.prefix) and rule.length in (0, len(number)):
            return rule.replace + number.removeprefix(rule.prefix)
    return number


@lru_cache(maxsize=4096)
def breadth(pattern: str) -> tuple[int, ...]:
    """How much a pattern takes, character by character: of two that fit, the lesser one is the more specific."""
    found = pattern.removeprefix("_")
    if not found:
        return ANY
    if not _PATTERN.fullmatch(found):
        return (0,)
    return tuple(len(_members(piece)) if piece[0] == "[" else _BREADTH.get(piece, 1) for piece in _PIECE.findall(found))


def fits(number: str, pattern: str) -> bool:
    """Whether a number is like the pattern; a + in front of either is none."""
    if not pattern.removeprefix("_"):
        return True
    return _compiled(pattern).fullmatch(number.removeprefix("+")) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    found = pattern.removeprefix("_").removeprefix("+")
    if not _PATTERN.fullmatch(found):
        return re.compile(re.escape(pattern.removeprefix("+")))
    pieces = (each if each[0] == "[" else _CLASSES.get(each, re.escape(each)) for each in _PIECE.findall(found))
    return re.compile("".join(pieces))


def _members(piece: str) -> set[str]:
    return {digit for digit in "0123456789" if re.fullmatch(piece, digit)}
