"""Encrypted audio of phones (RFC 4568, RFC 5763): baresip with its own SRTP and DTLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.wire import Address
from tests.e2e.audio import tone
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.softphone import softphone
from tests.e2e.test_sound import assert_hears, talk

SETTINGS = {"201": "auto", "202": "auto", "203": "required", "204": "optional", "205": "off"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    office = "\n".join(terminal(each, password=password_of(each), srtp=srtp) for each, srtp in SETTINGS.items())
    folder = tmp_path_factory.mktemp("srtp")
    with running(Site.write(folder, office, sip=f'tls = ["127.0.0.1:{free_port()}"]')) as found:
        yield found


def tls_address(server: Server) -> Address:
    (found,) = [name for name in server.json("status")["listeners"] if name.startswith("tls:")]
    return "127.0.0.1", int(found.rpartition(":")[2])


@pytest.mark.parametrize(
    ("number", "transport", "encryption"),
    [
        ("201", "tls", "srtp"),  # takes either; keys are offered because the signalling is secret
        ("203", "tls", "srtp-mand"),
        ("203", "udp", "srtp-mand"),  # whoever demands it gets it over UDP too
        ("204", "udp", "srtp"),
        ("201", "udp", "dtls_srtp"),
    ],
)
def test_an_encrypting_phone_and_one_in_clear_hear_each_other_both_ways(
    server: Server, tmp_path: Path, number: str, transport: str, encryption: str
) -> None:
    at = tls_address(server) if transport == "tls" else server.address
    with (
        softphone(
            tmp_path / "a", at, number, password_of(number), tone(440, 20), transport, encryption=encryption
        ) as a,
        softphone(tmp_path / "b", server.address, "205", password_of("205"), tone(700, 20)) as b,
    ):
        talk(a, b)
        assert_hears(a.heard(), 700)
        assert_hears(b.heard(), 440)
        assert "Secure" in a.log
