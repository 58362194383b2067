"""M8: how late the ticks of the media engine are while signalling has more to do than it can: a server of its own."""

import threading
from pathlib import Path

from bench.cpu import Meter
from bench.native import blast
from bench.registers import Load, Registrations
from bench.report import Measurement
from bench.site import ACCOUNTS, Subject, allow_many_files, bench_site
from bench.work import call_set
from tests.e2e.harness import running

TARGET_MS = 2.0
CALLS = 100


def lateness(folder: Path, seconds: float = 6) -> list[Measurement]:
    """Ticks of the whole life of the server, nearly all of it under load: REGISTER from 32 phones at once, as fast as
    they are answered, beside relayed calls."""
    allow_many_files()
    with running(bench_site(folder)) as server, call_set(Subject(server.address, server.process.pid)) as calls:
        streams = calls.open(CALLS, per_second=50)
        flood = Registrations(
            Load(server.address, ACCOUNTS, 20, 20_000, 10**6, same_contact=True, most_at_once=32, seconds=seconds)
        )
        flooding, meter = threading.Thread(target=flood.run), Meter(server.process.pid)
        meter.start()
        flooding.start()
        report = blast(streams, seconds)
        flooding.join()
        cores = meter.used_s() / seconds
        late_ms = server.json("status")["media"]["late_p99_us"] / 1e3
    registered = flood.result.registered / flood.result.seconds
    load = f"{registered:,.0f} REGISTER a second, {CALLS} calls, {cores:.0%} of a core"
    note = f"{load}; {report.lost} of {report.sent:,} packets lost"
    met = late_ms <= TARGET_MS and not report.lost
    work = "lateness p99 of ticks beside full signalling"
    return [Measurement("M8", work, late_ms, "ms", f"<= {TARGET_MS:g}", met, note=note)]
