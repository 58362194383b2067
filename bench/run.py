"""`make bench`: every kind of work against a running server, as ratios to references measured in the same minutes.

python -m bench.run                                     starts a server of its own
python -m bench.run --only S1 M1                        some kinds of work
python -m bench.run --write-office office.toml          the office that the bench needs, for a server of yours
python -m bench.run --against 127.0.0.1:5060 --pid N    that server; N is its first process
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench import codecs, mixing, report, secure, taping, work
from bench.growth import growth
from bench.lateness import lateness
from bench.quality.run import quality
from bench.reference import reference_us
from bench.report import Measurement
from bench.site import Subject, allow_many_files, bench_office, bench_server

REPORT = Path(__file__).with_name("report.json")
Work = Callable[[Subject], list[Measurement]]

WORKS: tuple[tuple[str, Work], ...] = (
    ("S1", work.register),
    ("S1", partial(work.register, algorithm="SHA-256")),
    ("S1", work.register_capacity),
    ("S5", work.overload),
    ("S5", partial(work.overload, times=5)),
    ("S2", work.calls),
    ("S2 S3", work.calls_in_progress),
    ("S3", work.registration_memory),
    ("M1", work.relay),
    ("M1", work.relay_capacity),
    ("M2", work.delay),
    ("M3", partial(mixing.room, count=10, seconds=8)),
    ("M3", partial(mixing.room, count=100)),
    ("M3", partial(mixing.room, count=500)),
    ("M4", mixing.small_rooms),
    ("M5", codecs.codecs),
    ("M5", mixing.transcoding),
    ("M6", taping.recording),
    ("M6", taping.many_recordings),
    ("M7", secure.secure_relay),
    ("Q1 Q2 Q3", quality),
)


def wanted(only: Sequence[str]) -> list[tuple[str, Work]]:
    return [(ids, function) for ids, function in WORKS if not only or set(ids.split()) & set(only)]


def measure(subject: Subject, only: Sequence[str]) -> Iterator[Measurement]:
    """Every wanted figure, one kind of work after the other."""
    for ids, function in wanted(only):
        try:
            yield from function(subject)
        except (AssertionError, RuntimeError) as error:  # the load was not carried: the other figures still count
            why = str(error).partition("\n")[0]
            yield Measurement(ids, "could not be measured", 0, "", "", False, note=why[:120])
        print(".", end="", file=sys.stderr, flush=True)


def run_own(only: Sequence[str]) -> list[Measurement]:
    """Against servers of our own; start-up time can be measured too, and S4, which takes minutes, when asked for."""
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="zvon-bench-") as name:
        if not only or "S6" in only:
            found += work.start_up(Path(name) / "start")
        if not only or "M8" in only:
            found += lateness(Path(name) / "late")
        if "S4" in only:
            found += growth(Path(name))
        if wanted(only):
            with bench_server(Path(name) / "server") as subject:
                found += measure(subject, only)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description="CPU time per unit of work, as ratios to references measured beside it"
    )
    parser.add_argument("--against", metavar="HOST:PORT", help="a running server with the bench office (needs --pid)")
    parser.add_argument("--pid", type=int, help="the first process of that server")
    parser.add_argument("--only", nargs="+", default=(), metavar="ID", help="S1 to S6, M1 to M8, Q1")
    parser.add_argument(
        "--write-office", type=Path, metavar="FILE", help="write the office that the bench needs and stop"
    )
    parser.add_argument("--report", type=Path, default=REPORT, help="where the JSON goes")
    options = parser.parse_args()
    if options.write_office:
        options.write_office.write_text(f'[office]\nname = "Bench"\n{bench_office()}', encoding="utf-8")
        return 0
    if bool(options.against) != bool(options.pid):
        parser.error("--against and --pid go together")
    if options.against:
        allow_many_files()
        host, _, port = options.against.rpartition(":")
        found = list(measure(Subject((host, int(port)), options.pid), options.only))
    else:
        found = run_own(options.only)
    unit_us = reference_us()
    print(f"\n\n{report.table(found)}\n\none reference unit (bench/reference.py) takes {unit_us:.1f} us of CPU time")
    report.write(options.report, found, unit_us)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
