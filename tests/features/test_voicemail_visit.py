"""The owner of a mailbox listens by phone."""

from dataclasses import replace
from pathlib import Path

import pytest

from features.voicemail_visit import ListenToMessages
from media.api import StartRecording
from pbx import cause
from pbx.events import RecordingEnded
from pbx.mailboxes import HEARD, SAVED
from pbx.party import Party, PartyKind
from storage.records import Office, StoredRecording, VoicemailBox
from tests.support.ear import Ear
from tests.support.fakepbx import FakePbx
from tests.support.office import WALL_AT_START

OWN = VoicemailBox("101")


def visiting(*boxes: VoicemailBox, messages: tuple[str, ...] = (), dialled: str = "") -> tuple[FakePbx, Ear]:
    """101 dials *001, and perhaps a number after it; the messages are from these numbers, one a minute."""
    pbx = FakePbx("*001")
    pbx.office = Office("Test", voicemail_boxes=boxes)
    for n, number in enumerate(messages):
        at, id = WALL_AT_START + 60 * n, f"m{n}"
        entry = StoredRecording(id, "c", "l", at, number, boxes[0].number, "", "message", "done", 9.0)
        pbx.bus.publish(RecordingEnded(at, "c", 1, f"{id}.wav", 9.0, "finished", entry))
    pbx.start(ListenToMessages(dialled))
    return pbx, Ear(pbx)


def states(pbx: FakePbx, number: str = "101") -> dict[str, str]:
    return {each.id: each.state for each in pbx.mailboxes.messages(number)}


async def leave(pbx: FakePbx, ear: Ear) -> None:
    await ear.hear("voicemail-menu")
    ear.press("#")
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert ear.said[-1] == "en:call-goodbye"


async def test_at_the_own_phone_the_messages_are_counted_and_played_with_where_they_come_from() -> None:
    pbx, ear = visiting(OWN, messages=("102", "74951234567", ""))
    said = await ear.hear("voicemail-messages-new")
    assert "en:number/3" in said
    await ear.hear("voicemail-menu")
    ear.press("1")
    assert "en:voicemail-from-extension" in await ear.hear("voicemail-first")
    await ear.hear("recordings/m0.wav")
    ear.finish()
    await ear.hear("voicemail-option-repeat")
    assert states(pbx) == {"m0": HEARD, "m1": "new", "m2": "new"}
    ear.press("6")
    said = await ear.hear("voicemail-message-number")
    assert "en:voicemail-from-number" in said
    await ear.hear("recordings/m1.wav")
    ear.press("6")
    assert "en:voicemail-from-unknown" in await ear.hear("voicemail-last")
    await ear.hear("recordings/m2.wav")
    ear.press("6")
    await ear.hear("voicemail-no-more")
    assert set(states(pbx).values()) == {HEARD}
    await leave(pbx, ear)


@pytest.mark.parametrize(
    ("new", "old", "prompt"),
    [(0, 0, "none"), (1, 0, "new"), (0, 2, "old"), (1, 2, "both")],
)
async def test_new_and_old_messages_are_counted_apart(new: int, old: int, prompt: str) -> None:
    pbx, ear = visiting(OWN, messages=("102",) * (new + old))
    for message in pbx.mailboxes.messages("101")[:old]:
        pbx.mailboxes.mark(message, HEARD)
    await ear.hear(f"voicemail-messages-{prompt}")
    await leave(pbx, ear)


async def test_a_message_is_repeated_gone_back_to_and_saved() -> None:
    pbx, ear = visiting(OWN, messages=("102", "103"))
    await ear.hear("voicemail-menu")
    ear.press("1")
    await ear.hear("recordings/m0.wav")
    ear.press("5")
    await ear.hear("recordings/m0.wav")
    ear.press("6")
    await ear.hear("recordings/m1.wav")
    ear.press("4")
    await ear.hear("recordings/m0.wav")
    ear.press("9")
    await ear.hear("voicemail-saved")
    await ear.hear("voicemail-option-repeat")
    ear.press("5")
    await ear.hear("recordings/m0.wav")
    ear.press("#")
    await ear.hear("voicemail-menu")
    assert states(pbx) == {"m0": SAVED, "m1": HEARD}
    ear.press("2")
    await ear.hear("recordings/m0.wav")
    ear.press("#")
    await leave(pbx, ear)
    assert states(pbx) == {"m0": SAVED, "m1": HEARD}


async def test_a_deleted_message_may_come_back_until_the_list_is_left() -> None:
    pbx, ear = visiting(OWN, messages=("102", "103"))
    await ear.hear("voicemail-menu")
    ear.press("1")
    await ear.hear("recordings/m0.wav")
    ear.press("7")
    await ear.hear("voicemail-deleted")
    await ear.hear("voicemail-option-undelete")
    ear.press("7")
    await ear.hear("voicemail-undeleted")
    await ear.hear("voicemail-option-delete")
    ear.press("6")
    await ear.hear("recordings/m1.wav")
    ear.press("7")
    await ear.hear("voicemail-deleted")
    assert set(states(pbx)) == {"m0", "m1"}
    await ear.hear("voicemail-option")
    ear.press("#")
    await leave(pbx, ear)
    assert set(states(pbx)) == {"m0"}


async def test_who_hangs_up_has_deleted_what_was_deleted() -> None:
    pbx, ear = visiting(OWN, messages=("102", "103"))
    await ear.hear("voicemail-menu")
    ear.press("1")
    await ear.hear("recordings/m0.wav")
    ear.press("7")
    await ear.hear("voicemail-deleted")
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()
    assert states(pbx) == {"m1": "new"}


async def test_the_caller_is_called_back() -> None:
    pbx, ear = visiting(OWN, messages=("102", ""))
    await ear.hear("voicemail-menu")
    ear.press("1")
    await ear.hear("recordings/m0.wav")
    ear.press("6")
    await ear.hear("recordings/m1.wav")
    ear.press("2")
    await ear.hear("voicemail-no-number")
    await ear.hear("voicemail-option")
    ear.press("4")
    await ear.hear("recordings/m0.wav")
    ear.press("2")
    await pbx.ended
    assert pbx.went_to == ["102"]


async def test_who_presses_nothing_is_taken_leave_of() -> None:
    pbx, ear = visiting(OWN)
    await ear.hear_all(most=2000)
    assert await pbx.until_ended() == cause.NORMAL
    assert ear.said.count("en:voicemail-menu") == 3


# --- who is let in --------------------------------------------------------------------------------------------------


async def test_a_pin_is_asked_for_three_times() -> None:
    pbx, ear = visiting(replace(OWN, pin="1234"))
    for prompt in ("enter", "wrong", "wrong"):
        await ear.hear(f"voicemail-{prompt}-pin")
        ear.press("4321#")
    await ear.hear_all()
    assert await pbx.until_ended() == cause.NORMAL
    assert ear.said[-1] == "en:call-goodbye"
    assert "en:voicemail-menu" not in ear.said


@pytest.mark.parametrize("entered", ["1234#", "1234"])
async def test_the_right_pin_opens_with_the_pound_key_or_a_pause(entered: str) -> None:
    pbx, ear = visiting(replace(OWN, pin="1234"))
    await ear.hear("voicemail-enter-pin")
    ear.press(entered)
    await leave(pbx, ear)


@pytest.mark.parametrize(("pin", "is_open"), [("1234", True), ("", False)])
async def test_another_box_is_opened_by_its_pin_and_without_one_by_nobody(pin: str, is_open: bool) -> None:
    pbx, ear = visiting(VoicemailBox("102", pin=pin), dialled="102")
    if is_open:
        await ear.hear("voicemail-enter-pin")
        ear.press("1234#")
        await leave(pbx, ear)
    else:
        await ear.hear_all()
        assert await pbx.until_ended() == cause.NORMAL
        assert ear.said == ["en:voicemail-no-mailbox", "en:call-goodbye"]


async def test_somebody_outside_who_shows_the_number_of_a_terminal_is_not_its_owner() -> None:
    pbx, ear = visiting(OWN)
    pbx.caller.party = Party(PartyKind.OUTSIDE, "101")
    await ear.hear_all()
    assert "en:voicemail-no-mailbox" in ear.said


async def test_a_phone_without_a_box_opens_the_common_one_by_its_pin() -> None:
    pbx, ear = visiting(VoicemailBox("voicemail", pin="1234"), messages=("102",))
    await ear.hear("voicemail-enter-pin")
    ear.press("1234#")
    await ear.hear("voicemail-messages-new")
    await leave(pbx, ear)
    pbx, ear = visiting()
    await ear.hear_all()
    assert ear.said == ["en:voicemail-no-mailbox"]
    assert await pbx.until_ended() == cause.NORMAL


# --- what the owner sets --------------------------------------------------------------------------------------------


async def in_settings(folder: Path, *, pin: str = "") -> tuple[FakePbx, Ear]:
    pbx, ear = visiting(replace(OWN, pin=pin))
    pbx.mailboxes.settings._folder = folder
    if pin:
        await ear.hear("voicemail-enter-pin")
        ear.press(f"{pin}#")
    await ear.hear("voicemail-menu")
    ear.press("0")
    await ear.hear("voicemail-greeting-menu")
    return pbx, ear


async def test_a_greeting_is_recorded_listened_to_and_removed(tmp_path: Path) -> None:
    pbx, ear = await in_settings(tmp_path)
    ear.press("2")
    await ear.hear("voicemail-greeting-none")
    await ear.hear("voicemail-greeting-menu")
    ear.press("1")
    await ear.hear("voicemail-greeting-record")
    first = await ear.recorded()
    ear.press("#")
    await ear.hear("voicemail-review")
    ear.press("2")
    await ear.hear(first.path)
    await ear.hear("voicemail-review")
    ear.press("3")
    second = await ear.recorded()
    ear.press("#")
    await ear.hear("voicemail-review")
    ear.press("1")
    await ear.hear("voicemail-greeting-saved")
    assert str(pbx.mailboxes.settings.greeting("101")) == second.path != first.path
    await ear.hear("voicemail-greeting-menu")
    ear.press("3")
    await ear.hear("voicemail-greeting-removed")
    assert pbx.mailboxes.settings.greeting("101") is None
    await ear.hear("voicemail-greeting-menu")
    ear.press("*")
    await leave(pbx, ear)
    assert not any(start.path for start in pbx.engine.of(StartRecording) if "recordings" in start.path)


async def test_who_hangs_up_before_accepting_leaves_the_greeting_as_it_was(tmp_path: Path) -> None:
    pbx, ear = await in_settings(tmp_path)
    ear.press("1")
    await ear.recorded()
    ear.press("#")
    await ear.hear("voicemail-review")
    pbx.caller.hung_up(cause.NORMAL)
    await pbx.until_ended()
    assert pbx.mailboxes.settings.greeting("101") is None


async def test_an_empty_greeting_is_none(tmp_path: Path) -> None:
    pbx, ear = await in_settings(tmp_path)
    ear.press("1")
    start = await ear.recorded()
    pbx.engine.end_recording(start.recording, duration_ms=0)
    await ear.hear("voicemail-too-short")
    await ear.hear("voicemail-greeting-menu")
    assert pbx.mailboxes.settings.greeting("101") is None
    ear.press("*")
    await leave(pbx, ear)


async def test_a_pin_is_changed_when_it_is_entered_twice_and_is_not_weak(tmp_path: Path) -> None:
    pbx, ear = await in_settings(tmp_path, pin="1234")
    ear.press("5")
    await ear.hear("voicemail-new-pin")
    ear.press("1111#")
    await ear.hear("voicemail-pin-weak")
    await ear.hear("voicemail-new-pin")
    ear.press("8642#")
    await ear.hear("voicemail-repeat-pin")
    ear.press("8643#")
    await ear.hear("voicemail-pins-differ")
    await ear.hear("voicemail-new-pin")
    ear.press("8642#")
    await ear.hear("voicemail-repeat-pin")
    ear.press("8642#")
    await ear.hear("voicemail-pin-changed")
    assert pbx.mailboxes.settings.pin_is_right(replace(OWN, pin="1234"), "8642")
    await ear.hear("voicemail-greeting-menu")
    ear.press("*")
    await leave(pbx, ear)
