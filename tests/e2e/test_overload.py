"""More work than there is time for: what was begun goes on, the rest is told when to come back, nobody is ignored."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import work
from bench.registers import Load, Registrations
from bench.site import ACCOUNTS, CALLEE, CALLEE_HOST, CALLER, CALLER_HOST, Subject, bench_server
from tests.e2e.harness import zvon
from tests.e2e.ua import Phone, connect, eventually, registered

pytestmark = pytest.mark.alone

SERVED = 20  # % of the capacity; `make bench` asks for 90, but tests share two cores with each other and the load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("overload")


@pytest.fixture(scope="module")
def subject(folder: Path) -> Iterator[Subject]:
    with bench_server(folder) as subject:
        yield subject


def _overload(folder: Path) -> dict[str, object]:
    status: dict[str, dict[str, object]] = json.loads(zvon("status", "--json", data=folder / "var").stdout)
    return status["overload"]


def test_twice_the_capacity_is_served_as_far_as_it_goes(subject: Subject, folder: Path) -> None:
    [found] = work.overload(subject, times=2, seconds=2)
    assert found.value >= SERVED, found
    assert " 0 lost" in found.note
    eventually(lambda: _overload(folder)["level"] == "nothing", "calm is back", 5)


def test_a_call_in_progress_is_not_harmed_and_a_flood_is_answered(subject: Subject, folder: Path) -> None:
    before = _overload(folder)["refused_new"]
    with (
        Phone(subject.address, CALLER, host=CALLER_HOST) as caller,
        registered(subject.address, CALLEE, host=CALLEE_HOST) as callee,
    ):
        outgoing, incoming = connect(caller, callee, ((CALLER_HOST, 7600), (CALLEE_HOST, 7600)))
        flood = Load(subject.address, ACCOUNTS, 20, 50_000, 20_000, seconds=1)
        result = Registrations(flood).run()
        outgoing.hang_up()
        incoming.expect_hang_up()
    assert (result.refused, result.unanswered) == (0, 0)
    assert result.postponed > 0
    after = _overload(folder)["refused_new"]
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert after > before
    with Phone(subject.address, CALLER, host=CALLER_HOST) as phone:
        assert phone.register().status == 200


def test_a_scanner_gets_no_answer(subject: Subject, folder: Path) -> None:
    with Phone(subject.address, CALLER) as scanner:
        scanner.send(scanner.request("OPTIONS", scanner.aor, headers=[("User-Agent", "friendly-scanner")]))
        scanner.expect_silence(0.5)
        scanner.send(scanner.request("OPTIONS", scanner.aor, headers=[("User-Agent", "Phone")]))
        scanner.expect(200)
    assert _overload(folder)["scanners_dropped"] == 1
