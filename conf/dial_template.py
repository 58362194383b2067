"""Templates of numbers outside: how a number begins, and how many digits follow (OUT-2, OUT-3).

The beginning is a small regular expression, read here so that no template of an office can cost more than a moment:

    7925        these digits; X is any digit; * + # stand for themselves
    [7-8]       one of these, [79], [1-57]
    (495|499)   one of these
    {2}, {1,3}  the digit, class or X before it so often; + after a class or an X: once or more
"""

import re
from functools import lru_cache

from frozen import dataclass

LONGEST = 64
MOST_REPEATS = 2  # of open length: the time to match grows with the length of the number to this power
_TOKEN = re.compile(r"\[[0-9](?:-?[0-9])*\]|\{[0-9]{1,2}(?:,[0-9]{1,2})?\}|[0-9X*+#()|]")
_CLASSES, _DIGIT = ("X", "]"), "digit"  # what may be repeated
_NUMBER = re.compile(r"[0-9*#+]*")


class BadTemplate(ValueError):
    """A sentence that says what is wrong."""


@dataclass(frozen=True, slots=True)
class DialTemplate:
    """One template, compiled."""

    pattern: re.Pattern[str]

    @classmethod
    def of(cls, prefix: str, rest: int = -1, rest_to: int = 0) -> "DialTemplate":
        """`rest` digits follow, from `rest` to `rest_to`, or with -1 anything. Raises `BadTemplate`."""
        tail = "[0-9*#+]*" if rest < 0 else f"[0-9]{{{rest},{max(rest, rest_to)}}}"
        return cls(_compiled(f"(?:{_translated(prefix)}){tail}"))

    def fits(self, number: str) -> bool:
        """Whether the whole number is of this kind."""
        return len(number) <= LONGEST and self.pattern.fullmatch(number) is not None


def dialled_only(number: str) -> str:
    """What of it can be dialled: digits and * # + (FEAT-33)."""
    return "".join(_NUMBER.findall(number))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@lru_cache(maxsize=1024)
def _translated(prefix: str) -> str:
    """The beginning as a regular expression of Python."""
    if len(prefix) > LONGEST:
        raise BadTemplate(f"must be at most {LONGEST} characters long, not {len(prefix)}")
    tokens = _TOKEN.findall(prefix)
    if "".join(tokens) != prefix:
        raise BadTemplate(f'may hold digits, X * + # and [1-3], (1|2), {{2}}, not "{prefix}"')
    written: list[str] = []
    depth, repeats, before = 0, 0, ""
    for token in tokens:
        if token[0] == "{" or (token == "+" and before in _CLASSES):
            if before not in (*_CLASSES, _DIGIT):
                raise BadTemplate(f'"{token}" in "{prefix}" has to follow a digit, a class or an X')
            repeats += "+" in token or "," in token
            written.append(token)
            before = ""
            continue
        depth += {"(": 1, ")": -1}.get(token, 0)
        if not 0 <= depth <= 1:
            raise BadTemplate(f'the parentheses of "{prefix}" do not match, or stand in each other')
        written.append({"(": "(?:", "X": "[0-9]"}.get(token) or (re.escape(token) if token in "*+#" else token))
        before = _DIGIT if token.isdecimal() else token[-1]
    if depth:
        raise BadTemplate(f'the parentheses of "{prefix}" do not match, or stand in each other')
    if repeats > MOST_REPEATS:
        raise BadTemplate(f'"{prefix}" has more than {MOST_REPEATS} parts of any length')
    try:
        re.compile("".join(written))
    except (re.error, OverflowError):
        raise BadTemplate(f'"{prefix}" makes no sense as the beginning of a number') from None
    return "".join(written)
