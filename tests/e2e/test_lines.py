"""Lines to providers: a scripted registrar (SIPp), a second Zvon as the provider, real DNS, servers that die."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.kamailio import provider as registrar
from tests.e2e.sipp import Plan, Sipp
from tests.e2e.ua import eventually
from tests.support.dns_server import DnsServer

LOGIN = "74951234567"
PASSWORD = "Se cret_1"


def provider(**settings: object) -> str:
    """One [[providers]] entry."""
    values = {"id": "telco", "login": LOGIN, "password": PASSWORD, **settings}
    return "\n".join(["[[providers]]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])


def line(server: Server) -> dict[str, Any]:
    (found,) = server.json("lines")
    assert isinstance(found, dict)
    return found


def wait_for(server: Server, state: str, timeout_s: float = 8.0) -> dict[str, Any]:
    """The line as soon as it is in that state."""
    deadline = time.monotonic() + timeout_s
    while (found := line(server))["state"] != state:
        assert time.monotonic() < deadline, f"not {state} within {timeout_s} s: {found}\n{server.output()}"
        time.sleep(0.1)
    return found


@pytest.fixture
def operator_site(tmp_path: Path) -> Iterator[Server]:
    """A second Zvon: the provider."""
    office = terminal("555", password=password_of("555"))
    with running(Site.write(tmp_path / "operator", office, rtp_ports=(13000, 13099))) as server:
        yield server


@pytest.mark.row("PRV-8")
def test_a_registrar_with_every_wish_is_satisfied_at_last(tmp_path: Path) -> None:
    """401, 423 and 503 one after the other, over UDP; the registration is taken back at the end."""
    port = free_port()
    registrar = Sipp(
        Plan("provider_registers_us_after_all", ("127.0.0.1", 9), port=port, keys={"from": LOGIN}, timeout_s=40),
        tmp_path,
    )
    entry = provider(host="127.0.0.1", port=port, password=PASSWORD, qualify=0)
    with running(Site.write(tmp_path, entry)) as server:
        found = wait_for(server, "registered", 20.0)
        assert (found["address"], found["transport"], found["error"]) == (f"127.0.0.1:{port}", "udp", "")
        assert 100 < found["expires_in_s"] <= 180
        table = server.command("lines").stdout
        assert "registered" in table
        assert f"udp:127.0.0.1:{port}" in table
        server.stop()
        registrar.finish()
        assert PASSWORD not in server.output()


@pytest.mark.row("REG-3")
def test_a_provider_that_speaks_udp_registers_us_and_is_watched(operator_site: Server, tmp_path: Path) -> None:
    host, port = operator_site.address
    entry = provider(host=host, port=port, login="555", password=password_of("555"), qualify=10)
    with running(Site.write(tmp_path, entry)) as server:
        wait_for(server, "registered")
        assert 100 < line(server)["expires_in_s"] <= 120, "as default_expires says"
        eventually(lambda: line(server)["latency_ms"] is not None, "an answer to OPTIONS")
        (contact,) = operator_site.json("registrations")
        assert contact["number"] == "555"
        assert f":{server.address[1]}" in contact["contact"]
        assert password_of("555") not in server.command("export").stdout
        exported = server.command("export", "--with-secrets").stdout
        assert password_of("555") in exported
        server.stop()
        eventually(lambda: operator_site.json("registrations") == [], "the registration is taken back")


def test_a_refused_password_is_said_so(operator_site: Server, tmp_path: Path) -> None:
    host, port = operator_site.address
    entry = provider(host=host, port=port, login="555", password="not-the-one")
    with running(Site.write(tmp_path, entry)) as server:
        found = wait_for(server, "rejected")
        assert found["error"] == "the login or the password is wrong (401 Unauthorized)"
        assert "not-the-one" not in server.output()
        document = server.site.office
        document.write_text(document.read_text().replace("not-the-one", password_of("555")))
        assert "password changed" in server.command("apply", str(document)).stdout
        wait_for(server, "registered")


def test_a_name_leads_by_srv_to_the_server_that_lives_and_to_another_when_it_dies(tmp_path: Path) -> None:
    """Two providers' servers behind one name; the first SRV target refuses, then the server in use is killed."""
    office = terminal("555", password=password_of("555"))
    sites = [Site.write(tmp_path / name, office, rtp_ports=(13000, 13099)) for name in ("one", "two")]
    dead = free_port()
    with DnsServer() as names, running(sites[0]) as first, running(sites[1]) as second:
        names.set("telco.test", "NAPTR", '10 10 "s" "SIP+D2T" "" _sip._tcp.telco.test.')
        targets = (f"0 0 {dead} a.telco.test.", f"1 0 {first.address[1]} b.telco.test.")
        names.set("_sip._tcp.telco.test", "SRV", *targets, f"2 0 {second.address[1]} b.telco.test.")
        names.set("a.telco.test", "A", "127.0.0.9")
        names.set("b.telco.test", "A", "127.0.0.1")
        entry = provider(host="telco.test", login="555", password=password_of("555"), qualify=10)
        dns = f'dns = ["{names.address[0]}:{names.address[1]}"]'
        with running(Site.write(tmp_path / "office", entry, sip=dns)) as server:
            found = wait_for(server, "registered")
            assert (found["address"], found["transport"]) == (f"127.0.0.1:{first.address[1]}", "tcp")
            first.kill()
            eventually(lambda: line(server)["address"] == f"127.0.0.1:{second.address[1]}", "the other server", 15.0)
            wait_for(server, "registered")
            assert len(second.json("registrations")) == 1
            assert names.asked["_sip._tcp.telco.test", "SRV"] == 1
            assert server.json("status")["lines"] == {"registered": 1}
            server.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_kamailio_keeps_us_registered_though_its_nonces_grow_old(tmp_path: Path, transport: str) -> None:
    with registrar(tmp_path / "kamailio", PASSWORD) as telco:
        host, port = telco.address
        with running(Site.write(tmp_path, provider(host=host, port=port, transport=transport, qualify=0))) as server:
            found = wait_for(server, "registered")
            assert (found["address"], found["transport"]) == (f"{host}:{port}", transport)
            time.sleep(11)  # longer than one registration
            later = line(server)
            assert (later["state"], later["since_at"]) == ("registered", found["since_at"]), f"{later}\n{telco.log}"
            server.stop()
        assert telco.log.count("registered 74951234567 for 120") == 2
        assert "registered 74951234567 for 0" in telco.log


def test_a_provider_by_address_is_watched(operator_site: Server, tmp_path: Path) -> None:
    host, port = operator_site.address
    entry = provider(host=host, port=port, kind="ip", login="", password="", qualify=10)
    with running(Site.write(tmp_path, entry)) as server:
        found = wait_for(server, "reachable")
        assert found["latency_ms"] < 1000


def test_a_name_that_nobody_knows_is_a_sentence(tmp_path: Path) -> None:
    with DnsServer() as names:
        dns = f'dns = ["{names.address[0]}:{names.address[1]}"]'
        with running(Site.write(tmp_path, provider(host="nobody.test"), sip=dns)) as server:
            assert wait_for(server, "failed")["error"] == 'there is no host "nobody.test"'
            assert "telco" in server.command("lines").stdout
