"""`python -m bench.quality.run`: what speech is worth after bad networks, beside a plain buffer on the same networks.

Rows Q1 to Q3 are targets; the others show what else may come. Every figure is the mean of seeded runs.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median

from bench.quality import speech
from bench.quality.listening import listen, listen_plainly
from bench.quality.network import Network
from bench.quality.through import through
from bench.report import Measurement, table
from bench.site import Subject

RUNS = 20


@dataclass(frozen=True, slots=True)
class Case:
    """`least`: what it must be worth; `gain`: how much more than with the plain buffer."""

    id: str
    name: str
    network: Network
    least: float = 1.0
    gain: float = -4.0
    codec: str = "PCMU"
    median_ms: float = 500.0
    most_ms: float = 500.0
    path: str = ""  # "relay" or "mix": over loopback through a running engine


@dataclass(frozen=True, slots=True)
class Result:
    """Means of MOS, median and greatest delay of all runs."""

    mos: float
    plain: float
    median_ms: float
    most_ms: float

    def meets(self, case: Case) -> bool:
        good = self.mos >= case.least and self.mos - self.plain >= case.gain
        return good and self.median_ms <= case.median_ms and self.most_ms <= case.most_ms


CLEAN = Case("Q1", "clean, decoded and played", Network(), least=4.3)
RANDOM = Case("Q2", "5 % loss, 40 ms jitter", Network(0.05, jitter_ms=40), gain=0.5, median_ms=70)
BURSTS = Case(
    "Q3",
    "10 % loss in bursts of 3, 80 ms jitter, 100 ppm drift",
    Network(0.1, burst=3, jitter_ms=80, drift_ppm=100),
    gain=0.4,
    most_ms=160,
)
TARGETS = (CLEAN, RANDOM, BURSTS)
THROUGH = (
    Case("Q1", "clean, relayed by a running engine", Network(), least=4.4, path="relay"),
    Case("Q1", "clean, mixed by a running engine", Network(), least=4.3, path="mix"),
    *(replace(case, name=f"{case.name}, mixed by a running engine", path="mix") for case in (RANDOM, BURSTS)),
)
OTHERS = (
    Case("Q", "120 ms jitter", Network(jitter_ms=120)),
    Case("Q", "2 % reordered, 20 ms jitter", Network(jitter_ms=20, reorder=0.02)),
    Case("Q", "1 % loss", Network(0.01)),
    Case("Q", "20 % loss, 30 ms jitter", Network(0.2, jitter_ms=30)),
    Case("Q", "300 ppm drift", Network(drift_ppm=-300, jitter_ms=10)),
    Case("Q", "Opus with FEC, 5 % loss, 40 ms jitter", RANDOM.network, codec="opus"),
    Case("Q", "G.729, 5 % loss, 40 ms jitter", RANDOM.network, codec="G729"),
)


def measure(case: Case, runs: int = RUNS, seconds: float = 8.0, folder: Path = speech.DEFAULT) -> Result:
    from bench.quality.score import mos  # a tool of developers: `make bench` installs it

    scores, plain, delays = list[float](), list[float](), list[int]()
    for seed in range(runs):
        spoken = speech.turn(seed, seconds, folder)
        heard = listen(spoken, case.network, seed, case.codec)
        scores.append(mos(spoken, heard.samples))
        plain.append(mos(spoken, listen_plainly(spoken, case.network, seed)))
        delays += heard.delays_ms
    return Result(mean(scores), mean(plain), median(delays), max(delays))


def measure_through(case: Case, runs: int = RUNS, seconds: float = 8.0, folder: Path = speech.DEFAULT) -> Result:
    """All runs at once, in real time."""
    from bench.quality.score import mos

    turns = [speech.turn(seed, seconds, folder) for seed in range(runs)]
    heard = through(turns, case.network, is_mixed=case.path == "mix")
    scores = [mos(spoken, each.samples) for spoken, each in zip(turns, heard, strict=True)]
    plain = [mos(spoken, listen_plainly(spoken, case.network, seed)) for seed, spoken in enumerate(turns)]
    return Result(
        mean(scores),
        mean(plain),
        median(each.buffer_ms or 0.0 for each in heard),
        max(each.buffer_most_ms or 0.0 for each in heard),
    )


def measurement(case: Case, result: Result) -> Measurement:
    target = f">= {case.least}" if case.least > 1 else f"+{case.gain}" if case.gain > 0 else "-"
    note = (
        f"plain buffer {result.plain:.2f} ({result.mos - result.plain:+.2f}); "
        f"delay {result.median_ms:.0f} ms in the median, {result.most_ms:.0f} at most"
    )
    return Measurement(case.id, case.name, result.mos, "MOS", target, result.meets(case), note=note)


def quality(_: Subject | None = None, cases: tuple[Case, ...] = TARGETS) -> list[Measurement]:
    """Q1 to Q3, by literal clocks and through a running engine; nothing where there is no speech to measure with."""
    try:
        return [measurement(case, measure(case)) for case in cases] + [
            measurement(case, measure_through(case)) for case in THROUGH
        ]
    except LookupError as error:
        print(f"\nQ1 to Q3 are left out. {error}", file=sys.stderr)
        return []


def main() -> int:
    parser = argparse.ArgumentParser(description="P.862 of speech after networks that lose, delay and reorder packets")
    parser.add_argument("--speech", type=Path, default=speech.DEFAULT, help="folder with a folder of .g722 a speaker")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--all", action="store_true", help="networks without a target too")
    options = parser.parse_args()
    cases = TARGETS + OTHERS if options.all else TARGETS
    found = [measurement(case, measure(case, options.runs, folder=options.speech)) for case in cases]
    found += [measurement(case, measure_through(case, options.runs, folder=options.speech)) for case in THROUGH]
    print(table(found))
    return 0 if all(each.met for each in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
