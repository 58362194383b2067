"""How long a speaker has said nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from media.record.silence import KEPT_MS, Silence
from tests.media.sounds import sine

RATE = 8000
KEPT = RATE * KEPT_MS // 1000


def noise(seconds: float, level: float) -> NDArray[np.int16]:
    """Of that root mean square."""
    return np.random.default_rng(1).normal(0, level, round(RATE * seconds)).astype(np.int16)


def fed(*parts: NDArray[np.int16], step: int = 4000, start: int = 0) -> Silence:
    silence, whole = Silence(RATE, start), np.concatenate(parts)
    for at in range(0, len(whole), step):
        silence.feed(whole[at : at + step])
    return silence


@pytest.mark.parametrize("step", [1, 37, 160, 4000, 100_000])
def test_silence_is_counted_from_the_last_word_however_the_samples_come(step: int) -> None:
    found = fed(sine(300, 1.0), noise(2.0, 60), step=step)
    assert found.length == pytest.approx(2 * RATE, abs=200)
    assert found.worth == pytest.approx(RATE + KEPT, abs=200)


def test_what_is_said_in_between_begins_anew() -> None:
    found = fed(sine(300, 1.0), noise(2.0, 60), sine(300, 0.2, level=600), noise(0.3, 60))
    assert found.length == pytest.approx(0.3 * RATE, abs=200)
    assert found.worth == pytest.approx(3.5 * RATE, abs=200), "no more than there is"


def test_where_nobody_says_anything_nothing_is_worth_keeping() -> None:
    found = fed(noise(3.0, 100))
    assert (found.length, found.worth) == (3 * RATE, 0)


def test_a_click_is_no_word() -> None:
    click = np.zeros(RATE, dtype=np.int16)
    click[4000:4080] = 20_000
    assert fed(click).worth == 0


def test_what_was_there_before_stays() -> None:
    found = fed(noise(1.0, 60), start=5000)
    assert (found.length, found.worth) == (RATE, 5000 + KEPT)
