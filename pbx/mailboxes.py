"""Mailboxes: the voice messages that wait in each, and what their owners have set by phone.

A message is a recording of the kind "message"; whatever way that ends (its maker hangs up, the server dies), what was
said arrives here. The recording stays in the history of the call when the message is deleted.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import structlog

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, MessagesChanged, RecordingEnded
from sipcore.presence.mwi import MessageCounts
from storage.ports import KeptStore
from storage.records import Mailbox, StoredRecording, VoiceMessage

MOST = 100  # messages in one box
SHORTEST_S = 1.0  # somebody who hangs up at the tone has left nothing
NEW, HEARD, SAVED = "new", "heard", "saved"

log = structlog.get_logger("voicemail")


class Mailboxes:
    """All of them, by number."""

    def __init__(
        self, messages: KeptStore[VoiceMessage], settings: KeptStore[Mailbox], bus: Bus, clock: Clock, most: int = MOST
    ) -> None:
        self._store, self._settings, self._bus, self._clock, self._most = messages, settings, bus, clock, most
        self._boxes: dict[str, dict[str, VoiceMessage]] = {}
        self._set: dict[str, Mailbox] = {}
        bus.subscribe([RecordingEnded], self._recorded)

    async def restore(self) -> int:
        """Read what waited before the restart; returns how many messages."""
        for message in sorted(await self._store.load(), key=lambda each: each.received_at):
            self._boxes.setdefault(message.mailbox, {})[message.id] = message
        self._set = {each.id: each for each in await self._settings.load()}
        for number in self._boxes:
            self._changed(number)
        return sum(map(len, self._boxes.values()))

    def messages(self, number: str) -> Sequence[VoiceMessage]:
        """Of one box: the new ones, then the others, the oldest first."""
        found = self._boxes.get(number, {}).values()
        return [each for each in found if each.state == NEW] + [each for each in found if each.state != NEW]

    def counts(self, number: str) -> MessageCounts:
        """As a message account tells them."""
        states = [each.state for each in self._boxes.get(number, {}).values()]
        new = states.count(NEW)
        return MessageCounts(new=new, old=len(states) - new)

    def is_full(self, number: str) -> bool:
        return len(self._boxes.get(number, ())) >= self._most

    def mark(self, message: VoiceMessage, state: str) -> None:
        """Heard, saved, or new again."""
        if message.id in self._boxes.get(message.mailbox, {}):
            self._put(replace(message, state=state))

    def delete(self, message: VoiceMessage) -> None:
        """Take it out of the box."""
        box = self._boxes.get(message.mailbox, {})
        if box.pop(message.id, None) is not None:
            self._store.put(message.id, None)
            self._changed(message.mailbox)

    def needed(self) -> Collection[str]:
        """The recordings that have to stay."""
        return {id for box in self._boxes.values() for id in box}

    def settings(self, number: str) -> Mailbox:
        """What the owner has set by phone."""
        return self._set.get(number) or Mailbox(number)

    def set(self, mailbox: Mailbox) -> None:
        self._set[mailbox.id] = mailbox
        self._settings.put(mailbox.id, mailbox)

    def describe(self) -> dict[str, object]:
        messages = [each for box in self._boxes.values() for each in box.values()]
        new = sum(each.state == NEW for each in messages)
        return {"mailboxes": sum(map(bool, self._boxes.values())), "messages": len(messages), "new": new}

    # --- inside -----------------------------------------------------------------------------------------------------

    def _recorded(self, event: BusEvent) -> None:
        assert isinstance(event, RecordingEnded)
        recording = event.entry
        if recording is not None and recording.kind == "message" and recording.state == "done":
            self._arrived(recording)

    def _arrived(self, recording: StoredRecording) -> None:
        if recording.seconds < SHORTEST_S or self.is_full(recording.to_number):
            log.info("a voice message was not kept", mailbox=recording.to_number, seconds=recording.seconds)
            return
        log.info("voice message", mailbox=recording.to_number, caller=recording.from_number, seconds=recording.seconds)
        self._put(
            VoiceMessage(
                id=recording.id,
                mailbox=recording.to_number,
                received_at=recording.started_at,
                seconds=recording.seconds,
                from_number=recording.from_number,
                from_name=recording.from_name,
                linkedid=recording.linkedid,
            )
        )

    def _put(self, message: VoiceMessage) -> None:
        self._boxes.setdefault(message.mailbox, {})[message.id] = message
        self._store.put(message.id, message)
        self._changed(message.mailbox)

    def _changed(self, number: str) -> None:
        self._bus.publish(MessagesChanged(self._clock.wall(), number))
