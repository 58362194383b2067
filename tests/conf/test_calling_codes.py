"""Calling codes of numbers outside."""

import pytest

from conf.calling_codes import calling_codes, code_at


@pytest.mark.parametrize(
    ("number", "country", "code"),
    [
        ("+4930123456", "ru", "49"),
        ("8104930123456", "ru", "49"),
        ("004930123456", "de", "49"),
        ("0114930123456", "us", "49"),
        ("+37120000000", "", "371"),
        ("+12125550100", "ru", "1"),
        ("+79161234567", "ru", "7"),
        ("+998711234567", "ru", "998"),
    ],
)
def test_a_number_in_the_international_way_names_a_country(number: str, country: str, code: str) -> None:
    assert calling_codes([number], country) == {code}


@pytest.mark.parametrize(
    ("number", "country"), [("89161234567", "ru"), ("2125550100", "us"), ("8105550100", "us"), ("+", "ru"), ("", "ru")]
)
def test_others_name_none(number: str, country: str) -> None:
    assert not calling_codes([number], country)


def test_no_code_is_the_beginning_of_another() -> None:
    codes = {code_at(f"{number:03}") for number in range(100, 1000)}
    assert not [(a, b) for a in codes for b in codes if a != b and b.startswith(a)]
    assert {"1", "7", "44", "49", "81", "352", "420", "998"} <= codes
