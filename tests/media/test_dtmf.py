"""Digits as pairs of tones: heard within the limits of ITU-T Q.24, never in speech; made so that they are heard."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.quality import speech
from media.dsp.dtmf import Tones, tone
from media.dsp.dtmf_ref import COLUMNS, EVENTS, KEYS, ROWS, DetectorReference
from media.dsp.dtmf_ref import tone as plain_tone
from media.files.decode import read_sound

Samples = NDArray[np.int16]

RATES = (8000, 16000, 24000, 48000)
TALK_OFF_MINUTES = 12
OFF = np.random.default_rng(5)


def pair(
    key: str, ms: float, row_db: float = -16, column_db: float = -16, row_off: float = 0, column_off: float = 0
) -> Samples:
    """A press at 8 kHz, levels in dBov, deviations in per cent, silence around it; it begins anywhere in a block."""
    at = np.arange(int(8 * ms)) * 2 * np.pi / 8000
    index = KEYS.index(key)
    row = np.sin(at * ROWS[index // 4] * (1 + row_off / 100) + OFF.uniform(0, 6))
    column = np.sin(at * COLUMNS[index % 4] * (1 + column_off / 100) + OFF.uniform(0, 6))
    both = 46341 * (10 ** (row_db / 20) * row + 10 ** (column_db / 20) * column)
    return whole(np.concatenate([np.zeros(OFF.integers(200, 400)), both, np.zeros(480)]))


def whole(values: NDArray[np.float64]) -> Samples:
    noisy: Samples = np.clip(np.rint(values + OFF.normal(0, 10, len(values))), -32768, 32767).astype(np.int16)
    return noisy


def heard(sound: Samples, rate: int = 8000) -> str:
    """Keys that began."""
    return "".join(EVENTS[event] for event, ms in Tones(rate).feed(sound) if ms == 0)


def share(**how: float) -> float:
    """Of 48 presses: how many are heard as what they are, once."""
    return sum(heard(pair(key, **how)) == key for key in KEYS * 3) / 48


@pytest.fixture(autouse=True)
def chance() -> None:
    """The same for each test, whichever ran before."""
    OFF.bit_generator.state = np.random.default_rng(5).bit_generator.state


PIECES = st.lists(
    st.tuples(
        st.sampled_from(KEYS), st.integers(5, 90), st.integers(-45, -3), st.integers(-45, -3), st.integers(-4, 4)
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(PIECES)
def test_both_hear_the_same_digits(pieces: list[tuple[str, int, int, int, int]]) -> None:
    sound = np.concatenate([pair(key, ms, one, other, off, -off) for key, ms, one, other, off in pieces])
    compiled, plain = Tones(8000), DetectorReference(8000)
    for at in range(0, len(sound), 160):
        frame = sound[at : at + 160]
        assert compiled.feed(frame) == [(press.event, press.duration_ms) for press in plain.feed(frame)]
        assert compiled.suspects == plain.suspects


@pytest.mark.parametrize("rate", RATES)
def test_what_is_made_is_heard_at_every_rate(rate: int) -> None:
    silence: Samples = np.zeros(rate // 20, np.int16)
    for event in range(16):
        made = tone(event, rate, rate * 80 // 1000, rate * 80 // 1000)
        assert made == plain_tone(event, rate, rate * 80 // 1000, rate * 80 // 1000).tobytes()
        presses = Tones(rate).feed(np.concatenate([silence, np.frombuffer(made, np.int16), silence]))
        assert [event for event, _ in presses] == [event, event]
        assert presses[1][1] == pytest.approx(80, abs=10)


def test_a_digit_made_in_pieces_has_no_step_and_begins_and_ends_softly() -> None:
    pieces = b"".join(tone(5, 8000, 160, 720, start) for start in range(0, 800, 160))
    assert pieces == tone(5, 8000, 800, 720)
    made = np.frombuffer(pieces, np.int16).astype(int)
    assert abs(made[0]) < 600
    assert abs(made[719]) < 600
    assert not made[720:].any()


@pytest.mark.parametrize(
    ("how", "least", "most"),
    [
        ({"ms": 40}, 1, 1),
        ({"ms": 20}, 0, 0),
        ({"ms": 50, "row_off": 1.5, "column_off": 1.5}, 1, 1),
        ({"ms": 50, "row_off": -1.8, "column_off": 1.8}, 0.95, 1),
        ({"ms": 50, "row_off": 3.5}, 0, 0),
        ({"ms": 50, "column_off": -3.5}, 0, 0),
        ({"ms": 50, "row_db": -14, "column_db": -22}, 1, 1),  # the row 8 dB louder
        ({"ms": 50, "row_db": -20, "column_db": -16}, 1, 1),  # the column 4 dB louder
        ({"ms": 50, "row_db": -10, "column_db": -22}, 0, 0),
        ({"ms": 50, "row_db": -24, "column_db": -14}, 0, 0),
        ({"ms": 50, "row_db": -9.2, "column_db": -9.2}, 1, 1),  # -3 dBm0
        ({"ms": 50, "row_db": -35, "column_db": -35}, 1, 1),  # -29 dBm0
        ({"ms": 50, "row_db": -42, "column_db": -42}, 0, 0),
    ],
)
def test_digits_are_heard_within_the_limits_of_q_24_and_not_beyond(
    how: dict[str, float], least: float, most: float
) -> None:
    assert least <= share(**how) <= most


@pytest.mark.parametrize(("gap_ms", "digits"), [(10, "5"), (40, "55")])
def test_an_interruption_of_10_ms_is_none_and_a_pause_of_40_ms_ends_a_digit(gap_ms: int, digits: str) -> None:
    for start in range(720, 830, 8):
        sound = pair("5", 160)
        sound[start : start + 8 * gap_ms] = 0
        assert heard(sound) == digits


def test_a_digit_is_heard_in_noise_of_15_db_less() -> None:
    for key in KEYS:
        sound = pair(key, 60)
        noise = OFF.normal(0, 32768 * 10 ** ((-13 - 15) / 20), len(sound))
        assert heard(whole(sound + noise)) == key


def test_a_digit_is_suspected_before_it_is_sure() -> None:
    tones, sound = Tones(8000), np.frombuffer(tone(7, 8000, 800, 800), np.int16)
    assert tones.feed(sound[:160]) == []
    assert tones.suspects
    assert tones.feed(sound[160:320]) == [(7, 0)]
    tones.feed(np.zeros(480, np.int16))
    assert not tones.suspects


@pytest.mark.parametrize("hz", [350, 425, 440, 480, 620, 697, 941, 1100, 1209, 1477, 2100])
def test_single_tones_and_those_of_call_progress_are_no_digits(hz: int) -> None:
    at = np.arange(8000) * 2 * np.pi / 8000
    assert heard(whole(8000 * np.sin(hz * at))) == ""
    assert heard(whole(8000 * np.sin(hz * at) + 8000 * np.sin(440 * at))) == ""


@pytest.mark.skipif(not speech.phrases(), reason="no recorded speech: install asterisk-core-sounds-en-g722")
def test_no_digit_is_heard_in_recorded_speech() -> None:
    """Of two speakers, at the level of recordings and louder."""
    passed = 0.0
    for paths in zip(*speech.phrases(), strict=False):
        for path in paths:
            sound = read_sound(str(path), 8000)
            assert heard(sound) == heard(speech.levelled(sound, -16)) == "", path
            passed += len(sound) / 8000 / 60
        if passed > TALK_OFF_MINUTES:
            break
    assert passed > TALK_OFF_MINUTES
