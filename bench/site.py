"""The office of the bench and a server for it."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.registers import FIRST_NUMBER, PASSWORD
from bench.wire import Address
from media.worker.spare import PREPARED_AFTER_S
from tests.e2e.harness import Site, running, terminal

ACCOUNTS = 1000
CALLER_HOST, CALLEE_HOST = "127.0.0.3", "127.0.0.2"
CALLER, CALLEE = "301", "401"
RTP_PORTS = (12000, 19999)
SPARE_STARTS_S = 1.0


@dataclass(frozen=True, slots=True)
class Subject:
    """The server under measurement; its whole process family is counted."""

    address: Address
    pid: int


def bench_office(accounts: int = ACCOUNTS) -> str:
    """`accounts` terminals with one password, a trusted caller and a trusted callee; nothing is recorded."""
    entries = [terminal(str(FIRST_NUMBER + index), password=PASSWORD, max_contacts=20) for index in range(accounts)]
    entries.append(terminal(CALLER, trust=CALLER_HOST, max_calls=1000))
    entries.append(terminal(CALLEE, trust=CALLEE_HOST, max_calls=1000))
    entries.append("[recording]\nenabled = false")
    return "number_length = 5\n\n" + "\n".join(entries)


def allow_many_files() -> None:
    """Raise the limit of open files as far as this user may; the server inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bench_site(folder: Path) -> Site:
    """The files of a server with the bench office, quiet, on free ports of 127.0.0.1. The phones of the load answer no
    OPTIONS, so none are sent: repeating them would be measured."""
    quiet, sip = '[log]\nlevel = "warning"\n', 'digest = ["MD5", "SHA-256"]\ntrace_mb = 1\nqualify = 0'
    return Site.write(folder, bench_office(), rtp_ports=RTP_PORTS, extra=quiet, sip=sip)


@contextmanager
def bench_server(folder: Path) -> Iterator[Subject]:
    """`zvon run` with the bench office, when its spare media process has come up too: nothing it needs is measured."""
    allow_many_files()
    with running(bench_site(folder)) as server:
        time.sleep(PREPARED_AFTER_S + SPARE_STARTS_S)
        yield Subject(server.address, server.process.pid)
