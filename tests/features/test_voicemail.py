"""Somebody leaves a message."""

import asyncio
from dataclasses import replace

import pytest

from features.voicemail import Voicemail
from media.api import StartRecording
from pbx import cause
from pbx.mailboxes import SHORTEST_S
from pbx.party import Party, PartyKind
from storage.records import Office, Sound, VoicemailBox, VoicemailPolicy, VoiceMessage
from tests.support.ear import Ear
from tests.support.fakepbx import FakePbx

BOX = VoicemailBox("102", pin="1234")


def calling(*boxes: VoicemailBox, to: str = "102", previous: str = "") -> tuple[FakePbx, Ear]:
    """101 comes to the voicemail of a number."""
    pbx = FakePbx(to)
    pbx.office = Office("Test", voicemail_boxes=boxes)
    if previous:
        pbx.call.previous = Party(PartyKind.TERMINAL, previous)
    pbx.start(Voicemail())
    return pbx, Ear(pbx)


def left(pbx: FakePbx, number: str = "102") -> list[VoiceMessage]:
    return list(pbx.mailboxes.messages(number))


@pytest.mark.row("VM-2")
async def test_a_message_is_what_is_said_after_the_tone_within_the_limits_of_the_office() -> None:
    pbx, ear = calling(BOX)
    await ear.hear("voicemail-leave")
    start = await ear.recorded()
    assert (start.max_s, start.max_silence_s, start.format) == (120.0, 10.0, "wav")
    assert start.path.endswith(".wav")
    assert ear.said == ["en:voicemail-leave", "tone"]
    pbx.engine.end_recording(start.recording, duration_ms=9000)  # silence, or two minutes
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert ear.said[-2:] == ["en:voicemail-saved", "en:call-goodbye"]
    (message,) = left(pbx)
    assert (message.seconds, message.from_number, message.state) == (9.0, "101", "new")
    assert start.path.endswith(f"/{message.id}.wav")


async def test_the_limits_are_those_of_the_document() -> None:
    pbx, ear = calling(BOX)
    pbx.office = replace(pbx.office, voicemail=VoicemailPolicy(max_length=30, max_silence=5))
    start = await ear.recorded()
    assert (start.max_s, start.max_silence_s) == (30, 5)
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()


async def test_the_pound_key_ends_it_and_other_keys_do_not() -> None:
    pbx, ear = calling(BOX)
    await ear.recorded()
    ear.press("12*")
    await asyncio.sleep(5)
    assert pbx.engine.recordings
    ear.press("#")
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert len(left(pbx)) == 1


async def test_who_hangs_up_while_speaking_has_left_what_was_said() -> None:
    pbx, ear = calling(BOX)
    await ear.recorded()
    await asyncio.sleep(3)
    pbx.caller.hung_up(cause.NORMAL)
    assert await pbx.until_ended() == cause.NORMAL
    await asyncio.sleep(1)
    assert len(left(pbx)) == 1


async def test_any_key_ends_the_greeting() -> None:
    pbx, ear = calling(BOX)
    await ear.hear("voicemail-leave")
    ear.press("1")
    await ear.recorded()
    assert ear.said == ["en:voicemail-leave", "tone"]
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()


async def test_who_says_nothing_is_asked_once_more() -> None:
    pbx, ear = calling(BOX)
    for _ in range(2):
        start = await ear.recorded()
        pbx.engine.end_recording(start.recording, duration_ms=round(SHORTEST_S * 1000) - 1)
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert ear.said.count("en:voicemail-too-short") == 2
    assert left(pbx) == []


async def test_a_full_box_says_so_and_takes_nothing() -> None:
    pbx, ear = calling(BOX)
    pbx.mailboxes._most = 0
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert ear.said == ["en:voicemail-full", "en:call-goodbye"]
    assert pbx.engine.of(StartRecording) == []


async def test_the_owner_s_greeting_comes_first_then_that_of_the_office() -> None:
    pbx, ear = calling(replace(BOX, greeting="hello"))
    pbx.office = replace(pbx.office, sounds=(Sound("hello", "/sounds/hello.wav"),))
    await ear.recorded()
    assert ear.said == ["/sounds/hello.wav", "tone"]
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()
    pbx, ear = calling(replace(BOX, greeting="hello"))
    own = pbx.mailboxes.settings.greeting_path("102")
    pbx.mailboxes.settings.set_greeting("102", own)
    await ear.recorded()
    assert ear.said == [str(own), "tone"]
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()


async def test_a_box_that_is_switched_off_takes_no_call() -> None:
    pbx, _ = calling(replace(BOX, disabled=True))
    assert await pbx.until_ended() == cause.UNAVAILABLE
    assert pbx.caller_side.verbs == ["reject"]


@pytest.mark.parametrize(
    ("to", "previous", "box"),
    [
        ("102", "", "102"),
        ("102", "103", "102"),  # forwarded by a number without a box
        ("500", "102", "102"),  # a queue's number was dialled, it came to 102
        ("500", "103", "voicemail"),
        ("74951234567", "700", "74951234567"),
    ],
)
async def test_the_box_is_that_of_who_sent_the_caller_here_or_of_who_was_dialled(
    to: str, previous: str, box: str
) -> None:
    pbx, ear = calling(BOX, VoicemailBox("74951234567"), to=to, previous=previous)
    await ear.recorded()
    ear.press("#")
    await ear.hear_all()
    assert len(left(pbx, box)) == 1


async def test_a_recording_that_cannot_be_made_is_told() -> None:
    pbx, ear = calling(BOX)
    start = await ear.recorded()
    pbx.engine.end_recording(start.recording, "/rec cannot be written: the disk is full.", duration_ms=0)
    await ear.hear_all()
    assert await pbx.until_ended() == cause.SERVER_ERROR
    assert ear.said[-1] == "en:call-error"


async def test_what_was_said_before_the_disk_was_full_is_kept() -> None:
    pbx, ear = calling(BOX)
    start = await ear.recorded()
    pbx.engine.end_recording(start.recording, "/rec cannot be written: the disk is full.", duration_ms=5000)
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert [message.seconds for message in left(pbx)] == [5.0]


async def test_the_owner_comes_in_from_outside_with_the_star_key_and_the_pin() -> None:
    pbx, ear = calling(BOX)
    await ear.hear("voicemail-leave")
    ear.press("*")
    await ear.hear("voicemail-enter-pin")
    ear.press("1234#")
    await ear.hear("voicemail-menu")
    ear.press("#")
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert "tone" not in ear.said
