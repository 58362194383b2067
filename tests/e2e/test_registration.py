"""Phones register, and only those that may."""

import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bench.wire import Message, audio_of, challenges, credentials, token, uri_of
from tests.e2e.conftest import CALLER, office
from tests.e2e.harness import Server, Site, password_of, running, terminal
from tests.e2e.sipp import Plan, play
from tests.e2e.ua import AGENT, Phone, eventually, registered
from tests.support.dns_server import DnsServer

STORED_S = 1.0  # what is written behind is on disk after a second
KEYS: Mapping[str, str] = {"from": "201"}
ECHO = "10003246"


def test_a_phone_registers_with_its_password(server: Server, tmp_path: Path) -> None:
    plan = Plan("phone_registers_with_its_password", server.address, keys=KEYS, password=password_of("201"))
    play(plan, tmp_path)


def test_a_wrong_password_gets_another_challenge_and_nothing_else(server: Server, tmp_path: Path) -> None:
    scenario = "wrong_password_is_challenged_again"
    play(Plan(scenario, server.address, host="127.0.1.1", keys=KEYS, password="Not-the-one_1"), tmp_path)


def test_a_trusted_terminal_registers_without_a_password_from_its_address(server: Server, tmp_path: Path) -> None:
    plan = Plan("trusted_terminal_registers_without_password", server.address, host=CALLER, keys={"from": "303"})
    play(plan, tmp_path)


def test_a_trusted_terminal_is_challenged_at_any_other_address(server: Server) -> None:
    with Phone(server.address, "303", host="127.0.0.4") as phone:
        assert phone.register().status == 401


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_registration_is_listed_and_ends_with_expires_0(server: Server, transport: str) -> None:
    with registered(server.address, "202", password_of("202"), transport=transport) as phone:
        assert str(phone.address[1]) in server.command("registrations").stdout
    assert str(phone.address[1]) not in server.command("registrations").stdout


def test_phones_choose_among_the_challenges_that_are_offered(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office(), sip='digest = ["SHA-512-256", "SHA-256", "MD5"]')
    with running(site) as server:
        for algorithm in ("SHA-512-256", "SHA-256", "MD5"):
            with Phone(server.address, "203", password_of("203")) as phone:
                assert phone.register(algorithm=algorithm).status == 200


def test_two_phones_of_one_number_are_both_listed(server: Server) -> None:
    secret = password_of("204")
    with registered(server.address, "204", secret) as first, registered(server.address, "204", secret) as second:
        answer = second.register()
        assert answer.status == 200
        contacts = " ".join(answer.all("contact"))
        assert str(first.address[1]) in contacts
        assert str(second.address[1]) in contacts


def _challenged(phone: Phone) -> Message:
    phone.send(phone.request("REGISTER", f"sip:{phone.server[0]}", to=phone.aor))
    return phone.final_answer("REGISTER")


def _register_with(phone: Phone, header: tuple[str, str], cseq: int) -> Message:
    uri = f"sip:{phone.server[0]}"
    phone.send(phone.request("REGISTER", uri, to=phone.aor, headers=[("Expires", "60"), header], cseq=cseq))
    return phone.final_answer("REGISTER")


def test_a_digest_that_was_used_before_is_refused(server: Server) -> None:
    with Phone(server.address, "205", password_of("205"), host="127.0.1.2") as phone:
        challenge = challenges(_challenged(phone))[0]
        header = credentials(challenge, "205", phone.password, "REGISTER", f"sip:{phone.server[0]}")
        assert _register_with(phone, header, 2).status == 200
        assert _register_with(phone, header, 3).status == 401


def test_a_digest_of_another_realm_is_refused(server: Server) -> None:
    with Phone(server.address, "205", password_of("205"), host="127.0.1.3") as phone:
        challenge = challenges(_challenged(phone))[0]
        challenge.realm = "elsewhere.example"
        header = credentials(challenge, "205", phone.password, "REGISTER", f"sip:{phone.server[0]}")
        assert _register_with(phone, header, 2).status == 401


def test_a_nonce_that_we_never_gave_is_refused(server: Server) -> None:
    with Phone(server.address, "205", password_of("205"), host="127.0.1.4") as phone:
        challenge = challenges(_challenged(phone))[0]
        challenge.nonce = "0" * len(challenge.nonce)
        header = credentials(challenge, "205", phone.password, "REGISTER", f"sip:{phone.server[0]}")
        assert _register_with(phone, header, 2).status == 401


def _without_what_differs(answer: Message, number: str) -> str:
    """The bytes of an answer with our own echoed values and the server's random ones made equal."""
    text = re.sub(r'(nonce|opaque)="([^"]*)"', lambda found: f'{found[1]}="{len(found[2])}"', answer.raw.decode())
    text = text.replace(number, "NUMBER")  # which a nonce may hold by chance
    return re.sub(r"(tag=|branch=|Call-ID: |rport=|Via: SIP/2.0/UDP )[^;\r\n>]*", r"\1X", text)


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "REFER", "SUBSCRIBE", "MESSAGE"])
def test_a_stranger_cannot_tell_whether_an_account_exists(server: Server, method: str) -> None:
    answers = []
    for number in ("201", "299"):
        with Phone(server.address, number, host="127.0.1.5") as phone:
            uri = f"sip:{server.address[0]}" if method == "REGISTER" else phone.aor
            extra = [("Event", "dialog")] if method == "SUBSCRIBE" else []
            extra += [("Refer-To", "<sip:202@127.0.0.1>")] if method == "REFER" else []
            call_id = token()
            phone.send(phone.request(method, uri, to=phone.aor, headers=extra, call_id=call_id))
            answer = phone.final_answer(method)
            assert answer.status in (401, 407), answer.raw.decode()
            answers.append(_without_what_differs(answer, number))
    assert answers[0] == answers[1]


@pytest.mark.row("EXT-22")
def test_registrations_and_the_history_of_devices_survive_a_restart_and_a_kill(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office(), sip="qualify = 1")
    with running(site) as server, Phone(server.address, "201", password_of("201")) as phone:
        assert phone.register().status == 200
        port = str(phone.address[1])
        with registered(server.address, "203", password_of("203"), host="127.0.4.4") as gone:
            (there,) = server.json("devices", "203")
            assert (there["user_agent"], there["until_at"]) == (AGENT, None)

        def is_measured() -> bool:
            phone.receive(0.05)  # answers OPTIONS
            return server.json("devices", "201")[0]["latency_ms"] is not None

        eventually(is_measured, "its latency is known")
    with running(site) as server:
        (device,) = server.json("devices", "203")
        assert (device["address"], device["port"]) == gone.address
        began, seen, ended = (
            datetime.fromisoformat(each) for each in (device["since_at"], there["since_at"], device["until_at"])
        )
        assert abs(seen - began) < timedelta(seconds=0.1)  # two clocks, rounded
        assert began < ended
        assert "registered" in server.command("devices", "201").stdout
        assert port in server.command("registrations").stdout
        with Phone(server.address, "202", password_of("202")) as other:
            assert other.register().status == 200
            second_port = str(other.address[1])
        time.sleep(STORED_S)
        server.kill()
    with running(site) as server:
        listed = server.command("registrations").stdout
        assert port in listed
        assert second_port in listed


@pytest.mark.row("REG-7")
def test_peers_outside_are_told_the_address_of_our_name_and_another_one_where_it_has_none(tmp_path: Path) -> None:
    named, instead = "198.51.100.4", "203.0.113.5"
    with DnsServer() as names:
        host, port = names.address
        dns = f'dns = ["{host}:{port}"]\nlocal_networks = ["10.0.0.0/8"]\n'
        ours = f'external = "pbx.test:5099"\nexternal_address = "{instead}"\n'
        for told, is_known in ((instead, False), (named, True)):
            if is_known:
                names.set("pbx.test", "A", named)
            site = Site.write(tmp_path / told, terminal("301", trust=CALLER), sip=dns + ours)
            with running(site) as server, Phone(server.address, "301", host=CALLER) as phone:
                call = phone.dial(ECHO)
                answer = call.expect(200)
                assert uri_of(answer.first("contact")).partition("@")[2].startswith(f"{told}:{server.address[1]}")
                assert audio_of(answer.body).address[0] == told
                call.target = f"sip:{ECHO}@127.0.0.1"
                call.acknowledge()
                call.hang_up()
