"""What calls keep to: privacy of addresses, limits, hold and glare, history."""

import pytest

from bench.wire import audio_of, sdp
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server, password_of
from tests.e2e.ua import Phone, connect, eventually, registered

HERE, THERE = (CALLER, 7000), (CALLEE, 7000)


def test_the_caller_never_sees_the_address_of_the_callee(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        incoming.request("INVITE", sdp(THERE, direction="sendonly", version=2))
        if (message := caller.receive(1)) is not None:
            caller.reply(message, 200, sdp(HERE, direction="recvonly", version=2))
            caller.expect("ACK")
        callee.expect(200)
        incoming.acknowledge()
        incoming.request("BYE")
        outgoing.expect_hang_up()
        callee.expect(200)
        for message in caller.log:
            assert CALLEE not in message.raw.decode()
            assert str(callee.address[1]) not in message.raw.decode()
        for message in callee.log:
            assert CALLER not in message.raw.decode()


def test_a_terminal_in_its_only_call_is_busy(server: Server) -> None:
    with (
        Phone(server.address, "301", host=CALLER) as first,
        Phone(server.address, "302", host=CALLER) as second,
        registered(server.address, "410", host=CALLEE) as callee,
    ):
        outgoing, incoming = connect(first, callee, (HERE, THERE))
        refused = second.dial("410", HERE)
        refused.expect(486)
        callee.expect_silence(0.3)
        outgoing.hang_up()
        incoming.expect_hang_up()
        again, incoming = connect(second, callee, (HERE, THERE))
        again.hang_up()
        incoming.expect_hang_up()


def test_a_second_call_waits_at_a_terminal_that_allows_two(server: Server) -> None:
    with (
        Phone(server.address, "301", host=CALLER) as first,
        Phone(server.address, "302", host=CALLER) as second,
        registered(server.address, "208", password_of("208")) as callee,
    ):
        outgoing, incoming = connect(first, callee, (HERE, THERE))
        waiting = second.dial("208", HERE)
        knocking = callee.wait_for_call()
        knocking.reply(180)
        waiting.expect(180)
        waiting.give_up()
        callee.reply(callee.expect("CANCEL"), 200)
        knocking.reply(487)
        callee.expect("ACK")
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_the_callee_may_hang_up_first(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        incoming.request("BYE")
        callee.expect(200)
        outgoing.expect_hang_up()


def test_both_may_hang_up_at_once(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        outgoing.request("BYE")
        incoming.request("BYE")
        for phone in (caller, callee):
            while (message := phone.receive(1)) is not None and message.status != 200:
                phone.reply(message, 200)
            assert message is not None, f"{phone.number}: no 200 to its BYE; heard {phone.heard}"
        eventually(lambda: server.json("calls") == [], "no call is left")


def test_a_reinvite_that_crosses_the_servers_own_is_refused_with_491(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        outgoing.request("INVITE", sdp(HERE, (3, 101), version=2))  # GSM, which only the callee can have
        from_server = callee.expect("INVITE")
        incoming.request("INVITE", sdp(THERE, direction="sendonly", version=2))
        refusal = callee.expect(491)
        incoming.acknowledge_refusal(refusal)
        callee.reply(from_server, 200, sdp(THERE, (3, 101), version=2))
        callee.expect("ACK")
        caller.expect(200)
        outgoing.acknowledge()
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_the_codec_is_one_that_both_offer(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing = caller.dial("401", offer=sdp(HERE, (18, 0, 101)))
        incoming = callee.wait_for_call()
        assert incoming.invite is not None
        assert 0 in audio_of(incoming.invite.body).payloads
        incoming.reply(200, sdp(THERE, (0, 101)))
        assert audio_of(outgoing.expect(200).body).payloads[0] == 0
        outgoing.acknowledge()
        callee.expect("ACK")
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_an_offer_that_the_callee_cannot_accept_is_refused(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing = caller.dial("401", offer=sdp(HERE, (18,)))
        callee.wait_for_call().reply(488)
        outgoing.expect(488)
        callee.expect("ACK")


@pytest.mark.parametrize(("status", "disposition"), [(486, "BUSY"), (480, "NOANSWER"), (500, "FAILED")])
def test_the_history_says_how_a_call_ended(server: Server, status: int, disposition: str) -> None:
    with Phone(server.address, "303", host=CALLER) as caller, registered(server.address, "403", host=CALLEE) as callee:
        before = {row["id"] for row in server.json("history", "--number", "303")}
        outgoing = caller.dial("403", HERE)
        incoming = callee.wait_for_call()
        incoming.reply(180)
        incoming.reply(status)
        callee.expect("ACK")
        outgoing.phone.final_answer("INVITE")

        def new_rows() -> list[dict[str, str]]:
            return [row for row in server.json("history", "--number", "303") if row["id"] not in before]

        eventually(lambda: len(new_rows()) == 1, "one new row")
        row = new_rows()[0]
        assert (row["from_number"], row["to_number"], row["disposition"]) == ("303", "403", disposition)


def test_hangup_ends_a_call_from_the_command_line(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        [call] = server.json("calls")
        assert (call["from_number"], call["to_number"]) == ("301", "401")
        server.command("hangup", call["id"])
        outgoing.expect_hang_up()
        incoming.expect_hang_up()
