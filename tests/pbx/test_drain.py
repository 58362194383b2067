"""Stopping: no new calls, those in progress may end by themselves, what is left is ended."""

import asyncio

import pytest

from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall


async def in_call(office: VirtualOffice) -> tuple[PhoneCall, PhoneCall]:
    a, b = await office.registered("101"), await office.registered("102")
    return await office.connect(a, b)


NUMBERS = ("101", "102", "103")


async def test_while_draining_new_calls_are_refused_and_those_in_progress_go_on() -> None:
    async with open_office(*map(terminal, NUMBERS)) as office:
        call, ring = await in_call(office)
        c = await office.registered("103")
        draining = asyncio.create_task(office.pbx.drain(30))
        await asyncio.sleep(1)
        refused = c.dial("102")
        assert await refused.until_over() == 503
        assert refused.ended is not None
        assert refused.ended.response is not None
        assert refused.ended.response.headers.get("retry-after") == "10"
        call.hold()
        assert (await call.until_modified()).status == 200
        assert office.pbx.describe()["draining"] is True
        assert not draining.done()
        call.hangup()
        await ring.until_over()
        await draining
        assert (await c.register()).status == 200, "phones stay registered"


async def test_draining_ends_when_its_time_is_over_and_calls_go_on_until_they_are_ended() -> None:
    async with open_office(*map(terminal, NUMBERS)) as office:
        call, ring = await in_call(office)
        began = office.clock.now()
        await office.pbx.drain(30)
        assert office.clock.now() - began == pytest.approx(30)
        assert not call.is_over
        await office.pbx.end_all()
        assert office.pbx.calls == {}
        assert await call.until_over() == 200
        assert await ring.until_over() == 200
    assert office.row.cause == "shutdown"


async def test_draining_an_idle_server_is_over_at_once() -> None:
    async with open_office(*map(terminal, NUMBERS)) as office:
        began = office.clock.now()
        await office.pbx.drain(30)
        await office.pbx.end_all()
        assert office.clock.now() == began


async def test_ending_all_calls_includes_those_that_ring_and_those_that_wait_for_the_engine() -> None:
    async with open_office(*map(terminal, NUMBERS)) as office:
        call, ring = await in_call(office)
        c, d = await office.registered("103"), await office.registered("103", "10.0.7.7")
        ringing = c.dial("10003246")
        office.engine.answer_after_s = 2.0
        await asyncio.sleep(0.5)
        await office.pbx.end_all()
        assert office.pbx.calls == {}
        assert await ringing.until_over() == 503
        await call.until_over()
        await ring.until_over()
        assert not d.is_ringing


async def test_two_drains_and_an_end_do_not_disturb_each_other() -> None:
    async with open_office(*map(terminal, NUMBERS)) as office:
        call, ring = await in_call(office)
        drains = [asyncio.create_task(office.pbx.drain(30)) for _ in range(2)]
        await asyncio.sleep(1)
        drains[0].cancel()
        await office.pbx.end_all()
        await drains[1]
        await call.until_over()
        await ring.until_over()
