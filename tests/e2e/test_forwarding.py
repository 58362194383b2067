"""Forwarding, groups, do not disturb and ringback tones, with phones at real sockets."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import pytest
import soundfile

from bench.wire import audio_of, sdp
from tests.e2e.audio import RtpSocket, dominant_hz, exchange, sound_of, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, Site, password_of, running, terminal
from tests.e2e.ua import Call, Phone, registered

OFFICE = """
[[sounds]]
id = "own"
file = "own.wav"

[[groups]]
number = "600"
name = "All at once"
members = ["401", "402", "403"]

[[groups]]
number = "601"
name = "In order"
members = ["403", "401"]
strategy = "linear"
ring_time = 1
timeout_target = "402"

[[groups]]
number = "602"
name = "By chance"
members = ["401", "402", "403"]
strategy = "random"
ring_time = 1
"""
RULES = {
    "411": '{ no_answer = "401", ring_time = 1 }',
    "412": '{ busy = "401" }',
    "413": '{ unavailable = "412" }',
    "414": '{ busy = "415" }',
    "415": '{ busy = "414" }',
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("forwarding")
    at = np.arange(8000 * 4) / 8000
    soundfile.write(folder / "own.wav", 0.3 * np.sin(2 * np.pi * 620 * at), 8000)
    entries = [terminal("301", trust=CALLER, max_calls=10)]
    entries += [terminal(number, trust=CALLEE, max_calls=2) for number in ("401", "402", "403")]
    entries.append(terminal("410", trust=CALLEE, ringback="own"))
    entries += [
        terminal(number, password=password_of(number)) + f"forward = {rules}\n" for number, rules in RULES.items()
    ]
    with running(Site.write(folder, OFFICE + "\n" + "\n".join(entries), sip="qualify = 0")) as server:
        yield server


@pytest.fixture
def caller(office: Server) -> Iterator[Phone]:
    with Phone(office.address, "301", host=CALLER) as phone:
        yield phone


def phone(office: Server, number: str) -> AbstractContextManager[Phone]:
    return registered(office.address, number, password_of(number) if number in RULES else "", host=CALLEE)


def answered(call: Call, ring: Call) -> None:
    """The phone that rings at last answers, and both hang up."""
    ring.reply(200, sdp(("127.0.0.2", 9)))
    call.expect(200)
    call.acknowledge()
    ring.phone.expect("ACK")
    call.hang_up()
    ring.expect_hang_up()


def cancelled(ring: Call) -> None:
    cancel = ring.phone.expect("CANCEL")
    ring.phone.reply(cancel, 200)
    ring.reply(487)
    ring.phone.expect("ACK")


def refused(ring: Call, status: int) -> None:
    ring.reply(status)
    ring.phone.expect("ACK")


def history(office: Server) -> list[tuple[str, str]]:
    """The rows of the newest call, oldest first."""
    rows = office.json("history")
    return [(row["to_number"], row["disposition"]) for row in reversed(rows) if row["linkedid"] == rows[0]["linkedid"]]


def test_a_call_that_nobody_answers_goes_on(office: Server, caller: Phone) -> None:
    with phone(office, "411") as first, phone(office, "401") as second:
        call = caller.dial("411")
        ring = first.wait_for_call()
        ring.reply(180)
        cancelled(ring)
        onward = second.wait_for_call()
        assert onward.invite is not None
        assert "reason=no-answer" in onward.invite.first("diversion")
        answered(call, onward)
    assert history(office) == [("411", "NOANSWER"), ("401", "ANSWERED")]


def test_a_busy_phone_and_one_that_is_not_there_send_calls_on_in_a_chain(office: Server, caller: Phone) -> None:
    with phone(office, "412") as busy, phone(office, "401") as last:
        call = caller.dial("413")  # not registered: goes to 412 at once
        refused(busy.wait_for_call(), 486)
        answered(call, last.wait_for_call())
    assert history(office) == [("413", "FAILED"), ("412", "BUSY"), ("401", "ANSWERED")]


def test_two_that_send_calls_to_each_other_make_no_loop(office: Server, caller: Phone) -> None:
    with phone(office, "414") as one, phone(office, "415") as other:
        call = caller.dial("414")
        refused(one.wait_for_call(), 486)
        refused(other.wait_for_call(), 486)
        call.expect(480)
        one.expect_silence(0.3)


def test_all_phones_of_a_group_ring_and_one_answers(office: Server, caller: Phone) -> None:
    with phone(office, "401") as a, phone(office, "402") as b, phone(office, "403") as c:
        call = caller.dial("600")
        rings = [each.wait_for_call() for each in (a, b, c)]
        for ring in rings:
            ring.reply(180)
        call.expect(180)
        rings[1].reply(200, sdp(("127.0.0.2", 9)))
        call.expect(200)
        call.acknowledge()
        b.expect("ACK")
        cancelled(rings[0])
        cancelled(rings[2])
        call.hang_up()
        rings[1].expect_hang_up()


def test_a_group_in_order_goes_on_to_its_target(office: Server, caller: Phone) -> None:
    with phone(office, "403") as first, phone(office, "401") as second, phone(office, "402") as last:
        call = caller.dial("601")
        for each in (first, second):
            ring = each.wait_for_call()
            ring.reply(180)
            cancelled(ring)
        answered(call, last.wait_for_call())


def test_every_member_of_a_group_by_chance_rings_once(office: Server, caller: Phone) -> None:
    with phone(office, "401") as a, phone(office, "402") as b, phone(office, "403") as c:
        call = caller.dial("602")
        for _ in range(3):
            ring = next(each for each in waiting(a, b, c))
            ring.reply(180)
            cancelled(ring)
        call.expect(480)


def waiting(*phones: Phone) -> Iterator[Call]:
    """Calls as they come to any of the phones."""
    while True:
        for each in phones:
            message = each.receive(0.05)
            if message is not None:
                assert message.method == "INVITE", message
                yield Call.incoming(each, message)


def test_who_wants_no_calls_is_busy_until_the_code_takes_it_back(office: Server, caller: Phone) -> None:
    with phone(office, "402") as quiet:
        _dial_code(quiet, "*78")
        caller.dial("402").expect(486)
        _dial_code(quiet, "*79")
        call = caller.dial("402")
        answered(call, quiet.wait_for_call())


def _dial_code(phone: Phone, code: str) -> None:
    call = phone.dial(code)
    call.expect(200)
    call.acknowledge()
    call.expect_hang_up(timeout_s=10)  # after what has been done is said


def test_callers_hear_the_terminals_own_ringback_tone_as_early_media(office: Server, caller: Phone) -> None:
    with RtpSocket(CALLER) as rtp, phone(office, "410") as callee:
        call = caller.dial("410", rtp.address)
        ring = callee.wait_for_call()
        ring.reply(180)
        early = call.expect(183)
        (packets,) = exchange([(rtp, audio_of(early.body).address, tone(350, 1.0))])
        assert dominant_hz(sound_of(packets)[2000:]) == pytest.approx(620, abs=3)
        refused(ring, 486)
        call.expect(486)
