"""The garbage collector: what is left of calls needs none, and it looks through everything only when it may."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from pbx.collector import ENOUGH, TOO_MUCH, YOUNG, Collector
from tests.support.builders import terminal
from tests.support.office import open_office


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.parametrize(
    ("since", "is_quiet", "looked"),
    [(ENOUGH - 1, True, False), (ENOUGH, True, True), (TOO_MUCH - 1, False, False), (TOO_MUCH, False, True)],
)
def test_everything_is_looked_through_while_nothing_is_in_progress_or_after_hours(
    since: int, is_quiet: bool, looked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[None] = []
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, since))
    monkeypatch.setattr(gc, "collect", lambda: collected.append(None))
    assert Collector.look(is_quiet=is_quiet) is looked
    assert bool(collected) is looked


def test_old_objects_are_not_looked_through_by_themselves() -> None:
    Collector.begin()
    assert gc.get_threshold()[0] == YOUNG
    assert gc.get_freeze_count()
    before = gc.get_stats()[2]["collections"]
    kept = [[index] for index in range(40 * YOUNG)]
    assert gc.get_stats()[2]["collections"] == before
    assert len(kept) == 40 * YOUNG


def test_nothing_is_looked_through_while_the_process_is_loaded() -> None:
    Collector.rest()
    try:
        before = [each["collections"] for each in gc.get_stats()]
        kept = [[index] for index in range(40 * YOUNG)]
        assert [each["collections"] for each in gc.get_stats()] == before
        assert len(kept) == 40 * YOUNG
    finally:
        Collector.begin()
    assert gc.isenabled()


async def test_it_looks_every_minute_until_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(Collector, "look", staticmethod(lambda *, is_quiet: asked.append(is_quiet)))
    task = asyncio.ensure_future(Collector().run(lambda: True))
    await asyncio.sleep(150)
    task.cancel()
    assert asked == [True, True]


async def test_an_ended_call_leaves_nothing_for_it() -> None:
    """Hundreds of calls a second would otherwise wait in memory for a look through everything."""
    async with open_office(terminal("101"), terminal("102")) as office:
        caller, callee = await office.registered("101"), await office.registered("102")
        gc.collect()
        gc.disable()
        try:
            call, _ = await office.connect(caller, callee)
            leg_ids = {id(leg) for leg in office.services.legs.values()}
            await asyncio.sleep(1)
            call.hangup()
            await asyncio.sleep(70)  # until its transactions are forgotten
            kinds = {type(each).__name__ for each in gc.get_objects() if id(each) in leg_ids}
        finally:
            gc.enable()
    assert "Leg" not in kinds
