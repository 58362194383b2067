"""How many calls a number takes part in."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pbx.limits import ActiveCalls


def test_several_legs_of_one_call_count_once() -> None:
    active = ActiveCalls()
    for leg in (1, 2, 3):
        active.enter("101", "a", leg)
    active.enter("101", "b", 4)
    assert active.count("101") == 2
    active.leave("101", "a", 1)
    active.leave("101", "a", 2)
    assert active.count("101") == 2
    active.leave("101", "a", 3)
    assert active.count("101") == 1


def test_a_reservation_counts_and_passes_over_into_the_legs_without_a_gap() -> None:
    active = ActiveCalls()
    with active.reserved(("101",), "a"):
        assert active.count("101") == 1
        active.enter("101", "a", 7)
    assert active.count("101") == 1
    active.leave("101", "a", 7)
    assert active.numbers() == []


def test_a_number_that_nobody_knows_has_no_calls_and_is_not_remembered_for_being_asked_about() -> None:
    active = ActiveCalls()
    assert active.count("101") == 0
    assert active.numbers() == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(1, 4)), unique=True), st.randoms())
def test_whoever_enters_and_leaves_in_any_order_leaves_nothing(
    entries: list[tuple[str, str, int]], random: Random
) -> None:
    active = ActiveCalls()
    for number, call, leg in entries:
        active.enter(number, call, leg)
    for number in "ab":
        assert active.count(number) == len({call for each, call, _ in entries if each == number})
    shuffled = list(entries)
    random.shuffle(shuffled)
    for number, call, leg in shuffled:
        active.leave(number, call, leg)
    assert active.numbers() == []
