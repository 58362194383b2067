"""A received stream as PCM: compiled as plain; order, gaps, pauses, the pace, and what is counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.codec.coder import Codec, available
from media.jitter.playout import Stream
from media.jitter.playout_ref import PlayoutReference

Samples = NDArray[np.int16]

MS = 1_000_000
FRAME = 160
AT = np.arange(40 * 8000) * 2 * np.pi / 8000
VOWEL: Samples = np.rint(2000 * sum(np.cos(125 * n * AT) / n for n in range(1, 8))).astype(np.int16)
STEP = int(np.abs(np.diff(VOWEL.astype(int))).max())


@dataclass
class Listener:
    """Pulls a stream of the vowel every 20 ms, from 5 ms on."""

    frame: int = FRAME
    stream: Stream = field(default_factory=lambda: Stream("L16", 8000))
    pulled: list[Samples] = field(default_factory=list)
    sounds: list[str] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)

    def put(self, number: int, at_ms: float, sequence: int | None = None) -> str:
        payload = VOWEL[self.frame * number : self.frame * (number + 1)].astype(">i2").tobytes()
        shown = number if sequence is None else sequence
        return self.stream.put(shown & 0xFFFF, self.frame * number & 0xFFFFFFFF, payload, int(at_ms * MS))

    def pull(self) -> None:
        pcm, sound = self.stream.pull(FRAME, (5 + 20 * len(self.pulled)) * MS)
        self.pulled.append(np.frombuffer(pcm, np.int16))
        self.sounds.append(sound)
        self.delays.append(self.stream.counters()["delay_ms"])

    def hear(self, arrivals: Sequence[tuple[float, int]], ticks: int) -> dict[str, int]:
        """Packets as (ms of arrival, number)."""
        waiting = sorted(arrivals)
        for _ in range(ticks):
            while waiting and waiting[0][0] <= 5 + 20 * len(self.pulled):
                self.put(waiting[0][1], waiting[0][0])
                waiting.pop(0)
            self.pull()
        return self.stream.counters()

    @property
    def biggest_step(self) -> int:
        """What a click would be."""
        return int(np.abs(np.diff(np.concatenate(self.pulled).astype(int))).max())


def steady(count: int, late_ms: float = 0.0, ptime_ms: int = 20) -> list[tuple[float, int]]:
    return [(ptime_ms * number + late_ms, number) for number in range(count)]


# --- as the reference -----------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("next", "next", "next", "next", "lost", "again", "late", "pause", "noise", "reset", "jump")),
        st.integers(0, 60),
        st.sampled_from((10, 20, 20, 30, 60)),
    ),
    max_size=120,
)


@settings(max_examples=60)
@given(
    EVENTS, st.integers(0, 0xFFFF), st.sampled_from((("L16", 8000), ("G722", 16000), ("L16", 24000), ("PCMU", 8000)))
)
def test_any_stream_is_played_as_the_reference_plays_it(
    events: list[tuple[str, int, int]], first: int, codec: tuple[str, int]
) -> None:
    """An event: what is sent, how many ms pass, and the packet time from here on."""
    name, rate = codec
    encoder, stream, plain = Codec(name, rate), Stream(name, rate), PlayoutReference(Codec(name, rate))
    sound = VOWEL if rate == 8000 else np.repeat(VOWEL, rate // 8000)
    sequence, clock, now, tick = first, 0, 0, 0
    for kind, later, ptime in events:
        now += later * MS
        samples = rate * ptime // 1000
        noise = kind == "noise"
        payload = b"\x30\x80\x70" if noise else encoder.encode(sound[clock % 80000 : clock % 80000 + samples])
        stamp = clock * encoder.clock_rate // rate
        if kind == "reset":
            stream.reset()
            plain.reset()
        if kind not in ("lost", "late", "reset"):
            number, stamp = sequence & 0xFFFF, stamp + (10**9 if kind == "jump" else 0)
            assert stream.put(number, stamp, payload, now, comfort_noise=noise) == plain.put(
                number, stamp, payload, now, noise
            )
        clock += samples * (20 if kind == "pause" else 0 if kind == "again" else 1)
        sequence += kind not in ("again", "pause")
        while tick <= now:
            pcm, heard = stream.pull(rate // 50, tick)
            other, also = plain.pull(rate // 50, tick)
            assert heard == also
            # Comfort noise is made of floating point that the compiler may order in its own way.
            assert np.abs(np.frombuffer(pcm, np.int16).astype(int) - other).max() <= (2 if plain.noise.target else 0)
            tick += 20 * MS
    counters = stream.counters()
    assert {name: counters[name] for name in vars(plain.counts)} == vars(plain.counts)
    assert counters["reordered"] == plain.packets.reordered
    assert counters["resets"] == plain.packets.resets
    assert counters["target_ms"] == plain.policy.target * 1000 // rate


@pytest.mark.parametrize(("name", "rate"), [("opus", 8000), ("opus", 48000), ("G729", 8000)])
@pytest.mark.parametrize("lost", [(), (20,), (20, 21), (20, 21, 22, 23, 30, 41, 42)])
def test_a_codec_that_conceals_by_itself_does_as_in_the_reference(name: str, rate: int, lost: tuple[int, ...]) -> None:
    if not available(name):
        pytest.skip(f"the library of {name} is missing")
    encoder = Codec(name, rate, fec=True, loss_percent=10)
    stream, plain = Stream(name, rate), PlayoutReference(Codec(name, rate), own=True)
    sound = np.repeat(VOWEL, rate // 8000)
    samples = rate // 50
    for number in range(60):
        payload = encoder.encode(sound[samples * number : samples * (number + 1)])
        if number not in lost:
            stamp = number * encoder.clock_rate // 50
            assert stream.put(number, stamp, payload, 20 * number * MS) == plain.put(
                number, stamp, payload, 20 * number * MS
            )
        pcm, heard = stream.pull(samples, (20 * number + 5) * MS)
        other, also = plain.pull(samples, (20 * number + 5) * MS)
        assert (pcm, heard) == (other.tobytes(), also)
    assert stream.counters()["lost"] == len(lost) == plain.counts.lost


# --- order and counting ---------------------------------------------------------------------------------------------


def test_packets_are_played_in_their_order_whatever_the_order_of_arrival() -> None:
    listener = Listener()
    arrivals = [*steady(10), (222, 10), (218, 11), *[(20 * n, n) for n in range(12, 60)]]
    counters = listener.hear(arrivals, 60)
    assert (counters["received"], counters["reordered"], counters["lost"]) == (60, 1, 0)
    assert listener.biggest_step <= STEP * 1.05
    assert set(listener.sounds[6:]) == {"voice"}


def test_what_comes_twice_or_after_its_turn_is_counted_and_not_played() -> None:
    listener = Listener()
    for number in (*range(20), *range(21, 30)):
        assert listener.put(number, 20 * number) == "taken"
        assert listener.put(number, 20 * number) == "duplicate"
        listener.pull()
    assert listener.put(20, 600) == "late"
    assert listener.put(20, 601) == "duplicate"
    counters = listener.stream.counters()
    assert (counters["late"], counters["duplicate"], counters["lost"]) == (1, 30, 1)


def test_what_is_no_payload_of_the_codec_is_counted_and_not_taken() -> None:
    stream = Stream("L16", 8000)
    assert stream.put(0, 0, b"", 0) == "undecodable"
    assert stream.put(0, 0, bytes(321), 0) == "undecodable"
    assert stream.put(0, 0, bytes(16 * 121), 0) == "undecodable"  # more than 120 ms
    assert stream.put(0, 0, b"", 0, comfort_noise=True) == "undecodable"
    assert stream.counters()["undecodable"] == 4


@pytest.mark.parametrize("samples", [1, 80, 160, 161, 960])
def test_as_many_samples_as_are_asked_for_come_back(samples: int) -> None:
    stream = Stream("PCMU", 8000)
    for tick in range(40):
        stream.put(tick, FRAME * tick, bytes(FRAME), 20 * tick * MS)
        pcm, _ = stream.pull(samples, 20 * tick * MS)
        assert len(pcm) == 2 * samples
    assert stream.counters()["played_samples"] == 40 * samples


def test_what_cannot_be_decoded_cannot_be_opened() -> None:
    with pytest.raises(ValueError, match="cannot be played"):
        Stream("PCMU", 16000)


def test_nothing_but_silence_before_the_first_packet() -> None:
    listener = Listener()
    listener.hear([], 5)
    assert listener.sounds == ["silent"] * 5
    assert not np.concatenate(listener.pulled).any()


# --- gaps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_a_lost_packet_is_not_heard_in_a_vowel(ptime: int) -> None:
    listener = Listener(frame=8 * ptime)
    lost = 600 // ptime
    counters = listener.hear([each for each in steady(2000 // ptime, 0, ptime) if each[1] != lost], 90)
    assert counters["lost"] == 1
    assert counters["concealed_samples"] == 8 * ptime
    assert listener.biggest_step <= STEP * 1.1
    levels = [np.abs(each.astype(int)).max() for each in listener.pulled[10:]]
    assert min(levels) > 0.8 * VOWEL.max()


def test_a_long_gap_fades_to_silence_and_the_voice_comes_back_when_it_is_due() -> None:
    listener = Listener()
    counters = listener.hear([each for each in steady(100) if not 30 <= each[1] < 60], 100)
    assert counters["lost"] == 30
    assert counters["concealed_samples"] <= 80 * 8
    assert listener.sounds[40:60] == ["silent"] * 20
    assert listener.sounds[70:] == ["voice"] * 30
    assert listener.biggest_step <= STEP * 1.05
    assert listener.delays[-1] <= 84


def test_packets_that_are_all_late_are_played_late_and_the_delay_shrinks_again() -> None:
    """A stall of 200 ms: nothing is thrown away."""
    listener = Listener()
    stalled = [(max(20 * n, 1200) if 1000 <= 20 * n < 1200 else 20 * n, n) for n in range(1500)]
    counters = listener.hear(stalled, 1500)
    assert (counters["lost"], counters["late"]) == (0, 0)
    assert max(listener.delays[60:75]) >= 180
    assert listener.delays[-1] <= 90  # the rest waits for a pause, which this vowel has not
    assert counters["shortened"] > 10
    assert listener.biggest_step <= STEP * 1.1


def test_what_has_waited_for_half_a_second_is_left_out() -> None:
    """Nobody pulled meanwhile: the stream was on hold."""
    listener = Listener()
    for number in range(50):
        listener.put(number, 20 * number)
    listener.pulled = [VOWEL[:FRAME]] * 50
    listener.pull()
    counters = listener.stream.counters()
    assert counters["late"] + counters["lost"] == 26
    assert counters["delay_ms"] <= 520


# --- pauses ---------------------------------------------------------------------------------------------------------


def test_after_a_pause_the_voice_waits_for_its_target_anew() -> None:
    listener = Listener()
    paused = [(20 * n, n) for n in range(30)]
    for at, number in paused:
        while 5 + 20 * len(listener.pulled) < at:
            listener.pull()
        listener.put(number, at)
    for _ in range(50):
        listener.pull()
    for number in range(30, 60):  # 1 s later, by timestamp too
        at = 1000 + 20 * number
        while 5 + 20 * len(listener.pulled) < at:
            listener.pull()
        payload = VOWEL[FRAME * number : FRAME * (number + 1)].astype(">i2").tobytes()
        listener.stream.put(number, FRAME * (number + 50), payload, at * MS)
    counters = listener.stream.counters()
    assert (counters["lost"], counters["resets"]) == (0, 0)
    assert counters["target_ms"] <= counters["delay_ms"] <= counters["target_ms"] + 30
    assert listener.biggest_step <= STEP * 1.05


def test_noise_that_the_peer_describes_is_heard_until_it_speaks_again() -> None:
    """RFC 3389: a level of -40 dBov is a root mean square of 328."""
    listener = Listener()
    for number in range(20):
        listener.put(number, 20 * number)
        listener.pull()
    listener.stream.put(20, FRAME * 20, bytes([40]), 400 * MS, comfort_noise=True)
    for _ in range(50):
        listener.pull()
    background = np.concatenate(listener.pulled[35:]).astype(float)
    assert np.sqrt(np.mean(background**2)) == pytest.approx(328, rel=0.1)
    assert listener.sounds[30:] == ["silent"] * 40
    for number in range(71, 90):
        payload = VOWEL[:FRAME].astype(">i2").tobytes()
        listener.stream.put(number - 50, FRAME * number, payload, 20 * number * MS)
        listener.pull()
    counters = listener.stream.counters()
    assert listener.sounds[-10:] == ["voice"] * 10
    assert (counters["lost"], counters["concealed_samples"]) == (0, 0)


def test_another_source_begins_anew() -> None:
    listener = Listener()
    listener.hear(steady(30), 30)
    listener.stream.reset()
    for number in range(30, 60):
        payload = VOWEL[FRAME * number : FRAME * (number + 1)].astype(">i2").tobytes()
        listener.stream.put(number + 7000, FRAME * number + 10**9, payload, 20 * number * MS)
        listener.pull()
    counters = listener.stream.counters()
    assert (counters["resets"], counters["lost"], counters["strange"]) == (1, 0, 0)
    assert listener.sounds[-10:] == ["voice"] * 10
    assert listener.biggest_step <= STEP * 1.05


def test_a_sender_that_begins_anew_is_heard_after_its_second_packet() -> None:
    listener = Listener()
    listener.hear(steady(30), 30)
    for number in range(30, 60):
        listener.put(number, 20 * number, sequence=number + 30000)
        listener.pull()
    counters = listener.stream.counters()
    assert (counters["resets"], counters["strange"]) == (1, 1)
    assert listener.sounds[-10:] == ["voice"] * 10


# --- the pace -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ppm", [-300, 300])
def test_drift_of_the_clocks_is_made_up_for(ppm: int) -> None:
    """20 s of 300 ppm are 6 ms; the delay stays where it was, nothing is lost, nothing repeated."""
    listener = Listener()
    counters = listener.hear([(20 * n * (1 + ppm / 1e6), n) for n in range(1000)], 990)
    assert (counters["lost"], counters["late"], counters["concealed_samples"]) == (0, 0, 0)
    assert max(listener.delays[20:]) - min(listener.delays[20:]) <= 30


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_a_steady_stream_is_played_sample_by_sample(ptime: int) -> None:
    """However long its packets are: nothing is left out or repeated for their sake."""
    listener = Listener(frame=8 * ptime)
    counters = listener.hear(steady(4000 // ptime, 3, ptime), 150)
    assert (counters["shortened"], counters["lengthened"], counters["concealed_samples"]) == (0, 0, 0)
    heard = np.concatenate(listener.pulled[10:])
    assert any(heard.tobytes() == VOWEL[at : at + len(heard)].tobytes() for at in range(64))


def test_packet_times_may_change_within_a_stream() -> None:
    listener = Listener()
    at, clock, number = 0, 0, 0
    for ptime in [20] * 20 + [60] * 10 + [10] * 40 + [30] * 15:
        while 5 + 20 * len(listener.pulled) < at:
            listener.pull()
        payload = VOWEL[clock : clock + 8 * ptime].astype(">i2").tobytes()
        listener.stream.put(number, clock, payload, at * MS)
        at, clock, number = at + ptime, clock + 8 * ptime, number + 1
    counters = listener.stream.counters()
    assert counters["lost"] == 0
    assert listener.biggest_step <= STEP * 1.1


def test_where_the_network_gets_worse_the_delay_grows_by_repeated_periods() -> None:
    draw = np.random.default_rng(4)
    listener = Listener()
    waits = [0.0] * 200 + list(draw.uniform(0, 70, 800))
    counters = listener.hear([(20 * n + wait, n) for n, wait in enumerate(waits)], 980)
    assert listener.delays[150] < 70 <= listener.delays[-1] <= 130
    assert counters["lengthened"] + counters["concealed_samples"] > 0
    assert listener.biggest_step <= STEP * 1.3
    assert set(listener.sounds[500:]) == {"voice"}
