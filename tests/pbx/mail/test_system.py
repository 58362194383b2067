"""What the administrator hears by mail of the server itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conf.schema import MailSettings
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BackupFailed, DiskShort, OutsideRefused, ProviderChanged, RecordingFailed
from pbx.mail.mailer import Mailer
from pbx.mail.system import PATIENCE_S, SystemMail
from pbx.said import say
from storage.memory import MemoryStorage
from storage.records import Office, StoredLetter
from tests.pbx.mail.test_missed import SETTINGS
from tests.pbx.mail.test_outbox import ScriptedServer
from tests.support.office import WALL_AT_START


class Rig:
    def __init__(self, data: Path, settings: MailSettings) -> None:
        loop = asyncio.get_running_loop()
        self.bus, self.storage = Bus(), MemoryStorage()
        self.clock = Clock(loop, lambda: WALL_AT_START + loop.time())
        office = Office("Horns")
        self.mailer = Mailer(
            settings, self.storage.letters, lambda: office, self.clock, data, self.bus, ScriptedServer()
        )
        self.mail = SystemMail(self.mailer, self.bus)

    def line(self, state: str, error: str = "", id: str = "telco") -> None:
        self.bus.publish(ProviderChanged(self.clock.wall(), id, state, error))

    async def letters(self) -> list[StoredLetter]:
        return sorted(await self.storage.letters.load(), key=lambda each: each.created_at)


@asynccontextmanager
async def rigged(data: Path, settings: MailSettings = SETTINGS) -> AsyncIterator[Rig]:
    rig = Rig(data, settings)
    yield rig
    rig.mail.close()


@pytest.mark.row("PRV-15")
async def test_a_line_that_does_not_work_for_five_minutes_is_told_once_until_it_works_again(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.line("unreachable", "the provider does not answer.")
        await asyncio.sleep(60)
        rig.line("rejected", "the password is wrong.")
        await asyncio.sleep(PATIENCE_S - 61)
        assert await rig.letters() == []
        await asyncio.sleep(3600)
        rig.line("failed", "503")
        await asyncio.sleep(3600)
        (letter,) = await rig.letters()
        assert letter.recipient == "all@x.org"
        assert letter.subject == "The line telco does not work"
        assert "the line telco does not work: the password is wrong.\n" in letter.text
        rig.line("registered")
        await asyncio.sleep(3600)
        rig.line("unreachable")
        await asyncio.sleep(3600)
        assert [each.subject for each in await rig.letters()] == ["The line telco does not work"] * 2


async def test_a_line_that_mends_itself_is_nobody_s_trouble(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        for _ in range(20):
            rig.line("unreachable")
            await asyncio.sleep(PATIENCE_S - 1)
            rig.line("reachable")
            await asyncio.sleep(60)
        assert await rig.letters() == []


async def test_a_full_disk_is_told_to_the_administrator_s_own_address(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"administrator_address": "root@x.org"})
    async with rigged(tmp_path, settings) as rig:
        rig.bus.publish(DiskShort(WALL_AT_START, 123))
        (letter,) = await rig.letters()
        assert (letter.recipient, letter.subject) == ("root@x.org", "The disk of the phone server is nearly full")
        assert letter.text.startswith("123 MB were free on 14 November 2023, 22:13")


async def test_recordings_that_fail_are_told_with_the_reason(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.bus.publish(RecordingFailed(WALL_AT_START, "c1", "/rec/a.wav cannot be written: the disk is full."))
        (letter,) = await rig.letters()
        assert letter.subject == "Conversations cannot be recorded"
        assert "the recording of call c1 ended before its time: /rec/a.wav cannot be written" in letter.text


@pytest.mark.row("CFG-7")
async def test_a_backup_that_fails_is_told_with_the_reason(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.bus.publish(BackupFailed(WALL_AT_START, "sftp://elsewhere cannot be reached: no answer"))
        (letter,) = await rig.letters()
        assert letter.subject == "There is no backup of the phone server"
        assert "22:13 the backup failed: sftp://elsewhere cannot be reached: no answer." in letter.text


async def test_nobody_is_told_where_it_is_not_wanted_or_nobody_is_named(tmp_path: Path) -> None:
    for update in ({"system": False}, {"common_address": ""}, {"enabled": False}):
        async with rigged(tmp_path, SETTINGS.model_copy(update=update)) as rig:
            rig.bus.publish(DiskShort(WALL_AT_START, 123))
            rig.line("unreachable")
            await asyncio.sleep(3600)
            assert await rig.letters() == []


async def test_limits_of_calls_outside_are_told_each_in_its_words_once_an_hour(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        for action in ("stopped", "cut", "noticed", "cut"):
            rig.bus.publish(OutsideRefused(rig.clock.wall(), "c", "201", "7916", say("it is too much"), action))
            await asyncio.sleep(1)
        letters = await rig.letters()
        assert [each.subject for each in letters] == [
            "Calls outside of 201 are stopped",
            "A call outside of 201 was cut",
            "Look at the calls outside of 201",
        ]
        assert all("it is too much" in each.text for each in letters)
        await asyncio.sleep(3600)
        rig.bus.publish(OutsideRefused(rig.clock.wall(), "c", "201", "7916", say("it is too much"), "cut"))
        assert len(await rig.letters()) == 4
