"""Regular expressions for header fields: what they find, and which would take too long."""

import time

import pytest

from conf.header_pattern import LONGEST, BadPattern, header_pattern


@pytest.mark.parametrize(
    "text", ["", "([0-9]+)", r"\+?(\d{11})", "(?P<number>[0-9]+) (?P<name>.*)", "[^+*?()]+", r"a\)+b", "(?:a|b)c"]
)
def test_what_picks_a_number_is_taken(text: str) -> None:
    assert header_pattern(text).pattern == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(a+)+$", "may not be repeated"),
        ("(?P<number>[0-9]+)(?: (?P<name>.*))?", "may not be repeated"),
        ("(a|a){9}", "may not be repeated"),
        (".*.*.*x", "more than 2 parts"),
        ("a?" * 9 + "a" * 9, "too many choices"),
        (r"(a)\1", "may have no groups but"),
        ("(?=a)a", "may have no groups but"),
        ("[0-9", "is no regular expression"),
        ("a" * 200, "at most 128"),
    ],
)
def test_what_could_take_long_or_is_none_is_a_sentence(text: str, why: str) -> None:
    with pytest.raises(BadPattern, match=why):
        header_pattern(text)


def test_the_slowest_that_is_taken_is_quick_on_the_worst_text() -> None:
    began = time.process_time()
    assert header_pattern("a?a?a?a?.*a.*b").search("a" * LONGEST) is None
    assert time.process_time() - began < 0.5
