"""The app behind terminals, alone."""

import asyncio

from features.terminal_call import TerminalCall
from pbx import cause
from pbx.dial import DialOutcome
from tests.support.builders import codecs_of, terminal
from tests.support.fakepbx import FakePbx, ScriptedSide


def verbs(side: object) -> list[str]:
    assert isinstance(side, ScriptedSide)
    return side.verbs


async def test_both_talk_until_the_callee_hangs_up() -> None:
    pbx = FakePbx("102", terminal("102"))
    callee = await pbx.callee()
    pbx.outcomes.append(DialOutcome(callee, cause.NORMAL))
    pbx.start(TerminalCall(terminal("102")))
    await asyncio.sleep(5)
    assert verbs(pbx.caller_side) == ["answer"]
    (sdp,) = pbx.caller_side.of("answer")
    assert isinstance(sdp, bytes)
    assert codecs_of(sdp) == ["PCMA", "telephone-event"]
    assert pbx.engine.hears(pbx.caller.media.endpoint) == callee.media.endpoint
    callee.hung_up(cause.NORMAL)
    assert await pbx.until_ended() == cause.NORMAL
    assert verbs(pbx.caller_side) == ["answer", "end"]


async def test_the_caller_who_hangs_up_ends_the_callee() -> None:
    pbx = FakePbx("102", terminal("102"))
    callee = await pbx.callee()
    pbx.outcomes.append(DialOutcome(callee, cause.NORMAL))
    pbx.start(TerminalCall(terminal("102")))
    await asyncio.sleep(5)
    pbx.caller.hung_up(cause.NORMAL)
    assert await pbx.until_ended() == cause.NORMAL
    assert verbs(callee.side) == ["end"]
    assert pbx.engine.endpoints == {}


async def test_what_ringing_ended_with_is_told_to_the_caller() -> None:
    pbx = FakePbx("102", terminal("102"))
    pbx.outcomes.append(DialOutcome(None, cause.BUSY))
    pbx.start(TerminalCall(terminal("102")))
    assert await pbx.until_ended() == cause.BUSY
    assert pbx.rung == ["102"]
    assert pbx.caller_side.said == [("reject", cause.BUSY)]


async def test_a_terminal_that_left_the_office_in_this_moment_is_not_found() -> None:
    pbx = FakePbx("102")
    pbx.start(TerminalCall(terminal("102")))
    assert await pbx.until_ended() == cause.NOT_FOUND
    assert pbx.rung == []


async def test_a_callee_who_is_gone_before_both_are_connected_ends_the_call() -> None:
    pbx = FakePbx("102", terminal("102"))
    callee = await pbx.callee()
    callee.hung_up(cause.NORMAL)
    pbx.outcomes.append(DialOutcome(callee, cause.NORMAL))
    pbx.start(TerminalCall(terminal("102")))
    async with asyncio.timeout(10):
        assert await pbx.until_ended() == cause.NORMAL
