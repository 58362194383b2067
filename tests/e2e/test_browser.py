"""Calls between phones and what speaks SIP over WebSocket."""

from collections.abc import Iterator

import pytest

from bench.wire import Address
from tests.e2e.conftest import office
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.ua import Phone, connect, eventually, registered
from tests.e2e.webphone import WebPhone

MEDIA: tuple[Address, Address] = (("127.0.0.1", 40200), ("127.0.0.1", 40202))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with listeners for browsers, and terminal 230 that is one."""
    port = free_port()
    listeners = f'ws = ["127.0.0.1:{port}"]\nwss = ["127.0.0.1:{port + 1}"]'
    bound = terminal("230", password=password_of("230"), transport="ws")
    site = Site.write(tmp_path_factory.mktemp("web"), f"{office()}\n{bound}", sip=listeners)
    with running(site) as server:
        yield server


def address_of(server: Server, transport: str) -> Address:
    (found,) = [name for name in server.json("status")["listeners"] if name.startswith(f"{transport}:")]
    return "127.0.0.1", int(found.rpartition(":")[2])


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_web_phone_and_a_udp_phone_call_each_other(web: Server, transport: str) -> None:
    with (
        WebPhone(address_of(web, transport), "201", password_of("201"), transport=transport) as browser,
        registered(web.address, "202", password_of("202")) as phone,
    ):
        assert browser.register().status == 200
        outgoing, incoming = connect(browser, phone, MEDIA)
        assert incoming.invite is not None
        assert incoming.invite.first("via").startswith("SIP/2.0/UDP ")
        incoming.hang_up()
        outgoing.expect_hang_up()
        outgoing, incoming = connect(phone, browser, MEDIA)
        assert incoming.invite is not None
        assert incoming.invite.first("via").startswith(f"SIP/2.0/{transport.upper()} ")
        assert ";transport=ws>" in incoming.invite.first("contact")
        outgoing.hang_up()
        incoming.expect_hang_up()
        assert browser.register(expires_s=0).status == 200


def test_a_terminal_bound_to_browsers_is_let_in_over_nothing_else(web: Server) -> None:
    secret = password_of("230")
    with Phone(web.address, "230", secret) as phone:
        assert phone.register().status == 401
    with WebPhone(address_of(web, "ws"), "230", secret, transport="ws") as browser:
        assert browser.register().status == 200
        assert "ws" in web.command("registrations").stdout


def test_a_browser_that_is_gone_is_not_registered_any_more(web: Server) -> None:
    with WebPhone(address_of(web, "ws"), "203", password_of("203"), transport="ws") as browser:
        assert browser.register().status == 200
    eventually(
        lambda: "203" not in [each["number"] for each in web.json("registrations")], "the registration is dropped"
    )
    with registered(web.address, "202", password_of("202")) as phone:
        phone.dial("203").expect(480)
