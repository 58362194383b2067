"""Music on hold over real sockets: an MP3 of the office, the same place of it for everybody who is held."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.wire import sdp
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, silent_share, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Server, Site, running
from tests.e2e.ua import Call, Phone, connect, registered

RATE = 44100
RATE_OF_CALLS = 8000


def _tune(path: Path) -> None:
    """Stereo MP3: 700 Hz whose loudness says where it stands."""
    at = np.arange(RATE * 8) / RATE
    samples = 0.4 * np.sin(2 * np.pi * 700 * at) * (1 + 0.8 * np.sin(2 * np.pi * at / 8))
    soundfile.write(path, np.repeat(samples[:, None], 2, axis=1), RATE, format="MP3")


def _running(folder: Path, sounds: str) -> Site:
    return Site.write(folder, f"{sounds}\n{office()}", sip="qualify = 0")


def _hold(call: Call, rtp: RtpSocket) -> None:
    call.request("INVITE", sdp(rtp.address, direction="sendonly", version=2))
    call.expect(200)
    call.acknowledge()


def _held_hear(server: Server, seconds: float) -> list[np.ndarray]:
    """Two calls, both held; what the held ones hear at the same time."""
    with (
        RtpSocket(CALLER) as one, RtpSocket(CALLER) as two, RtpSocket(CALLEE) as three, RtpSocket(CALLEE) as four,
        Phone(server.address, "301", host=CALLER) as a, Phone(server.address, "302", host=CALLER) as b,
        registered(server.address, "401", host=CALLEE) as c, registered(server.address, "402", host=CALLEE) as d,
    ):  # fmt: skip
        first, first_incoming = connect(a, c, (one.address, three.address))
        second, second_incoming = connect(b, d, (two.address, four.address))
        _hold(first, one)
        _hold(second, two)
        said = tone(350, seconds)
        heard = exchange([(three, first_incoming.offered, said), (four, second_incoming.offered, said)])
        for outgoing, incoming in ((first, first_incoming), (second, second_incoming)):
            outgoing.hang_up()
            incoming.expect_hang_up()
        first_heard, second_heard = (sound_of(packets) for packets in heard)
        return [first_heard, second_heard[: -RATE_OF_CALLS // 10]]  # `exchange` listens to it 100 ms longer


def test_all_who_are_held_hear_the_same_music_at_the_same_place(tmp_path: Path) -> None:
    _tune(tmp_path / "tune.mp3")
    with running(_running(tmp_path, '[[sounds]]\nid = "tune"\nfile = "tune.mp3"\nmusic = true\n')) as server:
        heard = _held_hear(server, 1.5)
    for samples in heard:
        assert dominant_hz(samples[4000:]) == pytest.approx(700, abs=2)
        assert silent_share(samples[4000:]) < 0.1  # an MP3 has a little silence at its ends
    one, two = (samples.astype(float)[-8000:-1600] for samples in heard)
    best = max(np.dot(one[400:-400], two[400 + by : -400 + by or None]) for by in range(-399, 400))
    assert best / np.linalg.norm(one[400:-400]) / np.linalg.norm(two[400:-400]) > 0.98


def test_music_that_is_no_music_is_named_in_the_log_and_a_tone_is_heard(tmp_path: Path) -> None:
    (tmp_path / "tune.mp3").write_bytes(b"ID3 and nothing else")
    with running(_running(tmp_path, '[[sounds]]\nid = "tune"\nfile = "tune.mp3"\nmusic = true\n')) as server:
        heard = _held_hear(server, 1.0)
        assert f"{tmp_path}/tune.mp3 is damaged" in server.output()
    for samples in heard:
        assert dominant_hz(samples) == pytest.approx(425, abs=3)
