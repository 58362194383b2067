"""What the web process is told of bans: all at first, then what changes, as it changes."""

import asyncio

from pbx.control.clerk import BorderView, WatchBorder
from pbx.web_border import WebBorder
from tests.pbx.test_border import BAD, HOME, OTHER, Rig, rule


def _banned(rig: Rig, source: str) -> bool:
    return [rig.border.failed_web(source, "wrong sign-in") for _ in range(3)][-1]


async def _after(web: WebBorder, seen: BorderView, wait_s: float = 0.0) -> BorderView:
    return await web.view(WatchBorder(seen.run, seen.seq, wait_s))


async def test_all_is_told_at_first_and_then_what_has_changed() -> None:
    rig = Rig(rules=(rule("203.0.113.0/24", web=False),))
    web = WebBorder(rig.border)
    assert _banned(rig, OTHER)
    first = await web.view(WatchBorder(refused=7))
    assert (first.is_whole, first.banned, first.networks) == (True, {OTHER: 600.0}, (("203.0.113.0/24", ("sip",)),))
    assert rig.border.dropped == 7
    rig.at += 100
    assert _banned(rig, HOME)
    second = await _after(web, first)
    assert (second.is_whole, second.banned, second.networks) == (False, {HOME: 600.0}, ())
    rig.border.let_in(OTHER)
    third = await _after(web, second)
    assert (third.banned, (await _after(web, third)).banned) == ({OTHER: 0.0}, {})
    assert (await web.view(WatchBorder("of another life", third.seq))).banned == {HOME: 600.0}


async def test_who_knows_everything_waits_until_something_happens_and_not_for_ever() -> None:
    rig = Rig()
    web = WebBorder(rig.border)
    first = await web.view(WatchBorder())
    waiting = asyncio.ensure_future(_after(web, first, 20.0))
    await asyncio.sleep(1.0)
    assert not waiting.done()
    assert _banned(rig, BAD)
    await asyncio.sleep(0)
    assert (await waiting).banned == {BAD: 600.0}
    async with asyncio.timeout(21.0):
        assert (await _after(web, await waiting, 20.0)).banned == {}


async def test_who_has_been_away_for_more_changes_than_are_kept_is_told_all() -> None:
    rig = Rig()
    web = WebBorder(rig.border, most=2)
    first = await web.view(WatchBorder())
    assert _banned(rig, BAD)
    second = await _after(web, first)
    for source in (OTHER, HOME):
        assert _banned(rig, source)
    assert not (await _after(web, second)).is_whole
    assert set((await _after(web, first)).banned) == {BAD, OTHER, HOME}
    assert (await _after(web, first)).is_whole
