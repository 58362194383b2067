"""A recording over real sockets: what a phone says comes back to it, and nothing is left behind."""

import numpy as np
import pytest

from bench.wire import audio_of
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, sound_of, tone
from tests.e2e.conftest import CALLER
from tests.e2e.harness import Server
from tests.e2e.ua import Phone, eventually


def test_the_recording_number_plays_back_what_was_said_after_the_beep(server: Server) -> None:
    with RtpSocket(CALLER) as rtp, Phone(server.address, "301", host=CALLER) as phone:
        call = phone.dial("000065", rtp.address)
        answer = call.expect(200)
        call.acknowledge()
        said = np.concatenate([tone(440, 4.0), tone(1300, 4.5), tone(100, 9.0)])
        [heard] = exchange([(rtp, audio_of(answer.body).address, said)])
        phone.expect("BYE", timeout_s=6)
    samples = sound_of(heard)
    assert dominant_hz(samples[:1600]) == pytest.approx(1000, abs=20), "the beep"
    back = samples[2400:]
    assert dominant_hz(back[8000:20000]) == pytest.approx(440, abs=5)
    assert dominant_hz(back[40000:56000]) == pytest.approx(1300, abs=5)
    eventually(lambda: not [*(server.data / "recordings").rglob("*.wav*")], "the file is gone")
