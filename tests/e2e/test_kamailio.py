"""Kamailio in front of Zvon as a proxy, and beside it as a peer that registers: calls both ways and what is in them.

Every message of a phone goes through the proxy, by the Path of its registration and the Record-Route of its calls.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.wire import Message, audio_of, sdp
from tests.e2e.audio import tone
from tests.e2e.harness import Server, Site, password_of, running, terminal
from tests.e2e.kamailio import HOST, PEER_HOST, kamailio, kamailio_path
from tests.e2e.peer import Peer
from tests.e2e.softphone import softphone
from tests.e2e.test_lamps import Lamp
from tests.e2e.test_sound import assert_hears, talk
from tests.e2e.ua import Call, Phone, connect, eventually, registered

HERE, THERE = ("127.0.0.21", 7000), ("127.0.0.22", 7000)
PEOPLE = tuple(str(number) for number in range(201, 208))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Peer]]:
    """A server and the proxy in front of it."""
    kamailio_path()
    folder = tmp_path_factory.mktemp("kamailio")
    entries = [terminal(number, password=password_of(number), max_calls=4) for number in PEOPLE]
    entries.append(terminal("301", trust=PEER_HOST, max_calls=4))
    with (
        running(Site.write(folder / "zvon", "\n".join(entries), sip=f'edges = ["{HOST}"]')) as server,
        kamailio(folder / "k", server.address) as k,
    ):
        yield server, k


@pytest.fixture
def proxy(site: tuple[Server, Peer]) -> Peer:
    return site[1]


@pytest.fixture
def server(site: tuple[Server, Peer]) -> Iterator[Server]:
    """The server; after each test no call is left."""
    yield site[0]
    eventually(lambda: site[0].json("calls") == [], "all calls have ended")


def _phone(proxy: Peer, number: str) -> AbstractContextManager[Phone]:
    """A phone that registers through the proxy."""
    return registered(proxy.address, number, password_of(number), host=f"127.0.1.{int(number) % 200}")


def _all_through(proxy: Peer, *phones: Phone) -> bool:
    return all(message.source == proxy.address for phone in phones for message in phone.log)


def test_a_phone_registers_calls_and_is_called_through_the_proxy(server: Server, proxy: Peer) -> None:
    with _phone(proxy, "201") as caller, _phone(proxy, "202") as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        assert outgoing.routes
        assert incoming.routes
        outgoing.hang_up()
        incoming.expect_hang_up()
        outgoing, incoming = connect(callee, caller, (THERE, HERE))
        incoming.hang_up()
        outgoing.expect_hang_up()
        assert _all_through(proxy, caller, callee)


def test_hold_and_resume_pass_the_proxy(server: Server, proxy: Peer) -> None:
    with _phone(proxy, "201") as caller, _phone(proxy, "202") as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        for call, media, version in ((outgoing, HERE, 2), (incoming, THERE, 2)):
            for direction, answer in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
                call.request("INVITE", sdp(media, direction=direction, version=version))
                accepted = call.expect(200)
                assert f"a={answer}" in accepted.body or answer == "sendrecv"
                call.acknowledge()
                version += 1
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_a_call_given_up_while_it_rings_stops_ringing(server: Server, proxy: Peer) -> None:
    with _phone(proxy, "201") as caller, _phone(proxy, "202") as callee:
        outgoing = caller.dial("202", HERE)
        incoming = callee.wait_for_call()
        incoming.reply(180)
        outgoing.expect(180)
        outgoing.give_up()
        callee.reply(callee.expect("CANCEL"), 200)
        incoming.reply(487)
        callee.expect("ACK")


@pytest.mark.parametrize("status", [486, 603])
def test_a_refusal_comes_back(server: Server, proxy: Peer, status: int) -> None:
    with _phone(proxy, "201") as caller, _phone(proxy, "202") as callee:
        outgoing = caller.dial("202", HERE)
        incoming = callee.wait_for_call()
        incoming.reply(status)
        callee.expect("ACK")
        outgoing.expect(status)


def test_a_blind_transfer_passes_the_proxy(server: Server, proxy: Peer) -> None:
    with _phone(proxy, "201") as caller, _phone(proxy, "202") as callee, _phone(proxy, "203") as target:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        incoming.request(
            "REFER", headers=[("Refer-To", f"<sip:203@{proxy.address[0]}>"), ("Referred-By", f"<{callee.aor}>")]
        )
        callee.expect(202, passing=("NOTIFY",))
        states: list[str] = []
        while not states or not states[-1].startswith("terminated"):
            ring = _answered(target) if states else None
            notify = callee.expect("NOTIFY")
            callee.reply(notify, 200)
            states.append(notify.first("subscription-state"))
        incoming.expect_hang_up()
        told = caller.expect("INVITE")  # with whom it talks now
        assert "sip:203@" in told.first("p-asserted-identity")
        caller.reply(told, 200, sdp(HERE, (8, 101)))
        caller.expect("ACK")
        outgoing.hang_up()
        assert ring is not None
        ring.expect_hang_up()


def _answered(phone: Phone) -> Call:
    call = phone.wait_for_call()
    call.reply(200, sdp(("127.0.0.23", 7000), (8, 101)))
    phone.expect("ACK")
    return call


def test_a_busy_lamp_behind_the_proxy_shows_a_call(server: Server, proxy: Peer) -> None:
    with _phone(proxy, "201") as caller, _phone(proxy, "202") as callee, _phone(proxy, "204") as watcher:
        lamp = Lamp(watcher, "202")
        assert lamp.subscribe().status == 200
        lamp.until("terminated")
        outgoing = caller.dial("202", HERE)
        incoming = callee.wait_for_call()
        incoming.reply(180)
        lamp.until("early")
        incoming.reply(200, sdp(THERE, (8, 101)))
        outgoing.expect(200)
        outgoing.acknowledge()
        callee.expect("ACK")
        lamp.until("confirmed")
        outgoing.hang_up()
        incoming.expect_hang_up()
        lamp.until("terminated")
        assert lamp.subscribe(0).status == 200
        lamp.notified()


def test_softphones_behind_the_proxy_hear_each_other(server: Server, proxy: Peer, tmp_path: Path) -> None:
    with (
        softphone(tmp_path / "a", proxy.address, "205", password_of("205"), tone(440, 20)) as caller,
        softphone(tmp_path / "b", proxy.address, "206", password_of("206"), tone(700, 20), transport="tcp") as callee,
    ):
        talk(caller, callee)
        assert_hears(caller.heard(), 700)
        assert_hears(callee.heard(), 440)


def test_softphones_hold_resume_and_transfer_through_the_proxy(server: Server, proxy: Peer, tmp_path: Path) -> None:
    with (
        softphone(tmp_path / "a", proxy.address, "205", password_of("205"), tone(440, 30)) as caller,
        softphone(tmp_path / "b", proxy.address, "206", password_of("206"), tone(700, 30)) as callee,
        softphone(tmp_path / "c", proxy.address, "207", password_of("207"), tone(1000, 30)) as target,
    ):
        for phone in (caller, callee, target):
            phone.wait_until_registered()
        caller.dial("206")
        callee.wait_for("CALL_INCOMING")
        callee.accept()
        for phone in (caller, callee):
            phone.wait_for("CALL_ESTABLISHED")
        caller.hold()
        eventually(lambda: _states(server) == ["held"], "the call is on hold")
        caller.resume()
        eventually(lambda: _states(server) == ["talking"], "the call goes on")
        callee.transfer("207")
        target.wait_for("CALL_INCOMING")
        target.accept()
        target.wait_for("CALL_ESTABLISHED")
        callee.wait_for("CALL_CLOSED")
        time.sleep(2)
        target.hang_up()
        for phone in (caller, target):
            phone.wait_for("CALL_CLOSED")
        assert_hears(target.heard(), 440)


def _states(server: Server) -> list[str]:
    return [call["state"] for call in server.json("calls")]


def test_a_user_of_the_peers_registrar_is_called_and_calls(server: Server, proxy: Peer, tmp_path: Path) -> None:
    """A second Kamailio registers at Zvon for 301 and keeps the phone of 301 itself; its address is trusted."""
    with (
        kamailio(tmp_path / "peer", server.address, PEER_HOST) as beside,
        Phone(beside.address, "301", host="127.0.1.99") as peer,
        _phone(proxy, "202") as phone,
    ):
        assert peer.register().status == 200
        eventually(lambda: _is_registered(server, "301"), "Kamailio has registered", 20)
        outgoing, incoming = connect(phone, peer, (HERE, THERE))
        assert audio_of(incoming.invite.body if incoming.invite else "").address
        incoming.hang_up()
        outgoing.expect_hang_up()
        outgoing, incoming = connect(peer, phone, (THERE, HERE))
        assert _number(incoming.invite) == "301"
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_a_user_of_the_peers_registrar_holds_transfers_and_watches(server: Server, proxy: Peer, tmp_path: Path) -> None:
    with (
        kamailio(tmp_path / "peer", server.address, PEER_HOST) as beside,
        Phone(beside.address, "301", host="127.0.1.99") as peer,
        _phone(proxy, "202") as phone,
        _phone(proxy, "203") as target,
    ):
        assert peer.register().status == 200
        lamp = Lamp(peer, "202")
        assert lamp.subscribe().status == 200
        lamp.until("terminated")
        outgoing, incoming = connect(peer, phone, (HERE, THERE))
        lamp.until("confirmed")
        for version, direction in enumerate(("sendonly", "sendrecv"), 2):
            outgoing.request("INVITE", sdp(HERE, direction=direction, version=version))
            assert outgoing.expect(200).body
            outgoing.acknowledge()
        assert lamp.subscribe(0).status == 200
        lamp.notified()
        outgoing.request("REFER", headers=[("Refer-To", f"<sip:203@{beside.address[0]}>"), ("Refer-Sub", "false")])
        assert peer.expect(202).method == "REFER"
        ring = _answered(target)
        outgoing.expect_hang_up()
        told = phone.expect("INVITE")
        phone.reply(told, 200, sdp(THERE, (8, 101)))
        phone.expect("ACK")
        ring.hang_up()
        incoming.expect_hang_up()


def _number(invite: Message | None) -> str:
    assert invite is not None
    return invite.first("from").partition("sip:")[2].partition("@")[0]


def _is_registered(server: Server, number: str) -> bool:
    return any(row["number"] == number for row in server.json("registrations"))
