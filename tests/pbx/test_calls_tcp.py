"""Calls over connections: across transports, and when a connection is lost at the worst moment."""

import asyncio

import pytest

from tests.support.builders import terminal
from tests.support.office import open_office


@pytest.mark.parametrize(("first", "second"), [("TCP", "UDP"), ("UDP", "TCP"), ("TCP", "TCP")])
async def test_phones_on_different_transports_talk(first: str, second: str) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", transport=first)
        b = await office.registered("102", transport=second)
        call, ring = await office.connect(a, b)
        call.hold()
        assert (await call.until_modified()).status == 200
        ring.hangup()
        assert await call.until_over() == 200
        for phone, transport in ((a, first), (b, second)):
            vias = {message.via.transport for message in phone.received}
            assert vias == {transport}
    assert office.row.disposition == "ANSWERED"


async def test_a_caller_whose_connection_is_lost_while_it_waits_is_gone() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101", transport="TCP"), await office.registered("102")
        a.dial("102")
        ring = await b.rung()
        ring.ring()
        await asyncio.sleep(2)
        a.stream.close()
        a.is_gone = True
        assert await ring.until_over(5) == 487
    assert office.row.answered_at is None


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_connection_that_is_lost_during_a_call_does_not_keep_it_from_ending(who: str) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a = await office.registered("101", transport="TCP")
        b = await office.registered("102", transport="TCP")
        call, ring = await office.connect(a, b)
        lost, other = (a, ring) if who == "caller" else (b, call)
        lost.stream.close()
        lost.is_gone = True
        await asyncio.sleep(5)
        assert not other.is_over, "the conversation needs no connection: media goes on"
        other.hangup()
        await other.until_over()
        await asyncio.sleep(5)
        assert office.pbx.calls == {}
    assert office.row.disposition == "ANSWERED"


async def test_a_callee_whose_connection_is_lost_while_it_rings_is_unreachable() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102", transport="TCP")
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await call.until_ringing()
        b.stream.close()
        b.is_gone = True
        assert await call.until_over(40) == 480
    assert office.row.disposition == "FAILED"
