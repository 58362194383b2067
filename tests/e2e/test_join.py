"""INVITE with Join (RFC 3911) over real sockets: who hears whom is measured by tone."""

import numpy as np

from bench.wire import audio_of, sdp, tag_of
from tests.e2e.audio import RATE, RtpSocket, Samples, assert_talk, exchange, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server
from tests.e2e.ua import Call, Phone, connect, eventually, registered

TONES_HZ = (440, 700, 1000)


def _heard(samples: Samples) -> list[int]:
    """Which of the tones are in a sound."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), RATE)) / len(samples)
    return [hz for hz in TONES_HZ if spectrum[hz - 3 : hz + 4].max() > 200]


def test_a_second_device_comes_in_and_the_two_others_talk_on_when_the_first_leaves(server: Server) -> None:
    with (
        RtpSocket(CALLER) as first,
        RtpSocket(CALLEE, ssrc=0x55) as second,
        RtpSocket(CALLER, ssrc=0x77) as third,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
        Phone(server.address, "301", host=CALLER) as device,
    ):
        outgoing, incoming = connect(caller, callee, (first.address, second.address))
        port = audio_of(next(m for m in caller.log if m.status == 200 and m.body).body).address
        wanted = f"{outgoing.call_id};to-tag={tag_of(outgoing.remote)};from-tag={tag_of(outgoing.local)}"
        joined = Call.outgoing(device, f"sip:401@{server.address[0]}", sdp(third.address))
        joined.send_invite([("Join", wanted), ("Require", "join")])
        answer = joined.expect(200)
        joined.acknowledge()
        own_port = audio_of(answer.body).address
        talkers = [
            (first, port, tone(440, 1.2, 0.2)),
            (second, incoming.offered, tone(700, 1.2, 0.2)),
            (third, own_port, tone(1000, 1.2, 0.2)),
        ]
        heard = [_heard(sound_of(packets)[3200:]) for packets in exchange(talkers)]
        assert heard == [[700, 1000], [440, 1000], [440, 700]]
        outgoing.hang_up()
        assert_talk((second, incoming.offered), (third, own_port))
        joined.hang_up()
        incoming.expect_hang_up()
    eventually(lambda: server.json("calls") == [], "all three calls have ended")
    rows = server.json("history", "--number", "401")[:4]
    assert sorted(row["stage"] for row in rows) == ["conference", "conference", "conference", "dial"]
