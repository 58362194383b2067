"""Tracks on the master clock, files that survive a crash, and packets on their way to them."""

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from media.codec import g711
from media.codec.coder import Codec
from media.record.convert import convert
from media.record.tracks import Taps, Track
from media.record.tracks_ref import TrackReference
from media.record.wav_file import HEADER, WavFile, recover, wav_header
from tests.media.sounds import level_dbov, sine, strongest_hz

PCMU = (0, "PCMU", 8000)


def _said(number: int) -> bytes:
    return bytes([(number * 7 + at) % 256 for at in range(160)])


packets = st.lists(
    st.tuples(
        st.integers(-900, 12_000),  # ms: arrived after the packet before
        st.sampled_from([0, 0, 0, 0, 0, 1]),  # who says it
        st.integers(-800, 1600),  # timestamps beyond what the sequence says
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(packets, st.integers(0, 2**32 - 1))
def test_a_track_lays_packets_where_its_reference_does(said: list[tuple[int, int, int]], first: int) -> None:
    track, reference = Track(8000, 1_000_000), TrackReference(8000, 1_000_000)
    track.formats([PCMU])
    arrived, timestamp = 1_000_000, first
    for number, (gap_ms, ssrc, jump) in enumerate(said):
        arrived += max(0, gap_ms % 60 * 8)
        timestamp = (timestamp + 160 + (jump if gap_ms > 11_000 else 0)) % 2**32
        payload = _said(number)
        track.put(arrived, ssrc, timestamp, 0, payload)
        pcm = np.frombuffer(g711.decode_ulaw(payload), dtype=np.int16)
        reference.put(arrived, ssrc, timestamp, 8000, pcm)
        if number % 7 == 6:
            assert np.array_equal(track.take(800), reference.take(800))
    assert np.array_equal(track.take(16000), reference.take(16000))
    assert (track.placed, track.late) == (reference.placed, reference.late)


def test_packets_out_of_order_late_and_lost_leave_only_their_own_gap() -> None:
    track = Track(8000, 0)
    track.formats([PCMU])
    whole = g711.encode_ulaw(sine(500, 0.4))
    order = [0, 1, 3, 2, 4, 6, 7, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 18]  # 8 is lost
    for place, number in enumerate(order):
        track.put(160 * place, 1, 160 * number, 0, whole[160 * number : 160 * (number + 1)])
    found = track.take(3200)
    expected = np.frombuffer(g711.decode_ulaw(whole), dtype=np.int16).copy()
    expected[8 * 160 : 9 * 160] = 0
    assert np.array_equal(found, expected)


def test_silence_suppression_and_hold_stay_as_long_as_they_were() -> None:
    track = Track(8000, 0)
    track.formats([PCMU])
    loud = g711.encode_ulaw(sine(500, 0.02))
    for at_ms, timestamp in ((0, 0), (20, 160), (320, 2560), (900, 2720)):  # the last: held without counting on
        track.put(at_ms * 8, 1, timestamp, 0, loud)
    found = np.abs(track.take(8000).astype(int)).reshape(-1, 160).max(axis=1) > 1000
    assert [int(each) for each in np.flatnonzero(found)] == [0, 1, 16, 45]


@pytest.mark.parametrize("ppm", [-200, 200])
def test_a_drifting_clock_is_followed_without_losing_the_other_party(ppm: int) -> None:
    track = Track(8000, 0)
    track.formats([PCMU])
    loud = g711.encode_ulaw(sine(500, 0.02))
    written, seconds = 0, 600
    for number in range(seconds * 50):
        arrived = round(number * 160 * (1 + ppm / 1e6))
        track.put(arrived + 100, 1, number * 160, 0, loud)
        if arrived - written > 4000:
            track.take(2000)
            written += 2000
    drift = round(seconds * 8000 * ppm / 1e6)
    assert track.late == 0
    assert abs(drift) > 900
    last = (seconds * 50 - 1) * 160
    track.put(last + drift + 100 + 160, 1, last + 160, 0, loud)
    track.take(last + drift - 800 - written)
    start = int(np.argmax(np.abs(track.take(2000).astype(int)) > 2000))
    assert start < 2000


@pytest.mark.parametrize(
    ("name", "clock", "rate", "file_rate"),
    [
        ("G722", 8000, 16000, 16000),
        ("OPUS", 48000, 16000, 16000),
        ("PCMA", 8000, 8000, 16000),
        ("L16", 8000, 8000, 8000),
    ],
)
def test_every_codec_is_decoded_to_the_rate_of_the_file(name: str, clock: int, rate: int, file_rate: int) -> None:
    track = Track(file_rate, 0)
    assert track.formats([(96, name, rate)])
    codec, tone = Codec(name, rate), sine(1000, 1.0, rate)
    for number in range(50):
        frame = tone[number * rate // 50 : (number + 1) * rate // 50]
        track.put(number * file_rate // 50, 1, number * clock // 50, 96, codec.encode(frame))
    found = track.take(file_rate)[file_rate // 10 :]
    assert level_dbov(found) == pytest.approx(level_dbov(tone), abs=1.5)
    assert strongest_hz(found[:: file_rate // 8000]) == [1000]
    assert track.undecoded == 0


def test_what_cannot_be_decoded_is_counted_and_leaves_a_gap() -> None:
    track = Track(8000, 0)
    assert not track.formats([PCMU, (96, "G722", 11025)])
    track.put(0, 1, 0, 0, b"")
    track.put(0, 1, 0, 96, b"x" * 160)
    track.put(0, 1, 0, 97, b"x" * 160)
    assert (track.undecoded, track.placed) == (3, 0)
    assert not track.take(1000).any()


def test_the_ring_gives_back_what_was_put_in_order_and_says_when_it_is_full() -> None:
    taps, track = Taps(), Track(8000, 0)
    track.formats([PCMU])
    taps.add(0, 77, track)
    loud = b"\x00" * 160
    assert taps.put(0, 78, 0, 1, 0, 0, loud)  # of an endpoint that had this tap before
    assert taps.put(5, 77, 0, 1, 0, 0, loud)  # of none that is known
    for number in range(10):
        assert taps.put(0, 77, number * 20_000_000, 1, number * 160, 0, loud)
    assert taps.drain(90_000_000) == 7, "what came later waits"
    assert taps.drain(2**62) == 5
    assert track.placed == 10
    assert np.abs(track.take(1600).astype(int)).min() > 30000
    count = 0
    while taps.put(0, 77, 0, 1, 0, 0, loud):
        count += 1
    assert count * 208 > 15 << 20
    assert taps.lost == 1
    assert taps.drain(2**62) == count
    for lap in range(3):  # over the seam
        for _ in range(count // 2 + lap):
            assert taps.put(0, 77, 0, 1, 0, 0, loud[: 100 + lap])
        assert taps.drain(2**62) == count // 2 + lap
    taps.remove(0, track)
    assert taps.put(0, 77, 0, 1, 0, 0, loud)
    placed = track.placed
    taps.drain(2**62)
    assert track.placed == placed


def test_a_file_is_complete_when_it_is_closed_and_has_its_name_then(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "call.wav"
    with WavFile(str(path), 8000, 2) as file:
        file.write(np.repeat(sine(500, 1.0), 2).tobytes() + b"x")  # half a frame too much
        assert not path.exists()
    samples, rate = soundfile.read(path, dtype="int16")
    assert (rate, samples.shape) == (8000, (8000, 2))
    assert path.stat().st_size == HEADER + 32000
    assert path.stat().st_mode & 0o777 == 0o600
    file.close()
    assert file.duration_ms == 1000


def test_a_crash_leaves_a_file_that_is_heard_and_completed_at_the_next_start(tmp_path: Path) -> None:
    program = (
        "import os, sys; from media.record.wav_file import WavFile; file = WavFile(sys.argv[1], 8000, 1);"
        "file._set_right_at = 0; file.write(bytes(16000)); file._set_right_at = 1e18; file.write(bytes(8001));"
        "os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "a.wav"
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, cwd=Path(__file__).parents[2])
    part = tmp_path / "a.wav.part"
    assert soundfile.info(part).frames == 8000, "as it was five seconds ago at most"
    (tmp_path / "b.wav.part").write_bytes(b"no recording")
    (tmp_path / "c.wav.part").write_bytes(wav_header(8000, 0, 0))
    assert recover(tmp_path) == [path]
    assert soundfile.info(path).frames == 12000
    assert recover(tmp_path) == []


def test_a_recording_goes_on_in_the_file_of_a_worker_that_died(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    part = tmp_path / "a.wav.part"
    part.write_bytes(wav_header(8000, 1, 0) + b"\1\0" * 8000)
    os.utime(part, (time.time() - 2, time.time() - 2))
    with WavFile(path, 8000, 1) as file:
        file.write(b"\2\0" * 8000)
    samples, _ = soundfile.read(path, dtype="int16")
    assert samples[:8000].tolist() == [1] * 8000
    assert samples[-8000:].tolist() == [2] * 8000
    assert len(samples) == pytest.approx(32000, abs=1600)
    part.write_bytes(wav_header(16000, 2, 0) + b"\1\0" * 8000)  # another kind of file: begun anew
    with WavFile(path, 8000, 1) as file:
        file.write(b"\2\0" * 10)
    assert soundfile.info(path).frames == 10


@pytest.mark.parametrize(("suffix", "format"), [(".mp3", "MP3"), (".opus", "OGG")])
def test_a_finished_recording_is_converted_with_its_parties_apart(suffix: str, format: str, tmp_path: Path) -> None:
    source, target = tmp_path / "a.wav", tmp_path / f"a{suffix}"
    both = np.stack([sine(500, 2), sine(1500, 2, level=4000)], axis=1)
    with WavFile(str(source), 8000, 2) as file:
        file.write(both.tobytes())
    convert(source, target)
    found, rate = soundfile.read(target, dtype="int16")
    assert soundfile.info(target).format == format
    for channel, hz in enumerate((500, 1500)):
        heard = found[rate // 2 : -rate // 2, channel][:: rate // 8000]
        assert strongest_hz(np.ascontiguousarray(heard)) == [hz]
        assert level_dbov(heard) == pytest.approx(level_dbov(both[:, channel]), abs=1.5)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["a.wav", f"a{suffix}"])


@pytest.mark.row("REC-7")
@pytest.mark.parametrize(
    ("suffix", "rate", "kbit"), [(".mp3", 8000, 32), (".opus", 8000, 32), (".opus", 16000, 48), (".opus", 48000, 64)]
)
def test_an_hour_of_a_channel_takes_what_its_rate_is_worth(tmp_path: Path, suffix: str, rate: int, kbit: int) -> None:
    noise = np.random.default_rng(7).normal(0, 3000, rate * 10).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", noise, rate)
    convert(tmp_path / "a.wav", tmp_path / f"a{suffix}")
    made = tmp_path / f"a{suffix}"
    assert made.stat().st_size * 8 / 10 / 1000 == pytest.approx(kbit, rel=0.1)
    assert soundfile.info(made).channels == 1


def test_what_cannot_be_converted_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(struct.pack("<4sI", b"RIFF", 0))
    command = [sys.executable, "-m", "media.record.convert", str(tmp_path / "a.wav"), str(tmp_path / "a.mp3")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]
