"""Change of the sampling rate: equal to the reference, on time, without what was not there before."""

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from media.dsp import resample_ref
from media.dsp.polyphase import PASS_EDGE, RATES, delay_ms, weights
from media.dsp.resample import Rate

PAIRS = list(permutations(RATES, 2))
SNR_DB = 70  # of a loud tone in the pass band
ALIAS_DB = 57  # how far down a tone lies that the lower rate cannot carry


def tone(hz: float, rate: int, seconds: float = 0.4, amplitude: float = 20000) -> NDArray[np.int16]:
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.int16)


def converted(samples: NDArray[np.int16], from_rate: int, to_rate: int, frame_ms: int = 20) -> NDArray[np.int16]:
    """In frames, as the engine does it."""
    rate, size = Rate(from_rate, to_rate), from_rate * frame_ms // 1000
    frames = [rate.convert(samples[at : at + size]) for at in range(0, len(samples), size)]
    assert {len(frame) for frame in frames[:-1]} <= {2 * to_rate * frame_ms // 1000}
    return np.frombuffer(b"".join(frames), dtype=np.int16)


def level_db(samples: NDArray[np.int16], beside: float = 20000 / np.sqrt(2)) -> float:
    return float(20 * np.log10(max(1e-9, np.sqrt(np.mean(samples.astype(float) ** 2))) / beside))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_noise_at_full_scale_equals_the_reference_whatever_the_frames(one: int, other: int) -> None:
    noise = np.random.default_rng(one + other).integers(-32768, 32768, one // 4).astype(np.int16)
    expected = resample_ref.resample(noise, one, other)
    for frame_ms in (10, 20, 60):
        assert np.array_equal(converted(noise, one, other, frame_ms), expected)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_pieces_of_any_size_make_the_same_samples(one: int, other: int) -> None:
    rng = np.random.default_rng(5)
    noise = rng.integers(-9000, 9000, 3000).astype(np.int16)
    cuts = np.sort(rng.integers(0, 3000, 40))
    rate = Rate(one, other)
    parts = b"".join(rate.convert(part) for part in np.split(noise, cuts))
    assert np.array_equal(np.frombuffer(parts, np.int16), resample_ref.resample(noise, one, other))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_tone_comes_out_as_that_tone_after_the_stated_delay(one: int, other: int) -> None:
    lowest = min(one, other)
    for hz in (300, 1000, 0.84 * lowest / 2):
        got = converted(tone(hz, one), one, other).astype(float)
        late = np.arange(len(got)) / other - delay_ms(one, other) / 1000
        ideal, settled = 20000 * np.sin(2 * np.pi * hz * late), slice(other // 20, None)
        # The level may ripple by a hundredth of a decibel; everything else is noise.
        gain = np.dot(got[settled], ideal[settled]) / np.dot(ideal[settled], ideal[settled])
        assert abs(20 * np.log10(gain)) < 0.02
        noise = got[settled] - gain * ideal[settled]
        assert 10 * np.log10(np.mean(ideal[settled] ** 2) / np.mean(noise**2)) > SNR_DB


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_nothing_is_folded_back_of_what_the_lower_rate_cannot_carry(one: int, other: int) -> None:
    at = np.arange(one // 2) / one
    first, last = other / 2, one / 2
    sweep = np.rint(20000 * np.sin(2 * np.pi * (first * at + (last - first) * at**2))).astype(np.int16)
    assert level_db(converted(sweep, one, other)[other // 50 :]) < -ALIAS_DB


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if pair[0] < pair[1]])
def test_no_image_appears_above_what_came_in(one: int, other: int) -> None:
    got = converted(tone(0.8 * one / 2, one, 1.0), one, other)[other // 20 :].astype(float)
    spectrum = np.abs(np.fft.rfft(got * np.hanning(len(got))))
    above = spectrum[int(len(got) * one / 2 / other) :]
    assert 20 * np.log10(above.max() / spectrum.max()) < -ALIAS_DB


def test_the_pass_band_reaches_3400_hz_at_8_khz() -> None:
    assert PASS_EDGE * 4000 >= 3400


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_phase_can_overflow_32_bits_and_silence_stays_silent(one: int, other: int) -> None:
    assert np.abs(weights(one, other).astype(np.int64)).sum(axis=1).max() * 32768 + 8192 < 2**31
    assert not converted(np.zeros(one // 10, np.int16), one, other).any()


def test_equal_rates_change_nothing_and_unknown_ones_are_refused() -> None:
    samples = tone(440, 16000)
    assert np.array_equal(converted(samples, 16000, 16000), samples)
    assert Rate(8000, 16000).convert(samples[:0]) == b""
    for one, other in ((8000, 44100), (11025, 8000), (0, 0)):
        with pytest.raises(ValueError, match="cannot become"):
            Rate(one, other)


def test_a_minute_at_once_has_every_sample() -> None:
    assert len(Rate(8000, 48000).convert(np.zeros(60 * 8000, np.int16))) == 2 * 60 * 48000
