"""Busy lamps over real sockets: a phone subscribes, watches a call from ringing to its end, and a restart."""

import re
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.wire import Message, challenges, credentials, sdp, tag_of, token, uri_of
from tests.e2e.audio import tone
from tests.e2e.conftest import CALLER, office
from tests.e2e.harness import Server, Site, password_of, running
from tests.e2e.sipp import Plan, Sipp
from tests.e2e.softphone import Softphone, softphone
from tests.e2e.ua import Phone, registered

STORED_S = 1.0  # what is written behind is on disk after a second
SPACE = "{urn:ietf:params:xml:ns:dialog-info}"


class Lamp:
    """One subscription of a phone."""

    def __init__(self, phone: Phone, number: str, event: str = "dialog", supported: str = "") -> None:
        self.phone, self.uri, self.event = phone, f"sip:{number}@{phone.server[0]}", event
        self.supported = [("Supported", supported)] if supported else []
        self.call_id, self.tag, self.remote, self.cseq = token(), token(), f"<{self.uri}>", 0
        self.target, self.routes = self.uri, list[str]()

    def _send(self, expires_s: int, headers: list[tuple[str, str]]) -> Message:
        self.cseq += 1
        text = self.phone.request(
            "SUBSCRIBE",
            self.target,
            headers=[
                ("Event", self.event),
                ("Expires", str(expires_s)),
                *self.supported,
                *(("Route", route) for route in self.routes),
                *headers,
            ],
            cseq=self.cseq,
            call_id=self.call_id,
        ).decode()
        lines = text.split("\r\n")
        lines = [f"To: {self.remote}" if line.startswith("To:") else line for line in lines]
        lines = [f"From: <{self.phone.aor}>;tag={self.tag}" if line.startswith("From:") else line for line in lines]
        self.phone.send("\r\n".join(lines).encode())
        return self.phone.final_answer("SUBSCRIBE")

    def subscribe(self, expires_s: int = 600) -> Message:
        answer = self._send(expires_s, [])
        if answer.status == 401:
            header = credentials(
                challenges(answer)[0], self.phone.number, self.phone.password, "SUBSCRIBE", self.target
            )
            answer = self._send(expires_s, [header])
        if answer.status == 200:
            assert tag_of(answer.first("to"))
            self.remote, self.target = answer.first("to"), uri_of(answer.first("contact"))
            self.routes = self.routes or answer.all("record-route")[::-1]
        return answer

    def notified(self) -> Message:
        """The next NOTIFY, answered."""
        notify = self.phone.expect("NOTIFY")
        assert notify.call_id == self.call_id
        self.phone.reply(notify, 200)
        return notify

    def until(self, *states: str) -> ElementTree.Element:
        """Wait for a document with dialogs in these states; returns it."""
        for _ in range(10):
            root = ElementTree.fromstring(self.notified().body)
            if [each.text for each in root.iter(f"{SPACE}state")] == list(states):
                return root
        raise AssertionError(f"the lamp never showed {states}; {self.phone.heard}")


@pytest.mark.row("EXT-19")
def test_a_lamp_shows_a_call_from_ringing_to_its_end(server: Server) -> None:
    with (
        registered(server.address, "205", password_of("205")) as watcher,
        registered(server.address, "206", password_of("206")) as caller,
        registered(server.address, "207", password_of("207")) as callee,
    ):
        lamp = Lamp(watcher, "207")
        assert lamp.subscribe().status == 200
        lamp.until("terminated")
        call = caller.dial("207")
        ring = callee.wait_for_call()
        ring.reply(180)
        root = lamp.until("early")
        assert root.findtext(f".//{SPACE}remote/{SPACE}identity") == f"sip:206@{server.address[0]}"
        call.expect(180)
        ring.reply(200, sdp(("127.0.0.1", 9)))
        callee.expect("ACK")
        call.expect(200)
        call.acknowledge()
        lamp.until("confirmed")
        call.request("BYE")
        ring.expect_hang_up()
        caller.expect(200)
        lamp.until("terminated")
        assert lamp.subscribe(0).status == 200
        assert lamp.notified().first("subscription-state") == "terminated;reason=timeout"


def _shows(phone: Softphone) -> list[str]:
    """What baresip says about its contact, one status after the other."""
    return re.findall(r"changed status from .*? to \x1b\[\d*m(\w+)", phone.log)


def _wait_for(phone: Softphone, shown: list[str]) -> None:
    deadline = time.monotonic() + 6
    while _shows(phone) != shown:
        assert time.monotonic() < deadline, f"expected {shown}\n{phone.log}"
        time.sleep(0.05)


def test_baresip_sees_who_is_registered_and_who_is_on_the_phone(server: Server, tmp_path: Path) -> None:
    with softphone(tmp_path / "a", server.address, "211", password_of("211"), tone(440, 1), watches="212") as watcher:
        watcher.wait_until_registered()
        deadline = time.monotonic() + 6
        while "presence" not in server.json("status")["subscriptions"]:  # baresip does not tell of the first status
            assert time.monotonic() < deadline, watcher.log
        with registered(server.address, "212", password_of("212")) as friend:
            _wait_for(watcher, ["Online"])
            call = friend.dial("10003246")
            call.expect(200)
            call.acknowledge()
            _wait_for(watcher, ["Online", "Busy"])
            call.hang_up()
            _wait_for(watcher, ["Online", "Busy", "Online"])
        _wait_for(watcher, ["Online", "Busy", "Online", "Offline"])
    assert "presence" not in server.json("status")["subscriptions"], "baresip unsubscribes at its end"


@pytest.mark.parametrize(("number", "event", "status"), [("999", "dialog", 404), ("207", "weather", 489)])
def test_what_cannot_be_subscribed_to_is_refused(server: Server, number: str, event: str, status: int) -> None:
    with registered(server.address, "205", password_of("205")) as watcher:
        assert Lamp(watcher, number, event).subscribe().status == status


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_after_a_restart_a_lamp_goes_on_by_itself(tmp_path: Path, end: str) -> None:
    site = Site.write(tmp_path, office())
    with Phone(site.sip, "205", password_of("205")) as watcher:
        with running(site) as server:
            lamp = Lamp(watcher, "207")
            assert lamp.subscribe().status == 200
            lamp.until("terminated")
            time.sleep(STORED_S)
            getattr(server, end)()
        with running(site) as server:
            notify = lamp.notified()
            assert int(notify.first("cseq").split()[0]) > 1
            assert notify.first("subscription-state").startswith("active;expires=")
            assert server.json("status")["subscriptions"] == {"dialog": 1}
            with registered(site.sip, "207", password_of("207")) as callee:
                call = callee.dial("10003246")
                lamp.until("confirmed")
                call.expect(200)
                call.acknowledge()
                call.hang_up()
                lamp.until("terminated")
            assert lamp.subscribe(0).status == 200


def test_sipp_sees_its_lamp_go_on_over_a_crash(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    with running(site) as server:
        keys = {"from": "301", "to": "207"}
        phone = Sipp(Plan("lamp_goes_on_over_a_restart", site.sip, CALLER, keys=keys, timeout_s=40), tmp_path)
        deadline = time.monotonic() + 6
        while not server.json("status")["subscriptions"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(STORED_S)
        server.kill()
    with running(site):
        phone.finish()


def test_a_watcher_sees_what_sipp_publishes(server: Server, tmp_path: Path) -> None:
    with registered(server.address, "205", password_of("205")) as watcher:
        lamp = Lamp(watcher, "302", "presence")
        assert lamp.subscribe().status == 200
        lamp.notified()
        plan = Plan("phone_publishes_its_presence", server.address, CALLER, keys={"from": "302"}, talk_ms=1000)
        phone = Sipp(plan, tmp_path)
        while "<rpid:meeting/>" not in lamp.notified().body:
            pass
        while "<rpid:unknown/>" not in lamp.notified().body:
            pass
        phone.finish()
        assert lamp.subscribe(0).status == 200


def test_a_watcher_sees_what_baresip_publishes(server: Server, tmp_path: Path) -> None:
    silence = tone(440, 0.1)
    with (
        registered(server.address, "205", password_of("205")) as watcher,
        softphone(tmp_path / "b", server.address, "211", password_of("211"), silence, publishes=True) as phone,
    ):
        phone.wait_until_registered()
        lamp = Lamp(watcher, "211", "presence")
        assert lamp.subscribe().status == 200
        assert "<basic>open</basic>" in lamp.notified().body
        phone.command("presence_offline")
        while "<basic>closed</basic>" not in lamp.notified().body:
            pass
        phone.command("presence_online")
        while "<basic>open</basic>" not in lamp.notified().body:
            pass
        assert server.json("status")["publications"] == 1
        assert lamp.subscribe(0).status == 200


def test_one_subscription_shows_the_lamps_of_a_list(tmp_path: Path) -> None:
    """RFC 4662."""
    lamps = '[[lamp_lists]]\nid = "desk"\nmembers = ["206", "207", "10003246"]\n'
    with (
        running(Site.write(tmp_path, f"{office()}\n{lamps}")) as server,
        registered(server.address, "205", password_of("205")) as watcher,
        registered(server.address, "207", password_of("207")) as callee,
        registered(server.address, "206", password_of("206")) as caller,
    ):
        assert Lamp(watcher, "desk").subscribe().status == 421
        lamp = Lamp(watcher, "desk", supported="eventlist")
        answer = lamp.subscribe()
        assert (answer.status, answer.first("require")) == (200, "eventlist")
        first = lamp.notified()
        assert first.first("content-type").startswith("multipart/related;")
        assert 'version="0" fullState="true"' in first.body
        assert [first.body.count(f'<resource uri="sip:{each}@') for each in ("206", "207", "10003246")] == [1, 1, 1]
        call = caller.dial("207")
        incoming = callee.wait_for_call()
        incoming.reply(180)
        while "<state>early</state>" not in (change := lamp.notified()).body:
            assert 'fullState="false"' in change.body
        assert "10003246" not in change.body
        call.give_up()
        callee.reply(callee.expect("CANCEL"), 200)
        incoming.reply(487)
        callee.expect("ACK")
        while "<state>early</state>" in lamp.notified().body:
            pass
        assert lamp.subscribe(0).status == 200


def test_a_phone_watches_its_own_registrations(server: Server) -> None:
    """RFC 3680: a second device of the number comes and goes."""
    with registered(server.address, "205", password_of("205")) as phone:
        watch = Lamp(phone, "205", "reg")
        assert watch.subscribe().status == 200
        assert watch.notified().body.count("<contact ") == 1
        with registered(server.address, "205", password_of("205")):
            assert watch.notified().body.count("<contact ") == 2
        assert watch.notified().body.count("<contact ") == 1
        assert watch.subscribe(0).status == 200
