"""The kinds of work that are measured: each one loads a server and returns its figures."""

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.calls import CallSet, Side
from bench.cpu import Meter, memory_kib
from bench.native import Stream, blast, relay_floor
from bench.reference import reference_us
from bench.registers import Load, Registrations, Result
from bench.report import Measurement
from bench.site import ACCOUNTS, CALLEE, CALLEE_HOST, CALLER, CALLER_HOST, Subject, bench_office
from tests.e2e.harness import Server, Site
from tests.e2e.sipp import Plan, Sipp, play
from tests.e2e.ua import registered_port

UNITS = "reference units"
RELAY_TARGET = 1.3
TIMER_J_S = 33.0  # 64*T1 and a little more (RFC 3261 §17.2.2)
SETTLE_S = 1.0  # what is written behind (history, registrations) belongs to the work


def _load(subject: Subject, rate: float, seconds: float, algorithm: str = "MD5") -> Result:
    """REGISTERs at a fixed rate, whatever the server does with them."""
    return Registrations(
        Load(subject.address, ACCOUNTS, 1, rate, int(rate * seconds), algorithm, hosts=("127.0.0.1", "127.0.0.9"))
    ).run()


def _register_once(subject: Subject, contacts: int) -> Result:
    """Every contact of every account once, as fast as the server can."""
    total = ACCOUNTS * contacts
    return Registrations(Load(subject.address, ACCOUNTS, contacts, 20_000, total, most_at_once=32)).run()


def register(subject: Subject, algorithm: str = "MD5", rate: float = 500, seconds: float = 4) -> list[Measurement]:
    """S1: CPU time of one REGISTER with digest (401, then 200)."""
    meter, before_us = Meter(subject.pid), reference_us()
    meter.start()
    result = _load(subject, rate, seconds, algorithm)
    time.sleep(SETTLE_S)
    cpu_us = meter.used_s() * 1e6 / max(result.registered, 1)
    unit_us = statistics.mean((before_us, reference_us()))
    work = f"REGISTER with digest ({algorithm}) at {rate:,.0f}/s"
    note = f"{result.retransmissions} retransmitted, {result.refused} refused, {result.unanswered} unanswered"
    good = result.registered == result.started
    return [
        Measurement(
            "S1", work, cpu_us / 1e3, "ms CPU", "<= 0.20", good and cpu_us <= 200, cpu_us / unit_us, UNITS, note
        ),
    ]


def register_capacity(subject: Subject, rate: float = 4000, seconds: float = 3) -> list[Measurement]:
    """S1: whether so many a second are served without a retransmission, and at which latency."""
    meter = Meter(subject.pid)
    meter.start()
    result = _load(subject, rate, seconds)
    used = meter.used_s() / result.seconds
    clean = result.retransmissions == 0 and result.registered == result.started
    note = f"{result.retransmissions} retransmitted, {used:.0%} of a core, p99 {result.p99_ms:.1f} ms"
    achieved = result.registered / result.seconds
    return [Measurement("S1", "REGISTER a second, clean", achieved, "/s", f">= {rate:,.0f}", clean, note=note)]


def overload(subject: Subject, times: float = 2, seconds: float = 4) -> list[Measurement]:
    """S5: what is served of several times the capacity, by phones that come back when Retry-After says so."""
    pool = Load(subject.address, ACCOUNTS, 20, 20_000, 10**6, same_contact=True, seconds=seconds)
    most = Registrations(replace(pool, most_at_once=32)).run()
    capacity = most.in_time / most.seconds
    rate = times * capacity
    result = Registrations(replace(pool, rate=rate)).run()
    served = result.in_time / (result.seconds * capacity)
    lost = result.refused + result.unanswered
    note = f"{result.postponed:,} told to come back, {lost} lost, {result.retransmissions} retransmitted"
    work, good = f"REGISTER served at {times:g} times the capacity of {capacity:,.0f}/s", served >= 0.9 and not lost
    return [Measurement("S5", work, served * 100, "%", ">= 90", good, note=note)]


def calls(subject: Subject, rate: int = 100, seconds: float = 5) -> list[Measurement]:
    """S2: CPU time of a call from INVITE to BYE on both legs, no audio, history row written."""
    total, meter, before_us = int(rate * seconds), Meter(subject.pid), reference_us()
    with registered_port(subject.address, CALLEE, CALLEE_HOST) as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        callee = Plan(
            "callee_answers", subject.address, CALLEE_HOST, port, {"number": CALLEE}, calls=total, timeout_s=40
        )
        keys = {"from": CALLER, "to": CALLEE}
        caller = Plan(
            "caller_is_answered_and_hangs_up",
            subject.address,
            CALLER_HOST,
            0,
            keys,
            total,
            rate,
            talk_ms=200,
            timeout_s=40,
        )
        meter.start()
        answering = Sipp(callee, folder)
        try:
            play(caller, folder)
            answering.finish()
        finally:
            answering.end()
        time.sleep(SETTLE_S)
    cpu_us = meter.used_s() * 1e6 / total
    ratio = cpu_us / statistics.mean((before_us, reference_us()))
    work = f"call set up and torn down at {rate}/s"
    return [Measurement("S2", work, cpu_us / 1e3, "ms CPU", "<= 1.4", cpu_us <= 1400, ratio, UNITS)]


def call_set(subject: Subject) -> CallSet:
    return CallSet(subject.address, Side(CALLER, CALLER_HOST), Side(CALLEE, CALLEE_HOST))


def calls_in_progress(subject: Subject, count: int = 600, rate: float = 300) -> list[Measurement]:
    """S2 and S3: set-up time at half the wanted capacity; memory of a call in progress."""
    with call_set(subject) as warm:
        warm.open(20)
    before_kib = memory_kib(subject.pid)
    with call_set(subject) as open_calls:
        open_calls.open(count, per_second=rate)
        each_kib = (memory_kib(subject.pid) - before_kib) / count
        times = open_calls.set_up_s
    p99_ms = times[int(len(times) * 0.99)] * 1e3
    median = f"p50 {statistics.median(times) * 1e3:.1f} ms"
    return [
        Measurement("S2", f"set-up time p99 at {rate:.0f}/s", p99_ms, "ms", "<= 20", p99_ms <= 20, note=median),
        Measurement("S3", "memory of a call in progress", each_kib, "KiB", "<= 40", each_kib <= 40),
    ]


def registration_memory(subject: Subject, contacts: int = 5, settle_s: float = TIMER_J_S) -> list[Measurement]:
    """S3: memory of one idle registration: the answers that are kept for copies of a request are gone, and there is
    room already for those of as many requests."""
    for _ in range(contacts):
        _register_once(subject, 1)
    time.sleep(settle_s)
    before_kib = memory_kib(subject.pid)
    result = _register_once(subject, contacts)
    time.sleep(settle_s)
    each_kib = (memory_kib(subject.pid) - before_kib) / max(result.registered, 1)
    note = f"{result.registered:,} contacts, {result.registered / result.seconds:,.0f} registered a second"
    return [Measurement("S3", "memory of a registration", each_kib, "KiB", "<= 2", each_kib <= 2, note=note)]


def start_up(folder: Path) -> list[Measurement]:
    """S6: `zvon run` to ready with 1,000 terminals, the second start on the same data."""
    site, times = Site.write(folder, bench_office(), rtp_ports=(11000, 11099)), []
    for _ in range(3):
        started = time.monotonic()
        server = Server(site)
        server.wait_until_ready()
        times.append(time.monotonic() - started)
        server.stop()
    best = min(times[1:])
    work = f"start to ready, {ACCOUNTS:,} terminals"
    return [Measurement("S6", work, best, "s", "<= 2", best <= 2, note=f"first start {times[0]:.2f} s")]


def relay(subject: Subject, count: int = 200, seconds: float = 5) -> list[Measurement]:
    """M1: CPU time of relaying one packet, beside the least that any relay needs."""
    before = relay_floor(2 * count, seconds / 2)
    with call_set(subject) as open_calls:
        streams, meter = open_calls.open(count), Meter(subject.pid)
        meter.start()
        report = blast(streams, seconds, spread=False)
        used_s = meter.used_s()
    floor_us = statistics.mean((before.us_per_packet, relay_floor(2 * count, seconds / 2).us_per_packet))
    each_us = used_s * 1e6 / max(report.received, 1)
    met = each_us / floor_us <= RELAY_TARGET and report.lost == 0
    note = f"{report.lost} of {report.sent:,} lost; floor {floor_us:.2f} us"
    work = f"relay of a G.711 packet, {count} calls"
    target = f"<= {RELAY_TARGET} x"
    ratio = each_us / floor_us
    return [Measurement("M1", work, each_us, "us CPU", target, met, ratio, "relay_limit", note, report.lost)]


def _direct(streams: list[Stream]) -> list[Stream]:
    """The same number of streams, in pairs that send to each other without a server."""
    ends = [stream.local for stream in streams]
    half = len(ends) // 2
    pairs = list(zip(ends[:half], ends[half:], strict=True))
    return [Stream(a, b) for a, b in pairs] + [Stream(b, a) for a, b in pairs]


def delay(subject: Subject, count: int = 200, seconds: float = 6) -> list[Measurement]:
    """M2: delay that the relay adds, over that of loopback itself."""
    with call_set(subject) as open_calls:
        streams = open_calls.open(count)
        floor = blast(_direct(streams), 2)
        report = blast(streams, seconds)
    note = f"{report.lost} of {report.sent:,} lost; max {report.max_us / 1e3:.1f} ms"
    limits = (("p50", report.p50_us - floor.p50_us, 0.2), ("p99", report.p99_us, 1.0), ("p99.9", report.p999_us, 3.0))
    return [
        Measurement(
            "M2",
            f"added delay {name}, {count} calls",
            us / 1e3,
            "ms",
            f"<= {most}",
            us / 1e3 <= most,
            note=note,
            lost=report.lost,
        )
        for name, us, most in limits
    ]


def relay_capacity(subject: Subject, count: int = 1000, seconds: float = 4) -> list[Measurement]:
    """M1: many two-way calls at once without a lost packet."""
    with call_set(subject) as open_calls:
        streams, meter = open_calls.open(count), Meter(subject.pid)
        meter.start()
        report = blast(streams, seconds)
        cores = meter.used_s() / seconds
    note = f"{count:,} calls, {cores:.0%} of a core, p99 {report.p99_us / 1e3:.1f} ms"
    return [Measurement("M1", "packets lost at many calls", report.lost, "packets", "0", report.lost == 0, note=note)]
