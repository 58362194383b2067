"""What the administrator hears by mail of sign-ins, passwords, attacks and later versions."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conf.schema import MailSettings, UpdateSettings
from pbx.bans import BanPolicy, Bans
from pbx.calendars.fetch import Fetched, Wanted
from pbx.events import AddressBanned, Audited, DiskShort, NewVersion, SystemPasswordsChanged
from pbx.mail.mailer import SYSTEM
from pbx.mail.security import ATTACKS_S, SIGN_INS_S, SecurityMail
from pbx.mail.system import PATIENCE_S
from pbx.states import States
from pbx.system_passwords import SystemPasswords
from pbx.updates import Updates
from storage.records import AuditEntry, StoredLetter
from tests.pbx.mail.test_missed import SETTINGS
from tests.pbx.mail.test_system import Rig as SystemRig

ALL = SETTINGS.model_copy(update={"sign_ins": True, "administrator_address": "root@x.org"})


class Rig(SystemRig):
    def __init__(self, data: Path, settings: MailSettings) -> None:
        super().__init__(data, settings)
        self.security = SecurityMail(self.mailer, self.bus)

    def done(self, action: str, object: str = "auth/login", user: str = "anna", address: str = "10.0.0.7") -> None:
        at = self.clock.wall()
        self.bus.publish(Audited(at, AuditEntry(at, user, address, action, object)))

    def banned(self, source: str) -> None:
        at = self.clock.wall()
        self.bus.publish(AddressBanned(at, source, at + 600, (("wrong password", 9), ("scanner", 1))))

    def everything(self) -> None:
        """One event of each kind that the administrator may hear of, but those of calls outside."""
        self.bus.publish(DiskShort(self.clock.wall(), 12))
        self.line("unreachable", "the provider does not answer")
        self.done("change password", "accounts/anna")
        self.done("sign in")
        self.banned("198.51.100.7")
        self.bus.publish(SystemPasswordsChanged(self.clock.wall()))
        self.bus.publish(NewVersion(self.clock.wall(), "9.0.0", "It mends much."))

    async def subjects(self) -> list[str]:
        return [each.subject for each in await self.letters()]


@asynccontextmanager
async def rigged(data: Path, settings: MailSettings = ALL) -> AsyncIterator[Rig]:
    rig = Rig(data, settings)
    yield rig
    rig.mail.close()
    rig.security.close()


def kinds(letters: list[StoredLetter]) -> set[str]:
    return {each.kind for each in letters}


@pytest.mark.row("NOT-6")
async def test_the_administrator_hears_of_every_trouble_once_and_of_sign_ins_together(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        for _ in range(3):
            rig.everything()
            await asyncio.sleep(1)
        await asyncio.sleep(PATIENCE_S)
        letters = await rig.letters()
        assert {each.recipient for each in letters} == {"root@x.org"}
        found = [each.kind for each in letters]
        assert [found.count(kind) for kind in ("line", "attack", "disk")] == [1, 1, 1]
        assert [found.count(kind) for kind in ("sign_in", "password", "system_password")] == [2, 2, 2]
        texts = {each.kind: each.text for each in letters}
        assert "anna signed in from 10.0.0.7.\n\nSign-ins: 2." in texts["sign_in"]
        assert "anna changed the password of anna from 10.0.0.7.\n\nChanges: 2." in texts["password"]
        assert "198.51.100.7: wrong password × 9, scanner × 1 → 14 November 2023, 22:40" in texts["attack"]
        assert "with which people sign in over SSH" in texts["system_password"]
        assert "Version 9.0.0 of Zvon is to be had" in texts["version"]
        assert "It mends much." in texts["version"]
        assert "12 MB were free" in texts["disk"]


async def test_sign_ins_of_one_person_at_one_place_are_merged_for_five_minutes(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.done("sign in")
        assert await rig.subjects() == ["anna has signed in"]
        for _ in range(4):
            await asyncio.sleep(60)
            rig.done("sign in")
        rig.done("sign in", address="10.0.0.8")
        rig.done("refused")
        assert len(await rig.letters()) == 2
        await asyncio.sleep(SIGN_INS_S)
        assert "Sign-ins: 4." in (await rig.letters())[-1].text
        await asyncio.sleep(2 * SIGN_INS_S)
        assert len(await rig.letters()) == 3
        rig.done("sign in")
        assert len(await rig.letters()) == 4


async def test_an_attack_from_many_addresses_is_told_at_once_and_then_hourly(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        for last in range(150):
            rig.banned(f"198.51.100.{last}")
        assert await rig.subjects() == ["Attacks: addresses banned: 1"]
        await asyncio.sleep(ATTACKS_S + 1)
        assert await rig.subjects() == ["Attacks: addresses banned: 1", "Attacks: addresses banned: 149"]
        text = (await rig.letters())[-1].text
        assert "…\n198.51.100.50: wrong password" in text
        assert "198.51.100.149: " in text
        assert "198.51.100.49: " not in text


async def test_what_waits_to_be_told_together_is_told_when_the_server_stops(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.banned("198.51.100.1")
        rig.banned("198.51.100.2")
    assert len(await rig.letters()) == 2


@pytest.mark.row("NOT-2")
async def test_the_master_switch_and_the_switch_of_each_kind_decide_what_is_sent(tmp_path: Path) -> None:
    async def sent(**switches: bool) -> set[str]:
        async with rigged(tmp_path, ALL.model_copy(update=switches)) as rig:
            rig.everything()
            for kind in ("voicemail", "missed_calls"):
                administrator = rig.mailer.administrator
                assert administrator is not None
                rig.mailer.post(kind, administrator, {})
            await asyncio.sleep(PATIENCE_S + 1)
            return kinds(await rig.letters())

    defaults = MailSettings()
    assert (defaults.enabled, defaults.voicemail, defaults.missed_calls, defaults.system, defaults.sign_ins) == (
        *(False, True, True, True),
        False,
    )
    system = {each for each in SYSTEM if not each.startswith("outside") and each not in ("recording", "backup")}
    whole = {*system, "voicemail", "missed_calls", "sign_in"}
    assert await sent() == whole
    assert await sent(enabled=False) == set()
    assert await sent(sign_ins=False) == whole - {"sign_in"}
    assert await sent(system=False) == whole - system
    assert await sent(voicemail=False) == whole - {"voicemail"}
    assert await sent(missed_calls=False) == whole - {"missed_calls"}


async def test_every_new_ban_is_told(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        bans = Bans(BanPolicy(2, 60, 600), rig.clock)
        told: list[str] = []
        bans.told = lambda ban: told.append(ban.source)
        for _ in range(3):
            bans.failed("198.51.100.7", "scanner")
        assert told == ["198.51.100.7"]


async def test_a_password_of_the_system_that_changes_is_noticed_also_while_the_server_was_off(tmp_path: Path) -> None:
    file = tmp_path / "shadow"
    async with rigged(tmp_path) as rig:
        states = States(rig.storage.states)
        passwords = SystemPasswords(states, rig.bus, rig.clock, file)
        passwords.sweep()  # there is none
        file.write_text("root:1")
        passwords.sweep()
        passwords.sweep()
        assert await rig.letters() == []
        file.touch()
        SystemPasswords(states, rig.bus, rig.clock, file).sweep()
        SystemPasswords(states, rig.bus, rig.clock, file).sweep()
        assert await rig.subjects() == ["Passwords of the operating system were changed"]


async def test_a_later_version_is_told_once_and_nonsense_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx.updates.EVERY_S", 600.0)
    answers = [
        *(b"no json", b"[]", b'{"version": 3}', b'{"version": "latest"}', b'{"version": "0.0.1"}'),
        *(b'{"version": "9.1"}', b'{"version": "9.1"}', json.dumps({"version": "10.0", "notes": "Новое"}).encode()),
    ]
    asked: list[str] = []

    async def fetched(wanted: Wanted) -> Fetched:
        asked.append(wanted.url)
        if not answers:
            raise ValueError("HTTP 404 Not Found")
        return Fetched(answers.pop(0))

    async with rigged(tmp_path) as rig:
        url = "https://zvon.example.com/latest.json"
        updates = Updates(UpdateSettings(url=url), States(rig.storage.states), rig.bus, rig.clock, fetched)
        updates.start()
        await asyncio.sleep((len(answers) + 2) * 600.0)
        updates.close()
        assert await rig.subjects() == ["Zvon 9.1 is there", "Zvon 10.0 is there"]
        assert set(asked) == {url}
        Updates(UpdateSettings(), States(rig.storage.states), rig.bus, rig.clock, fetched).start()  # nobody is asked
