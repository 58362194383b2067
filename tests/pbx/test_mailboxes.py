"""What waits in mailboxes, and the lamps of the phones, also over a restart."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import MessagesChanged, RecordingEnded
from pbx.mailbox_settings import LOCKED_S, MOST_WRONG, MailboxSettings, is_weak
from pbx.mailboxes import COMMON, HEARD, NEW, SAVED, SHORTEST_S, Mailboxes, box_for, own_box
from pbx.summaries import PAUSE_S
from sipcore.presence.mwi import MessageCounts
from storage.memory import MemoryStorage
from storage.records import Office, StoredRecording, VoicemailBox
from tests.pbx.test_summaries import answering, desk_phone, told
from tests.support.builders import terminal
from tests.support.office import WALL_AT_START, open_office

CALLER = terminal("101")


def message(id: str, mailbox: str = "102", seconds: float = 9.0, **values: Any) -> RecordingEnded:
    """Somebody has left a message."""
    entry = StoredRecording(
        id, "c1", "zvon-1.1", WALL_AT_START, "+74951234567", mailbox, "Иван", "message", "done", seconds
    )
    return RecordingEnded(WALL_AT_START, "c1", 1, f"{id}.wav", seconds, "finished", replace(entry, **values))


class Rig:
    def __init__(self, storage: MemoryStorage | None = None, most: int = 100, folder: Path = Path("greetings")) -> None:
        loop = asyncio.get_running_loop()
        self.storage, self.bus = storage or MemoryStorage(), Bus()
        clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        settings = MailboxSettings(self.storage.mailboxes, folder, clock.now)
        self.boxes = Mailboxes(self.storage.voice_messages, settings, Path("recordings"), self.bus, clock, most)
        self.told: list[str] = []
        self.bus.subscribe([MessagesChanged], lambda event: self.told.append(getattr(event, "number", "")))


async def test_a_message_waits_until_it_is_heard_and_stays_until_it_is_deleted() -> None:
    rig = Rig()
    rig.bus.publish(message("a"))
    rig.bus.publish(message("b"))
    rig.bus.publish(message("c", mailbox="103"))
    boxes = rig.boxes
    assert boxes.counts("102") == MessageCounts(new=2)
    first, second = boxes.messages("102")
    assert (first.id, first.from_number, first.from_name, first.seconds) == ("a", "+74951234567", "Иван", 9.0)
    boxes.mark(first, HEARD)
    assert boxes.counts("102") == MessageCounts(new=1, old=1)
    assert [each.id for each in boxes.messages("102")] == ["b", "a"]
    boxes.mark(second, SAVED)
    boxes.mark(second, NEW)
    assert boxes.needed() == {"a", "b", "c"}
    boxes.delete(first)
    boxes.delete(first)
    boxes.mark(first, HEARD)
    assert boxes.counts("102") == MessageCounts(new=1)
    assert rig.told == ["102", "102", "103", "102", "102", "102", "102"]
    assert boxes.describe() == {"mailboxes": 2, "messages": 2, "new": 2}


async def test_what_is_no_message_is_not_kept() -> None:
    rig = Rig()
    rig.bus.publish(message("short", seconds=SHORTEST_S / 2))
    rig.bus.publish(message("talk", kind="call"))
    rig.bus.publish(message("lost", state="failed"))
    rig.bus.publish(replace(message("passing"), entry=None))
    assert rig.boxes.counts("102") == MessageCounts()
    assert await rig.storage.voice_messages.load() == []


async def test_a_full_box_takes_no_more() -> None:
    rig = Rig(most=2)
    for id in "abc":
        rig.bus.publish(message(id))
    assert rig.boxes.is_full("102")
    assert [each.id for each in rig.boxes.messages("102")] == ["a", "b"]
    assert not rig.boxes.is_full("103")


async def test_messages_and_what_the_owner_has_set_are_there_after_a_restart() -> None:
    rig = Rig()
    rig.bus.publish(message("b"))
    rig.bus.publish(message("a", started_at=WALL_AT_START + 5))
    again = Rig(rig.storage)
    assert await again.boxes.restore() == 2
    assert [each.id for each in again.boxes.messages("102")] == ["b", "a"]
    assert again.told == ["102"]


async def test_the_lamp_of_a_phone_follows_its_mailbox() -> None:
    async with open_office(CALLER, terminal("102")) as office:
        phone = await desk_phone(office)
        office.bus.publish(message("a"))
        await asyncio.sleep(2 * PAUSE_S)
        assert b"Voice-Message: 1/0" in phone.requests("NOTIFY")[-1].body
        office.pbx.mailboxes.mark(office.pbx.mailboxes.messages("102")[0], HEARD)
        await asyncio.sleep(2 * PAUSE_S)
        assert told(phone) == ["yes", "no"]


async def test_a_lamp_that_missed_a_change_is_set_right_after_a_restart() -> None:
    storage = MemoryStorage()
    async with open_office(CALLER, terminal("102"), storage=storage) as office:
        await desk_phone(office)
        office.bus.publish(message("a"))  # and the server ends before the phone hears of it
    async with open_office(CALLER, terminal("102"), storage=storage) as office:
        phone = office.phone("102", "10.0.5.9")
        answering(phone, 200)
        await office.location.restore()
        await office.pbx.restore()
        await asyncio.sleep(2 * PAUSE_S)
        assert told(phone) == ["yes"]


def test_messages_of_a_number_without_a_box_go_to_the_common_one() -> None:
    anna, off = VoicemailBox("102", pin="1234"), VoicemailBox("103", disabled=True)
    office = Office(voicemail_boxes=(anna, off))
    assert box_for(office, "102", "500") == anna
    assert box_for(office, "500", "102") == anna
    assert box_for(office, "500") == VoicemailBox(COMMON)
    assert box_for(office, "103") is None
    assert own_box(office, "500") is None
    common = VoicemailBox(COMMON, email="all@example.com")
    assert box_for(Office(voicemail_boxes=(common,)), "500") == common


# --- what owners set ------------------------------------------------------------------------------------------------


async def test_a_pin_that_was_set_by_phone_counts_until_the_office_changes_its_own() -> None:
    rig = Rig()
    settings, box = rig.boxes.settings, VoicemailBox("102", pin="1234")
    assert settings.has_pin(box)
    assert settings.pin_is_right(box, "1234")
    settings.change_pin(box, "8642")
    assert not settings.pin_is_right(box, "1234")
    again = Rig(rig.storage).boxes.settings
    await again.restore()
    assert again.pin_is_right(box, "8642")
    changed = VoicemailBox("102", pin="5555")
    assert not again.pin_is_right(changed, "8642")
    assert again.pin_is_right(changed, "5555")
    (stored,) = await rig.storage.mailboxes.load()
    assert "8642" not in stored.pin + repr(stored)


async def test_a_box_without_a_pin_lets_nobody_in_by_one() -> None:
    settings, box = Rig().boxes.settings, VoicemailBox("102")
    assert not settings.has_pin(box)
    assert not settings.pin_is_right(box, "")
    settings.change_pin(box, "8642")
    assert settings.pin_is_right(box, "8642")


async def test_who_guesses_pins_is_locked_out_for_a_while() -> None:
    rig = Rig()
    settings, box = rig.boxes.settings, VoicemailBox("102", pin="1234")
    for _ in range(MOST_WRONG - 1):
        assert not settings.pin_is_right(box, "0000")
    assert settings.pin_is_right(box, "1234"), "the right one begins anew"
    for _ in range(MOST_WRONG):
        assert not settings.pin_is_right(box, "0000")
    assert not settings.pin_is_right(box, "1234")
    assert settings.pin_is_right(VoicemailBox("103", pin="1"), "1"), "others are not concerned"
    await asyncio.sleep(LOCKED_S)
    assert settings.pin_is_right(box, "1234")


async def test_a_greeting_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    rig = Rig(folder=tmp_path)
    settings = rig.boxes.settings
    assert settings.greeting("102") is None
    first, second = settings.greeting_path("102"), settings.greeting_path("102")
    for path in (first, second):
        path.touch()
        settings.set_greeting("102", path)
    assert settings.greeting("102") == second
    assert os.listdir(tmp_path) == [second.name]
    again = Rig(rig.storage, folder=tmp_path)
    await again.boxes.restore()
    assert again.boxes.settings.greeting("102") == second
    again.boxes.settings.set_greeting("102", None)
    assert again.boxes.settings.greeting("102") is None
    assert os.listdir(tmp_path) == []


def test_weak_pins_are_known() -> None:
    assert [is_weak(pin) for pin in ("", "123", "1111", "1234", "48151623")] == [True, True, True, False, False]
