"""Who may reach the web, as the server tells the web process (SEC-18): `web.border` over a real control socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pbx.control.link import ControlLink
from pbx.control.messages import Request
from tests.support.api import bare_api
from tests.support.polling import eventually
from web import border as module
from web.border import Border
from web.core import Core

BAD = "203.0.113.66"
WRONG = "wrong sign-in"


@asynccontextmanager
async def watched(core: Core) -> AsyncIterator[Border]:
    """A border that the server tells everything."""
    found = Border(core)
    task = asyncio.ensure_future(found.watch())
    await eventually(lambda: found._is_current)
    try:
        yield found
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_request_asks_nobody_and_bans_are_told_as_they_begin_and_end(tmp_path: Path) -> None:
    async with bare_api(tmp_path) as api, watched(api.core) as border:
        asked: list[Request] = []
        ask = api.core.link.ask

        async def counted(request: Request, *more: object) -> object:
            asked.append(request)
            return await ask(request, *more)  # type: ignore[arg-type]

        api.core.link.ask = counted  # type: ignore[assignment, method-assign]
        for _ in range(100):
            assert not await border.refuses(BAD)
        assert asked == []
        for _ in range(20):
            api.server.border.failed_web(BAD, WRONG)
        await eventually(lambda: BAD in border._until)
        assert await border.refuses(BAD)
        api.server.border.let_in(BAD)
        await eventually(lambda: BAD not in border._until)
        assert not await border.refuses(BAD)
        assert all(type(each).__name__ == "WatchBorder" for each in asked)
        assert len(asked) <= 3


async def test_the_failure_that_bans_an_address_counts_before_its_own_answer(tmp_path: Path) -> None:
    async with bare_api(tmp_path) as api, watched(api.core) as border:
        for _ in range(19):
            await border.count(BAD, WRONG)
        assert not await border.refuses(BAD)
        await border.count(BAD, WRONG)
        assert await border.refuses(BAD)


async def test_what_was_told_stays_in_force_while_the_server_is_away_and_another_server_tells_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    link = ControlLink(tmp_path)
    core = Core(link, tmp_path)
    async with bare_api(tmp_path) as api:
        for _ in range(20):
            api.server.border.failed_web(BAD, WRONG)
        async with watched(core) as border:
            assert await border.refuses(BAD)
    async with watched_while_away(border):
        assert await border.refuses(BAD), "nobody answers"
        assert not await border.refuses("198.51.100.1")
        async with bare_api(tmp_path):
            await eventually(lambda: BAD not in border._until)
    await link.close()


@asynccontextmanager
async def watched_while_away(border: Border) -> AsyncIterator[None]:
    border._is_current = False
    task = asyncio.ensure_future(border.watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_while_the_server_cannot_tell_each_request_asks(tmp_path: Path) -> None:
    async with bare_api(tmp_path) as api:
        border = Border(api.core)
        assert not await border.refuses(BAD)
        for _ in range(20):
            api.server.border.failed_web(BAD, WRONG)
        assert await border.refuses(BAD)
        assert await border.refuses(BAD)
        await border._ask(0.0)
        assert api.server.border.dropped == 2
