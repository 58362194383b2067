"""Pictures between phones over real sockets: agreed on, passed on, asked for again, added and taken away."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.wire import Address, sdp
from media.rtp.feedback import Feedback
from media.rtp.packet import RtpPacket, parse_packet
from media.rtp.rtcp import Report, parse_compound
from sipcore.sdp.parse import parse_sdp
from tests.e2e.audio import tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, password_of
from tests.e2e.softphone import softphone
from tests.e2e.ua import Call, Phone, eventually, registered

H264 = "a=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=42801F\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:* nack pli\r\n"


class Camera:
    """RTP and RTCP of pictures at one phone."""

    def __init__(self, host: str, ssrc: int) -> None:
        self.ssrc, self._sequence = ssrc, 100
        while True:
            self.rtp, self.rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            self.rtp.bind((host, 0))
            self.address: Address = self.rtp.getsockname()
            try:
                self.rtcp.bind((host, self.address[1] + 1))
                break
            except OSError:
                self.close()
        self.rtp.settimeout(2)
        self.rtcp.settimeout(2)

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def section(self, direction: str = "sendrecv") -> str:
        return f"m=video {self.address[1]} RTP/AVP 96\r\n{H264}a={direction}\r\n"

    def send_picture(self, to: Address, packets: int = 3) -> list[RtpPacket]:
        sent = []
        for index in range(packets):
            self._sequence += 1
            sent.append(RtpPacket(96, self._sequence, 3000, self.ssrc, b"\x65" * 1100, index == packets - 1))
            self.rtp.sendto(sent[-1].encode(), to)
        return sent

    def see(self, packets: int = 3) -> list[RtpPacket]:
        return [parse_packet(self.rtp.recv(2048)) for _ in range(packets)]

    def is_seen_by(self, other: "Camera", to: Address) -> bool:
        """Pictures are sent until one arrives: the first may come before the engine has been told."""
        other.rtp.settimeout(0.1)
        for _ in range(20):
            self.send_picture(to)
            try:
                return bool(other.see())
            except TimeoutError:
                continue
        return False

    def ask(self, to: Address, feedback: Feedback) -> None:
        self.rtcp.sendto(Report(self.ssrc).encode() + feedback.encode(), (to[0], to[1] + 1))

    def asked(self) -> Feedback:
        """What the other side wants of us."""
        while True:
            for packet in parse_compound(self.rtcp.recv(2048)):
                if isinstance(packet, Feedback):
                    return packet


@contextmanager
def cameras() -> Iterator[tuple[Camera, Camera]]:
    made = Camera(CALLER, 0x11), Camera(CALLEE, 0x22)
    try:
        yield made
    finally:
        for each in made:
            each.close()


def video_port(body: str) -> int:
    (section,) = [each for each in parse_sdp(body.encode()).media if each.media == "video"]
    return section.port


def place_of(body: str) -> Address:
    found = parse_sdp(body.encode())
    return found.address, video_port(body)


def connected(caller: Phone, callee: Phone, near: Camera, far: Camera) -> tuple[Call, Call, Address, Address]:
    """A call with pictures; where each camera sends to."""
    call = caller.dial(callee.number, offer=sdp((CALLER, 7600), (8,)) + near.section())
    ring = callee.wait_for_call()
    assert ring.invite is not None
    ring.reply(180)
    ring.reply(200, sdp((CALLEE, 7600), (8,)) + far.section())
    answer = call.expect(200)
    call.acknowledge()
    callee.expect("ACK")
    return call, ring, place_of(answer.body), place_of(ring.invite.body)


@pytest.mark.row("REG-14")
def test_pictures_are_passed_between_two_capable_phones_with_what_is_asked_of_the_sender(server: Server) -> None:
    with (
        Phone(server.address, "303", host=CALLER) as caller,
        registered(server.address, "404", host=CALLEE) as callee,
        cameras() as (near, far),
    ):
        call, ring, to_near, to_far = connected(caller, callee, near, far)
        number = next(each["id"] for each in server.calls() if each["from_number"] == "303")
        sent = near.send_picture(to_near)
        seen = far.see()
        assert [(packet.payload, packet.marker) for packet in seen] == [(each.payload, each.marker) for each in sent]
        far.send_picture(to_far)
        assert len(near.see()) == 3
        far.ask(to_far, Feedback(far.ssrc, seen[0].ssrc, wants_picture=True))
        assert (near.asked().wants_picture, near.ssrc) == (True, 0x11)
        far.ask(to_far, Feedback(far.ssrc, seen[0].ssrc, lost=((seen[1].sequence, 0),)))
        assert near.asked().lost == ((sent[1].sequence, 0),)
        call.hang_up()
        ring.expect_hang_up()
    eventually(lambda: server.json("history", "--id", number) != [], "the call is in the history")
    quality = server.json("history", "--id", number)[0]["quality"]
    assert (quality["from_video_received"], quality["to_video_received"], quality["to_video_sent"]) == (3, 3, 3)


def test_a_picture_is_added_during_the_call_and_taken_away(server: Server) -> None:
    with (
        Phone(server.address, "303", host=CALLER) as caller,
        registered(server.address, "404", host=CALLEE) as callee,
        cameras() as (near, far),
    ):
        call = caller.dial("404", offer=sdp((CALLER, 7600), (8,)))
        ring = callee.wait_for_call()
        ring.reply(200, sdp((CALLEE, 7600), (8,)))
        call.expect(200)
        call.acknowledge()
        callee.expect("ACK")
        call.request("INVITE", sdp((CALLER, 7600), (8,), version=2) + near.section())
        offered = callee.expect("INVITE")
        callee.reply(offered, 200, sdp((CALLEE, 7600), (8,), version=2) + far.section())
        answer = call.expect(200)
        call.acknowledge()
        callee.expect("ACK")
        assert near.is_seen_by(far, place_of(answer.body))
        call.request("INVITE", sdp((CALLER, 7600), (8,), version=3) + "m=video 0 RTP/AVP 96\r\n")
        offered = callee.expect("INVITE")
        assert video_port(offered.body) == 0
        callee.reply(offered, 200, sdp((CALLEE, 7600), (8,), version=3) + "m=video 0 RTP/AVP 96\r\n")
        assert video_port(call.expect(200).body) == 0
        call.acknowledge()
        callee.expect("ACK")
        call.hang_up()
        ring.expect_hang_up()
    eventually(lambda: server.json("status")["media"]["endpoints"] == 0, "all ports are given back")


def test_two_softphones_see_each_other(server: Server, tmp_path: Path) -> None:
    """baresip with a camera that shows a moving pattern, in VP8."""
    accounts = [(number, password_of(number)) for number in ("206", "207")]
    with (
        softphone(tmp_path / "a", server.address, *accounts[0], tone(440, 20), sees=True) as caller,
        softphone(tmp_path / "b", server.address, *accounts[1], tone(700, 20), sees=True) as callee,
    ):
        for phone in (caller, callee):
            phone.wait_until_registered()
        caller.dial(callee.number)
        callee.wait_for("CALL_INCOMING")
        callee.accept()
        for phone in (caller, callee):
            phone.wait_for("CALL_ESTABLISHED")
        time.sleep(3)
        caller.hang_up()
        for phone in (caller, callee):
            phone.wait_for("CALL_CLOSED")
    eventually(lambda: server.json("history", "--number", "206") != [], "the call is in the history")
    quality = server.json("history", "--number", "206")[0]["quality"]
    for side in ("from", "to"):
        assert quality[f"{side}_video_received"] > 30
        assert quality[f"{side}_video_sent"] == pytest.approx(quality["from_video_received"], rel=0.5)
