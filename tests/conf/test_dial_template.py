"""Templates of numbers outside: the reference table, what is refused, how long they take."""

import time

import pytest

from conf.dial_template import BadTemplate, DialTemplate, dialled_only


@pytest.mark.row("OUT-2")
@pytest.mark.row("OUT-3")
@pytest.mark.row("OUT-4")
@pytest.mark.parametrize(
    ("prefix", "rest", "fits", "does_not"),
    [
        ("[7-8]{1}", 10, "79257184255 89257184255", "7925718425 792571842555 99257184255 7925718425*"),
        ("7925", -1, "7925 7925718 7925*12#", "792 17925"),
        ("7XX", 0, "700 725 799", "70 7000 800"),
        ("74952293042", 0, "74952293042", "7495229304 749522930421"),
        ("74(95|99)", 7, "74951234567 74991234567", "74971234567 749512345678"),
        ("(7|8)0{1}", 1, "700 802", "710 70 7000"),
        ("[1-5]{2}", 0, "12 25", "16 1 123"),
        ("[8-9]+", 0, "888 8899 9", "887 "),
        ("(25|26)", -1, "25 2512 26", "24 2"),
        ("+7", 10, "+79257184255", "79257184255"),
        ("*7", -1, "*7 *7123", "77 7"),
        ("X{2,3}", 0, "12 123", "1 1234"),
        ("", 7, "1234567", "123456 12345678"),
        ("", -1, "1 123", "abc"),
    ],
)
def test_numbers_of_the_reference_table(prefix: str, rest: int, fits: str, does_not: str) -> None:
    template = DialTemplate.of(prefix, rest)
    assert [each for each in fits.split(" ") if not template.fits(each)] == []
    assert [each for each in does_not.split(" ") if each and template.fits(each)] == []


def test_a_range_of_lengths() -> None:
    template = DialTemplate.of("810", 10, 22)
    assert [length for length in range(30) if template.fits("810" + "1" * length)] == list(range(10, 23))


@pytest.mark.parametrize(
    "prefix",
    [
        "[",
        "7(",
        ")7",
        "((1))",
        "{2}",
        "(1|2){2}",
        "*{2}",
        "a",
        ".",
        "[9-1]",
        "{",
        "1{3,2}",
        "[1-]",
        "9" * 65,
        "[1]+[2]+X+",
    ],
)
def test_what_is_no_template_is_a_sentence(prefix: str) -> None:
    with pytest.raises(BadTemplate, match=r"^[\"a-z]"):
        DialTemplate.of(prefix)


def test_the_worst_template_costs_a_moment() -> None:
    template = DialTemplate.of("X{1,99}X+(1|11)(1|11)(1|11)", -1)
    began = time.thread_time()
    assert not template.fits("1" * 63 + "a")
    assert time.thread_time() - began < 0.1


def test_of_what_was_dialled_only_keys_count() -> None:
    assert dialled_only("+7 (495) 123-45-67 ext *5#") == "+74951234567*5#"
