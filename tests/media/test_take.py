"""Sound files taken into the library: any rate and coding in, WAV of telephones out; wrong files are refused."""

import io
import struct
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media.files.bad import BadSound
from media.files.decode import MAX_BYTES
from media.files.measure import measure
from media.files.take import take
from media.synthesis.say import say
from tests.media.sounds import sine, wav


def written(path: Path, kind: str, subtype: str, rate: int, channels: int = 2) -> Path:
    samples = sine(600, 1.0, rate)
    soundfile.write(path, np.repeat(samples[:, None], channels, axis=1), rate, format=kind, subtype=subtype)
    return path


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "wanted"),
    [
        ("WAV", "PCM_16", 8000, 8000),
        ("WAV", "PCM_24", 44100, 16000),
        ("WAV", "FLOAT", 96000, 16000),
        ("WAV", "ULAW", 8000, 8000),
        ("MP3", "MPEG_LAYER_III", 44100, 16000),
        ("MP3", "MPEG_LAYER_III", 11025, 16000),
        ("FLAC", "PCM_16", 22050, 16000),
        ("OGG", "OPUS", 48000, 16000),
        ("OGG", "VORBIS", 32000, 16000),
    ],
)
def test_any_sound_becomes_a_wav_file_of_one_channel(
    tmp_path: Path, kind: str, subtype: str, rate: int, wanted: int
) -> None:
    source = written(tmp_path / "source", kind, subtype, rate)
    take(str(source), tmp_path / "library" / "taken.wav")
    with wave.open(str(tmp_path / "library" / "taken.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, wanted)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(samples) / wanted == pytest.approx(1.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples[: wanted // 2].astype(float)))
    assert np.argmax(spectrum) * 2 == pytest.approx(600, abs=4)
    assert measure(str(source))[0] == pytest.approx(1.0, abs=0.1)


def claimed(length: int) -> bytes:
    return wav(bytes(16000), claimed=length)


BAD: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"Dear Sir or Madam, " * 100, "is not a sound that can be played"),
    "a picture called wav": (b"\x89PNG\r\n\x1a\n" + bytes(500), "is not a sound that can be played"),
    "a length beyond the end": (claimed(40_000), "is cut off: it claims 40000 bytes of audio and has 16000"),
    "no samples": (wav(b""), "has no audio in it"),
    "a damaged MP3": (b"ID3\x04" + bytes(200), "is damaged, or no audio although it begins like it"),
    "a header alone": (b"RIFF" + struct.pack("<I", 4) + b"WAVE", "has no format chunk"),
    "2000 channels": (wav(bytes(4000), channels=2000), "has 2000 channels"),
    "a rate of 1 Hz": (wav(bytes(4000), rate=1), "has 1 samples a second"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_wrong_file_is_refused_in_a_sentence_with_nothing_made(tmp_path: Path, what: str) -> None:
    data, why = BAD[what]
    (tmp_path / "source").write_bytes(data)
    with pytest.raises(BadSound, match=why):
        take(str(tmp_path / "source"), tmp_path / "library" / "taken.wav")
    assert not (tmp_path / "library").exists()
    seconds, problem = measure(str(tmp_path / "source"))
    assert (seconds, why in problem) == (0.0, True)


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "source").open("wb") as file:
        file.write(wav(bytes(100)))
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(BadSound, match="has 128 MiB; more than 128 MiB are not played"):
        take(str(tmp_path / "source"), tmp_path / "taken.wav")


def test_more_than_an_hour_is_refused(tmp_path: Path) -> None:
    flac = io.BytesIO()
    soundfile.write(flac, np.zeros(61 * 60 * 4000, np.int16), 4000, format="FLAC")
    (tmp_path / "source").write_bytes(flac.getvalue())
    with pytest.raises(BadSound, match="lasts longer than 60 minutes"):
        take(str(tmp_path / "source"), tmp_path / "taken.wav")


class Voice:
    name = "a voice"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def speak(self, texts: Mapping[Path, str]) -> None:
        for path in texts:
            path.write_bytes(wav(sine(300, self._seconds, 16000).tobytes(), rate=16000))


def test_a_text_is_said_by_the_first_voice_that_can(tmp_path: Path) -> None:
    say("en", "Hello.", tmp_path / "said.wav", [Voice(0.0), Voice(0.5)])
    assert measure(str(tmp_path / "said.wav"))[0] == pytest.approx(0.75, abs=0.05), "with the pause after a sentence"
    with pytest.raises(BadSound, match="No synthesiser could say this text"):
        say("en", "Hello.", tmp_path / "silent.wav", [Voice(0.0)])
    with pytest.raises(BadSound, match="There is no speech synthesiser of en: install espeak-ng"):
        say("en", "Hello.", tmp_path / "silent.wav", [])
    assert not (tmp_path / "silent.wav").exists()
