"""What people and phones dial."""

import pytest

from pbx.numbering import cleaned, dialled_number


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


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("20 1a", "201"),
        ("tel: 8/916/123_45_67", "89161234567"),
        ("+7+7", "+7+7"),
        ("№*82-201#", "*82201#"),
        ("20 1a;phone-context=+7", "201"),
        *((name, name) for name in ("alice", "", "--", "２０１")),
    ],
)
def test_only_what_keys_can_dial_is_routed_and_a_name_stays_a_name(typed: str, number: str) -> None:
    assert cleaned(typed) == number
