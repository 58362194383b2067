"""Comfort noise (RFC 3389): equal to the reference, of the stated level and colour, never instead of speech."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.codec import comfort_ref
from media.codec.comfort import Noise, Quiet, describe

WHITE = np.random.default_rng(2).normal(0, 1, 32000)
DARK = np.convolve(WHITE, 0.8 ** np.arange(40))[:32000]  # falls with frequency
BRIGHT = DARK * (-1.0) ** np.arange(32000)


def pcm(shape: NDArray[np.float64], dbov: float) -> NDArray[np.int16]:
    scaled = shape / np.sqrt(np.mean(shape**2)) * 32768 * 10 ** (dbov / 20)
    clipped: NDArray[np.int16] = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    return clipped


def made(payload: bytes, samples: int = 16000) -> NDArray[np.int16]:
    noise = Noise()
    assert noise.update(payload)
    noise.make(1600)  # the level has glided up
    return np.frombuffer(noise.make(samples), np.int16)


def tilt_db(samples: NDArray[np.int16]) -> float:
    """Lower half of the band against the upper one."""
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    half = len(power) // 2
    return float(10 * np.log10(power[:half].sum() / power[half:].sum()))


@pytest.mark.parametrize("dbov", [20, 40, 60, 75])
def test_noise_has_the_level_that_the_payload_states(dbov: int) -> None:
    for payload in (bytes([dbov]), describe(pcm(DARK, -dbov)[:1600], 10)[:1] + describe(pcm(DARK, -40)[:1600], 10)[1:]):
        samples = made(bytes([dbov]) + payload[1:])
        assert comfort_ref.level_db(samples) == pytest.approx(-dbov, abs=1.0)


@pytest.mark.parametrize(("shape", "sign"), [(DARK, 1), (BRIGHT, -1)])
def test_noise_has_the_colour_of_the_background_that_was_described(shape: NDArray[np.float64], sign: int) -> None:
    background = pcm(shape, -45)
    again = made(describe(background[:480], 10))
    assert tilt_db(again) * sign > 6
    assert tilt_db(again) == pytest.approx(tilt_db(background), abs=4)
    assert comfort_ref.level_db(again) == pytest.approx(-45, abs=2.5)


def test_a_background_that_falls_with_frequency_begins_with_a_negative_coefficient() -> None:
    """§3.2: 127 is nothing; A(z) = 1 + sum(a z^-i)."""
    assert describe(pcm(DARK, -40)[:480], 2)[1] < 127 < describe(pcm(BRIGHT, -40)[:480], 2)[1]
    assert describe(np.zeros(160, np.int16), 10) == bytes([127])


@given(st.binary(max_size=30), st.integers(0, 2**32 - 1))
def test_any_payload_makes_bounded_noise_equal_to_that_of_the_reference(payload: bytes, seed: int) -> None:
    noise, plain = Noise(seed), comfort_ref.Noise(seed)
    for part in (payload, payload[3:], payload[:4]):
        assert noise.update(part) == plain.update(part)
        got = np.frombuffer(noise.make(120), np.int16)
        assert np.max(np.abs(got.astype(int) - plain.make(120).astype(int))) <= 1


def test_noise_is_silent_until_something_is_known_and_after_level_127() -> None:
    noise = Noise()
    assert not noise.update(b"")
    assert noise.make(320) == bytes(640)
    noise.update(b"\x20")
    assert noise.make(320) != bytes(640)
    noise.update(b"\x7f")
    noise.make(3200)
    assert noise.make(320) == bytes(640)


def test_a_colour_of_another_rate_is_left_out() -> None:
    noise = Noise()
    assert noise.update(describe(pcm(DARK, -40)[:480], 10), spectrum=False)
    noise.make(1600)
    assert abs(tilt_db(np.frombuffer(noise.make(16000), np.int16))) < 1


def test_the_level_glides_and_does_not_jump() -> None:
    noise = Noise()
    noise.update(b"\x14")
    first = np.frombuffer(noise.make(1600), np.int16).astype(float)
    assert np.abs(first[:16]).max() < np.abs(first[800:]).max() / 4


@pytest.mark.parametrize("order", [0, 6, 10])
def test_descriptions_equal_those_of_the_reference(order: int) -> None:
    for at, shape in enumerate((WHITE, DARK, BRIGHT)):
        for samples in (80, 160, 960, 2880):
            frame = pcm(shape, -30 - 10 * at)[:samples]
            got, expected = describe(frame, order), comfort_ref.describe(frame, order)
            assert len(got) == len(expected) == 1 + order
            assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) <= 1


def sent(samples: NDArray[np.int16], rate: int = 8000, order: int = 6) -> list[bytes | None]:
    quiet, plain = Quiet(rate, order), comfort_ref.Quiet(rate, order)
    found = []
    for frame in np.split(samples, len(samples) // (rate // 50)):
        one, other = quiet.frame(frame), plain.frame(frame)
        assert (one is None, len(one or b"")) == (other is None, len(other or b""))
        found.append(one)
    return found


def test_silence_is_told_once_a_second_after_a_moment_in_which_it_is_sent() -> None:
    found = sent(np.zeros(8000 * 4, np.int16))
    assert found[:11] == [None] * 11
    assert found[11] == b"\x7f"
    assert len([each for each in found if each]) == 4
    assert None not in found[11:]


def test_a_background_becomes_a_description_and_speech_over_it_is_sent_whole() -> None:
    background = pcm(WHITE, -60)
    talk = background.astype(int)
    talk[16000:20000] += pcm(DARK, -25)[:4000]
    found = sent(talk.astype(np.int16))
    assert found[12:99].count(None) == 0
    assert found[100:125] == [None] * 25, "no frame of the speech is lost, the first one neither"
    assert found[125:136].count(None) == 11, "nor is its end cut off"
    assert found[136], "then the background is described again"
    assert None not in found[136:]


@pytest.mark.parametrize("dbov", [-44, -30, -10])
def test_steady_sound_that_is_not_faint_is_never_taken_for_silence(dbov: float) -> None:
    steady = np.sin(2 * np.pi * 425 / 8000 * np.arange(32000))
    assert sent(pcm(steady, dbov)) == [None] * 200


def test_a_background_that_changes_is_told_at_once() -> None:
    louder = np.concatenate([pcm(WHITE, -72)[:8000], pcm(WHITE, -67)[:8000]])
    found = sent(louder)
    assert None not in found[12:]
    assert found[50], "the first frame of it"
    levels = [each[0] for each in found if each]
    assert levels[0] == pytest.approx(72, abs=1)
    assert levels[-1] == pytest.approx(67, abs=1)
