"""Where legs hear each other."""

import asyncio

from media.api import JoinRoom, LeaveRoom
from pbx import cause
from pbx.bridge import Bridge
from pbx.events import BridgeEnded, BridgeFormed, BusEvent
from pbx.leg import Leg
from tests.support.fakepbx import FakePbx


async def bridged() -> tuple[FakePbx, Leg, Leg, Bridge, list[BusEvent]]:
    pbx = FakePbx("102")
    callee = await pbx.callee()
    events: list[BusEvent] = []
    pbx.bus.subscribe((BridgeFormed, BridgeEnded), events.append)
    bridge = pbx.call.connect(pbx.caller, callee)
    pbx.caller.answer(callee.media.formats_for_other_side)
    return pbx, pbx.caller, callee, bridge, events


async def test_two_legs_hear_each_other_until_one_of_them_ends() -> None:
    pbx, caller, callee, bridge, events = await bridged()
    assert pbx.engine.members(bridge.id) == {caller.media.endpoint, callee.media.endpoint}
    assert bridge.peer_of(caller) is callee
    assert bridge.peer_of(callee) is caller
    waiting = asyncio.create_task(bridge.until_one_left())
    await asyncio.sleep(1)
    assert not waiting.done()
    callee.hung_up(cause.NORMAL)
    assert await waiting is callee
    assert [type(event) for event in events] == [BridgeFormed, BridgeEnded]
    assert caller.bridge is None
    assert callee.bridge is None
    caller.hung_up(cause.NORMAL)
    bridge.close()
    assert len(events) == 2, "a bridge ends once"


async def test_closing_lets_both_go_alive() -> None:
    pbx, caller, callee, bridge, events = await bridged()
    bridge.close()
    assert pbx.engine.members(bridge.id) == set()
    assert len(pbx.engine.of(LeaveRoom)) == 2
    assert (caller.bridge, callee.bridge) == (None, None)
    assert not caller.is_ended
    assert not callee.is_ended
    assert len(events) == 2
    again = pbx.call.connect(caller, callee)
    assert pbx.engine.members(again.id) == {caller.media.endpoint, callee.media.endpoint}
    assert again.id != bridge.id


async def test_a_leg_that_has_ended_is_lost_at_once_and_nothing_is_joined() -> None:
    pbx = FakePbx("102")
    callee = await pbx.callee()
    callee.hung_up(cause.BUSY)
    bridge = pbx.call.connect(pbx.caller, callee)
    assert await bridge.until_one_left() is callee
    assert pbx.engine.of(JoinRoom) == []
    assert pbx.engine.refused == []


async def test_both_may_end_in_the_same_moment() -> None:
    _, caller, callee, bridge, events = await bridged()
    caller.hung_up(cause.NORMAL)
    callee.hung_up(cause.NORMAL)
    assert await bridge.until_one_left() is caller
    assert len(events) == 2
