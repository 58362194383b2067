"""G.722 at 64 kbit/s: bit for bit that of the recommendation, as two other implementations have it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.codec import g722_ref
from media.codec.coder import Codec
from media.codec.g722 import Decoder, Encoder

DELAY = 22  # samples of 16 kHz from the encoder's input to the decoder's output: both mirror filters
RNG = np.random.default_rng(11)


def music(seconds: float = 0.5) -> NDArray[np.int16]:
    """Low and high tones, noise, silence and an overload."""
    at = np.arange(round(16000 * seconds)) / 16000
    sound = 8000 * np.sin(2 * np.pi * 440 * at) + 3000 * np.sin(2 * np.pi * 5000 * at) + RNG.normal(0, 800, len(at))
    samples: NDArray[np.int16] = np.rint(sound).astype(np.int16)
    samples[2000:2800] = 0
    samples[4000:4800] = RNG.integers(-32768, 32768, 800)
    return samples


def test_encoder_equals_the_reference() -> None:
    samples = music()
    assert Encoder().encode(samples) == g722_ref.Encoder().encode(samples.tolist())


@given(st.binary(max_size=400))
def test_any_octets_are_decoded_as_by_the_reference(octets: bytes) -> None:
    assert np.frombuffer(Decoder().decode(octets), np.int16).tolist() == g722_ref.Decoder().decode(octets)


@pytest.mark.parametrize("level", [32767, -32768])
def test_overload_is_limited_as_by_the_reference(level: int) -> None:
    square = np.where(np.arange(800) // 20 % 2, level, -level - 1).astype(np.int16)
    payload = Encoder().encode(square)
    assert payload == g722_ref.Encoder().encode(square.tolist())
    assert np.frombuffer(Decoder().decode(payload), np.int16).tolist() == g722_ref.Decoder().decode(payload)


def test_octets_and_samples_are_those_of_the_implementation_by_milton_and_rowe() -> None:
    other = pytest.importorskip("G722", reason="the package G722 is not installed")
    samples = music(1.0)
    payload = Encoder().encode(samples)
    assert bytes(other.G722(16000, 64000).encode(samples.tolist())) == payload
    for octets in (payload, RNG.integers(0, 256, 8000).astype(np.uint8).tobytes()):
        expected = np.array(other.G722(16000, 64000).decode(octets), dtype=np.int16)
        assert Decoder().decode(octets) == expected.tobytes()


def test_samples_are_those_of_ffmpeg() -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    context = av.CodecContext.create("g722", "r")
    context.layout, context.sample_rate = "mono", 16000
    octets = RNG.integers(0, 256, 4000).astype(np.uint8).tobytes()
    frames = [frame.to_ndarray().reshape(-1) for frame in context.decode(av.Packet(octets))]
    assert Decoder().decode(octets) == np.concatenate(frames).tobytes()


def test_both_bands_come_through_after_the_stated_delay() -> None:
    at = np.arange(16000) / 16000
    for hz, least_db in ((300, 30), (1000, 30), (3000, 20), (6000, 18)):
        tone = np.rint(8000 * np.sin(2 * np.pi * hz * at)).astype(np.int16)
        got = np.frombuffer(Decoder().decode(Encoder().encode(tone)), np.int16).astype(float)
        noise = got[2000 + DELAY :] - tone[2000 : len(tone) - DELAY]
        assert 10 * np.log10(np.mean(tone.astype(float) ** 2) / np.mean(noise**2)) > least_db


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 50, 60])
def test_the_engine_sees_16_khz_of_samples_and_an_rtp_clock_of_8_khz(ptime_ms: int) -> None:
    """RFC 3551 §4.5.2"""
    codec = Codec("G722", 16000)
    payload = codec.encode(music()[: 16 * ptime_ms])
    assert len(payload) == 8 * ptime_ms
    assert (codec.rate, codec.clock_rate, codec.duration(payload)) == (16000, 8000, 16 * ptime_ms)
    assert codec.recover(320) is None
    with pytest.raises(ValueError, match="cannot be opened"):
        Codec("G722", 8000)
