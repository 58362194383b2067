"""Calls from and to Sippy, a B2BUA: one in front of the caller, one in front of the callee, Zvon between them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.wire import audio_of, sdp
from tests.e2e.audio import RtpSocket, assert_talk, dominant_hz, exchange, sound_of, tone
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.sippy import sippy, sippy_path
from tests.e2e.ua import Phone, connect, eventually, registered, registered_port

NEAR, FAR = "127.0.0.6", "127.0.0.7"
HERE, THERE = ("127.0.2.1", 7000), ("127.0.2.2", 7000)


class Office:
    """Caller 301 behind one Sippy, callee 302 behind another."""

    def __init__(self, server: Server, caller: Phone, callee: Phone) -> None:
        self.server, self.caller, self.callee = server, caller, callee


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    sippy_path()
    folder = tmp_path_factory.mktemp("sippy")
    entries = [terminal("301", trust=NEAR, max_calls=4), terminal("302", trust=FAR, max_calls=4)]
    entries.append(terminal("303", password=password_of("303")))
    with ExitStack() as stack:
        server = stack.enter_context(running(Site.write(folder / "zvon", "\n".join(entries))))
        near = stack.enter_context(sippy(folder / "near", (NEAR, free_port(NEAR)), server.address))
        caller = stack.enter_context(Phone(near.address, "301", host=HERE[0]))
        callee = stack.enter_context(Phone(("127.0.0.7", 9), "302", host=THERE[0]))
        port = stack.enter_context(registered_port(server.address, "302", FAR))
        far = stack.enter_context(sippy(folder / "far", (FAR, port), callee.address))
        callee.server = far.address
        yield Office(server, caller, callee)


@pytest.fixture(autouse=True)
def nothing_is_left(office: Office) -> Iterator[None]:
    yield
    try:
        eventually(lambda: office.server.json("calls") == [], "all calls have ended")
    finally:  # both phones live as long as the office: what a failed test left must not reach the next one
        office.caller.forget_calls()
        office.callee.forget_calls()
        office.server.hang_up_all()


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_through_both_is_ended_by_either_side(office: Office, who: str) -> None:
    outgoing, incoming = connect(office.caller, office.callee, (HERE, THERE))
    first, second = (outgoing, incoming) if who == "caller" else (incoming, outgoing)
    first.hang_up()
    second.expect_hang_up()


def test_both_hear_each_other(office: Office) -> None:
    with RtpSocket(HERE[0]) as here, RtpSocket(THERE[0]) as there:
        outgoing, incoming = connect(office.caller, office.callee, (here.address, there.address))
        answer = next(m for m in reversed(office.caller.log) if m.status == 200 and m.body)
        sides = [(here, audio_of(answer.body).address, tone(440, 1)), (there, incoming.offered, tone(700, 1))]
        for packets, hz in zip(exchange(sides), (700, 440), strict=True):
            assert dominant_hz(sound_of(packets)[1600:]) == pytest.approx(hz, abs=5)
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_hold_and_resume_are_understood(office: Office) -> None:
    outgoing, incoming = connect(office.caller, office.callee, (HERE, THERE))
    for call, media in ((outgoing, HERE), (incoming, THERE)):
        for version, direction in enumerate(("sendonly", "sendrecv"), 2):
            call.request("INVITE", sdp(media, direction=direction, version=version))
            assert call.expect(200).body
            call.acknowledge()
    outgoing.hang_up()
    incoming.expect_hang_up()


def test_a_call_given_up_while_it_rings_stops_ringing(office: Office) -> None:
    outgoing = office.caller.dial("302", HERE)
    incoming = office.callee.wait_for_call()
    incoming.reply(180)
    outgoing.expect(180)
    outgoing.give_up()
    office.callee.reply(office.callee.expect("CANCEL"), 200)
    incoming.reply(487)
    office.callee.expect("ACK")


@pytest.mark.parametrize("status", [486, 603])
def test_a_refusal_comes_back(office: Office, status: int) -> None:
    outgoing = office.caller.dial("302", HERE)
    incoming = office.callee.wait_for_call()
    incoming.reply(status)
    office.callee.expect("ACK")
    outgoing.expect(status)


def test_a_phone_behind_it_transfers_who_it_talks_to(office: Office) -> None:
    """Sippy takes the REFER, passes one of its own on and is out of the call."""
    with (
        registered(office.server.address, "303", password_of("303")) as target,
        RtpSocket(THERE[0]) as there,
        RtpSocket(ssrc=0x77) as elsewhere,
    ):
        outgoing, incoming = connect(office.caller, office.callee, (HERE, there.address))
        outgoing.request("REFER", headers=[("Refer-To", f"<sip:303@{office.server.address[0]}>")])
        # Several threads of Sippy send, so its BYE may overtake what it said before.
        assert office.caller.expect(202, passing=(100, "BYE")).method == "REFER"
        ring = target.wait_for_call()
        assert ring.invite is not None
        assert "sip:302@" in ring.invite.first("from")
        ring.reply(180)
        ring.reply(200, sdp(elsewhere.address, (8, 101)))
        target.expect("ACK")
        shown = office.callee.expect("INVITE")
        office.callee.reply(shown, 200, sdp(there.address, (8, 101)))
        office.callee.expect("ACK")
        assert_talk((there, incoming.offered), (elsewhere, ring.offered))
        ring.hang_up()
        incoming.expect_hang_up()
