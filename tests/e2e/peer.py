"""Another SIP server as a process beside Zvon: its log, when it answers, its end."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.wire import Address, Message, build

READY_S = 15.0


class Peer:
    """A running SIP server at `address`; what it prints goes into a file of `folder`."""

    def __init__(
        self, folder: Path, address: Address, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.address, self._name, self._log = address, Path(command[0]).name, folder / "peer.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_ready(self, status: int) -> None:
        """It answers an OPTIONS without hops left with that status."""
        deadline = time.monotonic() + READY_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.address[0], 0))
            probe.settimeout(0.3)
            while not self._answers(probe, status):
                assert self._process.poll() is None, f"{self._name} ended:\n{self.log}"
                assert time.monotonic() < deadline, f"{self._name} did not start:\n{self.log}"

    def _answers(self, probe: socket.socket, status: int) -> bool:
        host, port = probe.getsockname()
        mark = str(time.monotonic_ns())
        fields = [("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{mark};rport"), ("Max-Forwards", "0")]
        fields += [("From", f"<sip:probe@{host}>;tag=1"), ("To", f"<sip:nobody@{host}>")]
        fields += [("Call-ID", mark), ("CSeq", "1 OPTIONS")]
        probe.sendto(build(f"OPTIONS sip:nobody@{host} SIP/2.0", fields, ""), self.address)
        try:
            return Message.parse(probe.recv(65535)).status == status
        except (TimeoutError, ConnectionError):
            return False

    def check(self, *words: str) -> None:
        """None of these is in its log: nothing that it was sent was out of order."""
        wrong = [line for line in self.log.splitlines() if any(word in line for word in words)]
        assert not wrong, "\n".join(wrong[:10])

    def end(self) -> None:
        """It and all that it started: the processes of Kamailio outlive a main process that is killed."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):  # nobody is left of its process group
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running_peer(peer: Peer, status: int, *complaints: str) -> Iterator[Peer]:
    """A peer that answers its probe with `status` and at the end has no complaint in its log."""
    try:
        peer.wait_until_ready(status)
        yield peer
        peer.check(*complaints)
    finally:
        peer.end()
