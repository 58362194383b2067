"""A disk that fills while a conversation is recorded: the call goes on, what was written is heard."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from tests.e2e.audio import RtpSocket, dominant_hz, exchange, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, running, terminal
from tests.e2e.test_codes import media_of
from tests.e2e.ua import Phone, connect, eventually, registered

OFFICE = f"""
{terminal("301", trust=CALLER)}
{terminal("401", trust=CALLEE)}

[recording]
min_free_mb = 0
"""


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk needs root and the right to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root")
def test_a_disk_that_fills_ends_the_recording_not_the_call_and_raises_an_alarm(tmp_path: Path) -> None:
    site = Site.write(tmp_path, OFFICE, sip="qualify = 0")
    with (
        small_disk(site.data / "recordings", 60),  # less than two seconds of both parties
        running(site) as server,
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE) as there,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        talkers = [(here, media_of(caller), tone(440, 3.5)), (there, incoming.offered, tone(700, 3.5))]
        heard = exchange(talkers)
        eventually(lambda: "the disk is full" in server.output(), "the log says why")
        still = exchange([(socket, to, samples[:8000]) for socket, to, samples in talkers])
        for packets in (heard, still):
            hz = [dominant_hz(sound_of(each)[-4000:]) for each in packets]
            assert hz == [pytest.approx(700, abs=5), pytest.approx(440, abs=5)], "they still hear each other"
        outgoing.hang_up()
        incoming.expect_hang_up()

        told = server.json("report", "events", "--kind", "recording_failed")
        assert "cannot be written: the disk is full." in str(told)
        (row,) = server.json("history", "--number", "301")
        (listed,) = server.json("recordings", "list", "--id", row["linkedid"])
        assert (listed["id"], listed["state"]) == (row["recording"], "done")
        samples, rate = soundfile.read(server.data / "recordings" / f"{listed['id']}{listed['suffix']}", dtype="int16")
        assert len(samples) / rate == pytest.approx(listed["seconds"], abs=0.05)
        assert 1.0 < len(samples) / rate < 2.0
        assert dominant_hz(samples[rate // 2 :, 0]) == pytest.approx(440, abs=5)
