"""Sound files of every kind become samples; files that lie, lack or exceed become sentences."""

import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media.codec import g711
from media.codec.g722 import Encoder
from media.files import decode, sounds
from media.files.bad import BadSound
from media.files.decode import decode_sound, read_sound
from media.files.rates import RateConverter
from media.files.sounds import Loaded, Sound, SoundCache, Wanted
from tests.media.sounds import level_dbov, sine, strongest_hz, wav

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)


def _pcm(bits: int, rate: int = 8000) -> bytes:
    """A tone of 1000 Hz as PCM of so many bits."""
    samples = sine(1000, 0.5, rate).astype(np.int64) << 16 >> (32 - bits)
    if bits == 8:
        return (samples + 128).astype(np.uint8).tobytes()
    wide = samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, : bits // 8]
    return np.ascontiguousarray(wide).tobytes()


WAVS = {
    **{f"pcm-{bits}": wav(_pcm(bits), bits=bits) for bits in (8, 16, 24, 32)},
    **{f"rate-{rate}": wav(_pcm(16, rate), rate=rate) for rate in RATES},
    "float": wav((sine(1000, 0.5) / 32768).astype("<f4").tobytes(), coding=3, bits=32),
    "double": wav((sine(1000, 0.5) / 32768).astype("<f8").tobytes(), coding=3, bits=64),
    "alaw": wav(g711.encode_alaw(sine(1000, 0.5)), coding=6, bits=8),
    "ulaw": wav(g711.encode_ulaw(sine(1000, 0.5)), coding=7, bits=8),
    "six channels": wav(np.repeat(sine(1000, 0.5), 6).tobytes(), channels=6),
    "length unknown": wav(_pcm(16), claimed=0xFFFFFFFF),
    "length zero": wav(_pcm(16), claimed=0),
}


@pytest.mark.parametrize("name", WAVS)
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_wav_file_of_any_kind_sounds_the_same(name: str, rate: int) -> None:
    samples = decode_sound(name, WAVS[name], rate)
    assert len(samples) == pytest.approx(rate / 2, abs=4)
    assert strongest_hz(samples[:: rate // 8000]) == [1000]
    assert level_dbov(samples) == pytest.approx(level_dbov(sine(1000, 0.5)), abs=0.2)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS")],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_compressed_files_sound_as_what_was_compressed(
    container: str, subtype: str, channels: int, tmp_path: Path
) -> None:
    path = tmp_path / "sound"  # the name says nothing
    samples = np.repeat(sine(1000, 2, 48000)[:, None], channels, axis=1)
    soundfile.write(path, samples, 48000, format=container, subtype=subtype)
    found = read_sound(str(path))
    assert len(found) == pytest.approx(16000, abs=500)  # MP3 has whole frames only
    assert strongest_hz(found) == [1000]
    assert level_dbov(found[2000:-2000]) == pytest.approx(
        level_dbov(samples[:, 0]), abs=3
    )  # some encoders lose a little


@pytest.mark.parametrize("source", RATES)
@pytest.mark.parametrize("target", [8000, 16000, 48000])
def test_another_rate_keeps_the_wave_to_90_db(source: int, target: int) -> None:
    if source == target:
        return
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(source) / source).astype(np.float32)
    whole = RateConverter(source, target)
    converted = np.concatenate([whole.feed(tone), whole.finish()])
    assert len(converted) == target
    wanted = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(target) / target)
    error = (converted - wanted)[target // 20 : -target // 20]
    assert 20 * np.log10(np.sqrt(np.mean(error**2)) / 0.354) < -90


def test_an_odd_rate_is_met_and_takes_no_more_memory_than_a_usual_one() -> None:
    """191,461 Hz to 8,000 Hz would be 8,000 filters of 800 taps: a second, and a quarter of a gigabyte."""
    tracemalloc.start()
    try:
        converter = RateConverter(191_461, 8000)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    made = sum(len(converter.feed(np.zeros(191_461, np.float32))) for _ in range(10)) + len(converter.finish())
    assert abs(made - 80_000) <= 1


def test_blocks_of_any_size_give_the_same_as_one() -> None:
    noise = np.random.default_rng(7).uniform(-0.5, 0.5, 20000).astype(np.float32)
    whole, parts = RateConverter(44100, 8000), RateConverter(44100, 8000)
    expected = np.concatenate([whole.feed(noise), whole.finish()])
    pieces = [parts.feed(piece) for piece in np.split(noise, [1, 2, 50, 1000, 1001, 9000, 19999])]
    assert np.allclose(np.concatenate([*pieces, parts.finish()]), expected, atol=1e-6)


def test_what_cannot_be_heard_on_a_telephone_leaves_no_alias() -> None:
    high = np.sin(2 * np.pi * 5000 * np.arange(44100) / 44100).astype(np.float32)
    converter = RateConverter(44100, 8000)
    found = np.concatenate([converter.feed(high), converter.finish()])[400:-400]
    assert 20 * np.log10(np.sqrt(np.mean(found**2))) < -80


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_raw_g722_is_known_by_its_name_and_has_16_khz(rate: int) -> None:
    octets = Encoder().encode(sine(1000, 5, 16000))
    samples = decode_sound("digits/1.g722", octets, rate)
    assert len(samples) == 5 * rate
    assert strongest_hz(samples[:: rate // 8000]) == [1000]
    assert level_dbov(samples) == pytest.approx(level_dbov(sine(1000, 5)), abs=0.2)


def test_octets_of_g722_may_look_like_mp3_and_a_wav_may_have_its_name() -> None:
    assert len(decode_sound("odd.g722", b"\xff\xfb\x90" + bytes(7997), 16000)) == 16000
    assert len(decode_sound("honest.g722", wav(_pcm(16)), 8000)) == 4000


def _sentence(data: bytes) -> str:
    with pytest.raises(BadSound) as raised:
        decode_sound("/sounds/greeting", data)
    assert str(raised.value).startswith("/sounds/greeting ")
    assert str(raised.value).endswith(".")
    return str(raised.value)


def _flac() -> bytes:
    import io

    written = io.BytesIO()
    soundfile.write(written, sine(1000, 1), 8000, format="FLAC")
    return written.getvalue()


def test_compressed_files_that_are_no_audio_end_with_a_sentence() -> None:
    for start in (b"fLaC", b"OggS", b"ID3", b"\xff\xfb\x90"):
        assert "is damaged" in _sentence(start + b"lies" * 200)
    assert "can be played: WAV, MP3" in _sentence(b"MThd a melody")
    assert "is empty" in _sentence(b"")


def test_a_compressed_file_that_lies_about_its_length_is_played_as_far_as_it_goes() -> None:
    data = bytearray(_flac())
    data[21:26] = bytes([data[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # 2^36 - 1 samples (RFC 9639 §8.2)
    found = _heard_or_sentence(bytes(data))
    assert isinstance(found, str) or found == pytest.approx(8000, abs=4096)
    cut = _heard_or_sentence(_flac()[: len(_flac()) // 2])
    assert isinstance(cut, str) or 0 < cut <= 8000


def _heard_or_sentence(data: bytes) -> int | str:
    try:
        return len(decode_sound("damaged", data))
    except BadSound as bad:
        return _checked(str(bad))


def _checked(sentence: str) -> str:
    assert sentence.endswith(".")
    return sentence


def test_more_than_the_limits_is_refused_without_being_read_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = tmp_path / "huge.wav"
    with huge.open("wb") as file:
        file.truncate(decode.MAX_BYTES + (1 << 20))
    with pytest.raises(BadSound, match="has 129 MiB; more than 128 MiB are not played"):
        read_sound(str(huge))
    monkeypatch.setattr(decode, "MAX_MINUTES", 1)
    long = wav(bytes(61 * 8000), coding=6, bits=8)  # an hour's worth would take a second to test
    with pytest.raises(BadSound, match="lasts longer than 1 minutes"):
        decode_sound("long.wav", long)


def test_damaged_bytes_anywhere_give_sound_or_a_sentence(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    originals = [WAVS["pcm-16"], WAVS["float"], _flac()]
    for container, subtype in (("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("OGG", "VORBIS")):
        soundfile.write(tmp_path / "x", sine(700, 1, 48000), 48000, format=container, subtype=subtype)
        originals.append((tmp_path / "x").read_bytes())
    for original in originals:
        for _ in range(25):
            data = bytearray(original)
            for at in random.integers(0, min(len(data), 300), 4):
                data[at] = random.integers(256)
            assert _heard_or_sentence(bytes(data))


def _load(cache: SoundCache, wanted: Wanted) -> Loaded:
    done = threading.Event()
    found: list[Loaded] = []

    def take(loaded: Loaded) -> None:
        found.append(loaded)
        done.set()

    cache.load(wanted, take)
    assert done.wait(10)
    return found[0]


def test_several_files_are_one_sound_and_music_is_decoded_once(tmp_path: Path) -> None:
    one, two = (str(tmp_path / name) for name in ("a.wav", "b.wav"))
    Path(one).write_bytes(wav(sine(500, 0.1).tobytes()))
    Path(two).write_bytes(wav(sine(900, 0.2, 16000).tobytes(), rate=16000))
    cache = SoundCache()
    wanted = Wanted(((one, 0.0), (two, -6.0)))
    assert cache.find(wanted) is None
    sound = _load(cache, wanted)
    assert isinstance(sound, Sound)
    assert len(sound.samples) == 2400
    assert cache.find(wanted) is sound
    assert level_dbov(sound.samples[800:]) == pytest.approx(level_dbov(sound.samples[:800]) - 6, abs=0.2)
    assert cache.find(Wanted(((one, 0.0),))) is not None, "a part is kept as well"
    Path(two).unlink()
    partly = _load(cache, Wanted(((two, 0.0), (one, 0.0))))
    assert isinstance(partly, Sound)
    assert (len(partly.samples), partly.problem) == (800, f"{two} cannot be read: No such file or directory.")
    assert isinstance(_load(cache, Wanted(((two, 0.0), (two, 1.0)))), BadSound)
    cache.close()


def test_the_cache_forgets_what_was_not_heard_for_longest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "MAX_KEPT_BYTES", 5000)
    cache = SoundCache()
    wanted = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(wav(sine(500, 0.125).tobytes()))
        wanted.append(Wanted(((str(path), 0.0),)))
        _load(cache, wanted[-1])
    assert [cache.find(each) is not None for each in wanted] == [False, True, True]
    cache.close()
