"""People hear each other: what was said at one end is measured at the other."""

import time
from pathlib import Path

import numpy as np
import pytest

from bench.calls import CallSet, Side
from bench.native import blast
from bench.wire import Address, audio_of, sdp
from tests.e2e.audio import Packet, RtpSocket, Samples, dominant_hz, encode, exchange, silent_share, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, password_of
from tests.e2e.softphone import Softphone, softphone
from tests.e2e.ua import Phone, connect, eventually, registered

TALK_S = 2.0


def _middle(samples: Samples) -> Samples:
    """Without the first and last 300 ms, where calls begin and end."""
    return samples[2400:-2400]


def assert_hears(samples: Samples, hz: float) -> None:
    middle = _middle(samples)
    assert len(middle) > 4000, f"only {len(samples)} samples"
    assert dominant_hz(middle) == pytest.approx(hz, abs=2)
    assert silent_share(middle) < 0.05


def talk(caller: Softphone, callee: Softphone) -> None:
    for phone in (caller, callee):
        phone.wait_until_registered()
    caller.dial(callee.number)
    callee.wait_for("CALL_INCOMING")
    callee.accept()
    for phone in (caller, callee):
        phone.wait_for("CALL_ESTABLISHED")
        if phone.encrypts:
            phone.wait_until_secure()
    time.sleep(TALK_S)
    caller.hang_up()
    for phone in (caller, callee):
        phone.wait_for("CALL_CLOSED")


def test_two_softphones_hear_each_other(server: Server, tmp_path: Path) -> None:
    accounts = [(number, password_of(number)) for number in ("206", "207")]
    with (
        softphone(tmp_path / "a", server.address, *accounts[0], tone(440, 20)) as caller,
        softphone(tmp_path / "b", server.address, *accounts[1], tone(700, 20)) as callee,
    ):
        talk(caller, callee)
        assert_hears(caller.heard(), 700)
        assert_hears(callee.heard(), 440)
    eventually(lambda: server.json("history", "--number", "206") != [], "the call is in the history")
    row = server.json("history", "--number", "206")[0]
    assert (row["to_number"], row["disposition"]) == ("207", "ANSWERED")
    assert row["talk_seconds"] == pytest.approx(TALK_S, abs=1)


def _call_application(server: Server, rtp: RtpSocket, number: str, seconds: float) -> Samples:
    with Phone(server.address, "301", host=CALLER) as phone:
        call = phone.dial(number, rtp.address)
        answer = call.expect(200)
        call.acknowledge()
        [heard] = exchange([(rtp, audio_of(answer.body).address, tone(350, seconds))])
        call.hang_up()
    return sound_of(heard)


def test_the_echo_number_sends_back_what_is_said(server: Server) -> None:
    with RtpSocket(CALLER) as rtp:
        assert_hears(_call_application(server, rtp, "10003246", 1.5), 350)


def test_the_tone_number_plays_1000_hz(server: Server) -> None:
    with RtpSocket(CALLER) as rtp:
        assert_hears(_call_application(server, rtp, "000064", 1.5), 1000)


@pytest.mark.parametrize("payload_type", [0, 8], ids=["pcmu", "pcma"])
def test_audio_passes_both_ways_unchanged(server: Server, payload_type: int) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE) as there,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        outgoing = caller.dial("401", here.address)
        incoming = callee.wait_for_call()
        incoming.reply(200, sdp(there.address, [payload_type, 101]))
        answer = outgoing.expect(200)
        outgoing.acknowledge()
        callee.expect("ACK")
        remote = audio_of(answer.body)
        assert remote.payloads[0] == payload_type
        said = tone(440, 1), tone(700, 1)
        heard = exchange([(here, remote.address, said[0]), (there, incoming.offered, said[1])], payload_type)
        for packets, samples in zip(heard, reversed(said), strict=True):
            expected = encode(samples, payload_type)
            assert b"".join(packet.payload for packet in sorted(packets, key=lambda p: p.sequence)) in expected
            assert len(packets) >= 48
        outgoing.hang_up()
        incoming.expect_hang_up()


def _noise(rtp: RtpSocket, to: Address, count: int = 5) -> None:
    for _ in range(count):
        rtp.send_packet(to, bytes([0x2A]) * 160)


def test_a_stranger_reaches_nobody_and_changes_nothing(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE) as there,
        RtpSocket("127.0.0.66", ssrc=0xBAD) as stranger,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        answer = next(message for message in caller.log if message.status == 200 and message.body)
        ports = audio_of(answer.body).address, incoming.offered
        for port in ports:
            _noise(stranger, port)  # speaks first
        heard = exchange([(here, ports[0], tone(440, 0.5)), (there, ports[1], tone(700, 0.5))])
        for port in ports:
            _noise(stranger, port)  # and again in the middle of the talk
        more = exchange([(here, ports[0], tone(440, 0.5)), (there, ports[1], tone(700, 0.5))])
        for packets, hz in ((heard[0] + more[0], 700), (heard[1] + more[1], 440)):
            assert dominant_hz(sound_of(packets)) == pytest.approx(hz, abs=5)
            assert not any(packet.payload == bytes([0x2A]) * 160 for packet in packets)
        assert stranger.receive_packets(0.1) == []
        outgoing.hang_up()
        incoming.expect_hang_up()


def _is_end(packet: Packet) -> bool:
    """The last of an event (RFC 4733 §2.3)."""
    return packet.payload_type == 101 and bool(packet.payload[1] & 0x80)


def test_digits_pass_as_rfc_4733_events(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE) as there,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        answer = next(message for message in caller.log if message.status == 200 and message.body)
        assert len(server.calls()) == 1
        growing = [bytes([5, 10, *duration.to_bytes(2)]) for duration in (160, 320, 480)]
        here.send_event(audio_of(answer.body).address, [*growing, bytes([5, 0x80 | 10, *(480).to_bytes(2)])], 101)
        events = [packet for packet in there.receive_until(_is_end) if packet.payload_type == 101]
        assert all(event.payload[0] == 5 for event in events)
        assert len({event.timestamp for event in events}) == 1, "pressed once"
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_a_hundred_calls_with_audio_lose_no_packet(server: Server) -> None:
    with CallSet(server.address, Side("302", CALLER, 42000), Side("402", CALLEE, 42000)) as calls:
        streams = calls.open(100)
        assert len(streams) == 200
        assert len(server.json("calls")) == 100
        report = blast(streams, 4)
    assert report.sent == 200 * 200
    assert (report.lost, report.duplicates, report.strangers, report.deaf_streams) == (0, 0, 0, 0), report
    assert server.json("calls") == []


def test_the_measure_itself_tells_tones_apart() -> None:
    for hz in (350, 440, 1000):
        assert dominant_hz(tone(hz, 1)) == pytest.approx(hz, abs=1)
    assert dominant_hz(np.zeros(8000, np.int16)) == 0
    assert silent_share(np.concatenate([tone(440, 0.5), np.zeros(4000, np.int16)])) == pytest.approx(0.5)
