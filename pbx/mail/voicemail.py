"""Voice messages by mail (VM-3, NOT-5): to the common address, to the owner of the mailbox, and to everybody who missed
the call; once the call is over, for only then is it known who that is.

Where the mailbox says so, and where nobody could listen to it by phone anyway, nothing stays in it once the mail is
taken by the server.
"""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from pbx.bus import Bus
from pbx.conversion import ConversionFailed, Converter
from pbx.events import (
    BusEvent,
    CallEnded,
    CallStarted,
    LegAnswered,
    LegCreated,
    LegId,
    MailSent,
    RecordingEnded,
    RecordingStarted,
    StageEntered,
    VoiceMessageLeft,
)
from pbx.mail.mailer import Attachment, Mailer, Recipient
from pbx.mail.outbox import FOLDER
from pbx.mail.wording import Wording, caller_text, length_text
from pbx.mailboxes import COMMON, Mailboxes, own_box
from pbx.party import Party, PartyKind
from pbx.recordings import file_name
from storage.records import Office, VoiceMessage

KIND = "voicemail"
KINDS = (
    CallStarted, StageEntered, LegCreated, LegAnswered, RecordingStarted, VoiceMessageLeft, RecordingEnded, CallEnded,
    MailSent,
)  # fmt: skip

log = structlog.get_logger("voicemail")


@dataclass(slots=True)
class _Story:
    """What is known of a call: who was tried and did not answer, what was left."""

    missed_by: dict[str, None] = field(default_factory=dict)
    leg_of: dict[LegId, str] = field(default_factory=dict)
    messages: list[VoiceMessage] = field(default_factory=list)
    recordings: int = 0  # messages that are being left
    has_ended: bool = False

    def tried(self, party: Party) -> None:
        if party.kind is PartyKind.TERMINAL:
            self.missed_by.setdefault(party.number)


class VoicemailMail:
    """One per server. `data` is the data folder."""

    def __init__(self, mailer: Mailer, converter: Converter, mailboxes: Mailboxes, bus: Bus, data: Path) -> None:
        self._mailer, self._converter, self._mailboxes, self._data = mailer, converter, mailboxes, data
        self._stories: dict[str, _Story] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        if mailer.sends(KIND):
            bus.subscribe(KINDS, self._told)

    def restore(self) -> None:
        """Post what a crash has kept from being posted and nobody listens to by phone."""
        waiting = self._mailer.attachments()
        for message in self._mailboxes.all():
            if self._mailer.mails(KIND) and self._is_transient(message.mailbox) and _attachment(message) not in waiting:
                self._post(message, _Story())

    async def close(self) -> None:
        """Finish what is being posted."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _told(self, event: BusEvent) -> None:
        match event:
            case CallStarted():
                self._stories[event.call] = _Story()
            case VoiceMessageLeft() if event.call not in self._stories:
                self._post(event.message, _Story())  # found after a crash
            case MailSent():
                self._sent(event)
            case _ if (story := self._stories.get(getattr(event, "call", ""))) is not None:
                self._happened(story, event)
                if story.has_ended and not story.recordings:
                    del self._stories[event.call]  # type: ignore[union-attr]  # all others are of a call
                    for message in story.messages:
                        self._post(message, story)

    @staticmethod
    def _happened(story: _Story, event: BusEvent) -> None:
        match event:
            case StageEntered():
                story.tried(event.party)
            case LegCreated() if not event.is_of_caller:
                story.tried(event.party)
                story.leg_of[event.leg] = event.party.number
            case LegAnswered():
                story.missed_by.pop(story.leg_of.get(event.leg, ""), None)
            case RecordingStarted() if event.entry is not None and event.entry.kind == "message":
                story.recordings += 1
            case RecordingEnded() if event.entry is not None and event.entry.kind == "message":
                story.recordings -= 1
            case VoiceMessageLeft():
                story.messages.append(event.message)
            case CallEnded():
                story.has_ended = True

    # --- letters ----------------------------------------------------------------------------------------------------

    def _post(self, message: VoiceMessage, story: _Story) -> None:
        recipients = self._recipients(message, story) if self._mailer.mails(KIND) else []
        if (chat := self._mailer.chat) is not None:
            values = _values(message, self._caller(message, chat))
            self._mailer.post(KIND, chat, values, at=message.received_at, own=self._words())
        if recipients:
            task = asyncio.ensure_future(self._prepare(message, recipients))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _caller(self, message: VoiceMessage, to: Recipient) -> Party:
        """Who has left it, as who is written to may see it."""
        caller = Party.outside(message.from_number, message.from_name)
        is_client = len(message.from_number) > self._office.number_length
        return self._mailer.seen_by(to, caller, message.mailbox) if is_client else caller

    def _recipients(self, message: VoiceMessage, story: _Story) -> list[Recipient]:
        """Each address once."""
        office, mailer = self._office, self._mailer
        box = own_box(office, message.mailbox)
        found = [
            mailer.recipient(office.voicemail.email) or mailer.common,
            mailer.recipient(box.email) if box is not None and box.email else mailer.owner_of(message.mailbox),
            *(mailer.owner_of(number) for number in story.missed_by),
        ]
        return list({each.address: each for each in found if each is not None}.values())

    def _words(self) -> Wording:
        office = self._office.voicemail
        return Wording(office.subject, office.body, office.footer)

    async def _prepare(self, message: VoiceMessage, recipients: list[Recipient]) -> None:
        source = self._mailboxes.file(message)
        attachment = _attachment(message)
        try:
            await self._converter.convert(source, self._data / attachment)
        except ConversionFailed as error:
            log.error("a voice message is mailed as it is", why=str(error))
            attachment = str(Path(attachment).with_suffix(".wav"))
            await asyncio.to_thread(shutil.copyfile, source, self._data / attachment)
        own = self._words()
        for recipient in recipients:
            caller = self._caller(message, recipient)
            name = file_name(message.received_at, caller.shown_number, message.mailbox, self._office.timezone)
            file = Attachment(attachment, f"{name}{Path(attachment).suffix}")
            values = _values(message, caller)
            self._mailer.post(KIND, recipient, values, at=message.received_at, own=own, attachment=file)

    def _sent(self, event: MailSent) -> None:
        """A letter has arrived: its message leaves the box where nothing is to stay."""
        if event.kind != KIND:
            return
        for message in self._mailboxes.all():
            is_it = Path(event.attachment).stem == Path(_attachment(message)).stem
            if is_it and self._is_transient(message.mailbox):
                self._mailboxes.delete(message)

    def _is_transient(self, number: str) -> bool:
        box = own_box(self._office, number)
        return number == COMMON if box is None else box.delete_mailed

    @property
    def _office(self) -> Office:
        return self._mailer.office


def _attachment(message: VoiceMessage) -> str:
    """Below the data folder; tells which message it is."""
    return f"{FOLDER}/{message.id.replace('/', '_')}.mp3"


def _values(message: VoiceMessage, caller: Party) -> dict[str, str]:
    return {
        "caller": caller_text(caller.name, caller.shown_number),
        "caller_name": caller.name,
        "caller_number": caller.shown_number,
        "callee": message.mailbox,
        "duration": length_text(message.seconds),
    }
