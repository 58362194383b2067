"""Calls that come to a mailbox, with real phones on the virtual network: what history, lamps and callers learn."""

import asyncio

import pytest

from pbx.summaries import PAUSE_S
from storage.records import Forward, Office, VoicemailBox
from tests.features.test_forwarding import office_of, phones
from tests.pbx.test_summaries import answering, told
from tests.support.office import VirtualOffice, open_office
from tests.support.ua import Phone, PhoneCall

RULES = Forward(no_answer="voicemail", busy="voicemail", unavailable="voicemail", ring_time=10)
BOXES = Office("Test", voicemail_boxes=(VoicemailBox("102"),))


async def speaking(office: VirtualOffice, caller: Phone) -> PhoneCall:
    """The caller has heard the greeting and the tone, and speaks."""
    call = caller.dial("102")
    await until_recorded(office, call)
    return call


async def until_recorded(office: VirtualOffice, call: PhoneCall) -> None:
    await call.until_answered()
    await asyncio.sleep(3)  # the greeting
    office.engine.finish_play(office.leg_of(call.phone.number).media.endpoint)  # the tone
    await asyncio.sleep(5)
    assert office.engine.recordings


@pytest.mark.row("VM-4")
async def test_a_message_is_in_the_history_of_a_call_that_somebody_has_missed() -> None:
    async with open_office(*office_of(t102=RULES), office=BOXES) as office:
        a, b = await phones(office, "101", "102")
        answering(b, 200)
        call = a.dial("102")
        ring = await b.rung()
        ring.ring()
        assert await ring.until_over() == 487
        await until_recorded(office, call)
        call.hangup()
        await asyncio.sleep(3)
        (message,) = office.pbx.mailboxes.messages("102")
    missed, left = office.rows
    assert (missed.to_number, missed.disposition, missed.stage, missed.recording) == ("102", "NOANSWER", "dial", "")
    assert (left.disposition, left.stage, left.recording) == ("ANSWERED", "voicemail", message.id)
    assert left.linkedid == missed.linkedid == message.linkedid
    assert left.answered_at is not None


async def test_the_lamp_is_lit_by_a_message_and_goes_out_when_it_was_heard() -> None:
    async with open_office(*office_of(t102=Forward(always="voicemail")), office=BOXES) as office:
        a, b = await phones(office, "101", "102")
        answering(b, 200)
        call = await speaking(office, a)
        call.hangup()
        await asyncio.sleep(2 * PAUSE_S)
        assert told(b)[-1] == "yes"
        visit = b.dial("*001")
        await visit.until_answered()
        endpoint = office.leg_of("102").media.endpoint
        await asyncio.sleep(3)  # how many there are
        office.engine.press(endpoint, "1")
        await asyncio.sleep(3)  # where it comes from
        office.engine.finish_play(endpoint)
        await asyncio.sleep(1)
        visit.hangup()
        await asyncio.sleep(2 * PAUSE_S)
        assert told(b)[-1] == "no"
        assert office.pbx.mailboxes.counts("102").old == 1


async def test_a_busy_and_an_absent_terminal_send_their_callers_there_too() -> None:
    async with open_office(*office_of(t102=RULES), office=BOXES) as office:
        (a,) = await phones(office, "101")
        call = await speaking(office, a)
        call.hangup()
        await asyncio.sleep(3)
        (b,) = await phones(office, "102")
        answering(b, 200)
        call = a.dial("102")
        (await b.rung()).reject(486)
        await call.until_answered()
        call.hangup()
        await asyncio.sleep(3)
        assert len(office.pbx.mailboxes.messages("102")) == 1, "who hangs up at the greeting has left nothing"
