"""English numbers, ordinals, dates and times, word for word."""

from datetime import date, datetime, time

import pytest

from pbx.speech import english
from tests.pbx.speech.spoken import text_of

NUMBERS = {
    0: "zero",
    1: "one",
    2: "two",
    10: "ten",
    11: "eleven",
    12: "twelve",
    13: "thirteen",
    14: "fourteen",
    15: "fifteen",
    19: "nineteen",
    20: "twenty",
    21: "twenty one",
    30: "thirty",
    40: "forty",
    55: "fifty five",
    99: "ninety nine",
    100: "one hundred",
    101: "one hundred one",
    110: "one hundred ten",
    111: "one hundred eleven",
    121: "one hundred twenty one",
    200: "two hundred",
    999: "nine hundred ninety nine",
    1000: "one thousand",
    1001: "one thousand one",
    1100: "one thousand one hundred",
    1234: "one thousand two hundred thirty four",
    2000: "two thousand",
    11000: "eleven thousand",
    21000: "twenty one thousand",
    100000: "one hundred thousand",
    101001: "one hundred one thousand one",
    1000000: "one million",
    1000001: "one million one",
    2001000: "two million one thousand",
    1000000000: "one billion",
    5000000021: "five billion twenty one",
    -7: "minus seven",
}
ORDINALS = {
    0: "zeroth",
    1: "first",
    2: "second",
    3: "third",
    4: "fourth",
    5: "fifth",
    8: "eighth",
    9: "ninth",
    10: "tenth",
    11: "eleventh",
    12: "twelfth",
    13: "thirteenth",
    19: "nineteenth",
    20: "twentieth",
    21: "twenty first",
    22: "twenty second",
    33: "thirty third",
    40: "fortieth",
    99: "ninety ninth",
    100: "one hundredth",
    101: "one hundred first",
    112: "one hundred twelfth",
    120: "one hundred twentieth",
    1000: "one thousandth",
    1001: "one thousand first",
    21000: "twenty one thousandth",
    1000000: "one millionth",
}


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_a_number(value: int, text: str) -> None:
    assert text_of("en", english.number(value)) == text


@pytest.mark.parametrize(("value", "text"), ORDINALS.items())
def test_an_ordinal_number(value: int, text: str) -> None:
    assert text_of("en", english.ordinal(value)) == text


def test_a_number_beyond_all_names_is_said_digit_by_digit() -> None:
    assert len(english.number(10**12)) == 13
    assert english.ordinal(10**12) == english.number(10**12)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "zero seconds"),
        (1, "one second"),
        (2, "two seconds"),
        (60, "one minute"),
        (61, "one minute one second"),
        (1260, "twenty one minutes"),
        (3600, "one hour"),
        (7325, "two hours two minutes five seconds"),
        (86400, "one day"),
        (172800, "two days"),
    ],
)
def test_a_duration(seconds: int, text: str) -> None:
    assert text_of("en", english.duration(seconds)) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (time(0, 0), "twelve a m"),
        (time(0, 5), "twelve oh five a m"),
        (time(9, 0), "nine a m"),
        (time(9, 10), "nine ten a m"),
        (time(11, 59), "eleven fifty nine a m"),
        (time(12, 0), "twelve p m"),
        (time(13, 1), "one oh one p m"),
        (time(14, 30), "two thirty p m"),
        (time(23, 45), "eleven forty five p m"),
    ],
)
def test_a_time_of_day(at: time, text: str) -> None:
    assert text_of("en", english.time_of_day(at)) == text


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2026, 1, 1), "January first twenty twenty six"),
        (date(2000, 2, 2), "February second two thousand"),
        (date(2005, 3, 3), "March third two thousand five"),
        (date(2010, 4, 20), "April twentieth twenty ten"),
        (date(1999, 5, 21), "May twenty first nineteen ninety nine"),
        (date(1905, 6, 12), "June twelfth nineteen oh five"),
        (date(1900, 7, 30), "July thirtieth nineteen hundred"),
        (date(2100, 8, 31), "August thirty first twenty one hundred"),
    ],
)
def test_a_date(day: date, text: str) -> None:
    assert text_of("en", english.calendar_day(day)) == text


def test_days_of_the_week() -> None:
    days = [text_of("en", english.weekday(date(2026, 11, 23 + n))) for n in range(7)]
    assert days == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


NOW = datetime(2026, 11, 25, 12, 0)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 25, 9, 30), "today at nine thirty a m"),
        (datetime(2026, 11, 24, 21, 1), "yesterday at nine oh one p m"),
        (datetime(2026, 11, 26, 8, 0), "tomorrow at eight a m"),
        (datetime(2026, 11, 2, 14, 32), "November second at two thirty two p m"),
        (datetime(2025, 12, 31, 23, 5), "December thirty first twenty twenty five at eleven oh five p m"),
    ],
)
def test_a_moment_seen_from_now(at: datetime, text: str) -> None:
    assert text_of("en", english.moment(at, NOW)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("101", "one zero one"),
        ("12345", "one two | three four five"),
        ("5551234", "five five five | one two three four"),
        ("+12125551234", "plus one | two one two | five five five | one two three four"),
        ("*97", "star nine seven"),
        ("#", "pound"),
    ],
)
def test_a_telephone_number_in_groups(number: str, text: str) -> None:
    assert text_of("en", english.phone(number)) == text


def test_every_number_up_to_a_hundred_thousand_can_be_said() -> None:
    for value in [*range(2000), *range(2000, 100_000, 37)]:
        assert {*english.number(value), *english.ordinal(value)} <= set(english.WORDS), value
