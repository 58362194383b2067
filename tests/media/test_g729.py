"""G.729 through libbcg729 (RFC 3551 §4.5.6)."""

import numpy as np
import pytest

from media.codec.coder import Codec, available

pytestmark = pytest.mark.skipif(not available("G729"), reason="libbcg729 is not installed")

AT = np.arange(8000) / 8000
SPOKEN = np.rint(
    4000 * sum(np.sin(2 * np.pi * 150 * n * AT) / n for n in range(1, 12)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * AT))
).astype(np.int16)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 50, 60])
def test_speech_comes_back_in_whole_frames(ptime_ms: int) -> None:
    codec, size = Codec("G729", 8000), 8 * ptime_ms
    payloads = [codec.encode(SPOKEN[at : at + size]) for at in range(0, 7200, size)]
    assert {len(payload) for payload in payloads} == {ptime_ms}
    assert {codec.duration(payload) for payload in payloads} == {size}
    got = np.frombuffer(b"".join(codec.decode(payload) or b"" for payload in payloads), np.int16).astype(float)
    spectra = [np.abs(np.fft.rfft(each[1600:6400] * np.hanning(4800))) for each in (got, SPOKEN.astype(float))]
    a, b = (np.log(spectrum[50:1800:1] + 2e5) for spectrum in spectra)
    assert np.corrcoef(a, b)[0, 1] > 0.8


def test_lost_frames_are_concealed_and_fade() -> None:
    codec = Codec("G729", 8000)
    for at in range(0, 8000, 160):
        codec.decode(codec.encode(SPOKEN[at : at + 160]))
    powers = [np.mean(np.frombuffer(codec.recover(160) or b"", np.int16).astype(float) ** 2) for _ in range(20)]
    assert powers[0] > 1e5
    assert powers[-1] < powers[0] / 10
    assert codec.recover(100) is None, "frames are whole"


def test_a_silence_descriptor_at_the_end_is_understood() -> None:
    """Annex B, from peers that send it although annexb=no was agreed."""
    codec = Codec("G729", 8000)
    payload = codec.encode(SPOKEN[:160])
    assert codec.duration(payload + b"\x00\x00") == 240
    assert len(codec.decode(payload + b"\x00\x00") or b"") == 480
    assert len(codec.decode(b"\x12\x34") or b"") == 160


@pytest.mark.parametrize("length", [0, 1, 3, 9, 11, 15, 19])
def test_octets_that_are_no_frames_are_not_decoded(length: int) -> None:
    codec = Codec("G729", 8000)
    assert codec.decode(bytes(length)) is None
    assert codec.duration(bytes(length)) is None


def test_half_a_frame_is_not_encoded() -> None:
    assert Codec("G729", 8000).encode(SPOKEN[:79]) == b""
    assert len(Codec("G729", 8000).encode(SPOKEN[:159])) == 10
