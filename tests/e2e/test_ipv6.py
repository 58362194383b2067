"""A dual-stack server: phones on IPv6 and IPv4 register, call each other and hear each other."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.wire import Address, audio_of, sdp
from tests.e2e.audio import RtpSocket, exchange, sound_of, tone
from tests.e2e.conftest import office
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.softphone import softphone
from tests.e2e.test_sound import assert_hears, talk
from tests.e2e.ua import Phone, connect, registered
from tests.e2e.webphone import WebPhone

HERE = "::1"
TRUSTED = "305"


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on 127.0.0.1 and ::1, every transport."""
    port = free_port()
    sip = f'tls = ["127.0.0.1:{port}", "[::1]:{port}"]\nws = ["[::1]:{port + 1}"]'
    site = Site.write(tmp_path_factory.mktemp("dual"), office(), sip=sip, ipv6=True)
    with running(site) as server:
        yield server


def at(server: Server, transport: str) -> Address:
    """The IPv6 listener of a transport."""
    found = [name for name in server.json("status")["listeners"] if name.startswith(f"{transport}:[")]
    return HERE, int(found[0].rpartition(":")[2])


def hear_each_other(caller: Phone, callee: Phone) -> None:
    """A call with audio both ways."""
    with RtpSocket(caller.address[0]) as near, RtpSocket(callee.address[0]) as far:
        outgoing = caller.dial(callee.number, near.address)
        incoming = callee.wait_for_call()
        assert ":" in incoming.offered[0] or ":" not in callee.address[0]
        incoming.reply(200, sdp(far.address, (8, 101)))
        answer = outgoing.expect(200)
        outgoing.acknowledge()
        callee.expect("ACK")
        talkers = [(near, audio_of(answer.body).address, tone(440, 1.5)), (far, incoming.offered, tone(700, 1.5))]
        heard = exchange(talkers)
        outgoing.hang_up()
        incoming.expect_hang_up()
    assert_hears(sound_of(heard[0]), 700)
    assert_hears(sound_of(heard[1]), 440)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_an_ipv6_and_an_ipv4_phone_call_and_hear_each_other(dual: Server, transport: str) -> None:
    with (
        registered(at(dual, transport), "201", password_of("201"), host=HERE, transport=transport) as six,
        registered(dual.address, "202", password_of("202")) as four,
    ):
        hear_each_other(six, four)
        hear_each_other(four, six)
        invite = next(message for message in six.log if message.method == "INVITE" and not message.status)
        assert invite.first("via").startswith(f"SIP/2.0/{transport.upper()} [::1]:")
        assert "@[::1]:" in invite.first("contact")
        assert "c=IN IP6 ::1" in invite.body


def test_the_registration_of_an_ipv6_phone_is_shown_and_survives_a_restart(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office(), ipv6=True)
    with Phone(("::1", site.sip[1]), "201", password_of("201"), host=HERE) as six:
        with running(site) as server:
            assert six.register().status == 200
            (shown,) = server.json("registrations")
            assert shown["received"] == f"[::1]:{six.address[1]}"
            assert shown["contact"] == f"sip:201@[::1]:{six.address[1]}"
        with running(site), registered(site.sip, "202", password_of("202")) as four:
            hear_each_other(four, six)


def test_a_terminal_trusted_at_an_ipv6_address_is_called_without_registration(tmp_path: Path) -> None:
    trusted = terminal(TRUSTED, trust=HERE, max_calls=5)
    with (
        running(Site.write(tmp_path, f"{office()}\n{trusted}", ipv6=True)) as server,
        Phone(at(server, "udp"), TRUSTED, host=HERE, port=5060) as gateway,
        registered(server.address, "202", password_of("202")) as four,
    ):
        hear_each_other(gateway, four)
        hear_each_other(four, gateway)


def test_a_browser_on_ipv6_calls_an_ipv4_phone(dual: Server) -> None:
    with (
        WebPhone(at(dual, "ws"), "201", password_of("201"), host=HERE, transport="ws") as browser,
        registered(dual.address, "202", password_of("202")) as four,
    ):
        assert browser.register().status == 200
        outgoing, incoming = connect(browser, four, (("::1", 40300), ("127.0.0.1", 40302)))
        incoming.hang_up()
        outgoing.expect_hang_up()


def test_softphones_on_both_families_hear_each_other(dual: Server, tmp_path: Path) -> None:
    accounts = [(number, password_of(number)) for number in ("206", "207")]
    with (
        softphone(tmp_path / "a", at(dual, "udp"), *accounts[0], tone(440, 20)) as six,
        softphone(tmp_path / "b", dual.address, *accounts[1], tone(700, 20)) as four,
    ):
        talk(six, four)
        assert_hears(six.heard(), 700)
        assert_hears(four.heard(), 440)
        time.sleep(0.5)
        talk(four, six)
