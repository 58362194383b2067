"""Who gets which letter in which words."""

import asyncio
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx.bus import Bus
from pbx.control.messages import ControlError
from pbx.mail.mailer import Attachment, Mailer, Recipient
from pbx.mail.wording import VARIABLES, WORDINGS, Wording, caller_text, date_text, length_text, wording
from storage.memory import MemoryStorage
from storage.records import Office, StoredLetter, Terminal, User
from tests.pbx.mail.test_outbox import Rig, ScriptedServer

ON = MailSettings(enabled=True, host="mail.example.com", from_address="pbx@example.com", common_address="all@x.org")
CALL = {"caller": '"Иван" <101>', "caller_name": "Иван", "caller_number": "101", "callee": "102", "duration": "0:12"}
OFFICE = Office(
    "Рога",
    language="ru",
    timezone="Europe/Moscow",
    users=(User("anna", "Anna", email="anna@example.com"), User("boris", "Boris")),
    terminals=(Terminal("101", "anna"), Terminal("102", "boris"), Terminal("103")),
)
AT = 1_700_000_000.0  # 14 November 2023, 22:13:20 UTC


def mailer(
    tmp_path: Path, settings: MailSettings = ON, server: ScriptedServer | None = None
) -> tuple[Mailer, MemoryStorage]:
    rig = Rig(tmp_path)
    return Mailer(
        settings, rig.storage.letters, lambda: OFFICE, rig.clock, tmp_path, Bus(), server or rig.server
    ), rig.storage


async def test_a_letter_speaks_the_language_of_its_reader_with_the_office_s_time(tmp_path: Path) -> None:
    mail, storage = mailer(tmp_path)
    attachment = Attachment("mail/1.mp3", "1.mp3")
    assert mail.post("voicemail", Recipient("a@x.org", "en"), CALL, at=AT, attachment=attachment)
    assert mail.post("voicemail", Recipient("b@x.org", "ru"), CALL, at=AT)
    letters = {each.recipient: each for each in await storage.letters.load()}
    english, russian = letters["a@x.org"], letters["b@x.org"]
    assert english.subject == 'Voice message from "Иван" <101>'
    assert "Date: 15 November 2023, 01:13\nLength: 0:12\n" in english.text
    assert english.text.endswith("-- \nРога\n")
    assert (english.attachment, english.attachment_name) == ("mail/1.mp3", "1.mp3")
    assert russian.subject == 'Голосовое сообщение от "Иван" <101>'
    assert "Дата: 15 ноября 2023 г., 01:13\n" in russian.text


async def test_the_office_s_own_texts_take_the_place_of_the_program_s(tmp_path: Path) -> None:
    mail, storage = mailer(tmp_path)
    own = Wording(subject="{caller_name}: {duration}", body="Звонил {caller_number} ({nonsense})")
    mail.post("voicemail", Recipient("a@x.org", "ru"), CALL, at=AT, own=own)
    (letter,) = await storage.letters.load()
    assert letter.subject == "Иван: 0:12"
    assert letter.text == "Звонил 101 ({nonsense})\n\n-- \nРога\n"


async def test_every_kind_of_letter_says_everything_in_both_languages() -> None:
    for language, kinds in WORDINGS.items():
        assert kinds.keys() == VARIABLES.keys()
        for kind, names in VARIABLES.items():
            values = {name: f"<{name}>" for name in names}
            subject, text = wording(kind, language).filled(values)
            assert "{" not in subject + text
            wanted = names - {"caller_name", "caller_number"}  # both are in `caller`
            assert all(f"<{name}>" in subject + text for name in wanted)
    assert wording("voicemail", "de") == wording("voicemail", "en")


async def test_nothing_is_sent_that_is_switched_off(tmp_path: Path) -> None:
    for settings in (MailSettings(), ON.model_copy(update={"voicemail": False})):
        mail, storage = mailer(tmp_path, settings)
        assert not mail.sends("voicemail")
        assert not mail.post("voicemail", Recipient("a@x.org", "en"), CALL)
        assert await storage.letters.load() == []


async def test_people_are_found_by_their_numbers(tmp_path: Path) -> None:
    mail, _ = mailer(tmp_path)
    assert mail.owner_of("101") == Recipient("anna@example.com", "ru")
    assert mail.owner_of("102") is mail.owner_of("103") is mail.owner_of("999") is None
    assert mail.common == Recipient("all@x.org", "ru")
    assert mailer(tmp_path, MailSettings())[0].common is None


async def test_a_test_letter_goes_at_once_whatever_is_switched_off(tmp_path: Path) -> None:
    server = ScriptedServer()
    mail, storage = mailer(tmp_path, ON, server)
    assert await mail.test("a@x.org") == "the mail server mail.example.com took the letter to a@x.org (queued)"
    off, _ = mailer(tmp_path, ON.model_copy(update={"enabled": False}), server)
    assert (await off.test("a@x.org")).endswith("mail is switched off otherwise ([mail] enabled = false)")
    assert len(server.took) == 2
    server.down = "the mail server refuses connections"
    with pytest.raises(ControlError, match="refuses connections"):
        await mail.test("a@x.org")
    with pytest.raises(ControlError, match=r"give \[mail\] host and from_address"):
        await mailer(tmp_path, MailSettings())[0].test("a@x.org")
    assert await storage.letters.load() == []


async def test_mail_that_is_switched_off_does_not_touch_what_waits(tmp_path: Path) -> None:
    mail, storage = mailer(tmp_path, MailSettings())
    storage.letters.put("a", StoredLetter("a", "voicemail", "a@x.org", "s", "t", AT, AT))
    await mail.start()
    await asyncio.sleep(10)
    await mail.close()
    assert len(await storage.letters.load()) == 1
    assert mail.describe()["enabled"] is False


def test_dates_and_lengths_are_written_as_people_write_them() -> None:
    assert date_text(AT, "en", "UTC") == "14 November 2023, 22:13"
    assert date_text(AT, "ru", "Asia/Vladivostok") == "15 ноября 2023 г., 08:13"
    assert [length_text(each) for each in (0.2, 9.6, 65.0, 3600.0)] == ["0:00", "0:10", "1:05", "60:00"]
    assert caller_text("Anna", "101") == '"Anna" <101>'
    assert [caller_text(*each) for each in (("Anna", ""), ("", "101"), ("", ""))] == ["Anna", "101", "?"]
