"""Encrypted audio of phones (RFC 4568, RFC 5763): baresip with its own SRTP and DTLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.wire import Address
from tests.e2e.audio import tone
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.softphone import Softphone, softphone
from tests.e2e.test_sound import assert_hears, talk
from tests.e2e.ua import registered

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


WAYS = [
    ("201", "tls", "srtp"),  # takes either; keys are offered because the signalling is secret
    ("203", "tls", "srtp-mand"),
    ("203", "udp", "srtp-mand"),  # whoever demands it gets it over UDP too
    ("204", "udp", "srtp"),
]


@pytest.mark.parametrize(("number", "transport", "encryption"), [*WAYS, ("201", "udp", "dtls_srtp")])
def test_an_encrypting_phone_calls_one_in_clear_and_both_hear_each_other(
    server: Server, tmp_path: Path, number: str, transport: str, encryption: str
) -> None:
    with pair(server, tmp_path, number, transport, encryption) as (secret, clear):
        talk(secret, clear)
        assert_both_heard(secret, clear)


@pytest.mark.parametrize(("number", "transport", "encryption"), WAYS)
def test_an_encrypting_phone_is_called_by_one_in_clear_and_both_hear_each_other(
    server: Server, tmp_path: Path, number: str, transport: str, encryption: str
) -> None:
    with pair(server, tmp_path, number, transport, encryption) as (secret, clear):
        talk(clear, secret)
        assert_both_heard(secret, clear)


def test_a_phone_that_must_encrypt_and_does_not_is_refused_with_the_reason(server: Server) -> None:
    with registered(server.address, "203", password_of("203")) as phone:
        refusal = phone.dial("205", ("127.0.0.1", 40300)).expect(488)
        assert "encrypted" in refusal.first("warning")


@contextmanager
def pair(
    server: Server, folder: Path, number: str, transport: str, encryption: str
) -> Iterator[tuple[Softphone, Softphone]]:
    """A phone that encrypts in that way and says 440 Hz, and 205, which does not and says 700."""
    at = tls_address(server) if transport == "tls" else server.address
    secret = password_of(number)
    with (
        softphone(folder / "a", at, number, secret, tone(440, 20), transport, encryption=encryption) as a,
        softphone(folder / "b", server.address, "205", password_of("205"), tone(700, 20)) as b,
    ):
        yield a, b


def assert_both_heard(secret: Softphone, clear: Softphone) -> None:
    assert_hears(secret.heard(), 700)
    assert_hears(clear.heard(), 440)
    assert "Secure" in secret.log
