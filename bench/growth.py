"""S4: what REGISTER and a call cost in a server that holds a lot, beside one that holds little.

Two servers one after the other: the small one with 1,000 registrations and 10 calls in progress, the large one with
100,000 and 5,000. What the servers do all the time is left out of both. The registrations lie in the database before
the start; the calls are set up over the wire. How long the large server leaves a request waiting while nothing else
happens, with all that it does by itself now and then, is measured by a ping every ten milliseconds.
"""

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.calls import CallSet, Side
from bench.cpu import Meter
from bench.report import Measurement
from bench.site import CALLEE_HOST, CALLER_HOST, Subject, bench_office
from bench.wire import Address, build, token
from bench.work import SETTLE_S, calls, register
from storage.records import Registration
from storage.sql import open_storage
from tests.e2e.harness import Site, running, terminal

RTP_PORTS = (33_000, 59_999)
FILES_A_CALL, FILES_BESIDES = 4, 1000
CALLS_A_PAIR = 900
PHONES = 20  # registrations of one account
SET_UP_RATE = 80.0
PING_S, PINGED_S = 0.01, 12.0  # two sweeps of expired registrations


@dataclass(frozen=True, slots=True)
class Size:
    """What a server holds."""

    registrations: int
    calls: int

    @property
    def pairs(self) -> int:
        """Callers and callees: a terminal has at most a thousand calls."""
        return -(-self.calls // CALLS_A_PAIR)


SMALL, LARGE = Size(1_000, 10), Size(100_000, 5_000)


def growth(folder: Path) -> list[Measurement]:
    """The figures of the large server as multiples of the small one's."""
    large = Size(LARGE.registrations, min(LARGE.calls, (_most_files() - FILES_BESIDES) // FILES_A_CALL))
    before, _ = _figures(folder / "small", SMALL)
    after, waits_ms = _figures(folder / "large", large)
    holding = f"{large.registrations:,} registrations and {large.calls:,} calls"
    found = [
        Measurement(
            "S4", f"{name}: with {holding}, as a multiple", after[name] / before[name], "x", "<= 1.2",
            after[name] / before[name] <= 1.2, note=f"{after[name]:.0f} to {before[name]:.0f} reference units",
        )
        for name in before
    ]  # fmt: skip
    p99_ms = waits_ms[int(len(waits_ms) * 0.99)]
    note = f"p50 {waits_ms[len(waits_ms) // 2]:.1f} ms, longest {waits_ms[-1]:.0f} ms"
    return [
        *found,
        Measurement("S4", "answer to OPTIONS, p99, nothing else to do", p99_ms, "ms", "<= 20", p99_ms <= 20, note=note),
    ]


def _figures(folder: Path, size: Size) -> tuple[dict[str, float], list[float]]:
    """Cost of the kinds of work in reference units; how long requests wait, sorted."""
    with _server(folder, size) as subject, ExitStack() as held:
        for index in range(size.pairs):
            pair = CallSet(subject.address, Side(f"3{index:02d}1", CALLER_HOST), Side(f"4{index:02d}1", CALLEE_HOST))
            held.enter_context(pair).open(min(CALLS_A_PAIR, size.calls - index * CALLS_A_PAIR), per_second=SET_UP_RATE)
        meter, begun = Meter(subject.pid), time.monotonic()
        meter.start()
        waits_ms = sorted(_waits_ms(subject.address))
        idle = meter.used_s() / (time.monotonic() - begun)
        (registered,), (called,) = register(subject, rate=500, seconds=4), calls(subject, rate=30, seconds=5)
    return {
        "REGISTER": _without(registered, idle * (4 + SETTLE_S) / (500 * 4)),
        "call": _without(called, idle * (5 + SETTLE_S) / (30 * 5)),
    }, waits_ms


def _without(found: Measurement, idle_s: float) -> float:
    """The ratio to the reference, less what the server does all the time: its engine looks at every stream."""
    assert found.ratio is not None
    return found.ratio * (1 - idle_s * 1e3 / found.value)


@contextmanager
def _server(folder: Path, size: Size) -> Iterator[Subject]:
    """`zvon run` that finds its registrations in the database."""
    accounts = range(50_000, 50_000 + size.registrations // PHONES)
    bulk = [terminal(str(number), password="Bench-Word_1", max_contacts=PHONES) for number in accounts]
    for index in range(size.pairs):
        bulk.append(terminal(f"3{index:02d}1", trust=CALLER_HOST, max_calls=1000))
        bulk.append(terminal(f"4{index:02d}1", trust=CALLEE_HOST, max_calls=1000))
    quiet, sip = '[log]\nlevel = "warning"\n', 'digest = ["MD5", "SHA-256"]\ntrace_mb = 1\nqualify = 0'
    office = "\n".join([bench_office(), *bulk])
    site = Site.write(folder, office, rtp_ports=RTP_PORTS, extra=quiet, sip=sip)
    site.data.mkdir()
    asyncio.run(_store(site.data, accounts))
    with running(site) as server:
        yield Subject(server.address, server.process.pid)


async def _store(data: Path, accounts: range) -> None:
    now_at = time.time()
    storage = open_storage("sqlite:///zvon.db", data)
    for number in accounts:
        storage.locations.put(str(number), [_phone(number, index, now_at) for index in range(PHONES)])
    await storage.close()


def _phone(number: int, index: int, now_at: float) -> Registration:
    host = f"10.{number % 250}.{number // 250 % 250}.{index + 1}"
    return Registration(
        aor=str(number),
        contact=f"sip:{number}@{host}:5060",
        call_id=f"{number}-{index}@{host}",
        cseq=1,
        expires_at=now_at + 1800 + (number * PHONES + index) % 1800,
        registered_at=now_at,
        user_agent="Bench phone",
        received=f"{host} 5060",
    )


def _waits_ms(server: Address) -> Iterator[float]:
    """From OPTIONS to its 200, again and again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.connect(server)
        endpoint.settimeout(10)
        host, port = endpoint.getsockname()
        end = time.monotonic() + PINGED_S
        while (sent := time.monotonic()) < end:
            branch = token("z9hG4bK")
            endpoint.send(
                build(
                    f"OPTIONS sip:{server[0]} SIP/2.0",
                    [
                        ("Via", f"SIP/2.0/UDP {host}:{port};branch={branch};rport"),
                        ("From", f"<sip:ping@{server[0]}>;tag={branch}"),
                        ("To", f"<sip:{server[0]}>"),
                        ("Call-ID", branch),
                        ("CSeq", "1 OPTIONS"),
                        ("Max-Forwards", "70"),
                    ],
                )
            )
            endpoint.recv(4096)
            took_s = time.monotonic() - sent
            yield took_s * 1e3
            time.sleep(max(PING_S - took_s, 0))


def _most_files() -> int:
    """Raise the limit of open files to what the large server needs, or as far as this user may; the server inherits
    it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(most, LARGE.calls * FILES_A_CALL + 2 * FILES_BESIDES)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return most
    return wanted
