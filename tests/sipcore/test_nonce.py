"""Stateless nonces and the memory of their counts, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.auth.nonce import FOREIGN, FRESH, STALE, NonceCounts, NonceMaker, issued_at_s

KEY = b"0123456789abcdef"


def test_a_nonce_is_fresh_for_its_lifetime_then_stale() -> None:
    maker = NonceMaker(KEY, lifetime_s=30.0)
    nonce = maker.make(1000.9, "w0a")
    assert issued_at_s(nonce) == 1000
    assert [maker.check(nonce, now) for now in (1000.9, 1030.0, 1030.1, 5000.0)] == [FRESH, FRESH, STALE, STALE]


def test_a_nonce_from_the_future_is_stale() -> None:
    maker = NonceMaker(KEY)
    assert maker.check(maker.make(1000.0, "s"), 900.0) is STALE


def test_salt_and_time_make_nonces_differ() -> None:
    maker = NonceMaker(KEY)
    assert len({maker.make(now, salt) for now in (1.0, 2.0) for salt in ("a", "b")}) == 4


def test_another_key_is_foreign() -> None:
    assert NonceMaker(b"another key ....").check(NonceMaker(KEY).make(1.0, "s"), 1.0) is FOREIGN


@given(st.integers(0, 40), st.characters())
def test_a_changed_nonce_is_foreign(at: int, char: str) -> None:
    maker = NonceMaker(KEY)
    nonce = maker.make(1000.0, "salt")
    at %= len(nonce)
    changed = nonce[:at] + char + nonce[at + 1 :]
    assert maker.check(changed, 1000.0) is (FRESH if changed == nonce else FOREIGN)


@given(st.text())
def test_any_text_has_a_verdict(text: str) -> None:
    assert NonceMaker(KEY).check(text, 1.0) is FOREIGN


def _nonce(issued_s: int, salt: str = "s") -> str:
    return f"{issued_s:x}-{salt}-mac"


def test_counts_must_rise() -> None:
    counts = NonceCounts()
    uses = [(1, True), (1, False), (2, True), (5, True), (3, False), (5, False), (6, True)]
    assert [counts.accept(_nonce(100), count, 100.0) for count, _ in uses] == [good for _, good in uses]
    assert counts.accept(_nonce(100, "other"), 1, 100.0)


def test_a_nonce_without_count_is_good_for_one_use() -> None:
    counts = NonceCounts()
    assert counts.accept(_nonce(100), 0, 100.0)
    assert not counts.accept(_nonce(100), 0, 100.0)


@given(st.lists(st.floats(0.0, 40.0), max_size=30))
def test_a_replay_within_the_lifetime_never_passes(waits_s: list[float]) -> None:
    counts = NonceCounts(lifetime_s=60.0)
    now, used = 1000.0, list[tuple[str, float]]()
    for i, wait_s in enumerate(waits_s):
        now += wait_s
        nonce = _nonce(int(now), str(i))
        assert counts.accept(nonce, 1, now)
        used.append((nonce, now))
        assert not any(counts.accept(old, 1, now) for old, at in used if now - at <= 60.0)


def test_old_nonces_are_forgotten() -> None:
    counts = NonceCounts(lifetime_s=60.0)
    for i in range(100):
        assert counts.accept(_nonce(1000, str(i)), 1, 1000.0)
    assert counts.accept(_nonce(1061), 1, 1061.0)
    assert len(counts) == 101
    assert counts.accept(_nonce(1122), 1, 1122.0)
    assert len(counts) == 2


@pytest.mark.parametrize("rate", [10, 100])
def test_a_flood_neither_grows_the_memory_nor_opens_a_replay(rate: int) -> None:
    counts = NonceCounts(lifetime_s=60.0, most=200)
    used = [_nonce(1000 + i // rate, str(i)) for i in range(1000)]
    for i, nonce in enumerate(used):
        assert counts.accept(nonce, 1, 1000.0 + i / rate)
        assert len(counts) <= 201
    now = 1000.0 + 1000 / rate
    assert not any(counts.accept(nonce, 1, now) for nonce in used)
    assert counts.accept(used[-1], 2, now)
