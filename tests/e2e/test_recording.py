"""A recording over real sockets: what a phone says comes back to it, and nothing is left behind."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.wire import audio_of
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, sound_of, tone
from tests.e2e.conftest import CALLER
from tests.e2e.harness import Server, Site, running, terminal
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Site]:
    """A server whose recordings lie on a disk of 100 KB."""
    site = Site.write(tmp_path, terminal("301", trust=CALLER), rtp_ports=(12800, 12839), sip="qualify = 0")
    folder = site.data / "recordings"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)], check=True)
    try:
        yield site
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_ends_the_recording_with_an_alarm_and_the_call_goes_on(small_disk: Site) -> None:
    with running(small_disk) as server, RtpSocket(CALLER) as rtp, Phone(server.address, "301", host=CALLER) as phone:
        call = phone.dial("000065", rtp.address)
        answer = call.expect(200)
        call.acknowledge()
        said = np.concatenate([tone(440, 10.0), tone(100, 4.0)])
        [heard] = exchange([(rtp, audio_of(answer.body).address, said)])
        told = server.json("status")["recordings"]
        assert (told["ended"], told["cut_short"]) == (1, 1)
        assert told["last_error"].endswith("cannot be written: the disk is full.")
        assert "a recording ended before its time" in server.output()
        assert dominant_hz(sound_of(heard)[24000:]) == pytest.approx(440, abs=5), "what was kept is played back"
        phone.expect("BYE", timeout_s=6)
