"""Patterns of numbers and the way in which numbers are written."""

import pytest

from pbx.number_rules import breadth, fits, normalised
from storage.records import NumberRule


@pytest.mark.row("INB-10")
@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("74951234567", "74951234567 +74951234567", "7495123456 749512345678"),
        ("+74951234567", "74951234567", "7495"),
        ("2XX", "200 299", "2001 300 20"),
        ("_2XX", "250", "2500"),
        ("Z9", "19 99", "09"),
        ("N", "2 9", "1 0"),
        ("8[5-7]X", "850 879", "849 880"),
        ("[135]0", "10 30 50", "20"),
        ("749.", "7495 74951", "749"),
        ("749!", "749 7495", "748"),
        ("", "1 74951234567 office", ""),
        ("_", "1", ""),
        ("office.line-1", "office.line-1", "officeXline-1 office"),
        ("Zoo", "Zoo", "1oo"),
    ],
)
def test_a_pattern_fits_what_it_says(pattern: str, fitting: str, other: str) -> None:
    assert [fits(each, pattern) for each in fitting.split()] == [True] * len(fitting.split())
    assert [fits(each, pattern) for each in other.split()] == [False] * len(other.split())


def test_of_two_patterns_the_more_specific_one_is_less_broad() -> None:
    order = [
        "office",
        "74951234567",
        "7495123456N",
        "7495123456Z",
        "7495123456X",
        "749512345[12]X",
        "749512345.",
        "7.",
        "!",
        "",
    ]
    assert sorted(order, key=breadth) == order


@pytest.mark.row("INB-26")
def test_the_first_rule_of_a_numbers_length_and_beginning_writes_it() -> None:
    rules = [
        NumberRule("plus", prefix="+"),
        NumberRule("trunk", length=11, prefix="8", replace="7"),
        NumberRule("city", length=7, replace="7495"),
        NumberRule("ten", length=10, replace="7"),
        NumberRule("own", "telco", length=7, replace="7812"),
    ]
    written = {
        number: normalised(number, "other", rules)
        for number in ("+79161234567", "89161234567", "1234567", "9161234567", "201", "anonymous")
    }
    assert written == {
        "+79161234567": "79161234567",
        "89161234567": "79161234567",
        "1234567": "74951234567",
        "9161234567": "79161234567",
        "201": "201",
        "anonymous": "anonymous",
    }
    assert normalised("1234567", "telco", rules) == "78121234567"
