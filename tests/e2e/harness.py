"""A real `zvon run` on free loopback ports, its command line, and its end checked."""

import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.wire import Address

ZVON = Path(sys.executable).with_name("zvon")
READY_S = 40.0  # it takes two; other work on the machine is no reason to fail
STOP_S = 10.0
_ports = list(range(24_000, 32_000, 2))  # `relay_limit` of the speed report has the 4,000 below for itself
random.shuffle(_ports)
_reserved = os.open(Path(tempfile.gettempdir()) / "zvon-test-ports", os.O_RDWR | os.O_CREAT, 0o666)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and TCP, with a free one above it. It stays ours until this process ends: it lies
    below the ports that the system gives away by itself, and no other run of the tests on this machine gets it."""
    while _ports:
        port = _ports.pop()
        if _reserve(port) and _is_free(host, port):
            return port
    raise AssertionError("no free port found")


def _reserve(port: int) -> bool:
    """A lock on one byte for each port, which the system gives up when this process ends."""
    try:
        fcntl.lockf(_reserved, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _is_free(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for each in (port, port + 1):
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((host, each))
        return True
    return False


def terminal(number: str, **settings: object) -> str:
    """One [[terminals]] entry."""
    values = {"number": number, **settings}
    lines = (f"{key} = {json.dumps(value)}" for key, value in values.items())
    return "\n".join(["[[terminals]]", *lines, ""])


def password_of(number: str) -> str:
    return f"Pass-word_{number}"


@dataclass(frozen=True, slots=True)
class Site:
    """The files of one server: where they are and what they say."""

    folder: Path
    sip: Address
    rtp_ports: tuple[int, int]
    web: str = ""

    @classmethod
    def write(
        cls,
        folder: Path,
        office: str,
        *,
        rtp_ports: tuple[int, int] = (12000, 12799),
        extra: str = "",
        sip: str = "",
        ipv6: bool = False,
        web: bool = False,
    ) -> "Site":
        """Files for a server that listens on a free port of 127.0.0.1, with `ipv6` of ::1 as well, UDP and TCP; `sip`
        goes into that section. With `web` there is the API, too."""
        folder.mkdir(parents=True, exist_ok=True)
        site = cls(folder, ("127.0.0.1", free_port()), rtp_ports, f"127.0.0.1:{free_port()}" if web else "")
        site.write_config(extra, sip, ipv6=ipv6)
        site.office.write_text(f'[office]\nname = "Test"\n\n{office}', encoding="utf-8")
        return site

    def write_config(self, extra: str = "", sip: str = "", *, ipv6: bool = False) -> None:
        hosts = [self.sip[0], *(["[::1]"] if ipv6 else [])]
        listen = json.dumps([f"{host}:{self.sip[1]}" for host in hosts])
        sip = f"[sip]\nudp = {listen}\ntcp = {listen}\n{sip}\n"
        media = f'[media]\nports = "{self.rtp_ports[0]}-{self.rtp_ports[1]}"\n'
        web = f'[web]\nlisten = "{self.web}"\n'
        self.config.write_text(f"drain_timeout = 2\n\n{sip}\n{media}\n{web}\n{extra}", encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.folder / "zvon.toml"

    @property
    def office(self) -> Path:
        return self.folder / "office.toml"

    @property
    def data(self) -> Path:
        return self.folder / "var"

    def command(self) -> list[str]:
        return [str(ZVON), "run", "--config", str(self.config), "--office", str(self.office), "--data", str(self.data)]


def zvon(*arguments: str, data: Path, timeout_s: float = 15.0) -> subprocess.CompletedProcess[str]:
    """Run the command line tool against the server of a data folder."""
    environment = {**os.environ, "ZVON_DATA": str(data)}
    return subprocess.run(
        [str(ZVON), *arguments], env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )


class Server:
    """A running server."""

    def __init__(self, site: Site, command: Sequence[str] = ()) -> None:
        self.site, self.address, self.data = site, site.sip, site.data
        self.log = site.folder / "zvon.log"
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self.process = subprocess.Popen(
                command or site.command(),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=site.folder,
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while "zvon ready" not in self.output():
            assert self.process.poll() is None, f"zvon ended with {self.process.returncode}:\n{self.output()}"
            assert time.monotonic() < deadline, f"zvon was not ready within {READY_S} s:\n{self.output()}"
            time.sleep(0.02)

    def output(self) -> str:
        """What this run has printed so far."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode("utf-8", "replace")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `zvon …` beside it; fails unless it exits 0."""
        done = zvon(*arguments, data=self.data)
        assert done.returncode == 0, f"zvon {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        """What `zvon … --json` prints."""
        return json.loads(self.command(*arguments, "--json").stdout)

    def calls(self) -> Any:
        """Those in progress. The media engine is asked, and has then done all that it was told before."""
        return self.json("calls")

    def hang_up_all(self) -> None:
        """End what a failed test has left, so that it does not count in the next one."""
        for call in self.json("calls"):
            zvon("hangup", call["id"], data=self.data)

    def stop(self) -> None:
        """SIGTERM; exit 0 in time and no traceback in the log."""
        self.process.send_signal(signal.SIGTERM)
        self.wait_for_exit()
        assert self.process.returncode == 0, f"zvon exited {self.process.returncode}:\n{self.output()}"

    def wait_for_exit(self) -> None:
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"zvon did not stop within {STOP_S} s:\n{self.output()}") from None
        assert "Traceback" not in self.output(), self.output()

    def kill(self) -> None:
        """kill -9: what a power cut looks like to the server."""
        self.process.kill()
        self.process.wait()

    def clean_up(self) -> None:
        """End it if a test did not."""
        if self.process.poll() is None:
            self.stop()


@contextlib.contextmanager
def running(site: Site) -> Iterator[Server]:
    """A server that is ready, stopped and checked at the end."""
    server = Server(site)
    try:
        server.wait_until_ready()
        yield server
    except BaseException:
        if server.process.poll() is None:
            server.kill()
        raise
    server.clean_up()


def run_to_end(site: Site, arguments: Sequence[str] = (), timeout_s: float = 15.0) -> subprocess.CompletedProcess[str]:
    """`zvon run` with something wrong: what it prints and its exit code."""
    return subprocess.run(
        [*site.command(), *arguments], capture_output=True, text=True, timeout=timeout_s, check=False, cwd=site.folder
    )
