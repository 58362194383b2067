"""Periods, changes of length by them, and concealment made of them: compiled as plain, and without clicks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.jitter import period_ref
from media.jitter.period import changed, lag_for, period_of
from media.jitter.plc import Hiding
from media.jitter.plc_ref import Concealment, can_bridge, history, hold

Samples = NDArray[np.int16]
RATES = st.sampled_from((8000, 16000, 24000, 48000))


def sounds(seed: int, count: int, kind: int) -> Samples:
    """Silence, noise, a tone in noise, full scale."""
    draw = np.random.default_rng(seed)
    tone = 9000 * np.sin(np.arange(count) * 2 * np.pi / draw.uniform(15, 200))
    made = [
        np.zeros(count),
        draw.normal(0, 3000, count),
        tone + draw.normal(0, 200, count),
        draw.choice((-1, 1), count),
    ]
    shaped: Samples = np.clip(np.rint(made[kind] * (32768 if kind == 3 else 1)), -32768, 32767).astype(np.int16)
    return shaped


def voiced(count: int, rate: int = 8000, hz: float = 125.0) -> Samples:
    """A steady vowel."""
    at = np.arange(count) * 2 * np.pi * hz / rate
    return np.rint(3000 * sum(np.cos(n * at) / n for n in range(1, 8))).astype(np.int16)


@given(st.integers(0, 9999), st.integers(0, 3), RATES)
def test_both_find_the_same_period(seed: int, kind: int, rate: int) -> None:
    window, most = rate // 100, rate * 15 // 1000
    sound = sounds(seed, window + most, kind)
    assert period_of(sound, window, most, rate) == period_ref.find_period(sound, window, most, rate)


@given(st.integers(0, 9999), st.integers(0, 3), RATES, st.integers(0, 40))
def test_both_change_the_length_alike(seed: int, kind: int, rate: int, ms: int) -> None:
    sound = sounds(seed, rate * ms // 1000, kind)
    lag = lag_for(sound, rate, 0.5, rate)
    assert lag == period_ref.lag_for(sound, rate, 0.5, rate)
    if lag:
        assert changed(sound, lag, rate, longer=False) == period_ref.shortened(sound, lag, rate).tobytes()
        assert changed(sound, lag, rate, longer=True) == period_ref.lengthened(sound, lag, rate).tobytes()


@given(st.integers(0, 9999), st.integers(0, 3), RATES, st.integers(0, 700), st.integers(1, 900), st.integers(60, 400))
def test_both_conceal_alike(seed: int, kind: int, rate: int, made: int, gap: int, after: int) -> None:
    before, behind = sounds(seed, history(rate), kind), sounds(seed + 1, after, kind)
    plain_before, plain_behind = before.copy(), behind.copy()
    compiled, plain = Hiding(rate), Concealment(rate)
    compiled.begin(before)
    plain.begin(plain_before)
    assert before.tobytes() == plain_before.tobytes()
    assert compiled.make(made) == np.array(plain.make(made), np.int16).tobytes()
    if can_bridge(after, rate):
        assert compiled.bridge(gap, behind) == np.array(plain.bridge(gap, plain_behind), np.int16).tobytes()
    else:
        compiled.join(behind)
        plain.join(plain_behind)
    assert behind.tobytes() == plain_behind.tobytes()


@pytest.mark.parametrize(("hz", "lag"), [(80, 100), (125, 64), (250, 32), (400, 20)])
def test_the_period_of_a_vowel_is_found(hz: int, lag: int) -> None:
    found, alike = period_ref.find_period(voiced(200, hz=hz), 80, 120, 8000)
    assert found % lag == 0
    assert alike > 0.99


@pytest.mark.parametrize("longer", [False, True])
def test_a_vowel_of_another_length_has_the_same_pitch_and_no_step(longer: bool) -> None:
    vowel = voiced(400)
    lag = lag_for(vowel, 8000, 0.8, 8000)
    other = np.frombuffer(changed(vowel, lag, 8000, longer), np.int16)
    assert len(other) == 400 + (lag if longer else -lag)
    assert period_of(other, 80, 120, 8000) == period_of(vowel, 80, 120, 8000)
    assert np.abs(np.diff(other.astype(int))).max() <= np.abs(np.diff(vowel.astype(int))).max() * 1.1


def test_noise_is_not_stretched_where_likeness_is_asked_for() -> None:
    noise = sounds(1, 400, 1)
    assert lag_for(noise, 8000, 0.8, 8000) == 0
    assert lag_for(noise, 8000, period_ref.NEVER_ALIKE, 60) <= 60


def test_a_gap_in_a_vowel_is_bridged_so_that_nobody_hears_it() -> None:
    vowel = voiced(1000)
    before, gap, after = vowel[:400].copy(), vowel[400:720], vowel[720:].copy()
    hiding = Hiding(8000)
    hiding.begin(before)
    made = np.frombuffer(hiding.bridge(320, after), np.int16)
    assert np.abs(made.astype(int) - gap).max() < 300  # a hundredth of the scale
    assert np.abs(np.concatenate([before, made, after]).astype(int) - vowel).max() < 300


def test_concealment_fades_from_10_to_60_ms_and_joins_what_comes_back_without_a_step() -> None:
    vowel = voiced(1000)
    hiding, before, after = Hiding(8000), vowel[:400].copy(), vowel[900:].copy()
    hiding.begin(before)
    made = np.frombuffer(hiding.make(500), np.int16).astype(int)
    assert np.abs(made[:80] - vowel[400:480]).max() < 300
    peaks = [np.abs(made[at : at + 80]).max() for at in range(0, 500, 80)]
    assert peaks == sorted(peaks, reverse=True)
    assert not made[480:].any()
    hiding.join(after)
    assert abs(after[0]) < 300
    assert after[80:].tobytes() == vowel[980:].tobytes()


def test_what_is_held_back_is_all_that_concealment_changes() -> None:
    before = sounds(3, history(8000), 2)
    same = before.copy()
    Hiding(8000).begin(before)
    assert before[: -hold(8000)].tobytes() == same[: -hold(8000)].tobytes()
