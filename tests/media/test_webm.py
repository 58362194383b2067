"""WebM as browsers record it: Opus packets out of elements of any, known or unknown, length."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codec.coder import Codec, available
from media.files.bad import BadSound
from media.files.decode import decode_sound
from tests.media.sounds import sine

pytestmark = pytest.mark.skipif(not available("opus"), reason="libopus is not there")
UNKNOWN = b"\x01" + b"\xff" * 7


def element(id: int, content: bytes, *, size: bytes | None = None) -> bytes:
    length = size if size is not None else (0x10000000 | len(content)).to_bytes(4, "big")
    return id.to_bytes((id.bit_length() + 7) // 8, "big") + length + content


def recorded(seconds: float = 1.0, codec: bytes = b"A_OPUS", *, known: bool = False, flags: int = 0x80) -> bytes:
    """What a browser writes: a segment and clusters that are as long as they are."""
    coder = Codec("opus", 48000)
    samples = sine(600, seconds, 48000)
    blocks = []
    for at in range(0, len(samples) - 959, 960):
        packet = coder.encode(np.ascontiguousarray(samples[at : at + 960]))
        block = b"\x81" + (at // 48).to_bytes(2, "big") + bytes((flags,)) + packet
        blocks.append(element(0xA3, block) if at % 1920 else element(0xA0, element(0xA1, block)))
    size = None if known else UNKNOWN
    track = element(0xAE, element(0xD7, b"\x01") + element(0x83, b"\x02") + element(0x86, codec))
    cluster = element(0x1F43B675, element(0xE7, b"\x00") + b"".join(blocks), size=size)
    segment = element(0x18538067, element(0x1654AE6B, track) + cluster, size=size)
    return element(0x1A45DFA3, element(0x4282, b"webm")) + segment


@pytest.mark.parametrize("known", [True, False])
def test_what_a_browser_has_recorded_is_heard(known: bool) -> None:
    samples = decode_sound("a.webm", recorded(known=known), 16000)
    assert len(samples) == pytest.approx(16000, abs=400)
    spectrum = np.abs(np.fft.rfft(samples[4000:12000].astype(float)))
    assert np.argmax(spectrum) * 2 == pytest.approx(600, abs=4)


def test_a_recording_that_is_cut_off_is_heard_as_far_as_it_goes() -> None:
    data = recorded()
    samples = decode_sound("a.webm", data[: len(data) * 2 // 3], 8000)
    assert 4000 < len(samples) < 7000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (recorded(codec=b"A_VORBIS"), "is WebM with A_VORBIS in it; only Opus can be played"),
        (recorded(seconds=0.0), "has no audio in it"),
        (b"\x1a\x45\xdf\xa3", "is WebM with nothing in it"),
        (recorded(flags=0x82), "has laced blocks"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(data: bytes, why: str) -> None:
    with pytest.raises(BadSound, match=why):
        decode_sound("a.webm", data)


DATA = recorded(0.2)


@given(at=st.integers(0, len(DATA) - 1), changed=st.binary(max_size=12), gone=st.integers(0, 12))
def test_damaged_files_are_sound_or_a_sentence(at: int, changed: bytes, gone: int) -> None:
    with suppress(BadSound):
        assert len(decode_sound("a.webm", DATA[:at] + changed + DATA[at + gone :])) < 8000 * 60


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    assert len(decode_sound(str(tmp_path / "a.ogg"), recorded())) == pytest.approx(8000, abs=200)
