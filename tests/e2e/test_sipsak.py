"""sipsak, the tool of administrators: it asks, registers, sends texts, floods and sends trash; Zvon lives on.

Its release 0.9.8 writes one digit too few of a port with five, and its own text mode crashes: a file is sent instead.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import CALLEE, office
from tests.e2e.harness import Server, Site, password_of, running
from tests.e2e.ua import Phone, eventually, registered

RUNS = 3  # of random trash, some seconds each


def sipsak(server: Server, *arguments: str, user: str = "") -> subprocess.CompletedProcess[str]:
    uri = f"sip:{user}@" if user else "sip:"
    return subprocess.run(
        ["sipsak", "-H", "127.0.0.1", "-i", *arguments, "-s", f"{uri}{server.address[0]}:{server.address[1]}"],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=False,
    )


def _assert_good(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_told_that_the_server_lives(server: Server) -> None:
    done = sipsak(server, "-vv")
    _assert_good(done)
    assert "SIP/2.0 200 OK" in done.stdout


def test_it_registers_with_a_password_and_is_listed(server: Server) -> None:
    contact = ("-C", "sip:208@127.0.0.1:7099")
    _assert_good(sipsak(server, "-U", "-x", "60", "-u", "208", "-a", password_of("208"), *contact, user="208"))
    assert [row["contact"] for row in server.json("registrations") if row["number"] == "208"] == [contact[1]]
    _assert_good(sipsak(server, "-U", "-x", "0", "-u", "208", "-a", password_of("208"), *contact, user="208"))
    assert not [row for row in server.json("registrations") if row["number"] == "208"]


def test_a_wrong_password_does_not_register(server: Server) -> None:
    done = sipsak(server, "-U", "-x", "60", "-u", "209", "-a", "wrong", "-C", "sip:209@127.0.0.1:7099", user="209")
    assert done.returncode != 0
    assert not [row for row in server.json("registrations") if row["number"] == "209"]


def test_a_text_reaches_the_phone(server: Server, tmp_path: Path) -> None:
    host, port = server.address
    lines = [
        f"MESSAGE sip:401@{host}:{port} SIP/2.0",
        "Via: SIP/2.0/UDP $dsthost$:$srcport$;rport",
        f"From: <sip:208@{host}>;tag=x1",
        f"To: <sip:401@{host}>",
        "Call-ID: a-text-of-sipsak",
        "CSeq: 1 MESSAGE",
        "Max-Forwards: 70",
        "Content-Type: text/plain",
        "Content-Length: 5",
    ]
    (tmp_path / "text").write_bytes("\r\n".join([*lines, "", "hello"]).encode())
    with registered(server.address, "401", host=CALLEE) as phone:
        account = ("-u", "208", "-a", password_of("208"))
        command = ["sipsak", "-H", "127.0.0.1", "-f", str(tmp_path / "text"), *account, "-s", f"sip:401@{host}:{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as sender:
            message = phone.expect("MESSAGE")
            assert message.body == "hello"
            phone.reply(message, 200)
            said = sender.communicate(timeout=10)[0].decode(errors="replace")
        assert sender.returncode == 0, said


def test_a_flood_is_outlived(server: Server) -> None:
    """Whoever comes right behind it may be told 503; seconds later nobody is."""
    _assert_good(sipsak(server, "-F", "-e", "2000"))
    with Phone(server.address, "401", host=CALLEE) as phone:
        eventually(lambda: phone.register(expires_s=0).status == 200, "a phone registers again", 10)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server to which nobody else speaks, so that its figures are those of the trash; with no limit for strangers."""
    with running(
        Site.write(tmp_path_factory.mktemp("trash"), office(), sip="qualify = 0\nsource_rate = 0\nscanners = []")
    ) as server:
        yield server


def _figures(server: Server) -> Counter[str]:
    """Datagrams that came, and what became of them. Trash may come down to nothing: that is a keep-alive."""
    status = server.json("status")
    sip, transport = status["sip"], status["transport"]
    return Counter(
        received=transport["received"].get("udp", 0),
        answered=transport["sent"].get("udp", 0),
        dropped=sum(sip["dropped"].values()),
        keep_alives=sip["requests"].get("keep-alive", 0),
    )


@pytest.mark.parametrize("run", range(RUNS))
def test_trash_is_answered_or_dropped_and_counted(counting: Server, run: int) -> None:
    before = _figures(counting)
    done = sipsak(counting, "-R", "-t", str(20 + 40 * run))
    is_silent = "without getting a response" in done.stdout + done.stderr
    assert is_silent or done.returncode in (0, 1, 2), done.stdout[-500:] + done.stderr[-500:]
    found = _figures(counting)
    found.subtract(before)
    assert found["received"] > 0
    assert found["received"] == found["answered"] + found["dropped"] + found["keep_alives"], found
    with Phone(counting.address, "401", host=CALLEE) as phone:
        eventually(lambda: phone.register(expires_s=0).status == 200, "a phone registers", 10)
