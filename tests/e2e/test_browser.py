"""Calls between phones and what speaks SIP over WebSocket."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.wire import Address, challenges, credentials
from tests.e2e.browser import Tab, start_phone, tab, web_site
from tests.e2e.conftest import office
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.ua import Phone, connect, eventually, registered
from tests.e2e.webphone import WebPhone

MEDIA: tuple[Address, Address] = (("127.0.0.1", 40200), ("127.0.0.1", 40202))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with listeners for browsers, terminal 230 that is one, and 231 that speaks plain RTP."""
    port = free_port()
    listeners = f'ws = ["127.0.0.1:{port}"]\nwss = ["127.0.0.1:{port + 1}"]'
    bound = terminal("230", password=password_of("230"), transport="ws")
    bound += terminal("231", password=password_of("231"), srtp="off")
    site = Site.write(tmp_path_factory.mktemp("web"), f"{office()}\n{bound}", sip=listeners)
    with running(site) as server:
        yield server


def address_of(server: Server, transport: str) -> Address:
    (found,) = [name for name in server.json("status")["listeners"] if name.startswith(f"{transport}:")]
    return "127.0.0.1", int(found.rpartition(":")[2])


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_web_phone_and_a_udp_phone_call_each_other(web: Server, transport: str) -> None:
    with (
        WebPhone(address_of(web, transport), "231", password_of("231"), transport=transport) as browser,
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


# --- JsSIP in a real browser -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    if shutil.which("chromium-headless-shell") is None:
        pytest.skip("chromium-headless-shell is not installed")
    with web_site() as port:
        yield port


@pytest.fixture
def page(tmp_path: Path, site: int) -> Iterator[Tab]:
    with tab(tmp_path, f"http://127.0.0.1:{site}/phone") as found:
        yield found


@pytest.fixture
def jssip(page: Tab, web: Server) -> Tab:
    """Terminal 204 on a page, registered."""
    start_phone(page, address_of(web, "wss"), "204", password_of("204"))
    page.wait("seen.includes('registered')")
    return page


def test_jssip_registers_over_secure_websocket_and_is_forgotten_with_its_page(web: Server, jssip: Tab) -> None:
    (shown,) = [each for each in web.json("registrations") if each["number"] == "204"]
    assert shown["transport"] == "wss"
    assert shown["contact"].endswith(".invalid;transport=ws")
    assert shown["user_agent"].startswith("JsSIP ")
    assert ";gr=urn:uuid:" in jssip.run("String(ua.contact.pub_gruu)"), "RFC 5627"
    jssip.call("Page.navigate", url="about:blank")
    eventually(lambda: "204" not in [each["number"] for each in web.json("registrations")], "it is dropped")


def test_jssip_unregisters_and_a_wrong_password_is_refused(web: Server, jssip: Tab) -> None:
    jssip.run("ua.unregister()")
    jssip.wait("seen.includes('unregistered')")
    assert "204" not in [each["number"] for each in web.json("registrations")]
    jssip.run("ua.stop()")
    start_phone(jssip, address_of(web, "wss"), "205", "Wrong-word_1")
    jssip.wait("seen.includes('registrationFailed')")


def test_jssip_and_a_udp_phone_write_to_each_other(web: Server, jssip: Tab) -> None:
    with registered(web.address, "202", password_of("202")) as phone:
        jssip.run("ua.sendMessage('202', 'привет') && 0")
        message = phone.expect("MESSAGE")
        phone.reply(message, 200)
        assert message.body == "привет"
        headers = [("Content-Type", "text/plain")]
        phone.send(phone.request("MESSAGE", f"sip:204@{web.address[0]}", headers=headers, body="hello"))
        answer = phone.final_answer("MESSAGE")
        if answer.status == 401:
            uri = f"sip:204@{web.address[0]}"
            proof = credentials(challenges(answer)[0], "202", phone.password, "MESSAGE", uri)
            phone.send(phone.request("MESSAGE", uri, headers=[*headers, proof], body="hello", cseq=2))
            answer = phone.final_answer("MESSAGE")
        assert answer.status == 200
        jssip.wait("seen.includes('message hello')")


def test_jssip_asks_for_what_the_server_can(jssip: Tab) -> None:
    jssip.run(
        "ua.sendOptions('server', null, {eventHandlers: {"
        "succeeded: event => seen.push(event.response.getHeader('Allow'))}}) && 0"
    )
    assert "INVITE" in jssip.wait("seen.find(each => each && each.includes('INVITE'))")


def test_a_call_to_jssip_rings_in_the_browser_and_ends_in_every_way(web: Server, jssip: Tab) -> None:
    with registered(web.address, "202", password_of("202")) as phone:
        call = phone.dial("204", MEDIA[0])
        call.expect(180)
        jssip.wait("seen.includes('session remote')")
        call.give_up()
        assert "Canceled" in jssip.wait("seen.find(each => each.startsWith('failed'))")
        jssip.run("seen.length = 0")
        call = phone.dial("204", MEDIA[0])
        call.expect(180)
        jssip.wait("seen.includes('session remote')")
        jssip.run("session.terminate({status_code: 486})")
        call.expect(486)


def test_a_page_of_another_host_cannot_connect(tmp_path: Path, site: int, web: Server) -> None:
    with tab(tmp_path, f"http://localhost:{site}/phone") as page:
        start_phone(page, address_of(web, "wss"), "204", password_of("204"))
        page.wait("seen.includes('disconnected')")
        assert web.json("status")["sip"]["dropped"]["ws_origin"] >= 1
