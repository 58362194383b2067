"""Mailboxes: which there are, the voice messages that wait in each.

A message is a recording of the kind "message"; whatever way that ends (its maker hangs up, the server dies), what was
said arrives here. The recording stays in the history of the call when the message is deleted.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, CallId, MessagesChanged, RecordingEnded, VoiceMessageLeft
from pbx.mailbox_settings import MailboxSettings
from sipcore.presence.mwi import MessageCounts
from storage.ports import KeptStore
from storage.records import Office, StoredRecording, VoicemailBox, VoiceMessage

MOST = 100  # messages in one box
SHORTEST_S = 1.0  # somebody who hangs up at the tone has left nothing
NEW, HEARD, SAVED = "new", "heard", "saved"
COMMON = "voicemail"  # the service, and the box of all numbers without one of their own

log = structlog.get_logger("voicemail")


class Mailboxes:
    """All of them, by number."""

    def __init__(
        self,
        messages: KeptStore[VoiceMessage],
        settings: MailboxSettings,
        recordings: Path,
        bus: Bus,
        clock: Clock,
        most: int = MOST,
    ) -> None:
        self.settings = settings
        self._store, self._recordings, self._bus, self._clock, self._most = messages, recordings, bus, clock, most
        self._boxes: dict[str, dict[str, VoiceMessage]] = {}
        bus.subscribe([RecordingEnded], self._recorded)

    async def restore(self) -> int:
        """Read what waited before the restart; returns how many messages."""
        for message in sorted(await self._store.load(), key=lambda each: each.received_at):
            self._boxes.setdefault(message.mailbox, {})[message.id] = message
        await self.settings.restore()
        for number in self._boxes:
            self._changed(number)
        return sum(map(len, self._boxes.values()))

    def messages(self, number: str) -> Sequence[VoiceMessage]:
        """Of one box: the new ones, then the others, the oldest first."""
        found = self._boxes.get(number, {}).values()
        return [each for each in found if each.state == NEW] + [each for each in found if each.state != NEW]

    def all(self) -> Sequence[VoiceMessage]:
        """Of all boxes."""
        return [message for box in self._boxes.values() for message in box.values()]

    def counts(self, number: str) -> MessageCounts:
        """As a message account tells them."""
        states = [each.state for each in self._boxes.get(number, {}).values()]
        new = states.count(NEW)
        return MessageCounts(new=new, old=len(states) - new)

    def is_full(self, number: str) -> bool:
        return len(self._boxes.get(number, ())) >= self._most

    def mark(self, message: VoiceMessage, state: str) -> VoiceMessage:
        """Heard, saved, or new again; the message as it is then."""
        marked = replace(message, state=state)
        if message.id in self._boxes.get(message.mailbox, {}):
            self._put(marked)
        return marked

    def delete(self, message: VoiceMessage) -> None:
        """Take it out of the box."""
        box = self._boxes.get(message.mailbox, {})
        if box.pop(message.id, None) is not None:
            self._store.put(message.id, None)
            self._changed(message.mailbox)

    def needed(self) -> Collection[str]:
        """The recordings that have to stay."""
        return {id for box in self._boxes.values() for id in box}

    def file(self, message: VoiceMessage) -> Path:
        return self._recordings / f"{message.id}.wav"

    def describe(self) -> dict[str, object]:
        messages = self.all()
        new = sum(each.state == NEW for each in messages)
        return {"mailboxes": sum(map(bool, self._boxes.values())), "messages": len(messages), "new": new}

    # --- inside -----------------------------------------------------------------------------------------------------

    def _recorded(self, event: BusEvent) -> None:
        assert isinstance(event, RecordingEnded)
        recording = event.entry
        if recording is not None and recording.kind == "message" and recording.state == "done":
            self._arrived(event.call, recording)

    def _arrived(self, call: CallId, recording: StoredRecording) -> None:
        if recording.seconds < SHORTEST_S or self.is_full(recording.to_number):
            log.info("a voice message was not kept", mailbox=recording.to_number, seconds=recording.seconds)
            return
        log.info("voice message", mailbox=recording.to_number, caller=recording.from_number, seconds=recording.seconds)
        message = VoiceMessage(
            id=recording.id,
            mailbox=recording.to_number,
            received_at=recording.started_at,
            seconds=recording.seconds,
            from_number=recording.from_number,
            from_name=recording.from_name,
            linkedid=recording.linkedid,
        )
        self._put(message)
        self._bus.publish(VoiceMessageLeft(self._clock.wall(), call, message))

    def _put(self, message: VoiceMessage) -> None:
        self._boxes.setdefault(message.mailbox, {})[message.id] = message
        self._store.put(message.id, message)
        self._changed(message.mailbox)

    def _changed(self, number: str) -> None:
        self._bus.publish(MessagesChanged(self._clock.wall(), number))


def own_box(office: Office, number: str) -> VoicemailBox | None:
    """The box that the office gives to a number."""
    return next((each for each in office.voicemail_boxes if each.number == number), None)


def box_for(office: Office, *numbers: str) -> VoicemailBox | None:
    """The box that takes messages for the first of the numbers that has one; the common one for all others. None when
    it takes none now."""
    found = next((box for number in numbers if (box := own_box(office, number)) is not None), None)
    found = found or own_box(office, COMMON) or VoicemailBox(COMMON)
    return None if found.disabled else found
