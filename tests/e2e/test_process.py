"""The server as a process: starting, stopping, crashing, and what a person reads when something is wrong."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Server, Site, free_port, run_to_end, running, zvon
from tests.e2e.ua import Phone, connect, eventually, registered

HERE, THERE = (CALLER, 7000), (CALLEE, 7000)


def _call(server: Server, seconds: float = 0.2) -> None:
    with Phone(server.address, "301", host=CALLER) as caller, registered(server.address, "401", host=CALLEE) as callee:
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        time.sleep(seconds)
        outgoing.hang_up()
        incoming.expect_hang_up()


def test_history_outlives_a_kill_one_second_after_the_call(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    with running(site) as server:
        _call(server)
        time.sleep(1.0)
        server.kill()
    with running(site) as server:
        [row] = server.json("history")
        assert (row["from_number"], row["to_number"], row["disposition"]) == ("301", "401", "ANSWERED")


def test_sigterm_lets_calls_end_and_takes_no_new_ones(tmp_path: Path) -> None:
    with (
        running(Site.write(tmp_path, office())) as server,
        Phone(server.address, "301", host=CALLER) as caller,
        Phone(server.address, "302", host=CALLER) as late,
        Phone(server.address, "401", host=CALLEE) as callee,
    ):
        assert callee.register().status == 200
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        late.dial("401", HERE).expect(503)
        assert server.process.poll() is None
        outgoing.hang_up()
        incoming.expect_hang_up()
        server.wait_for_exit()
        assert server.process.returncode == 0


def test_drain_timeout_ends_the_calls_that_are_left(tmp_path: Path) -> None:
    with (
        running(Site.write(tmp_path, office())) as server,
        Phone(server.address, "301", host=CALLER) as caller,
        Phone(server.address, "401", host=CALLEE) as callee,
    ):
        assert callee.register().status == 200
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        server.process.send_signal(signal.SIGTERM)
        outgoing.expect_hang_up(6)
        incoming.expect_hang_up(6)
        server.wait_for_exit()
        assert server.process.returncode == 0


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with (
        running(Site.write(tmp_path, office())) as server,
        Phone(server.address, "301", host=CALLER) as caller,
        Phone(server.address, "401", host=CALLEE) as callee,
    ):
        assert callee.register().status == 200
        connect(caller, callee, (HERE, THERE))
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        server.wait_for_exit()
        assert time.monotonic() - started < 1.5


def _assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    text = (done.stdout + done.stderr).strip()
    assert done.returncode == 1, text
    assert "Traceback" not in text, text
    assert "zvon ready" not in text, text
    assert len(text.splitlines()) <= 2, text
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"


def _port_in_use(site: Site) -> list[str]:
    return [str(site.sip[1]), "in use"]


def _bad_toml(site: Site) -> list[str]:
    site.config.write_text("[sip\nudp = 1\n")
    return [f"{site.config.name}:1:"]


def _unknown_key(site: Site) -> list[str]:
    site.office.write_text('[office]\nname = "Test"\n\n[[terminals]]\nnumber = "201"\ncolour = "red"\n')
    return [f"{site.office.name}:6:", "colour"]


def _bad_value(site: Site) -> list[str]:
    site.write_config('[log]\nlevel = "chatty"\n')
    return [site.config.name, "level"]


def _missing_file(site: Site) -> list[str]:
    site.office.unlink()
    return [site.office.name]


def _data_is_a_file(site: Site) -> list[str]:
    site.data.write_text("not a folder")
    return [site.data.name]


def _database_is_garbage(site: Site) -> list[str]:
    site.data.mkdir()
    (site.data / "zvon.db").write_bytes(b"this is not a database " * 400)
    return ["zvon.db"]


@pytest.mark.parametrize(
    "spoil", [_bad_toml, _unknown_key, _bad_value, _missing_file, _data_is_a_file, _database_is_garbage]
)
def test_something_wrong_is_said_in_one_sentence(tmp_path: Path, spoil: Callable[[Site], list[str]]) -> None:
    site = Site.write(tmp_path, office())
    words = spoil(site)
    _assert_one_sentence(run_to_end(site), *words)


def test_a_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(site.sip)
        _assert_one_sentence(run_to_end(site), *_port_in_use(site))


def test_two_servers_do_not_share_a_data_folder(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    with running(site):
        second = Site(site.folder, ("127.0.0.1", free_port()), (13000, 13099))
        second.write_config()
        _assert_one_sentence(run_to_end(second), site.data.name)


def test_commands_without_a_server_say_so(tmp_path: Path) -> None:
    done = zvon("status", data=tmp_path)
    _assert_one_sentence(done, str(tmp_path))


def test_check_lists_every_error_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "office.toml"
    path.write_text('[office]\nname = "x"\n[[terminals]]\nnumber = "abc"\n[[terminals]]\nnumber = "201"\nshape = 1\n')
    done = zvon("check", str(path), data=tmp_path)
    text = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in text
    for word in ("number", "shape", path.name):
        assert word in text


def test_apply_changes_the_running_office_and_live_calls_go_on(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    with (
        running(site) as server,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        outgoing, incoming = connect(caller, callee, (HERE, THERE))
        document = server.command("export").stdout
        changed = site.folder / "changed.toml"
        changed.write_text(document + '\n[[terminals]]\nnumber = "777"\ntrust = "127.0.0.77"\n')
        assert "777" in server.command("plan", str(changed)).stdout
        server.command("apply", str(changed))
        with Phone(server.address, "777", host="127.0.0.77") as phone:
            assert phone.register().status == 200
        outgoing.hang_up()
        incoming.expect_hang_up()


@contextmanager
def _tiny_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "zvon-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        for _ in range(10_000):
            file.write(bytes(4096))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_calls_go_on_while_the_disk_is_full_and_history_catches_up(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    with _tiny_disk(site.data), running(site) as server:
        filler = site.data / "filler"
        _fill(filler)
        _call(server)
        time.sleep(1.0)
        _call(server)
        filler.unlink()
        eventually(lambda: len(server.json("history")) == 2, "both calls are in the history", 12)
