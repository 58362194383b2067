"""Who gets a voice message by mail, when, and what stays in the box."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx import cause
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.conversion import ConversionFailed, Converter
from pbx.events import (
    BusEvent,
    CallEnded,
    CallStarted,
    Direction,
    LegAnswered,
    LegCreated,
    RecordingEnded,
    RecordingStarted,
    StageEntered,
)
from pbx.mail.mailer import Mailer
from pbx.mail.smtp import LetterRefused
from pbx.mail.voicemail import VoicemailMail
from pbx.mailbox_settings import MailboxSettings
from pbx.mailboxes import COMMON, Mailboxes
from pbx.party import Party, PartyKind
from storage.memory import MemoryStorage
from storage.records import Office, StoredLetter, StoredRecording, Terminal, User, VoicemailBox, VoicemailPolicy
from tests.pbx.mail.test_outbox import ScriptedServer
from tests.support.office import WALL_AT_START

SETTINGS = MailSettings(enabled=True, host="mail.example.com", from_address="pbx@example.com")
OFFICE = Office(
    "Рога",
    timezone="Europe/Moscow",
    users=(
        User("anna", "Anna", email="anna@x.org"),
        User("boris", "Boris", email="boris@x.org"),
        User("clara", "Clara"),
    ),
    terminals=(Terminal("102", "anna"), Terminal("103", "boris"), Terminal("104", "clara"), Terminal("105", "boris")),
    voicemail=VoicemailPolicy(email="all@x.org"),
)
OUTSIDE, VOICEMAIL = Party(PartyKind.OUTSIDE, "+74951234567", "Иван"), Party.of_application(COMMON, COMMON)
T = WALL_AT_START
ENTRY = StoredRecording("2023/11/14/22/c1-message-4", "c1", "zvon-1.1", T, "+74951234567", COMMON, "Иван", "message")


class QuickConverter(Converter):
    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.why = ""

    async def convert(self, source: Path, target: Path) -> None:
        await asyncio.sleep(1)
        if self.why:
            raise ConversionFailed(self.why)
        self.made.append((source.name, target.name))


class RecordingServer(ScriptedServer):
    """Keeps the letters that it took."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[StoredLetter] = []

    async def send(self, letter: StoredLetter) -> str:
        said = await super().send(letter)
        self.letters.append(letter)
        return said

    @property
    def recipients(self) -> list[str]:
        return sorted(letter.recipient for letter in self.letters)


class Rig:
    def __init__(self, data: Path, office: Office, storage: MemoryStorage, settings: MailSettings) -> None:
        loop = asyncio.get_running_loop()
        self.bus, self.storage, self.server, self.converter = Bus(), storage, RecordingServer(), QuickConverter()
        clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        owners = MailboxSettings(storage.mailboxes, data / "greetings", clock.now)
        self.mailboxes = Mailboxes(storage.voice_messages, owners, data / "recordings", self.bus, clock)
        self.mailer = Mailer(settings, storage.letters, lambda: office, clock, data, self.bus, self.server)
        self.mail = VoicemailMail(self.mailer, self.converter, self.mailboxes, self.bus, data)

    def happen(self, *events: BusEvent) -> None:
        for event in events:
            self.bus.publish(event)

    def message(self, box: str = COMMON, seconds: float = 12.0) -> tuple[BusEvent, BusEvent]:
        """Somebody leaves a message: its beginning and its end."""
        entry = replace(ENTRY, to_number=box)
        done = replace(entry, state="done", seconds=seconds)
        return (
            RecordingStarted(T + 20, "c1", 4, "x.wav", entry),
            RecordingEnded(T + 32, "c1", 4, "x.wav", seconds, "finished", done),
        )

    @property
    def waiting(self) -> int:
        return len(self.mailboxes.all())


@asynccontextmanager
async def rigged(
    data: Path, office: Office = OFFICE, storage: MemoryStorage | None = None, settings: MailSettings = SETTINGS
) -> AsyncIterator[Rig]:
    rig = Rig(data, office, storage or MemoryStorage(), settings)
    await rig.mailboxes.restore()
    await rig.mailer.start()
    rig.mail.restore()
    try:
        yield rig
    finally:
        await rig.mail.close()
        await rig.mailer.close()


def tried(*numbers: str) -> Sequence[BusEvent]:
    """A call from outside rings these terminals, in vain, and comes to the voicemail."""
    parties = [Party(PartyKind.TERMINAL, number) for number in numbers]
    return (
        CallStarted(T, "c1", "zvon-1.1", OUTSIDE, parties[0]),
        *(StageEntered(T, "c1", party, "dial") for party in parties[:1]),
        *(LegCreated(T, "c1", leg, party, Direction.OUTGOING, "id") for leg, party in enumerate(parties, start=2)),
        StageEntered(T + 20, "c1", VOICEMAIL, "voicemail"),
    )


ENDED = CallEnded(T + 30, "c1", cause.NORMAL)


@pytest.mark.row("VM-3")
@pytest.mark.row("NOT-5")
async def test_the_common_address_and_everybody_who_missed_the_call_get_it_once_and_the_box_is_empty(
    tmp_path: Path,
) -> None:
    async with rigged(tmp_path) as rig:
        began, done = rig.message()
        rig.happen(*tried("102", "103", "104", "105"), began, ENDED)
        await asyncio.sleep(5)
        assert rig.server.letters == []
        rig.happen(done)
        assert rig.waiting == 1
        await asyncio.sleep(5)
        assert rig.server.recipients == ["all@x.org", "anna@x.org", "boris@x.org"]
        assert rig.waiting == 0
        assert rig.converter.made == [("c1-message-4.wav", "2023_11_14_22_c1-message-4.mp3")]
        letter = rig.server.letters[0]
        assert letter.subject == 'Voice message from "Иван" <+74951234567>'
        assert letter.attachment == "mail/2023_11_14_22_c1-message-4.mp3"
        assert letter.attachment_name == "2023-11-15_01-13-20_+74951234567_voicemail.mp3"


async def test_who_answered_has_not_missed_it_and_who_calls_has_not_either(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        began, done = rig.message()
        caller = LegCreated(T, "c1", 1, Party(PartyKind.TERMINAL, "103"), Direction.INCOMING, "id")
        rig.happen(*tried("102", "105"), caller, LegAnswered(T + 5, "c1", 2), began, done, ENDED)
        await asyncio.sleep(5)
        assert rig.server.recipients == ["all@x.org", "boris@x.org"]


async def test_nothing_is_sent_before_the_call_is_over(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        began, done = rig.message()
        rig.happen(*tried("102"), began, done)
        await asyncio.sleep(60)
        assert rig.server.letters == []
        rig.happen(ENDED)
        await asyncio.sleep(5)
        assert len(rig.server.letters) == 2


@pytest.mark.parametrize(
    ("box", "recipients", "stays"),
    [
        (VoicemailBox("102"), ["all@x.org", "anna@x.org"], True),
        (VoicemailBox("102", email="other@x.org"), ["all@x.org", "anna@x.org", "other@x.org"], True),
        (VoicemailBox("102", delete_mailed=True), ["all@x.org", "anna@x.org"], False),
    ],
)
async def test_the_owner_of_a_box_gets_its_messages_which_stay_unless_the_box_says_otherwise(
    box: VoicemailBox, recipients: list[str], stays: bool, tmp_path: Path
) -> None:
    async with rigged(tmp_path, replace(OFFICE, voicemail_boxes=(box,))) as rig:
        rig.happen(*tried("102"), *rig.message("102"), ENDED)
        await asyncio.sleep(5)
        assert rig.server.recipients == recipients
        assert bool(rig.waiting) is stays


async def test_a_message_leaves_the_box_only_when_a_server_has_taken_a_letter(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.server.down = "away"
        rig.happen(*tried("104"), *rig.message(), ENDED)
        await asyncio.sleep(100)
        assert rig.waiting == 1
        rig.server.down = ""
        rig.server.refuse = lambda letter: LetterRefused("no such user", is_final=True)
        await asyncio.sleep(400)
        assert rig.waiting == 1, "nobody has got it"


async def test_a_crash_before_the_letter_was_posted_loses_no_message_that_only_mail_can_tell(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with rigged(tmp_path, storage=storage, settings=MailSettings()) as rig:
        rig.happen(*tried("104"), *rig.message(), ENDED)
    async with rigged(tmp_path, storage=storage) as rig:
        await asyncio.sleep(5)
        assert rig.server.recipients == ["all@x.org"]
        assert rig.waiting == 0


async def test_a_letter_that_waits_is_not_posted_twice_after_a_restart(tmp_path: Path) -> None:
    storage = MemoryStorage()
    async with rigged(tmp_path, storage=storage) as rig:
        rig.server.down = "away"
        rig.happen(*tried("104"), *rig.message(), ENDED)
        await asyncio.sleep(5)
    async with rigged(tmp_path, storage=storage) as rig:
        await asyncio.sleep(5)
        assert rig.server.recipients == ["all@x.org"]


async def test_a_message_that_was_too_short_is_not_mailed(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.happen(*tried("102"), *rig.message(seconds=0.5), ENDED)
        await asyncio.sleep(5)
        assert rig.server.letters == []
        assert rig.mail._stories == {}


@pytest.mark.row("VM-5")
async def test_the_office_s_own_words_are_used(tmp_path: Path) -> None:
    words = VoicemailPolicy(
        "all@x.org", subject="{caller_name} {caller_number}, {duration}", body="{caller} {date}", footer="-- {office}"
    )
    async with rigged(tmp_path, replace(OFFICE, voicemail=words)) as rig:
        rig.happen(*tried("104"), *rig.message(), ENDED)
        await asyncio.sleep(5)
        (letter,) = rig.server.letters
        assert letter.subject == "Иван +74951234567, 0:12"
        assert letter.text == '"Иван" <+74951234567> 15 November 2023, 01:13\n\n-- Рога\n'


@pytest.mark.real_loop
async def test_audio_that_cannot_be_converted_goes_as_it_is(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.converter.why = "no encoder"
        source = tmp_path / "recordings" / f"{ENTRY.id}.wav"
        source.parent.mkdir(parents=True)
        source.write_bytes(b"sound")
        (tmp_path / "mail").mkdir()
        rig.happen(*tried("104"), *rig.message(), ENDED)
        async with asyncio.timeout(10):
            while not rig.server.letters:  # noqa: ASYNC110 - a thread copies
                await asyncio.sleep(0.05)
        (letter,) = rig.server.letters
        assert letter.attachment_name.endswith(".wav")
        assert rig.waiting == 0
