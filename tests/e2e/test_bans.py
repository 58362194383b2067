"""Bans over real sockets, with the kernel's help, in networks of their own (`netns`)."""

import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.harness import Server, Site, password_of, running, terminal
from tests.e2e.netns import INSIDE, OUTSIDE, SERVER, WORLD, Net, is_possible
from tests.e2e.test_nat import phone_at
from tests.e2e.ua import Phone, eventually

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs root, iproute2 and nftables")

SECURITY = "[security]\nattempts = 5\nwithin = 60\nban = 600\nfirewall = true\n"
MAIL = """
[mail]
enabled = true
host = "127.0.0.1"
port = 1
from_address = "pbx@example.com"
administrator_address = "root@example.com"
"""

_identifiers = count(1)


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    try:
        yield made
    finally:
        made.close()


def _kernel() -> str:
    """What nftables says in the namespace of the server."""
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def _is_heard(phone: Phone) -> bool:
    phone.send(phone.request("OPTIONS", f"sip:{SERVER}"))
    return phone.receive(0.5) is not None


def _guess(phone: Phone, times: int) -> None:
    for _ in range(times):
        assert phone.register(password="Wrong-1_").status == 401


def test_a_guesser_is_banned_over_a_restart_until_it_is_let_in_and_the_office_behind_one_address_is_not(
    net: Net, tmp_path: Path
) -> None:
    site = Site(tmp_path, (SERVER, 5060), (12000, 12099))
    site.write_config(SECURITY + MAIL)
    site.office.write_text("\n".join(terminal(each, password=password_of(each)) for each in ("201", "202", "203")))
    with net.inside("world"):
        guesser = Phone((SERVER, 5060), "203", password_of("203"), host=WORLD)
    with guesser:
        with (
            net.inside("server"),
            running(site) as server,
            phone_at(net, "inside", INSIDE, SERVER, "201") as phone,
        ):
            _guess(guesser, 5)
            assert not _is_heard(guesser)
            _shows(server, {"wrong password": 5})
            assert server.json("status")["mail"]["waiting"] == 1, "the administrator is told of the attack"
            assert WORLD in _kernel()
            with net.inside("inside"):
                wrong = Phone((SERVER, 5060), "202", password_of("202"), host=INSIDE)
            with wrong:
                _guess(wrong, 6)
            assert phone.register().status == 200, "one wrong phone locks out nobody behind the same address"
        with net.inside("server"):
            assert "zvon" not in _kernel(), "the table goes with the server"
            with running(site) as server:
                assert WORLD in _kernel()
                assert not _is_heard(guesser)
                server.command("bans", "remove", WORLD)
                assert guesser.register().status == 200
                assert server.json("bans", "list") == []


def test_the_kernel_drops_what_a_banned_address_sends_until_the_ban_is_over(net: Net, tmp_path: Path) -> None:
    site = Site(tmp_path, (SERVER, 5060), (12000, 12099))
    site.write_config(SECURITY.replace("ban = 600", "ban = 4"))
    site.office.write_text(terminal("203", password=password_of("203")))
    with net.inside("world"):
        guesser = Phone((SERVER, 5060), "203", password_of("203"), host=WORLD)
    with guesser, net.inside("server"), running(site) as server:
        _guess(guesser, 5)
        eventually(lambda: WORLD in _kernel(), "the kernel knows")
        banned_at, before = time.monotonic(), server.json("status")["security"]["dropped"]
        assert not _is_heard(guesser)
        assert server.json("status")["security"]["dropped"] == before, "nobody has woken up for it"
        eventually(lambda: WORLD not in _kernel(), "the kernel forgets by itself", 8.0)
        eventually(lambda: _is_heard(guesser), "the address is heard again", 8.0)
        assert time.monotonic() - banned_at > 2
        (ban,) = server.json("bans", "list")
        assert not ban["is_active"]


@pytest.mark.row("SEC-18")
def test_without_the_kernel_the_server_itself_keeps_networks_and_bans_for_sip_and_http(
    net: Net, tmp_path: Path
) -> None:
    site = Site(tmp_path, (SERVER, 5060), (12000, 12099), f"{SERVER}:8080")
    site.write_config(f"plain = true\n{SECURITY.replace('firewall = true', 'firewall = false')}")
    site.office.write_text(terminal("203", password=password_of("203")) + _network("world", f"{WORLD}/32"))
    with net.inside("world"):
        guesser = Phone((SERVER, 5060), "203", password_of("203"), host=WORLD)
    with net.inside("inside"):
        outsider = Phone((SERVER, 5060), "203", password_of("203"), host=INSIDE)
    with guesser, outsider, net.inside("server"), running(site) as server:
        assert "zvon" not in _kernel()
        assert not _is_heard(outsider), "no network has it"
        assert _signs_in(net, "inside", INSIDE) == 403
        assert [_signs_in(net, "world", WORLD) for _ in range(6)] == [401] * 5 + [403]
        _shows(server, {"wrong sign-in": 5})
        assert _is_heard(guesser), "an attack on the web leaves the phones alone"
        server.command("bans", "remove", WORLD)
        assert _signs_in(net, "world", WORLD) == 401
        _guess(guesser, 5)
        assert not _is_heard(guesser)
        assert _signs_in(net, "world", WORLD) == 401, "and the other way round"


@pytest.mark.row("SEC-2")
def test_the_kernel_opens_to_each_network_what_is_ticked_on_the_ports_of_the_settings_and_changes_at_once(
    net: Net, tmp_path: Path
) -> None:
    site = Site(tmp_path, (SERVER, 5060), (12000, 12099), f"{SERVER}:8080")
    ssh_log = tmp_path / "auth.log"
    ssh_log.touch()
    site.write_config(
        "plain = true\n" + SECURITY + f'ssh_port = 2222\nssh_log = "{ssh_log}"\n', 'ws = ["203.0.113.10:8088"]'
    )
    account = terminal("203", password=password_of("203"))

    def office(**ticks: bool) -> None:
        site.office.write_text(account + _network("site", f"{OUTSIDE}/32") + _network("world", f"{WORLD}/32", **ticks))

    closed = {"sip": False, "web": False, "icmp": False}
    office(**closed)
    with net.inside("server"), socket.create_server((SERVER, 2222)), running(site) as server:
        for ticks in ({"sip", "ssh"}, {"webrtc", "icmp"}, {"web"}, {"api"}, set[str]()):
            office(**(closed | dict.fromkeys(ticks, True)))
            server.command("apply", str(site.office))
            reached = {"web" if each == "api" else each for each in ticks}
            eventually(lambda reached=reached: _reached(net) == reached, f"{ticks}")  # type: ignore[misc]
        with phone_at(net, "inside", INSIDE, SERVER, "203"):
            server.command("networks", "list")
        office(**(closed | dict.fromkeys(("ssh", "web"), True)))
        server.command("apply", str(site.office))
        eventually(lambda: _reached(net) == {"ssh", "web"}, "both are open")
        with ssh_log.open("a") as log:
            log.write(f"Nov 28 09:00:01 pbx sshd[7]: Failed password for root from {WORLD} port 50000 ssh2\n" * 5)
        eventually(lambda: _reached(net) == {"web"}, "an attack on SSH closes SSH alone")
        _shows(server, {"wrong SSH sign-in": 5})


def _reached(net: Net) -> set[str]:
    """What the world reaches of the server: ports that answer anything at all, and ping."""
    with net.inside("world"):
        found = {"icmp"} if _answers_ping() else set()
        for name, port in (("sip", 5060), ("webrtc", 8088), ("web", 8080), ("ssh", 2222)):
            with suppress(OSError), socket.create_connection((SERVER, port), 0.1):
                found.add(name)
    return found


def _answers_ping() -> bool:
    """To an echo request (RFC 792). Each has an identifier of its own, or it would go on with the one before."""
    identifier = next(_identifiers)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw, suppress(TimeoutError):
        raw.settimeout(0.1)
        raw.sendto(struct.pack("!BBHHH", 8, 0, 0xF7FF - identifier, identifier, 0), (SERVER, 0))
        return raw.recv(100)[20] == 0
    return False


def _network(id: str, network: str, **ticks: bool) -> str:
    said = "".join(f"{name} = {str(value).lower()}\n" for name, value in ticks.items())
    return f'[[networks]]\nid = "{id}"\nnetwork = "{network}"\n{said}'


def _signs_in(net: Net, where: str, source: str) -> int:
    """The status of an attempt to sign in with a wrong password."""
    with net.inside(where):
        client = HTTPConnection(SERVER, 8080, timeout=10, source_address=(source, 0))
        client.connect()
    with closing(client):
        client.request("POST", "/api/v3/auth:login", '{"login": "admin", "password": "wrong"}')
        return client.getresponse().status


def _shows(server: Server, reasons: dict[str, int]) -> None:
    (ban,) = server.json("bans", "list")
    assert (ban["source"], ban["is_active"], ban["reasons"]) == (WORLD, True, reasons)
