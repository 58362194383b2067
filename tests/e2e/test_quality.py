"""How a call sounded, as it is told: while it lasts, afterwards in the history, and by `zvon trace` in sentences."""

import socket
import time
from typing import Any

import pytest

from bench.wire import Message, audio_of, sdp
from media.rtp.rtcp import Report, ReportBlock, parse_compound
from media.rtp.xr import ExtendedReport, VoipMetrics
from tests.e2e.audio import RtpSocket, encode, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server
from tests.e2e.ua import Call, Phone, eventually, registered

PACKET = encode(tone(440, 0.02), 8)


def _rtcp_socket(rtp: RtpSocket) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind((rtp.address[0], rtp.address[1] + 1))
    found.settimeout(7)
    return found


def _row(server: Server, call: str) -> dict[str, Any]:
    eventually(lambda: server.json("history", "--id", call) != [], "the call is in the history")
    row: dict[str, Any] = server.json("history", "--id", call)[0]
    return row


@pytest.mark.alone  # a sender that is held up loses packets of its own
def test_a_lossy_way_and_a_silent_party_are_found_during_the_call_and_afterwards(server: Server) -> None:
    """The caller's network loses a burst in each second, the callee sends nothing: six seconds of that."""
    with (
        Phone(server.address, "303", host=CALLER) as caller,
        registered(server.address, "404", host=CALLEE) as callee,
        RtpSocket(CALLER) as near,
        RtpSocket(CALLEE) as far,
        _rtcp_socket(near) as control,
    ):
        outgoing, incoming, answer = _connected(caller, callee, near, far)
        assert "a=rtcp-xr:voip-metrics" in answer.body
        to = audio_of(answer.body).address
        start = time.monotonic()
        for index in range(300):
            if index % 50 >= 45:
                near.skip_packet()
            else:
                near.send_packet(to, PACKET)
            if index == 100:
                _report_loss(control, (to[0], to[1] + 1))
            time.sleep(max(0.0, start + 0.02 * (index + 1) - time.monotonic()))
        metrics = _metrics_from(control)
        assert 20 <= metrics.loss_rate <= 30
        assert metrics.burst_ms == 100
        assert 10 <= metrics.mos_cq < 40
        (live,) = [call for call in server.json("calls") if call["from_number"] == "303"]
        assert live["quality"]["from_mos"] < 4.0
        assert live["quality"]["from_remote_mos"] == pytest.approx(2.3, abs=0.5)
        (interval,) = live["last_minute"]["from"]
        assert interval["lost"] == pytest.approx(25, abs=5)
        assert "to_mos" not in live["quality"]
        trace = server.json("trace", live["id"])
        assert [len(leg["intervals"]) for leg in trace["legs"]] == [1, 1]
        outgoing.hang_up()
        incoming.expect_hang_up()
    quality = _row(server, live["id"])["quality"]
    assert quality["from_lost"] == 25
    assert (quality["from_burst_ms"], quality["from_burst_loss_percent"]) == (100, 100)
    assert quality["to_received"] == 0
    said = server.command("trace", live["id"]).stdout
    assert "One-way audio: 303 could be heard, 404 could not." in said
    assert "of the audio of 303 was lost between 303 and Zvon, in bursts of 100 ms." in said
    assert "25.0 % of the audio for 303 was lost between Zvon and 303." in said
    assert "MOS by 5 s" in said


def test_audio_from_a_wrong_source_is_named_as_that(server: Server) -> None:
    with (
        Phone(server.address, "303", host=CALLER) as caller,
        registered(server.address, "404", host=CALLEE) as callee,
        RtpSocket(CALLER) as near,
        RtpSocket(CALLEE) as far,
        RtpSocket("127.0.0.77") as stranger,
    ):
        outgoing, incoming, answer = _connected(caller, callee, near, far)
        call = next(each["id"] for each in server.json("calls") if each["from_number"] == "303")
        for _ in range(10):
            near.send_packet(audio_of(answer.body).address, PACKET)
            stranger.send_packet(incoming.offered, PACKET)
            time.sleep(0.02)
        outgoing.hang_up()
        incoming.expect_hang_up()
    assert _row(server, call)["quality"]["to_dropped_stranger"] == 10
    said = server.command("trace", call).stdout
    assert "Audio came for 404, but from the wrong source: 10 packets" in said


def _connected(caller: Phone, callee: Phone, near: RtpSocket, far: RtpSocket) -> tuple[Call, Call, Message]:
    """A call in which the caller asks for VoIP Metrics, with the answer that it got."""
    offer = sdp(near.address, (8,)).replace("a=sendrecv", "a=rtcp-xr:voip-metrics\r\na=sendrecv")
    outgoing = caller.dial(callee.number, offer=offer)
    incoming = callee.wait_for_call()
    incoming.reply(180)
    outgoing.expect(180)
    incoming.reply(200, sdp(far.address, (8,)))
    answer = outgoing.expect(200)
    outgoing.acknowledge()
    callee.expect("ACK")
    return outgoing, incoming, answer


def _report_loss(control: socket.socket, to: tuple[str, int]) -> None:
    """The phone says that a quarter of what it should get is lost, though nothing was sent: it is believed."""
    own = _ssrc_of(control)
    control.sendto(Report(0x1234, None, (ReportBlock(own, fraction=64, lost=9),)).encode(), to)


def _ssrc_of(control: socket.socket) -> int:
    first = parse_compound(control.recv(2048))[0]
    assert isinstance(first, Report)
    return first.ssrc


def _metrics_from(control: socket.socket) -> VoipMetrics:
    """Of the next report."""
    (found,) = [packet for packet in parse_compound(control.recv(2048)) if isinstance(packet, ExtendedReport)]
    return found.metrics[0]
