"""Calls over TLS, and the certificate of a running server."""

import contextlib
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.wire import Address
from pbx.certificate import CERTIFICATE_FILE, KEY_FILE
from tests.e2e.audio import tone
from tests.e2e.conftest import office
from tests.e2e.harness import Server, Site, free_port, password_of, run_to_end, running, terminal
from tests.e2e.softphone import softphone
from tests.e2e.test_sound import assert_hears, talk
from tests.e2e.ua import Phone, connect, eventually, registered

MEDIA: tuple[Address, Address] = (("127.0.0.1", 40100), ("127.0.0.1", 40102))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one listener of each."""
    folder = tmp_path_factory.mktemp("secure")
    bound = terminal("220", password=password_of("220"), transport="tls")
    with running(Site.write(folder, f"{office()}\n{bound}", sip=f'tls = ["127.0.0.1:{free_port()}"]')) as server:
        yield server


def tls_address(server: Server) -> Address:
    (found,) = [name for name in server.json("status")["listeners"] if name.startswith("tls:")]
    return "127.0.0.1", int(found.rpartition(":")[2])


def test_tls_and_udp_phones_call_each_other_both_ways(secure: Server) -> None:
    with (
        registered(tls_address(secure), "201", password_of("201"), transport="tls") as safe,
        registered(secure.address, "202", password_of("202")) as plain,
    ):
        outgoing, incoming = connect(safe, plain, MEDIA)
        assert incoming.invite is not None
        assert incoming.invite.first("via").startswith("SIP/2.0/UDP ")
        incoming.hang_up()
        outgoing.expect_hang_up()
        outgoing, incoming = connect(plain, safe, MEDIA)
        assert incoming.invite is not None
        assert incoming.invite.first("via").startswith("SIP/2.0/TLS ")
        assert ";transport=tls>" in incoming.invite.first("contact")
        outgoing.hang_up()
        incoming.expect_hang_up()


@pytest.mark.row("EXT-10")
def test_a_terminal_bound_to_tls_is_let_in_over_nothing_else(secure: Server) -> None:
    secret = password_of("220")
    with Phone(secure.address, "220", secret) as phone:
        assert phone.register().status == 401
    with registered(tls_address(secure), "220", secret, transport="tls"):
        assert "tls" in secure.command("registrations").stdout


def test_plain_text_on_the_port_is_closed_and_shown_in_the_status(secure: Server) -> None:
    with socket.create_connection(tls_address(secure), timeout=3) as peer:
        peer.sendall(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
        assert peer.recv(100) == b""
    assert secure.json("status")["sip"]["dropped"]["tls_plain_text"] == 1


@pytest.mark.parametrize(
    ("version", "accepted"), [("-tls1_3", True), ("-tls1_2", True), ("-tls1_1", False), ("-tls1", False)]
)
def test_openssl_gets_through_with_tls_1_2_and_newer(secure: Server, version: str, accepted: bool) -> None:
    host, port = tls_address(secure)
    authority = str(secure.data / CERTIFICATE_FILE)
    command = ["openssl", "s_client", "-connect", f"{host}:{port}", version, "-CAfile", authority]
    command += ["-verify_return_error", "-verify_ip", host, "-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=10, check=False)
    assert ("Verify return code: 0 (ok)" in done.stdout and done.returncode == 0) is accepted, done.stdout + done.stderr


def test_softphones_call_each_other_over_tls(secure: Server, tmp_path: Path) -> None:
    accounts = [(number, password_of(number)) for number in ("206", "207")]
    with (
        softphone(tmp_path / "a", tls_address(secure), *accounts[0], tone(440, 20), "tls") as caller,
        softphone(tmp_path / "b", tls_address(secure), *accounts[1], tone(700, 20), "tls") as callee,
    ):
        talk(caller, callee)
        assert_hears(caller.heard(), 700)
        assert_hears(callee.heard(), 440)


def shown(address: Address) -> bytes:
    """The certificate that a new connection sees."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(address, timeout=3) as plain, context.wrap_socket(plain) as peer:
        return peer.getpeercert(binary_form=True) or b""


def new_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Made by openssl, with a key of another kind than ours."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "30", "-subj", f"/CN={name}", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, capture_output=True, check=True)
    return certificate, key


def test_the_certificate_changes_under_a_call_and_a_broken_one_is_not_taken(tmp_path: Path) -> None:
    site = Site.write(tmp_path / "site", office(), sip=f'tls = ["127.0.0.1:{free_port()}"]')
    with running(site) as server, contextlib.ExitStack() as stack:
        address = tls_address(server)
        caller = stack.enter_context(registered(address, "201", password_of("201"), transport="tls"))
        callee = stack.enter_context(registered(address, "202", password_of("202"), transport="tls"))
        outgoing, incoming = connect(caller, callee, MEDIA)
        before = shown(address)
        certificate, key = new_pair(tmp_path, "fresh")
        os.replace(certificate, server.data / CERTIFICATE_FILE)
        eventually(lambda: "the old one stays" in server.output(), "the log tells of the half pair")
        assert shown(address) == before
        os.replace(key, server.data / KEY_FILE)
        eventually(lambda: shown(address) != before, "the new certificate is shown")
        assert "the new certificate is in force" in server.output()
        incoming.hang_up()
        outgoing.expect_hang_up()


@pytest.mark.parametrize("what", ["missing", "foreign key"])
def test_a_server_with_a_wrong_certificate_says_so_and_does_not_start(tmp_path: Path, what: str) -> None:
    certificate, key = new_pair(tmp_path, "one")
    if what == "missing":
        certificate = tmp_path / "nowhere.crt"
    else:
        _, key = new_pair(tmp_path, "two")
    files = f'certificate = "{certificate}"\nkey = "{key}"'
    site = Site.write(tmp_path / "site", office(), sip=f'tls = ["127.0.0.1:{free_port()}"]\n{files}')
    done = run_to_end(site)
    assert done.returncode == 1
    assert str(certificate) in done.stderr
    assert "change [sip] certificate and key in the settings" in done.stderr
    assert "Traceback" not in done.stderr
