"""A message can be left from every place that a call can be sent to (VM-1)."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from features.voicemail_record import BEEP
from media.api import Play
from storage.records import Forward, Group, InboundPolicy, InboundRule, Ivr, OffHours, Queue
from tests.features.test_incoming import CLIENT, DID, NUMBER, SHUT, called
from tests.support.builders import terminal
from tests.support.office import VirtualOffice

TO = "voicemail"


def number(target: str, **more: Any) -> dict[str, Any]:
    return {"number": replace(NUMBER, target=target, **more)}


def terminal_with(**forward: Any) -> dict[str, Any]:
    rules = Forward(**{"ring_time": 3, **forward})
    return {**number("101"), "terminals": (terminal("101", forward=rules), terminal("102"))}


PLACES: Mapping[str, dict[str, Any]] = {
    "an external number": number(TO),
    "an external number outside its hours": {**number("101", calendar="shut"), "calendars": (SHUT,)},
    "a rule about calls from outside": {**number(""), "rules": (InboundRule("r", target=TO),)},
    "where calls from outside go at last": {**number(""), "inbound": InboundPolicy(default=TO)},
    "a rule about off-hours": {
        **number("101"),
        "off_hours": (OffHours("night", first_time="00:00", last_time="23:59", target=TO),),
    },
    "a menu when nobody chooses": {**number("700"), "ivrs": (Ivr("700", TO, attempts=1, timeout=1),)},
    "a key of a menu": {**number("700"), "ivrs": (Ivr("700", "101", timeout=30, keys={"5": TO}),)},
    "a group that nobody answers": {
        **number("600"),
        "groups": (Group("600", members=("101",), ring_time=2, timeout_target=TO),),
    },
    "a queue after its longest wait": {
        **number("500"),
        "queues": (Queue("500", agents=("101",), max_wait=3, timeout_target=TO),),
    },
    "a queue without agents": {**number("500"), "queues": (Queue("500", empty_target=TO),)},
    "a key in a queue": {
        **number("500"),
        "queues": (Queue("500", agents=("101",), caller_hears="music", exit_keys={"5": TO}),),
    },
    "a terminal that does not answer": terminal_with(no_answer=TO),
    "a terminal that is forwarded": terminal_with(always=TO),
    "a terminal for one caller": terminal_with(callers={CLIENT: TO}),
}


async def until_speaking(office: VirtualOffice) -> None:
    """Press 5 once the caller is answered, let the tone of the mailbox end, until what is said is recorded."""
    has_pressed = False
    for _ in range(100):
        await asyncio.sleep(1)
        leg = office.leg_of(CLIENT)
        if not leg.is_answered:
            continue
        if not has_pressed:
            has_pressed = True
            office.engine.press(leg.media.endpoint, "5")
        playing = office.endpoint_of(CLIENT).play
        if [each for each in office.engine.of(Play) if each.play == playing and each.source == BEEP]:
            office.engine.finish_play(leg.media.endpoint)
            await asyncio.sleep(5)
            return
    raise AssertionError("no mailbox asks for a message")


@pytest.mark.row("VM-1")
@pytest.mark.parametrize("place", PLACES)
async def test_a_message_is_left_from(place: str) -> None:
    how = dict(PLACES[place])
    rules = how.pop("rules", ())
    async with called(*rules, **how) as (office, telco):
        call = telco.call(DID, CLIENT)
        await until_speaking(office)
        assert office.engine.recordings
        call.hangup()
        await asyncio.sleep(3)
        (message,) = office.pbx.mailboxes.all()
        assert message.from_number == CLIENT
        last = office.rows[-1]
    assert (last.stage, last.disposition, last.recording) == ("voicemail", "ANSWERED", message.id)
