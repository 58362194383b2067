"""Backups on servers elsewhere: real ones of each kind, and the clock (CFG-7)."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from conf.errors import ConfInvalid
from conf.load import parse_settings
from conf.schema import AwaySettings, BackupSettings
from pbx.away import PlaceFailed, place_of
from pbx.backup import head_of
from pbx.backups import Backups
from pbx.bus import Bus
from pbx.certificate import make_self_signed
from pbx.clock import Clock
from pbx.control.backups import SendBackup
from pbx.control.messages import ControlError
from pbx.events import BackupFailed
from storage.memory import MemoryStorage
from storage.records import Office
from tests.support.places import HOST, LOGIN, PASSWORD, ftp_server, sftp_server, webdav_server

T = 1_700_000_000.0  # Tuesday, 14 November 2023, 22:13:20 UTC


def away(protocol: str, port: int, **more: object) -> AwaySettings:
    values = {"host": HOST, "login": LOGIN, "password": PASSWORD, "tls": False, "path": "backups/office 1", "keep": 2}
    return AwaySettings.model_validate({"protocol": protocol, "port": port, **values, **more})


@asynccontextmanager
async def server_of(protocol: str, folder: Path) -> AsyncIterator[int]:
    if protocol == "sftp":
        async with sftp_server(folder, asyncssh.generate_private_key("ssh-ed25519")) as port:
            yield port
    else:
        with (ftp_server if protocol == "ftp" else webdav_server)(folder) as port:
            yield port


def backups_of(settings: BackupSettings, data: Path, clock: Clock | None = None, bus: Bus | None = None) -> Backups:
    clock = clock or Clock(asyncio.get_running_loop())
    office = Office("Test", timezone="Europe/Moscow")
    return Backups(settings, MemoryStorage(), data, clock, bus or Bus(), lambda: office, lambda: None)


@pytest.mark.real_loop
@pytest.mark.row("CFG-7")
@pytest.mark.parametrize("protocol", ["sftp", "ftp", "webdav"])
async def test_a_server_elsewhere_keeps_the_last_backups(protocol: str, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    folder = there / "backups" / "office 1"
    async with server_of(protocol, there) as port:
        backups = backups_of(BackupSettings(away=away(protocol, port)), tmp_path)
        by_hand = await backups.make(("settings",))
        sent = await backups.answer(SendBackup(by_hand.name))
        assert isinstance(sent, str)
        assert PASSWORD not in sent
        assert sent.endswith(by_hand.name)
        assert head_of(folder / by_hand.name).parts == ("settings",)
        (folder / "notes.txt").write_text("of somebody else")
        for _ in range(3):
            await backups._away.make_and_send()
        kept = sorted(each.name for each in folder.iterdir())
        assert by_hand.name in kept
        assert "notes.txt" in kept
        assert len([name for name in kept if name.endswith("-away.tar")]) == 2
        assert len(kept) == 4
        assert [each.name for each in backups.all()] == [by_hand.name]  # nothing of them stays here
        wrong = place_of(away(protocol, port, password="Wrong_1"), tmp_path)
        with pytest.raises(PlaceFailed, match="does not take login and password"):
            await wrong.names()
    with pytest.raises(ControlError, match=f"^the backup {by_hand.name} is not copied: .* cannot be reached: "):
        await backups.answer(SendBackup(by_hand.name))


@pytest.mark.real_loop
async def test_an_ssh_server_with_another_key_than_it_showed_first_gets_nothing(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    async with sftp_server(there, keys[0]) as port:
        await place_of(away("sftp", port, path=""), tmp_path).names()
        known = (tmp_path / "known_hosts").read_text()
        assert known.startswith(f"[{HOST}]:{port} ssh-ed25519 ")
    async with sftp_server(there, keys[1], port):
        with pytest.raises(PlaceFailed, match="Host key"):
            await place_of(away("sftp", port, path=""), tmp_path).names()
        named = keys[1].export_public_key().decode().strip()
        assert await place_of(away("sftp", port, path="", host_key=named), tmp_path).names() == []
        with pytest.raises(PlaceFailed, match="is no public key of SSH"):
            await place_of(away("sftp", port, host_key="AAAA"), tmp_path).names()


@pytest.mark.real_loop
async def test_ftp_is_encrypted_and_the_server_is_the_one_that_its_certificate_says(tmp_path: Path) -> None:
    certificate, key, pem = (tmp_path / name for name in ("certificate.pem", "key.pem", "both.pem"))
    make_self_signed(certificate, key, ["localhost", "127.0.0.1"], dt.datetime.now(dt.UTC))
    pem.write_bytes(certificate.read_bytes() + key.read_bytes())
    with ftp_server(tmp_path, pem) as port:
        settings = away("ftp", port, host="localhost", path="", tls=True, ca=str(certificate))
        assert "both.pem" in await place_of(settings, tmp_path).names()
        with pytest.raises(PlaceFailed, match="certificate verify failed"):
            await place_of(away("ftp", port, path="", tls=True), tmp_path).names()
        with pytest.raises(PlaceFailed):
            await place_of(away("ftp", port, path=""), tmp_path).names()  # in the clear


@dataclass
class Elsewhere:
    """A place that fails as often as it is told to."""

    failures: int = 0
    put_at: list[str] = field(default_factory=list)

    address = "sftp://elsewhere"

    async def put(self, file: Path) -> None:
        if self.failures:
            self.failures -= 1
            raise PlaceFailed("sftp://elsewhere cannot be reached: no answer")
        stamp = dt.datetime.strptime(file.name[5:20], "%Y%m%d-%H%M%S").replace(tzinfo=dt.UTC)
        self.put_at.append(stamp.astimezone(dt.timezone(dt.timedelta(hours=3))).strftime("%a %H:%M"))

    async def names(self) -> list[str]:
        return []

    async def remove(self, name: str) -> None:
        raise AssertionError


@pytest.mark.row("CFG-7")
@pytest.mark.virtual_limit(30 * 86400)
async def test_they_are_sent_on_their_days_and_a_failure_is_told_after_three_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(function: object, *arguments: object, **more: object) -> object:
        return function(*arguments, **more)  # type: ignore[operator]

    elsewhere, failed = Elsewhere(), list[BackupFailed]()
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    monkeypatch.setattr("pbx.backups_away.place_of", lambda settings, data: elsewhere)
    loop, bus = asyncio.get_running_loop(), Bus()
    bus.subscribe((BackupFailed,), failed.append)  # type: ignore[arg-type]
    settings = BackupSettings(away=away("sftp", 22, days="sat-sun", at="04:15", parts=("settings",)))
    backups = backups_of(settings, tmp_path, Clock(loop, lambda: T + loop.time()), bus)
    backups.start()
    await asyncio.sleep(7 * 86400)
    assert elsewhere.put_at == ["Sat 04:15", "Sun 04:15"]
    elsewhere.failures = 2
    await asyncio.sleep(4 * 86400)
    assert elsewhere.put_at[2:] == ["Sat 04:15"]  # the third try
    assert not failed
    elsewhere.failures = 3
    await asyncio.sleep(86400)
    backups.close()
    (told,) = failed
    assert told.why.endswith("is not copied: sftp://elsewhere cannot be reached: no answer")
    assert backups.describe()["last_error"] == told.why
    assert backups.all() == []


@pytest.mark.row("CFG-7")
def test_it_is_off_until_a_server_and_a_time_are_named() -> None:
    assert BackupSettings().away.protocol == ""
    for text, said in (
        ('protocol = "sftp"', "give host and at"),
        ('protocol = "sftp"\nhost = "a"\nat = ""', "give host and at"),
        ('protocol = "scp"', "must be"),
        ('protocol = "sftp"\nhost = "a"\npassword = "x"', "belongs to a login"),
        ('days = "someday"', "must be a day"),
    ):
        with pytest.raises(ConfInvalid, match=said):
            parse_settings(f"[backup.away]\n{text}\n", "zvon.toml")
    given = parse_settings('[backup.away]\nprotocol = "ftp"\nhost = "a"\nlogin = "b"\npassword = "Top"\n', "zvon.toml")
    assert "Top" not in repr(given)
