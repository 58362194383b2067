"""What the grammars of all languages have in common: which questions they answer, and the words they answer with.

An answer is a sequence of keys. A key names one prompt: a word of a number such as `number/20`, or a piece of a phrase
such as `queue-next`. Pure functions and tables; which sound file speaks a key is decided in `pbx.prompts`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from enum import StrEnum
from typing import Protocol

from frozen import dataclass

Keys = tuple[str, ...]

PAUSE = "pause"  # a short silence
TOO_LARGE = 10**12  # from here on numbers are said digit by digit
DIGIT_KEYS = {
    **{str(digit): f"number/{digit}" for digit in range(10)},
    "+": "word/plus",
    "*": "word/star",
    "#": "word/hash",
}
SECONDS_OF = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}


class Gender(StrEnum):
    MASCULINE = "m"
    FEMININE = "f"
    NEUTER = "n"


class Case(StrEnum):
    """Of what is counted; the accusative is that of things, not of people."""

    NOMINATIVE = "nom"
    GENITIVE = "gen"
    ACCUSATIVE = "acc"


@dataclass(frozen=True, slots=True)
class Word:
    """What a key says, and the file of the recorded set that says it: several joined by `+`, or empty for none."""

    text: str
    recorded: str = ""


class Language(Protocol):
    """One language; modules such as `pbx.speech.russian` are one. A language without genders or cases ignores them."""

    WORDS: Mapping[str, Word]

    def number(self, value: int, gender: Gender = ..., case: Case = ...) -> Keys:
        """How many: two, twenty-one."""

    def ordinal(self, value: int, gender: Gender = ..., case: Case = ...) -> Keys:
        """Which one: second, twenty-first. What the language has no word for is said as a number."""

    def plural(self, value: int) -> str:
        """Which form a noun takes after that number: `one`, `few` or `many`."""

    def phone(self, number: str) -> Keys:
        """A telephone number, digit by digit, in the groups that people of that language hear best."""

    def duration(self, seconds: int, case: Case = ...) -> Keys:
        """Two minutes five seconds: days, hours, minutes and seconds, those that are none left out."""

    def time_of_day(self, at: time, case: Case = ...) -> Keys:
        """A quarter past two as the language reads a clock, without seconds."""

    def calendar_day(self, day: date, case: Case = ..., *, with_year: bool = True) -> Keys:
        """The twenty-fifth of November."""

    def weekday(self, day: date) -> Keys:
        """Monday."""

    def moment(self, at: datetime, now: datetime) -> Keys:
        """Day and time of something, as it is said `now`: today at two; the year only when it is another one."""


def digits(text: str) -> Keys:
    """Digits one by one, with `+`, `*` and `#`; whatever else there is in the text is not said."""
    return tuple(DIGIT_KEYS[each] for each in text if each in DIGIT_KEYS)


def grouped(number: str, sizes: Sequence[int]) -> Keys:
    """Digits in groups of these sizes, counted from the end, with pauses between; what is left is the first group."""
    rest = digits(number)
    found: Keys = ()
    for size in sizes:
        if len(rest) > size:
            rest, found = rest[:-size], (PAUSE, *rest[-size:], *found)
    return (*rest, *found)


def parts_of(seconds: int) -> list[tuple[int, str]]:
    """How many of which unit, the largest first; at least one part."""
    found: list[tuple[int, str]] = []
    rest = max(0, seconds)
    for unit, length in SECONDS_OF.items():
        count, rest = divmod(rest, length)
        if count or (unit == "second" and not found):
            found.append((count, unit))
    return found


def day_word(day: date, today: date) -> str:
    """The key of `today`, `yesterday` or `tomorrow`, empty for any other day."""
    return {-1: "word/yesterday", 0: "word/today", 1: "word/tomorrow"}.get((day - today).days, "")
