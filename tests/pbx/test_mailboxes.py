"""What waits in mailboxes, and the lamps of the phones, also over a restart."""

import asyncio
from dataclasses import replace
from typing import Any

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import MessagesChanged, RecordingEnded
from pbx.mailboxes import HEARD, NEW, SAVED, SHORTEST_S, Mailboxes
from pbx.summaries import PAUSE_S
from sipcore.presence.mwi import MessageCounts
from storage.memory import MemoryStorage
from storage.records import Mailbox, StoredRecording
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
    def __init__(self, storage: MemoryStorage | None = None, most: int = 100) -> None:
        loop = asyncio.get_running_loop()
        self.storage, self.bus = storage or MemoryStorage(), Bus()
        clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        self.boxes = Mailboxes(self.storage.voice_messages, self.storage.mailboxes, self.bus, clock, most)
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
    rig.boxes.set(Mailbox("102", "greetings/102.wav"))
    again = Rig(rig.storage)
    assert await again.boxes.restore() == 2
    assert [each.id for each in again.boxes.messages("102")] == ["b", "a"]
    assert again.boxes.settings("102").greeting == "greetings/102.wav"
    assert again.boxes.settings("103") == Mailbox("103")
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
