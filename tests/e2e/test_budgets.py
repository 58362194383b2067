"""The regression gate on speed and size: short runs, judged by ratios (`bench/budgets.toml`).

The best of some runs counts: what others do on the machine makes work and reference slower by different shares, and
nothing makes them faster than they are.
"""

import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import mixing, work
from bench.reference import woken_us
from bench.report import Measurement
from bench.site import Subject, bench_server

pytestmark = pytest.mark.alone

BUDGETS: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(work.__file__).with_name("budgets.toml")).read_text(encoding="utf-8")
)

RUNS = 3


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with bench_server(tmp_path_factory.mktemp("bench")) as subject:
        yield subject


def least(measure: Callable[[], list[Measurement]], budget: float) -> Measurement:
    """The first run within the budget and without a lost packet, else the best of all."""
    runs: list[Measurement] = []
    while len(runs) < RUNS:
        runs += measure()
        if _ratio(runs[-1]) <= budget and not runs[-1].lost:
            return runs[-1]
    return min(runs, key=lambda run: (run.lost, _ratio(run)))


def _ratio(measurement: Measurement) -> float:
    assert measurement.ratio is not None
    return measurement.ratio


def test_a_registration_stays_within_its_budget(subject: Subject) -> None:
    budget = BUDGETS["register"]["units"]
    found = least(lambda: work.register(subject, rate=400, seconds=3), budget)
    assert _ratio(found) <= budget, found


def test_a_call_stays_within_its_budget(subject: Subject) -> None:
    """At 100 a second the server sleeps between the messages: judged by who is woken as often, in the same seconds."""

    def measured() -> list[Measurement]:
        with ThreadPoolExecutor(1) as beside:
            woken = beside.submit(woken_us)
            [call] = work.calls(subject, rate=100, seconds=2)
            return [replace(call, ratio=call.value * 1e3 / woken.result(), reference="wakings")]

    budget = BUDGETS["call"]["wakings"]
    found = least(measured, budget)
    assert _ratio(found) <= budget, found


def test_relaying_a_packet_stays_within_its_budget(subject: Subject) -> None:
    budget = BUDGETS["relay"]["floors"]
    found = least(lambda: work.relay(subject, count=100, seconds=2), budget)
    assert _ratio(found) <= budget, found
    assert found.lost == 0, found


def test_a_relayed_packet_is_not_lost_and_comes_in_time(subject: Subject) -> None:
    budget, runs = BUDGETS["delay"], list[list[Measurement]]()
    for _ in range(RUNS):
        runs.append(work.delay(subject, count=100, seconds=2))
        p50, p99, _ = runs[-1]
        if p50.value <= budget["p50"] and p99.value <= budget["p99"] and not p99.lost:
            return
    pytest.fail(f"late or lost in every run: {runs}")


def test_a_member_of_a_conference_stays_within_its_budget(subject: Subject) -> None:
    budget = BUDGETS["room"]["floors"]
    found = least(lambda: mixing.room(subject, count=100, seconds=1.5), budget)
    assert _ratio(found) <= budget, found
    assert found.lost == 0, found


def test_memory_stays_within_its_budget(subject: Subject) -> None:
    _, call = work.calls_in_progress(subject, count=200, rate=200)
    [registration] = work.registration_memory(subject, contacts=4, settle_s=1.0)
    assert call.value <= BUDGETS["memory"]["call"], call
    assert registration.value <= BUDGETS["memory"]["registration"], registration
