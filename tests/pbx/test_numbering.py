"""What people and phones dial."""

import pytest

from pbx.numbering import dialled_number


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("201", "201"),
        ("10003246", "10003246"),
        ("000064", "000064"),
        ("+7 (916) 123-45-67", "+79161234567"),
        ("8.800.555.35.35", "88005553535"),
        ("*8201", "*8201"),
        ("#*99", "#*99"),
        ("201;phone-context=example.com", "201"),
    ],
)
def test_separators_and_parameters_of_a_number_go(user: str, number: str) -> None:
    assert dialled_number(user) == number


@pytest.mark.parametrize("user", ["alice", "john.doe", "7+7", "", "+", "--", "20 1a", "２０１"])
def test_what_is_no_number_stays_as_it_is(user: str) -> None:
    assert dialled_number(user) == user
