"""The guessing guard: guessing slows down per source, others are served, memory stays bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.networks import source_key
from pbx.guard import FREE_FAILURES, GuessingGuard

GUESSER, PHONE = "203.0.113.7", "10.0.0.5"
START = 1000.0


def guess(guard: GuessingGuard, now: float, *, source: str = GUESSER, account: str = "") -> bool:
    """One wrong password; whether the guard let it be looked at."""
    looked_at = guard.may_try(source, now, account)
    if looked_at:
        guard.failed(source, now, account)
    return looked_at


def slowed_down(guard: GuessingGuard, now: float = START, *, source: str = GUESSER, account: str = "") -> None:
    for _ in range(FREE_FAILURES):
        assert guess(guard, now, source=source, account=account)


def test_the_eleventh_try_waits_a_second() -> None:
    guard = GuessingGuard()
    slowed_down(guard)
    assert not guess(guard, START)
    assert not guess(guard, START + 0.999)
    assert guess(guard, START + 1.0)
    assert not guess(guard, START + 1.5)


def test_whoever_goes_on_guessing_gets_one_try_a_second() -> None:
    guard = GuessingGuard()
    slowed_down(guard)
    looked_at = sum(guess(guard, START + tick / 100) for tick in range(100 * 100))
    assert looked_at == 99


def test_others_are_not_affected() -> None:
    guard = GuessingGuard()
    slowed_down(guard)
    assert not guard.may_try(GUESSER, START)
    assert guard.may_try(PHONE, START)


def test_a_try_that_is_granted_takes_the_slot_of_its_second_even_before_its_outcome() -> None:
    guard = GuessingGuard()
    slowed_down(guard)
    assert guard.may_try(GUESSER, START + 2)
    assert not guard.may_try(GUESSER, START + 2)


def test_failures_are_forgotten_one_a_minute() -> None:
    guard = GuessingGuard()
    slowed_down(guard)
    assert guess(guard, START + 61)
    assert not guess(guard, START + 61.5)


def test_ten_quiet_minutes_free_even_a_long_guesser() -> None:
    guard = GuessingGuard()
    slowed_down(guard)
    for second in range(1, 3600):
        guess(guard, START + second)
    later = START + 3600 + 11 * 60
    assert all(guard.may_try(GUESSER, later) for _ in range(5))


def test_a_known_account_is_served_beside_a_guesser_on_the_same_address() -> None:
    guard = GuessingGuard()
    guard.succeeded(GUESSER, START, "101")
    slowed_down(guard, account="102")
    assert not guard.may_try(GUESSER, START, "102")
    assert not guard.may_try(GUESSER, START, "103")
    assert guard.may_try(GUESSER, START, "101")


def test_a_known_account_can_be_guessed_only_ten_times_too() -> None:
    guard = GuessingGuard()
    guard.succeeded(GUESSER, START, "101")
    slowed_down(guard, account="101")
    assert not guess(guard, START, account="101")


def test_own_successes_do_not_buy_guesses_of_other_accounts() -> None:
    guard = GuessingGuard()
    for _ in range(FREE_FAILURES):
        guard.succeeded(GUESSER, START, "101")
        assert guess(guard, START, account="102")
    guard.succeeded(GUESSER, START, "101")
    assert not guess(guard, START, account="102")


def test_the_right_password_forgets_the_failures_of_a_known_account() -> None:
    guard = GuessingGuard()
    guard.succeeded(PHONE, START, "101")
    slowed_down(guard, source=PHONE, account="101")
    guard.succeeded(PHONE, START + 1, "101")
    assert guess(guard, START + 1, source=PHONE, account="101")


def test_a_flood_of_invented_addresses_keeps_memory_bounded() -> None:
    guard = GuessingGuard(max_sources=100)
    for index in range(1000):
        guard.failed(f"10.1.{index // 250}.{index % 250}", START)
        guard.succeeded(f"10.2.{index // 250}.{index % 250}", START, "101")
    assert guard.describe() == {"sources": 100, "failed": 1000, "refused": 0, "evicted": 900}
    assert len(guard._known) == 100


def test_an_active_guesser_is_not_pushed_out_by_as_many_others_as_fit() -> None:
    guard = GuessingGuard(max_sources=100)
    slowed_down(guard)
    for index in range(99):
        guard.failed(f"10.1.0.{index}", START)
    assert not guard.may_try(GUESSER, START)


def test_whoever_keeps_guessing_is_remembered_whatever_else_arrives() -> None:
    guard = GuessingGuard(max_sources=100)
    slowed_down(guard)
    for index in range(250):
        guard.failed(f"10.1.0.{index}", START)
        assert not guard.may_try(GUESSER, START)


def test_refused_tries_are_counted() -> None:
    guard = GuessingGuard()
    slowed_down(guard)
    guard.may_try(GUESSER, START)
    assert guard.describe() == {"sources": 1, "failed": 10, "refused": 1, "evicted": 0}


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_ipv6_host_is_its_64(source: str, key: str) -> None:
    assert source_key(source) == key


@given(st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from("abc")), min_size=1, max_size=200))
def test_no_source_ever_gets_more_than_ten_tries_and_one_a_second(steps: list[tuple[float, str]]) -> None:
    guard, now = GuessingGuard(), START
    tries = dict.fromkeys("abc", 0)
    for pause, source in steps:
        now += pause
        tries[source] += guess(guard, now, source=source)
        forgotten = (now - START) // 60
        assert tries[source] <= FREE_FAILURES + forgotten + (now - START) + 1
