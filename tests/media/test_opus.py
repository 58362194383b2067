"""Opus through libopus: at the rate of the leg, with what makes up for loss, silent in silence."""

import numpy as np
import pytest
from numpy.typing import NDArray

from media.codec.coder import Codec, available

pytestmark = pytest.mark.skipif(not available("opus"), reason="libopus is not installed")

RATES = [8000, 16000, 24000, 48000]


def voice(rate: int, seconds: float = 1.0, hz: float = 220) -> NDArray[np.int16]:
    """Harmonics whose loudness rises and falls as syllables do."""
    at = np.arange(round(rate * seconds)) / rate
    tones = sum(np.sin(2 * np.pi * hz * n * at) / n for n in range(1, 8))
    return np.rint(5000 * tones * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * at))).astype(np.int16)


def frames(samples: NDArray[np.int16], size: int) -> list[NDArray[np.int16]]:
    return [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]


def level_db(samples: NDArray[np.int16]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) + 1e-9))


def likeness(one: NDArray[np.int16], other: NDArray[np.int16], most_late: int) -> float:
    """Correlation at the best delay."""
    a = one.astype(float)
    found = 0.0
    for late in range(most_late):
        b = other[late : late + len(a) - most_late].astype(float)
        head = a[: len(b)]
        found = max(found, float(np.dot(head, b) / np.sqrt(np.dot(head, head) * np.dot(b, b) + 1)))
    return found


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
def test_speech_comes_back_at_every_rate_and_packet_time(rate: int, ptime_ms: int) -> None:
    codec, size = Codec("opus", rate), rate * ptime_ms // 1000
    spoken = voice(rate)
    payloads = [codec.encode(frame) for frame in frames(spoken, size)]
    assert all(codec.duration(payload) == size for payload in payloads)
    got = np.frombuffer(b"".join(codec.decode(payload) or b"" for payload in payloads), np.int16)
    assert len(got) == len(payloads) * size
    assert likeness(spoken[rate // 4 : rate // 2], got[rate // 4 :], rate // 50) > 0.9
    assert codec.clock_rate == 48000


def test_what_is_sent_at_one_rate_is_heard_at_another() -> None:
    """The rate is ours alone: a packet has no rate (RFC 7587 §4.1)."""
    sender, receiver = Codec("opus", 48000), Codec("opus", 8000)
    got = [receiver.decode(sender.encode(frame)) or b"" for frame in frames(voice(48000), 960)]
    assert {len(each) for each in got} == {320}
    assert level_db(np.frombuffer(b"".join(got), np.int16)) == pytest.approx(level_db(voice(48000)), abs=2)


def test_a_packet_time_that_opus_does_not_have_is_not_encoded() -> None:
    codec = Codec("opus", 16000)
    assert codec.encode(np.zeros(480, np.int16)) == b""
    assert codec.encode(voice(16000)[:320], room=5)  # bounded: libopus makes do with it
    assert len(codec.encode(voice(16000)[:320], room=5)) <= 5


def with_loss(fec: bool) -> float:
    """How like the spoken the substitutes are, when each eighth packet is lost and the next one is at hand."""
    spoken = voice(16000, 4.0)
    spoken = np.roll(spoken, 0) + np.rint(voice(16000, 4.0, 331) * 0.7).astype(np.int16)
    codec = Codec("opus", 16000, fec=fec, loss_percent=20, bitrate=24000)
    clean, lossy = Codec("opus", 16000), Codec("opus", 16000)
    payloads = [codec.encode(frame) for frame in frames(spoken, 320)]
    expected, got = [], []
    for at, payload in enumerate(payloads):
        expected.append(clean.decode(payload) or b"")
        lost = at % 8 == 5
        got.append((lossy.recover(320, payloads[at + 1]) if lost else lossy.decode(payload)) or b"")
    lost_ones = range(5, len(payloads), 8)
    a = np.frombuffer(b"".join(expected[at] for at in lost_ones), np.int16).astype(float)
    b = np.frombuffer(b"".join(got[at] for at in lost_ones), np.int16).astype(float)
    return float(np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)))


def test_a_lost_packet_is_made_of_what_the_next_one_says_of_it() -> None:
    assert with_loss(fec=True) > max(0.9, with_loss(fec=False) + 0.02)


def test_without_the_next_packet_the_sound_goes_on_and_fades() -> None:
    codec = Codec("opus", 16000)
    for frame in frames(voice(16000), 320):
        codec.decode(codec.encode(frame))
    heard = [np.frombuffer(codec.recover(320) or b"", np.int16) for _ in range(60)]
    assert {len(each) for each in heard} == {320}
    assert level_db(heard[0]) > 50
    assert level_db(heard[-1]) < level_db(heard[0]) - 6
    assert codec.recover(7) is None, "2.5 ms are the least that Opus knows"


def test_silence_costs_almost_nothing_with_dtx_and_speech_is_sent_at_once() -> None:
    codec = Codec("opus", 16000, dtx=True)
    spoken, silent = frames(voice(16000), 320), [np.zeros(320, np.int16)] * 100
    assert all(codec.encode(frame) for frame in spoken)
    sent = [len(codec.encode(frame)) for frame in silent]
    assert sent[-50:].count(0) > 40
    assert all(codec.encode(frame) for frame in spoken)
    assert all(Codec("opus", 16000).encode(frame) for frame in silent[:5])


def bandwidth_hz(max_rate: int = 0, bitrate: int = 0) -> float:
    """Where 99.9 % of the power lies below, of white noise."""
    codec, noise = (
        Codec("opus", 48000, max_rate=max_rate, bitrate=bitrate),
        np.random.default_rng(1).normal(0, 3000, 48000).astype(np.int16),
    )
    got = np.frombuffer(b"".join(codec.decode(codec.encode(each)) or b"" for each in frames(noise, 960)), np.int16)
    power = np.cumsum(np.abs(np.fft.rfft(got[4800:].astype(float))) ** 2)
    return float(np.searchsorted(power, 0.999 * power[-1]) * 48000 / len(got[4800:]))


def test_no_more_bandwidth_is_sent_than_the_peer_plays() -> None:
    """RFC 7587 §6.1, maxplaybackrate"""
    assert bandwidth_hz(max_rate=8000) < 4500
    assert bandwidth_hz(max_rate=16000) < 8800
    assert bandwidth_hz(bitrate=64000) > 15000


def test_the_bit_rate_is_what_was_negotiated() -> None:
    """RFC 7587 §6.1, maxaveragebitrate and cbr"""

    def kbits(bitrate: int) -> float:
        codec = Codec("opus", 48000, bitrate=bitrate)
        return sum(len(codec.encode(frame)) for frame in frames(voice(48000, 2.0), 960)) * 8 / 2000

    assert kbits(bitrate=12000) < 14
    assert kbits(bitrate=64000) > 40
    codec = Codec("opus", 48000, bitrate=24000, cbr=True)
    assert {len(codec.encode(frame)) for frame in frames(voice(48000), 960)} == {60}


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\xff\x00", b"\xfb\xff" + bytes(50), b"\x03\x3f\x05"])
def test_what_is_no_opus_packet_is_not_decoded_and_does_no_harm(payload: bytes) -> None:
    codec = Codec("opus", 16000)
    assert codec.decode(payload) is None
    assert codec.duration(payload) is None
    assert codec.decode(codec.encode(voice(16000)[:320])) is not None


def test_a_packet_of_120_ms_needs_room_for_it() -> None:
    long = bytes([0x0B, 0x06]) + bytes(6)  # code 3, six frames of 20 ms
    codec = Codec("opus", 48000)
    assert codec.duration(long) == 5760
    assert codec.decode(long, room=960) is None
    assert len(codec.decode(long, room=5760) or b"") == 11520


def test_libopus_is_found_beside_the_package_that_bundles_it() -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    from media.codec.libraries import opus_files

    first, *others = opus_files()
    assert first == "libopus.so.0"
    assert others
