"""A media worker is killed in the middle of a conversation: audio returns by itself, the call goes on."""

import os
import signal
import threading
from pathlib import Path

import pytest

from bench.wire import audio_of
from tests.e2e.audio import PACKET_SAMPLES, RATE, RtpSocket, dominant_hz, exchange, sound_of, tone
from tests.e2e.harness import Server, Site, running, terminal
from tests.e2e.ua import Phone, connect, eventually, registered

pytestmark = pytest.mark.alone

HERE, THERE = "127.0.2.1", "127.0.2.2"
TALK_S, KILL_AFTER_S, GAP_S = 4.0, 1.0, 1.0


def kill_workers(server: Server) -> None:
    """All media processes: which of them has the call is theirs to know."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    for pid in map(int, children):
        if b"media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


def test_both_hear_each_other_again_within_a_second_and_may_hang_up(tmp_path: Path) -> None:
    office = terminal("301", trust=HERE) + terminal("302", trust=THERE)
    site = Site.write(tmp_path, office, rtp_ports=(12800, 12899))
    with (
        running(site) as server,
        RtpSocket(HERE) as here,
        RtpSocket(THERE) as there,
        Phone(server.address, "301", host=HERE) as caller,
        registered(server.address, "302", host=THERE) as callee,
    ):
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        answer = next(each for each in reversed(caller.log) if each.status == 200 and each.body)
        killer = threading.Timer(KILL_AFTER_S, kill_workers, (server,))
        killer.start()
        sides = [(here, audio_of(answer.body).address, tone(440, TALK_S)), (there, incoming.offered, tone(700, TALK_S))]
        heard = exchange(sides)
        killer.join()
        for packets, hz in zip(heard, (700, 440), strict=True):
            assert len(packets) * PACKET_SAMPLES / RATE >= TALK_S - GAP_S
            assert dominant_hz(sound_of(packets[-50:])) == pytest.approx(hz, abs=2)
        outgoing.hang_up()
        incoming.expect_hang_up()
        eventually(lambda: server.json("history") != [], "the call is in the history")
        assert server.json("history")[0]["disposition"] == "ANSWERED"
        assert "is back with 2 endpoints" in server.output()
