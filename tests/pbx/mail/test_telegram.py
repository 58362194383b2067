"""Notices in a chat of Telegram, beside the mail and without it (NOT-8)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from conf.errors import ConfInvalid
from conf.load import parse_settings
from conf.schema import MailSettings
from conf.telegram import TelegramSettings
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.messages import ControlError
from pbx.events import BackupFailed, CallsLost, DiskShort
from pbx.mail.lost import LostCallMail
from pbx.mail.mailer import Mailer
from pbx.mail.missed import MissedCallMail
from pbx.mail.system import SystemMail
from storage.memory import MemoryStorage
from storage.records import CdrRow, Office, User
from tests.pbx.mail.test_outbox import ScriptedServer
from tests.support.builders import terminal
from tests.support.telegram import CHAT, TOKEN, BotApi, bot_api

T = 1_700_000_000.0  # 14 November 2023, 22:13:20 UTC
OFFICE = Office(
    "Рога", "ru", users=(User("anna", "Anna", "anna@example.com"),), terminals=(terminal("101", owner="anna"),)
)
MISSED = CdrRow(
    "1", "z-1", T, T + 9, "79161234567", "101", "NOANSWER", external_number="74950000000", provider_in="telco"
)

MAIL = MailSettings(enabled=True, host="h", from_address="pbx@example.com", common_address="office@example.com")


class Rig:
    """A mailer with everything that posts to it."""

    def __init__(self, url: str, mail: MailSettings, **telegram: object) -> None:
        given = {"enabled": True, "token": TOKEN, "chat": CHAT, "api": url, **telegram}
        self.server, self.storage, self.bus = ScriptedServer(), MemoryStorage(), Bus()
        settings = TelegramSettings.model_validate(given)
        loop = asyncio.get_running_loop()
        clock = Clock(loop, lambda: T + loop.time())
        here = (lambda: OFFICE, clock, Path("/nowhere"), self.bus, self.server)
        self.mailer = Mailer(mail, self.storage.letters, *here, telegram=settings)
        self.system, self.lost = SystemMail(self.mailer, self.bus), LostCallMail(self.mailer, self.bus)
        self.missed = MissedCallMail(self.mailer)


@asynccontextmanager
async def rigged(mail: MailSettings | None = None, **telegram: object) -> AsyncIterator[tuple[Rig, BotApi]]:
    with bot_api() as api:
        rig = Rig(api.url, mail or MailSettings(), **telegram)
        await rig.mailer.start()
        try:
            yield rig, api
        finally:
            rig.system.close()
            await rig.mailer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the other end is a thread
            await asyncio.sleep(0.01)


@pytest.mark.real_loop
@pytest.mark.row("NOT-8")
async def test_what_the_mail_tells_is_told_in_a_chat_in_the_language_of_the_office_also_without_mail() -> None:
    async with rigged() as (rig, api):
        rig.bus.publish(DiskShort(T, 123))
        rig.bus.publish(BackupFailed(T, "sftp://elsewhere cannot be reached"))
        rig.bus.publish(CallsLost(T, "", "", 5, 10))
        rig.missed.over([MISSED])
        await until(lambda: len(api.messages) == 4)
        assert api.messages[0].startswith(
            "На диске станции почти нет места\n\n14 ноября 2023 г., 22:13: свободно 123 МБ"
        )
        assert api.messages[0].endswith("\n\nРога")
        assert "sftp://elsewhere cannot be reached" in api.messages[1]
        assert "5" in api.messages[2]
        assert api.messages[3].startswith("Пропущенный вызов от 79161234567")
        assert rig.server.took == []
        assert TOKEN not in str(rig.mailer.describe())
    async with rigged(MAIL) as (rig, api):
        rig.bus.publish(DiskShort(T, 123))
        rig.missed.over([MISSED])
        await until(lambda: len(api.messages) == len(rig.server.took) == 2)


@pytest.mark.real_loop
@pytest.mark.row("NOT-8")
async def test_each_kind_has_its_switch_and_nothing_is_told_before_somebody_wants_it() -> None:
    for switches, told in (
        ({"system": False}, ["Пропущенный"]),
        ({"missed_calls": False}, ["На"]),
        ({"enabled": False}, []),
    ):
        for mail in (None, MAIL):  # which wants all of them
            async with rigged(mail, **switches) as (rig, api):
                rig.bus.publish(DiskShort(T, 123))
                rig.missed.over([MISSED])
                await until(lambda rig=rig, mail=mail: mail is None or len(rig.server.took) == 2)  # type: ignore[misc]
                await until(lambda api=api, told=told: len(api.messages) >= len(told))  # type: ignore[misc]
                await asyncio.sleep(0.05)
                assert [text.partition(" ")[0] for text in api.messages] == told


@pytest.mark.real_loop
@pytest.mark.row("NOT-8")
async def test_what_cannot_be_told_now_is_kept_and_told_later_and_the_token_is_in_no_sentence() -> None:
    async with rigged() as (rig, api):
        with capture_logs() as logs:
            api.refuse = 429
            rig.bus.publish(DiskShort(T, 123))
            await until(lambda: "Too Many Requests" in str(rig.mailer.describe()))
            assert [each.recipient for each in await rig.storage.letters.load()] == [f"telegram:{CHAT}"]
        assert TOKEN not in str(logs)
        again = Mailer(
            MailSettings(), rig.storage.letters, lambda: OFFICE, rig.mailer._clock, Path("/nowhere"),
            rig.bus, telegram=rig.mailer._telegram,
        )  # fmt: skip
        api.refuse = 0
        await again.start()  # after a restart
        await until(lambda: len(api.messages) == 1)
        await again.close()
        assert await rig.mailer.test("telegram") == f"Telegram took the message: the chat {CHAT} has it"
        assert len(api.messages) == 2
    for wrong, said in (
        ({"token": "1:wrong-token_0"}, "Telegram does not know the bot: look at .telegram. token"),
        ({"chat": "@nobody"}, "Telegram refuses the message: Bad Request: chat not found"),
        ({"api": "http://127.0.0.1:9"}, "Telegram cannot be reached: .*refused"),
        ({"token": "", "enabled": False}, "give .telegram. token and chat"),
    ):
        async with rigged(None, **{"enabled": True, **wrong}) as (rig, _):
            with pytest.raises(ControlError, match=said):
                await rig.mailer.test("telegram")


def test_its_settings_are_checked_and_the_token_is_in_no_message() -> None:
    for text, said in (
        ("enabled = true", "give token and chat"),
        ('token = "secret-thing"', "must be the token of a bot"),
        ('chat = "no chat"', "must be the id of a chat"),
        ('api = "ftp://x"', "must be a web address"),
    ):
        with pytest.raises(ConfInvalid, match=said) as raised:
            parse_settings(f"[telegram]\n{text}\n", "zvon.toml")
        assert "secret-thing" not in str(raised.value)
    given = parse_settings(f'[telegram]\ntoken = "{TOKEN}"\n', "zvon.toml")
    assert TOKEN not in repr(given)
