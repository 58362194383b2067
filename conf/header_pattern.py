"""Regular expressions that pick a number out of a header field (INB-22, INB-23).

What they read comes from outside, so only such are taken whose time to match stays short for any text: at most two
parts of open length, few choices, and no group that is repeated.
"""

import re
from functools import lru_cache

LONGEST = 128  # characters of a field that are looked at
MOST_OPEN, MOST_CHOICES = 2, 6
_ESCAPED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
_REPEATS = re.compile(r"[*+?]|\{[0-9]*,?[0-9]*\}")
_GROUP = re.compile(r"\(\?(?:P<(?:number|name)>|:)")


class BadPattern(ValueError):
    """A sentence that says what is wrong."""


@lru_cache(maxsize=256)
def header_pattern(text: str) -> re.Pattern[str]:
    """The expression, compiled; raises `BadPattern`. Its group `number` is the number, else its first group, else all
    that it finds; its group `name` is a name."""
    if len(text) > LONGEST:
        raise BadPattern(f"must be at most {LONGEST} characters long, not {len(text)}")
    bare = _GROUP.sub("(", _ESCAPED.sub("x", text))
    if "(?" in bare or re.search(r"\\[0-9]", text):
        raise BadPattern(f'"{text}" may have no groups but (…), (?:…), (?P<number>…) and (?P<name>…)')
    if re.search(r"\)(?:[*+?]|\{)", bare):
        raise BadPattern(f'a group of "{text}" may not be repeated')
    repeats = _REPEATS.findall(bare)
    is_open = [each[0] in "*+" or each.endswith(",}") for each in repeats]
    if sum(is_open) > MOST_OPEN or len(repeats) + bare.count("|") > MOST_CHOICES:
        raise BadPattern(f'"{text}" has more than {MOST_OPEN} parts of any length, or too many choices')
    try:
        return re.compile(text)
    except (re.error, OverflowError) as error:
        raise BadPattern(f'"{text}" is no regular expression: {error}') from None
