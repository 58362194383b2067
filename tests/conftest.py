"""How tests run: coroutines on a virtual loop, and guards against what a test may leave behind.

`async def test_…` needs no plug-in. Marks: `real_loop` runs it on a real loop (`real_loop("uvloop")` on uvloop) and
allows sleeping, `e2e` the same for tests of real processes, `virtual_limit(seconds)` lets more virtual time pass.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbx import office_sound
from tests.support.leak import no_leaks, no_real_sleep
from tests.support.vloop import DAY_S, VirtualLoop, run_checked

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run coroutine tests; a synchronous one is left to pytest."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    run_checked(pyfuncitem.obj(**arguments), _loop_factory(pyfuncitem))
    return True


def _loop_factory(item: pytest.Function) -> LoopFactory:
    if mark := item.get_closest_marker("real_loop"):
        return _uvloop if "uvloop" in mark.args else asyncio.new_event_loop
    if item.get_closest_marker("e2e"):
        return asyncio.new_event_loop
    limit = item.get_closest_marker("virtual_limit")
    limit_s = float(limit.args[0]) if limit else DAY_S
    return lambda: VirtualLoop(limit_s=limit_s)


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


@pytest.fixture(autouse=True, scope="session")
def uvloop_globals() -> None:
    """The first uvloop of a process opens a signal pipe for ever: before the guards look."""
    _uvloop().close()


@pytest.fixture(autouse=True)
def no_installed_music(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is heard on hold does not depend on the packages of the machine."""
    monkeypatch.setattr(office_sound, "INSTALLED_MUSIC", Path("/nowhere"))


@pytest.fixture(autouse=True)
def leak() -> Iterator[None]:
    """No descriptor and no thread outlives the test; tasks and timers are checked where the loop ends."""
    with no_leaks():
        yield


@pytest.fixture(autouse=True)
def strict_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing of ours sleeps in real time, except where the test says so."""
    if request.node.get_closest_marker("real_loop") or request.node.get_closest_marker("e2e"):
        yield
        return
    with no_real_sleep():
        yield
