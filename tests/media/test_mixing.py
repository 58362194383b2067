"""The arithmetic of a room against its plain reference: sums, rates, gains, who comes and goes, who talks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.mix.mixing import Mixing, Talking
from media.mix.mixing_ref import MixingReference
from media.mix.talking_ref import TalkerReference, power_of
from tests.media.codecs import tones_of
from tests.media.sounds import sine

Samples = NDArray[np.int16]


def noise(rate: int, seed: int, level: int = 3000) -> Samples:
    return np.random.default_rng(seed).integers(-level, level, rate // 50).astype(np.int16)


class Both:
    """The compiled room and its reference, told the same."""

    def __init__(self, *rates: int) -> None:
        self.mixing, self.reference = Mixing(), MixingReference()
        for rate in rates:
            assert self.mixing.add(rate) == self.reference.add(rate)

    def gain(self, source: int, sink: int, gain: float) -> None:
        self.mixing.set_gain(source, sink, gain)
        self.reference.gains[source, sink] = gain

    def role(self, member: int, *, talks: bool = True, hears: bool = True) -> None:
        self.mixing.set_role(member, talks, hears)
        self.reference.talks[member], self.reference.hears[member] = float(talks), float(hears)

    def tick(self, frames: list[Samples], tolerance: int = 0) -> list[Samples]:
        heard, wanted = self.mixing.tick(frames), self.reference.tick(frames)
        for mine, theirs in zip(heard, wanted, strict=True):
            assert np.abs(mine.astype(int) - theirs).max() <= tolerance
        return heard


def test_everybody_hears_all_the_others_and_not_itself() -> None:
    room = Both(8000, 8000, 8000)
    frames = [noise(8000, seed) for seed in range(3)]
    room.tick(frames)
    heard = room.tick(frames)
    for member in range(3):
        others = sum(frame.astype(int) for at, frame in enumerate(frames) if at != member)
        assert np.array_equal(heard[member], others)


def test_too_loud_together_is_cut_and_never_turned_over() -> None:
    room = Both(8000, 8000, 8000)
    loud, silent = np.full(160, 30000, np.int16), np.zeros(160, np.int16)
    room.tick([loud, loud, silent], tolerance=1)
    heard = room.tick([loud, loud, silent])
    assert set(heard[2]) == {32767}
    assert set(heard[0]) == {30000}, "what one said itself is taken out before the cut"


def test_rooms_of_mixed_rates_give_each_the_best_that_it_can_hear() -> None:
    room = Both(16000, 16000, 8000, 48000)
    tones = {0: (6000, 16000), 1: (300, 16000), 2: (1000, 8000), 3: (15000, 48000)}
    sounds = {who: sine(hz, 1.0, rate) for who, (hz, rate) in tones.items()}
    heard: list[list[Samples]] = [[], [], [], []]
    for at in range(50):
        frames = [sounds[who][at * rate // 50 : (at + 1) * rate // 50] for who, (_, rate) in tones.items()]
        for mine, now in zip(heard, room.tick(frames, tolerance=0 if at else 1), strict=True):
            mine.append(now)
    both = [np.concatenate(each) for each in heard]
    assert tones_of(both[1][4800:], 16000, 2) == [1000, 6000], "wideband stays wideband, full band folds nothing in"
    assert tones_of(both[2][2400:], 8000, 1) == [300]
    assert tones_of(both[3][14400:], 48000, 3) == [300, 1000, 6000]


def test_gains_between_two_members_change_what_one_hears_and_nobody_else() -> None:
    room = Both(8000, 8000, 8000)
    frames = [noise(8000, seed) for seed in range(3)]
    room.tick(frames)
    room.gain(0, 2, 0.0)
    room.tick(frames, tolerance=1)
    heard = room.tick(frames)
    assert np.array_equal(heard[2], frames[1]), "the whisper is not heard"
    assert np.array_equal(heard[1], frames[0] + frames[2])
    room.gain(0, 2, 1.0)
    room.tick(frames, tolerance=1)
    assert np.array_equal(room.tick(frames)[2], frames[0] + frames[1])
    assert room.mixing.pairs(2) == 0


def test_a_gain_holds_between_rates_too() -> None:
    room = Both(16000, 8000, 16000)
    for at in range(10):
        room.tick([noise(16000, at), noise(8000, 20 + at), noise(16000, 40 + at)], tolerance=1)
        if at == 3:
            room.gain(0, 1, 0.0)
            room.gain(1, 2, 2.0)


def test_who_only_listens_says_nothing_and_who_only_talks_hears_nothing() -> None:
    room = Both(8000, 8000, 8000)
    room.role(0, talks=False)
    room.role(1, hears=False)
    frames = [noise(8000, seed) for seed in range(3)]
    room.tick(frames, tolerance=1)
    heard = room.tick(frames)
    assert not heard[1].any()
    assert np.array_equal(heard[2], frames[1])
    assert np.array_equal(heard[0], frames[1] + frames[2])


def test_coming_going_and_gains_do_not_click() -> None:
    """A steady sound whose gain jumps would jump itself; within 20 ms it may only glide."""
    steady, silent = np.full(160, 16000, np.int16), np.zeros(160, np.int16)
    room = Both(8000, 8000)
    heard = [room.tick([steady, silent], tolerance=1)[1] for _ in range(2)]
    room.gain(0, 1, 0.5)
    heard += [room.tick([steady, silent], tolerance=1)[1] for _ in range(2)]
    room.role(0, talks=False)
    heard += [room.tick([steady, silent], tolerance=1)[1] for _ in range(2)]
    line = np.concatenate(heard).astype(int)
    assert line[159] == pytest.approx(16000, abs=200)
    assert line[-1] == 0
    assert np.abs(np.diff(line)).max() <= 2 * 16000 // 160


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_room_is_what_its_reference_says(data: st.DataObject) -> None:
    rates = data.draw(st.lists(st.sampled_from([8000, 16000, 48000]), min_size=1, max_size=5))
    room = Both(*rates)
    members = st.integers(0, len(rates) - 1)
    for tick in range(5):
        for _ in range(data.draw(st.integers(0, 2))):
            source, sink = data.draw(members), data.draw(members)
            if source != sink:
                room.gain(source, sink, data.draw(st.sampled_from([0.0, 0.25, 1.0, 2.0])))
            room.role(data.draw(members), talks=data.draw(st.booleans()), hears=data.draw(st.booleans()))
        frames = [noise(rate, 100 * tick + at, 20000) for at, rate in enumerate(rates)]
        room.tick(frames, tolerance=2)


def test_who_has_gone_leaves_no_gain_behind() -> None:
    room = Mixing()
    for _ in range(3):
        room.add(8000)
    room.set_gain(0, 1, 0.0)
    room.set_gain(2, 1, 0.5)
    room.forget(0, 1)
    assert room.pairs(1) == 1
    with pytest.raises(ValueError, match="44100 Hz"):
        room.add(44100)


def speech(seconds: float, level: float) -> list[Samples]:
    sound = level * np.random.default_rng(1).normal(0, 1, int(8000 * seconds))
    return list(np.clip(sound, -32768, 32767).astype(np.int16).reshape(-1, 160))


def test_a_talker_is_noticed_after_60_ms_and_has_stopped_after_500() -> None:
    talking = Talking()
    frames = speech(1, 30) + speech(1, 3000) + speech(1, 30)
    changes = [(at, talking.talks) for at, frame in enumerate(frames) if talking.hears(frame)]
    assert changes == [(52, True), (124, False)]


def test_a_noisy_place_is_no_talker_and_its_talker_is_found_all_the_same() -> None:
    talking = Talking()
    assert not any(talking.hears(frame) for frame in speech(5, 250))
    assert any(talking.hears(frame) for frame in speech(1, 2500))


def test_clicks_are_no_talkers() -> None:
    talking = Talking()
    for _ in range(20):
        frames = speech(0.04, 5000) + speech(0.2, 10)
        assert not any(talking.hears(frame) for frame in frames)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0, 20, 200, 1000, 8000]), min_size=1, max_size=120))
def test_who_talks_is_decided_as_in_the_reference(levels: list[int]) -> None:
    talking, reference = Talking(), TalkerReference()
    for at, level in enumerate(levels):
        frame = noise(8000, at, level + 1)
        assert talking.hears(frame) == reference.hears(power_of(frame))
        assert talking.talks == reference.talks
