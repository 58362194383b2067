"""Codes among the digits of somebody who talks."""

import pytest

from features._code_reader import CodeReader

CODES = {"**": "blind", "##": "attended", "*0": "abort", "*2": "park"}


def typed(text: str, gap_s: float = 0.5) -> list[str]:
    reader = CodeReader(CODES, 2.5)
    found = [reader.digit(digit, 10.0 + n * gap_s) for n, digit in enumerate(text)]
    return [name for name in found if name]


@pytest.mark.parametrize(
    ("digits", "names"),
    [("**", ["blind"]), ("*0", ["abort"]), ("12*2", ["park"]), ("#*2", ["park"]), ("*5", []), ("5*", []), ("*", [])],
)
def test_a_code_counts_wherever_it_begins(digits: str, names: list[str]) -> None:
    assert typed(digits) == names


def test_after_a_code_the_next_one_begins_anew() -> None:
    assert typed("**##") == ["blind", "attended"]
    assert typed("***0") == ["blind", "abort"]


@pytest.mark.parametrize(("gap_s", "names"), [(2.5, ["blind"]), (2.6, [])])
def test_who_waits_too_long_has_not_dialled_a_code(gap_s: float, names: list[str]) -> None:
    assert typed("**", gap_s) == names
