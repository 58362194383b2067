"""Codes among the digits of somebody who talks."""

import pytest

from features._code_reader import CodeReader

CODES = {"**": "blind", "##": "attended", "*0": "abort", "*2": "park"}


def typed(text: str, gap_s: float = 0.5) -> list[str]:
    reader = CodeReader(CODES, 2.5)
    found = [reader.digit(digit, 10.0 + n * gap_s).name for n, digit in enumerate(text)]
    return [name for name in found if name]


def passed(text: str, gap_s: float = 0.5) -> str:
    """What the other side is told of it, as long as nobody has waited for the end of the last pause."""
    reader = CodeReader(CODES, 2.5)
    return "".join(reader.digit(digit, 10.0 + n * gap_s).passed for n, digit in enumerate(text))


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


@pytest.mark.parametrize(
    ("digits", "others"),
    [("**", ""), ("##", ""), ("12*2", "12"), ("#*2", "#"), ("*5", "*5"), ("5*", "5"), ("*", ""), ("***0", "")],
)
def test_digits_of_a_code_are_held_back_and_all_others_are_passed_in_their_order(digits: str, others: str) -> None:
    assert passed(digits) == others


def test_what_is_held_back_is_passed_when_the_pause_is_over() -> None:
    reader = CodeReader(CODES, 2.5)
    assert reader.digit("*", 10.0).passed == ""
    assert reader.give_up() == "*"
    assert reader.give_up() == ""
    assert passed("*5*", gap_s=2.6) == "*5", "also by the digit that follows"
