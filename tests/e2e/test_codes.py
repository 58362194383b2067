"""Codes pressed in conversations: real RFC 4733 events, real audio, three phones."""

from collections.abc import Sequence

import pytest

from bench.wire import Address, audio_of, sdp
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, silent_share, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server
from tests.e2e.ua import Call, Phone, connect, eventually, registered

EVENTS = "0123456789*#"
PAYLOADS = (8, 0, 101)


def press(rtp: RtpSocket, to: Address, digits: str) -> None:
    """Each digit as a phone sends it: some packets while it is pressed, three that say it is over."""
    for digit in digits:
        event = EVENTS.index(digit)
        rtp.send_event(to, [bytes([event, 10, *duration.to_bytes(2)]) for duration in (160, 320, 480)], 101)
        rtp.send_event(to, [bytes([event, 0x80 | 10, *(640).to_bytes(2)])] * 3, 101, again=True)


def media_of(phone: Phone) -> Address:
    """Where the server wants the audio of the call that this phone placed."""
    return audio_of(next(message for message in phone.log if message.status == 200 and message.body).body).address


def answer(phone: Phone, rtp: RtpSocket) -> Call:
    incoming = phone.wait_for_call()
    incoming.reply(180)
    incoming.reply(200, sdp(rtp.address, PAYLOADS))
    phone.expect("ACK")
    return incoming


def follow(phone: Phone, rtp: RtpSocket) -> None:
    """The display of the phone follows who is at the other end (RFC 4916), by re-INVITE: it is answered."""
    while (message := phone.receive(0.3)) is not None:
        if message.method == "INVITE":
            phone.reply(message, 200, sdp(rtp.address, PAYLOADS))
        elif message.method != "ACK":
            phone.put_back(message)
            return


def assert_hear_each_other(one: tuple[RtpSocket, Address], other: tuple[RtpSocket, Address]) -> None:
    for rtp, _ in (one, other):
        rtp.receive_packets(0.05)  # what came before and nobody has read yet
    heard = exchange([(*one, tone(440, 0.8)), (*other, tone(700, 0.8))])
    for packets, hz in zip(heard, (700, 440), strict=True):
        assert dominant_hz(sound_of(packets[10:-10])) == pytest.approx(hz, abs=5)


def rows_of(server: Server, number: str) -> Sequence[dict[str, object]]:
    found: Sequence[dict[str, object]] = server.json("history", "--number", number)
    return found


def test_attended_transfer_by_code_with_music_for_who_waits(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE, ssrc=0x55) as there,
        RtpSocket(CALLEE, ssrc=0x77) as target,
        Phone(server.address, "303", host=CALLER) as a,
        registered(server.address, "403", host=CALLEE) as b,
        registered(server.address, "404", host=CALLEE) as c,
    ):
        outgoing, incoming = connect(a, b, (here.address, there.address))
        mine, theirs = media_of(a), incoming.offered
        assert_hear_each_other((here, mine), (there, theirs))
        press(here, mine, "##404#")
        asked = answer(c, target)
        follow(a, here)
        assert_hear_each_other((here, mine), (target, asked.offered))
        waiting = sound_of(there.receive_packets(6.0))
        assert silent_share(waiting) < 0.99, "music, or the soft tone every five seconds"
        outgoing.hang_up()
        follow(b, there)
        follow(c, target)
        assert_hear_each_other((there, theirs), (target, asked.offered))
        incoming.hang_up()
        asked.expect_hang_up()
    eventually(lambda: len(rows_of(server, "404")) >= 2, "three rows of one conversation")
    assert len({row["linkedid"] for row in rows_of(server, "404")[:2]}) == 1


def test_blind_transfer_by_code(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE, ssrc=0x55) as there,
        RtpSocket(CALLEE, ssrc=0x77) as target,
        Phone(server.address, "303", host=CALLER) as a,
        registered(server.address, "403", host=CALLEE) as b,
        registered(server.address, "404", host=CALLEE) as c,
    ):
        outgoing, incoming = connect(a, b, (here.address, there.address))
        mine, theirs = media_of(a), incoming.offered
        assert_hear_each_other((here, mine), (there, theirs))
        press(there, theirs, "**404#")
        incoming.expect_hang_up()
        ringing = answer(c, target)
        follow(a, here)
        assert_hear_each_other((here, mine), (target, ringing.offered))
        outgoing.hang_up()
        ringing.expect_hang_up()


def test_a_call_is_parked_by_code_and_taken_at_its_slot(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE, ssrc=0x55) as there,
        RtpSocket(CALLEE, ssrc=0x77) as taker,
        Phone(server.address, "303", host=CALLER) as a,
        registered(server.address, "403", host=CALLEE) as b,
        registered(server.address, "404", host=CALLEE) as c,
    ):
        outgoing, incoming = connect(a, b, (here.address, there.address))
        mine, theirs = media_of(a), incoming.offered
        assert_hear_each_other((here, mine), (there, theirs))
        press(there, theirs, "*2")
        incoming.expect_hang_up(timeout_s=15)
        taking = c.dial("891", taker.address)
        taking.expect(200)
        taking.acknowledge()
        follow(c, taker)
        follow(a, here)
        assert_hear_each_other((here, mine), (taker, media_of(c)))
        outgoing.hang_up()
        taking.expect_hang_up()


def test_a_call_that_rings_elsewhere_is_picked_up(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE, ssrc=0x66) as picker,
        Phone(server.address, "303", host=CALLER) as a,
        registered(server.address, "403", host=CALLEE) as b,
        registered(server.address, "404", host=CALLEE) as c,
    ):
        outgoing = a.dial("403", here.address)
        ringing = b.wait_for_call()
        ringing.reply(180)
        outgoing.expect(180)
        picking = c.dial("*8403", picker.address)
        picking.expect(200)
        picking.acknowledge()
        outgoing.expect(200)
        outgoing.acknowledge()
        b.expect("CANCEL")
        follow(c, picker)
        assert_hear_each_other((here, media_of(a)), (picker, media_of(c)))
        outgoing.hang_up()
        picking.expect_hang_up()
