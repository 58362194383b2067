"""A text from one phone to another over real sockets."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.wire import build, challenges, credentials, token
from tests.e2e.audio import tone
from tests.e2e.conftest import CALLER, office
from tests.e2e.harness import Server, Site, password_of, running
from tests.e2e.sipp import Plan, play
from tests.e2e.softphone import Softphone, softphone
from tests.e2e.ua import Phone, registered


def send_text(phone: Phone, number: str, text: str) -> int:
    """Send it with digest; the final status."""
    uri, call_id = f"sip:{number}@{phone.server[0]}", token()

    def attempt(cseq: int, *extra: tuple[str, str]) -> None:
        fields = [("Via", phone.via(token("z9hG4bK"))), ("From", f"<{phone.aor}>;tag=t1"), ("To", f"<{uri}>")]
        fields += [("Call-ID", call_id), ("CSeq", f"{cseq} MESSAGE"), ("Max-Forwards", "70"), *extra]
        phone.send(build(f"MESSAGE {uri} SIP/2.0", fields, text, "text/plain;charset=UTF-8"))

    attempt(1)
    answer = phone.receive()
    assert answer is not None
    if answer.status != 401:
        return answer.status
    attempt(2, credentials(challenges(answer)[0], phone.number, phone.password, "MESSAGE", uri))
    return 0


@pytest.mark.row("EXT-20")
def test_a_text_reaches_a_phone_over_udp_and_one_over_tcp(server: Server) -> None:
    secret = password_of("209")
    with (
        Phone(server.address, "208", password_of("208")) as sender,
        registered(server.address, "209", secret) as first,
        registered(server.address, "209", secret, transport="tcp") as second,
    ):
        assert send_text(sender, "209", "Жду звонка") == 0
        for phone in (first, second):
            got = phone.expect("MESSAGE")
            assert got.body == "Жду звонка"
            assert "sip:208@" in got.first("from")
            phone.reply(got, 200)
        assert sender.final_answer("MESSAGE").status == 200


def test_the_sender_is_told_when_nobody_can_ever_be_there(server: Server) -> None:
    with Phone(server.address, "301", host=CALLER) as sender:
        assert send_text(sender, "999", "Hello") == 404


def test_texts_for_the_absent_survive_a_crash_and_reach_a_softphone_that_registers(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    with running(site) as server:
        plan = Plan("text_for_the_absent_is_kept", server.address, CALLER, keys={"from": "301", "to": "212"})
        play(replace(plan, calls=3, rate=2), tmp_path)
        assert server.json("status")["texts"]["waiting"] == 3
        server.kill()
    silence = tone(440, 0.1)
    with running(site) as server, softphone(tmp_path / "b", site.sip, "212", password_of("212"), silence) as phone:
        deadline = time.monotonic() + 6
        while server.json("status")["texts"]["waiting"]:
            assert time.monotonic() < deadline, phone.log
            time.sleep(0.05)
        assert server.json("status")["texts"]["delivered"] == 3


def test_baresip_hears_whether_something_waits(tmp_path: Path) -> None:
    """At some servers' ports this baresip asks anew without end and waits for no answer; then another one is tried."""
    silence = tone(440, 0.1)
    for attempt in range(8):
        site = Site.write(tmp_path / str(attempt), office())
        with (
            running(site) as server,
            softphone(site.folder / "b", site.sip, "210", password_of("210"), silence, mwi=True) as phone,
        ):
            if _hears_of_its_messages(phone):
                assert server.json("status")["subscriptions"]["message-summary"] >= 1
                return
    raise AssertionError(phone.log[-2000:])


def _hears_of_its_messages(phone: Softphone) -> bool:
    """False when this baresip asks without end."""
    deadline = time.monotonic() + 6
    while "Messages-Waiting: no" not in (log := phone.log):
        if log.count("mwi: subscribing") > 20:
            return False
        assert time.monotonic() < deadline, log[-2000:]
        time.sleep(0.05)
    return True
