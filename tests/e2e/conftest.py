"""One server for the tests that only make calls; tests that stop, break or starve a server start their own."""

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e import browser, netns
from tests.e2e.harness import ZVON, Server, Site, password_of, running, terminal

CALLER, CALLEE = "127.0.0.3", "127.0.0.2"
CALLERS = ("301", "302", "303")
CALLEES = ("401", "402", "403", "404")
PEOPLE = tuple(str(number) for number in range(201, 213))


def office() -> str:
    """People with passwords, terminals trusted at one address, one terminal for a single call."""
    entries = [terminal(number, password=password_of(number), max_calls=2) for number in PEOPLE]
    entries += [terminal(number, trust=CALLER, max_calls=200) for number in CALLERS]
    entries += [terminal(number, trust=CALLEE, max_calls=200) for number in CALLEES]
    entries.append(terminal("410", trust=CALLEE, max_calls=1))
    return "\n".join(entries)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session", autouse=True)
def own_network(request: pytest.FixtureRequest) -> None:
    """Each of the processes that test side by side has a network of its own: all use the same addresses and ports. What
    is fetched from outside is fetched before."""
    if hasattr(request.config, "workerinput"):
        with contextlib.suppress(OSError):  # the tests that need it say that it is not there
            browser.script()
        netns.move_to_own()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test leaves calls: they are ended, or terminals of one call would be busy for the tests after it."""
    report = yield
    found = item.funcargs.get("server") if isinstance(item, pytest.Function) else None
    if report.when == "call" and report.failed and isinstance(found, Server) and found.process.poll() is None:
        found.hang_up_all()
    return report


# sipsak is a tool of ours here.
SIP = 'qualify = 0\nsource_rate = 300\nscanners = ["friendly-scanner"]'


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared server. It does not ask phones whether they are there: for SIPp each OPTIONS is a call of its own."""
    assert ZVON.exists(), f"{ZVON} is missing: run `make build`"
    with running(Site.write(tmp_path_factory.mktemp("server"), office(), sip=SIP)) as server:
        yield server
