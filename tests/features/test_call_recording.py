"""Which conversations are recorded: real call control on the virtual network."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from features.call_recording import FEW_NOTICED, CallRecording
from media.api import PauseRecording, Play, StartRecording, StopRecording
from pbx.api import AppContext, BridgeEnded, Call
from storage.records import Features, Office, RecordingPolicy, Sound, User
from tests.features.test_transfer_codes import press
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import PhoneCall

NUMBERS = ("101", "102", "103")
PHONES = tuple(map(terminal, NUMBERS))
POLICY = RecordingPolicy()
GATEWAY = terminal("110", trust="10.0.9.9", max_calls=10)


def office_with(policy: RecordingPolicy = POLICY, **more: object) -> Office:
    return replace(Office("Test", recording=policy), **more)  # type: ignore[arg-type]


async def talked(office: VirtualOffice, seconds: float = 5.0) -> list[StartRecording]:
    a, b = [await office.registered(number) for number in ("101", "102")]
    call, ring = await office.connect(a, b)
    await asyncio.sleep(seconds)
    call.hangup()
    await ring.until_over()
    return office.engine.of(StartRecording)


async def from_outside(office: VirtualOffice, to: str = "102") -> tuple[PhoneCall, PhoneCall]:
    b = await office.registered(to)
    outside = office.phone("110", "10.0.9.9")
    call = outside.dial(to, None, extra=(("P-Asserted-Identity", "<sip:+74951234567@10.0.9.9>"),))
    ring = await b.rung()
    ring.answer()
    await call.until_answered()
    return call, ring


@pytest.mark.row("REC-1")
@pytest.mark.parametrize("enabled", [True, False])
async def test_conversations_are_recorded_unless_the_office_does_not_want_it(enabled: bool) -> None:
    async with open_office(*PHONES, office=office_with(replace(POLICY, enabled=enabled))) as office:
        assert bool(await talked(office)) is enabled
    assert bool(office.row.recording) is enabled


@pytest.mark.row("REC-6")
async def test_each_party_has_a_channel_and_the_caller_the_first() -> None:
    async with open_office(*PHONES, office=office_with(replace(POLICY, format="mp3"))) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call, ring = await office.connect(a, b)
        await asyncio.sleep(1)
        (started,) = office.engine.of(StartRecording)
        assert (started.stereo, started.format) == (True, "mp3")
        endpoints = [office.leg_of(number).media.endpoint for number in ("101", "102")]
        assert [started.endpoint, *started.others] == endpoints
        call.hangup()
        await ring.until_over()


@pytest.mark.row("REC-2")
@pytest.mark.row("REC-4")
@pytest.mark.parametrize(("internal", "recorded"), [(True, True), (False, False)])
async def test_internal_conversations_have_a_switch_of_their_own(internal: bool, recorded: bool) -> None:
    async with open_office(*PHONES, GATEWAY, office=office_with(replace(POLICY, internal=internal))) as office:
        assert bool(await talked(office)) is recorded
        before = len(office.engine.of(StartRecording))
        call, ring = await from_outside(office)
        await asyncio.sleep(3)
        assert len(office.engine.of(StartRecording)) == before + 1, "the outside is recorded in any case"
        call.hangup()
        await ring.until_over()


@pytest.mark.row("REC-4")
@pytest.mark.row("EXT-25")
@pytest.mark.parametrize("who", ["terminal", "person"])
async def test_nobody_is_recorded_with_somebody_who_is_left_out(who: str) -> None:
    ann = User("ann", "Ann", record=who != "person")
    left_out = terminal("102", owner="ann", record=who != "terminal")
    async with open_office(terminal("101"), left_out, users=[ann], office=office_with()) as office:
        assert await talked(office) == []


@pytest.mark.row("REC-5")
async def test_ringing_is_not_recorded_and_a_transfer_begins_another_file() -> None:
    async with open_office(*PHONES, office=office_with()) as office:
        a, b, c = [await office.registered(number) for number in NUMBERS]
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        await asyncio.sleep(5)
        assert office.engine.of(StartRecording) == []
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(3)
        press(office, "102", "**103#")
        new = await c.rung()
        await asyncio.sleep(2)
        assert len(office.engine.of(StopRecording)) == 1
        new.answer()
        await new.until_confirmed()
        await asyncio.sleep(3)
        first, second = office.engine.of(StartRecording)
        assert first.path != second.path
        call.hangup()
        await new.until_over()
    assert [bool(row.recording) for row in office.rows] == [True, True]
    assert office.rows[0].recording != office.rows[1].recording


@pytest.mark.row("REC-14")
async def test_a_code_records_what_is_not_recorded_and_pauses_what_is() -> None:
    features = Features(record="*1")
    policy = replace(POLICY, enabled=False)
    async with open_office(*PHONES, office=office_with(policy, features=features)) as office:
        a, b = [await office.registered(number) for number in ("101", "102")]
        call, ring = await office.connect(a, b)
        for expected in ((1, []), (1, [True]), (1, [True, False])):
            press(office, "102", "*1")
            await asyncio.sleep(4)
            pauses = [each.paused for each in office.engine.of(PauseRecording)]
            assert (len(office.engine.of(StartRecording)), pauses) == expected
        assert (office.hears("101"), office.hears("102")) == ("102", "101")
        call.hangup()
        await ring.until_over()


@pytest.mark.row("REC-9")
async def test_callers_from_outside_hear_the_notice_once_before_the_recording_begins() -> None:
    sounds = (Sound("notice", "/sounds/notice.wav"),)
    policy = replace(POLICY, notice_in="notice")
    async with open_office(*PHONES, GATEWAY, office=office_with(policy, sounds=sounds)) as office:
        call, ring = await from_outside(office)
        c = await office.registered("103")
        await asyncio.sleep(1)
        notices = [each.endpoint for each in office.engine.of(Play)]
        assert notices == [office.leg_of(number).media.endpoint for number in ("110", "102")]
        assert office.engine.of(StartRecording) == []
        for endpoint in notices:
            office.engine.finish_play(endpoint)
        await asyncio.sleep(1)
        assert len(office.engine.of(StartRecording)) == 1
        press(office, "102", "**103#")
        new = await c.rung()
        new.answer()
        await new.until_confirmed()
        await asyncio.sleep(2)
        assert len(office.engine.of(StartRecording)) == 2, "and not again after a transfer"
        call.hangup()
        await new.until_over()
        await ring.until_settled()


def test_the_end_of_a_conversation_does_not_mean_to_look_at_every_call() -> None:
    looks: list[int] = []

    class Calls(dict[str, Call]):
        def values(self) -> Any:
            looks.append(len(looks))
            return [SimpleNamespace(linkedid="living")]

    recording, ctx = CallRecording(), cast("AppContext", SimpleNamespace(calls=Calls()))
    for bridge in range(1000):
        recording._noticed |= {"living", f"ended-{bridge}"}
        recording._ended(ctx, BridgeEnded(0.0, "call", bridge))
    assert 0 < len(looks) < 30
    assert "living" in recording._noticed
    assert len(recording._noticed) <= 2 * FEW_NOTICED


@pytest.mark.row("REC-5")
async def test_a_conversation_keeps_its_recordings_through_hold_parking_pick_up_and_a_transfer_that_fails() -> None:
    async with open_office(*PHONES, office=office_with()) as office:
        a, b, c = [await office.registered(number) for number in NUMBERS]
        call = a.dial("102")
        (await b.rung()).ring()
        await asyncio.sleep(2)
        picking = c.dial("*8102")  # picked up
        await call.until_answered()
        await picking.until_answered()
        await asyncio.sleep(3)
        call.hold()
        await asyncio.sleep(10)
        call.resume()
        await asyncio.sleep(3)
        assert (len(office.engine.of(StartRecording)), len(office.engine.of(StopRecording))) == (1, 0), "hold is no end"
        press(office, "103", "*2")  # parked
        await picking.until_over()
        await asyncio.sleep(10)
        assert (len(office.engine.of(StartRecording)), len(office.engine.of(StopRecording))) == (1, 1)
        retrieving = b.dial("891")
        await retrieving.until_answered()
        await asyncio.sleep(3)
        press(office, "102", "**103#")  # refused there
        (await c.rung()).reject(486)
        back = await b.rung()
        back.answer()
        await back.until_confirmed()
        await asyncio.sleep(3)
        call.hangup()
        await back.until_over()
    files = [started.path for started in office.engine.of(StartRecording)]
    assert len(files) == len(set(files)) == 3
    kept = [row.recording for row in office.rows if row.recording]
    assert len(kept) == len(set(kept)) == 3
    assert len({row.linkedid for row in office.rows}) == 1
