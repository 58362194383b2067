"""Transfers over real sockets: who hears whom is measured by tone on the new path."""

from pathlib import Path

from bench.wire import audio_of, sdp, tag_of
from tests.e2e.audio import RtpSocket, assert_talk
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Server
from tests.e2e.sipp import Plan, Sipp, play
from tests.e2e.ua import Call, Phone, connect, eventually, registered, registered_port

REFER_OK = ("active", "100"), ("active", "180"), ("terminated", "200")


def _refer(phone: Phone, call: Call, target: str) -> None:
    call.request("REFER", headers=[("Refer-To", f"<{target}>"), ("Referred-By", f"<{phone.aor}>")])
    assert phone.expect(202, passing=("NOTIFY",)).status == 202


def _note(phone: Phone) -> tuple[str, str]:
    """The next NOTIFY, answered: subscription state and status."""
    notify = phone.expect("NOTIFY")
    phone.reply(notify, 200)
    return notify.first("subscription-state").partition(";")[0], notify.body.split()[1]


def test_a_blind_transfer_lets_the_transferred_talk_to_the_target(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE) as there,
        RtpSocket(CALLEE, ssrc=0x77) as elsewhere,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
        registered(server.address, "402", host=CALLEE) as target,
    ):
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        port = audio_of(next(m for m in caller.log if m.status == 200 and m.body).body).address
        _refer(callee, incoming, f"sip:402@{server.address[0]}")
        assert _note(callee) == REFER_OK[0]
        ring = target.wait_for_call()
        assert ring.invite is not None
        assert "sip:301@" in ring.invite.first("from")
        assert "sip:401@" in ring.invite.first("referred-by")
        ring.reply(180)
        assert _note(callee) == REFER_OK[1]
        ring.reply(200, sdp(elsewhere.address, (8, 101)))
        target.expect("ACK")
        assert _note(callee) == REFER_OK[2]
        incoming.expect_hang_up()
        shown = caller.expect("INVITE")
        assert "sip:402@" in shown.first("p-asserted-identity"), "the display follows, by re-INVITE without UPDATE"
        caller.reply(shown, 200, sdp(here.address, (8, 101)))
        caller.expect("ACK")
        (now,) = server.calls()
        assert_talk((here, port), (elsewhere, ring.offered))
        assert there.receive_packets(0.1) == [], "who transferred hears nothing any longer"
        traced = server.json("trace", now["id"])
        assert [leg["number"] for leg in traced["legs"]] == ["301", "401", "402"], "of the whole conversation"
        outgoing.hang_up()
        ring.expect_hang_up()
    eventually(lambda: server.json("calls") == [], "both calls have ended")
    rows = [row for row in server.json("history", "--number", "301") if row["stage"] == "transfer"]
    assert [(row["to_number"], row["disposition"]) for row in rows] == [("402", "ANSWERED")]


def test_a_transfer_to_a_busy_target_leaves_both_talking(server: Server) -> None:
    with (
        RtpSocket(CALLER) as here,
        RtpSocket(CALLEE) as there,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
        registered(server.address, "402", host=CALLEE) as target,
    ):
        outgoing, incoming = connect(caller, callee, (here.address, there.address))
        port = audio_of(next(m for m in caller.log if m.status == 200 and m.body).body).address
        _refer(callee, incoming, f"sip:402@{server.address[0]}")
        assert _note(callee) == REFER_OK[0]
        ring = target.wait_for_call()
        ring.reply(486)
        target.expect("ACK")
        assert _note(callee) == ("terminated", "486")
        assert_talk((here, port), (there, incoming.offered))
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_a_transfer_to_the_outside_is_refused(server: Server) -> None:
    with (
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        media = (CALLER, 9), (CALLEE, 9)
        outgoing, incoming = connect(caller, callee, media)
        incoming.request("REFER", headers=[("Refer-To", "<sip:402@203.0.113.5>")])
        assert callee.expect(403).status == 403
        outgoing.hang_up()
        incoming.expect_hang_up()


def _sipp_callee(server: Server, scenario: str, number: str, port: int) -> Plan:
    keys = {"number": number, "to": number, "from": number}
    return Plan(scenario, server.address, CALLEE, port, keys=keys)


def test_sipp_joins_its_two_calls(server: Server, tmp_path: Path) -> None:
    """REFER with Replaces: who was held and who was consulted are left."""
    with (
        registered_port(server.address, "403", CALLEE) as held,
        registered_port(server.address, "404", CALLEE) as consulted,
    ):
        plans = [
            _sipp_callee(server, "callee_answers", "403", held),
            _sipp_callee(server, "callee_answers", "404", consulted),
        ]
        callees = [Sipp(plan, tmp_path) for plan in plans]
        keys = {"from": "302", "to": "403", "then": "404"}
        try:
            play(Plan("caller_joins_its_two_calls", server.address, CALLER, keys=keys), tmp_path)
            (left,) = server.json("calls")
            assert (left["from_number"], left["to_number"], left["state"]) == ("403", "404", "talking")
            server.command("hangup", left["id"])
            for callee in callees:
                callee.finish()
        finally:
            for callee in callees:
                callee.end()
    eventually(lambda: server.json("calls") == [], "both have hung up")
    rows = [row for row in server.json("history", "--number", "403", "404") if row["id"].startswith(f"{left['id']}-")]
    assert [row["stage"] for row in rows] == ["transfer"]
    assert [(row["from_number"], row["disposition"], row["cause"]) for row in rows] == [("403", "ANSWERED", "operator")]
    told = server.json("history", "--id", rows[0]["linkedid"])
    assert {(row["from_number"], row["to_number"]) for row in told} == {("302", "403"), ("302", "404"), ("403", "404")}


def test_sipp_answers_instead_of_a_phone_that_rings(server: Server, tmp_path: Path) -> None:
    """INVITE with Replaces: 302 takes the call from 301 that rings at 401."""
    with (
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        outgoing = caller.dial("401", (CALLER, 9))
        ring = callee.wait_for_call()
        assert ring.invite is not None
        ring.reply(180)
        ours = tag_of(ring.invite.first("from"))
        wanted = f"{ring.invite.first('call-id')};to-tag={ours};from-tag={tag_of(ring.local)}"
        keys = {"from": "302", "to": "401", "replaces": wanted}
        phone = Sipp(Plan("caller_answers_instead_of_another_phone", server.address, CALLER, keys=keys), tmp_path)
        try:
            cancel = callee.expect("CANCEL")
            assert "cause=200" in cancel.first("reason")
            callee.reply(cancel, 200)
            ring.reply(487)
            callee.expect("ACK")
            outgoing.expect(200)
            outgoing.acknowledge()
            outgoing.expect_hang_up()
            phone.finish()
        finally:
            phone.end()
    eventually(lambda: server.json("calls") == [], "the call has ended")
    found = server.json("history", "--number", "302")
    assert [(row["from_number"], row["disposition"]) for row in found if row["to_number"] == "302"] == [
        ("301", "ANSWERED")
    ]
