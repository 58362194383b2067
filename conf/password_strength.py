"""How strong a password is: 0 to 100, with a word for it and what takes points away (EXT-6).

Length and variety give points, what people choose for its pattern takes them away. Whether a password is among those
that everybody tries first is for the caller to say: the list is large, and only few processes need it.
"""

import re
import string

from frozen import dataclass

SHORTEST, LONGEST = 8, 64
KNOWN_MOST = 10  # of one that is in a list of common passwords, whatever it looks like
_LABELS = ((20, "very weak"), (40, "weak"), (60, "fair"), (80, "good"))
_FULL_LENGTH = 20  # characters that earn all points of length
_OF_LENGTH, _OF_CLASS, _OF_VARIETY, _OF_PATTERN = 40.0, 10, 20.0, 15
_CLASSES = (string.ascii_uppercase, string.ascii_lowercase, string.digits)
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
_RUN = 3  # characters in a row that make a pattern
_REPEATED = re.compile(r"(.)\1\1|(..+?)\2", re.DOTALL)
_DATE = re.compile(r"(?:19|20)\d\d|(?:0[1-9]|[12]\d|3[01])[-_./]?(?:0[1-9]|1[0-2])[-_./]?\d\d(?!\d)")


@dataclass(frozen=True, slots=True)
class Strength:
    """`problems` are sentences. `fits`: it is neither too short nor too long."""

    score: int
    label: str
    problems: tuple[str, ...]
    is_known: bool
    fits: bool


def strength(password: str, *, is_known: bool) -> Strength:
    """`is_known`: it is in a list of common passwords. The password is not quoted in what is said."""
    found = dict(_patterns(password))
    score = _points(password) - _OF_PATTERN * len(found)
    problems = list(found.values())
    fits = SHORTEST <= len(password) <= LONGEST
    if len(password) < SHORTEST:
        problems.insert(0, f"it is too short: at least {SHORTEST} characters")
    if len(password) > LONGEST:
        problems.insert(0, f"it is too long: at most {LONGEST} characters")
    if is_known:
        problems.append("it is among the passwords that are tried first")
        score = min(score, KNOWN_MOST)
    score = round(min(100.0, max(0.0, score)))
    return Strength(score, label_of(score), tuple(problems), is_known, fits)


def label_of(score: int) -> str:
    """The word for a score: below 20 very weak, below 40 weak, below 60 fair, below 80 good, else strong."""
    return next((label for below, label in _LABELS if score < below), "strong")


def _points(password: str) -> float:
    if not password:
        return 0.0
    others = any(character not in "".join(_CLASSES) for character in password)
    classes = sum(not set(each).isdisjoint(password) for each in _CLASSES) + others
    variety = len(set(password)) / max(len(password), SHORTEST)
    return (
        _OF_LENGTH * min(1.0, len(password) / _FULL_LENGTH)
        + _OF_CLASS * classes
        + _OF_VARIETY * min(1.0, variety * 1.5)
    )


def _patterns(password: str) -> list[tuple[str, str]]:
    lower = password.casefold()
    found = []
    if _REPEATED.search(lower):
        found.append(("repeats", "characters in it are repeated"))
    if _has_run(lower):
        found.append(("sequence", "it has a sequence of the alphabet, of digits or of the keyboard"))
    if _DATE.search(password):
        found.append(("date", "it has a year or a date"))
    return found


def _has_run(lower: str) -> bool:
    """Whether some characters follow one another as in a row, forwards or backwards."""
    pieces = (lower[start : start + _RUN] for start in range(len(lower) - _RUN + 1))
    return any(piece in row or piece[::-1] in row for piece in pieces for row in _ROWS)
