"""Calls that last for hours, and phones that go away without a word (RFC 4028)."""

import asyncio

import pytest

from media.api import Direction
from sipcore.stack import StackConfig
from tests.support.builders import direction_of, sdp, terminal
from tests.support.callers import without_update
from tests.support.office import open_office
from tests.support.ua import Phone, PhoneCall
from tests.support.wire import PERFECT, Faults

TIMERS = StackConfig(session_expires_s=1800)


def refreshes(phone: Phone) -> list[str]:
    """The session intervals that were asked of the phone after the call began."""
    invites = [each for method in ("INVITE", "UPDATE") for each in phone.requests(method) if each.to.tag]
    return [each.headers.get("session-expires") or "" for each in invites]


async def talk_for(hours: float, *sides: PhoneCall) -> None:
    await asyncio.sleep(hours * 3600)
    assert not any(side.is_over for side in sides)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_call_is_refreshed_on_both_legs_for_hours(method: str) -> None:
    async with open_office(terminal("101"), terminal("102"), stack=TIMERS) as office:
        a, b = await office.registered("101"), await office.registered("102", transport="TCP")
        if method == "INVITE":
            without_update(a.stack, b.stack)
        call, ring = await office.connect(a, b)
        await talk_for(12, call, ring)
        assert 45 <= len(refreshes(a)) <= 49
        assert 45 <= len(refreshes(b)) <= 49
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()
    assert office.row.disposition == "ANSWERED"


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_phone_that_goes_away_silently_is_noticed_and_the_call_ends_for_both(who: str) -> None:
    async with open_office(terminal("101"), terminal("102"), stack=TIMERS) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        gone, other = (a, ring) if who == "caller" else (b, call)
        started = asyncio.get_running_loop().time()
        office.unplug(gone)
        await other.until_over(3600)
        assert asyncio.get_running_loop().time() - started == pytest.approx(932, abs=5)
        assert office.pbx.calls == {}
    assert office.row.disposition == "ANSWERED"


async def test_a_refresh_leaves_a_call_on_hold() -> None:
    async with open_office(terminal("101"), terminal("102"), stack=TIMERS) as office:
        a, b = await office.registered("101"), await office.registered("102")
        without_update(a.stack, b.stack)
        call, ring = await office.connect(a, b)
        call.hold()
        await call.until_modified()
        await asyncio.sleep(2000)
        (offer, *_) = [each.body for each in a.requests("INVITE") if each.to.tag]
        assert direction_of(offer).name == "RECVONLY"
        assert office.leg_of("101").held
        assert office.endpoint_of("102").play is not None
        call.hangup()
        await ring.until_over()


async def test_a_phone_that_moved_says_so_when_it_is_refreshed() -> None:
    async with open_office(terminal("101"), terminal("102"), stack=TIMERS) as office:
        a, b = await office.registered("101"), await office.registered("102")
        without_update(a.stack, b.stack)
        call, ring = await office.connect(a, b)
        ring.answers_offers = False
        await asyncio.sleep(905)
        ring._do(lambda now: ring.on.accept_offer(sdp("10.0.9.9", 7000, ("PCMA",), version=9), now))
        await asyncio.sleep(1)
        spec = office.endpoint_of("102").spec
        assert spec is not None
        assert (spec.remote.host, spec.remote.port) == ("10.0.9.9", 7000)
        assert spec.direction is Direction.SENDRECV
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("seed", range(4))
async def test_a_long_call_survives_a_network_that_loses_every_fifth_packet(seed: int, method: str) -> None:
    faults = Faults(loss=0.2, copies=0.1, delay_s=(0.001, 0.2))
    async with open_office(terminal("101"), terminal("102"), stack=TIMERS, seed=seed) as office:
        a, b = await office.registered("101"), await office.registered("102")
        if method == "INVITE":
            without_update(a.stack, b.stack)
        call, ring = await office.connect(a, b)
        office.wire.faults = faults
        await talk_for(8, call, ring)
        assert len(refreshes(a)) >= 15
        assert len(refreshes(b)) >= 15
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        office.wire.faults = PERFECT
        await asyncio.sleep(120)
        call.hangup()
        await ring.until_over()
    assert office.row.disposition == "ANSWERED"
    assert office.row.talk_seconds >= 8 * 3600
