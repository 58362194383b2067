"""Backups: one file, by parts, put back on another machine and by another version."""

import asyncio
import datetime as dt
import gzip
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from conf.schema import BackupSettings
from pbx.backup import FORMAT, Backup, Restorer, head_of
from pbx.backups import Backups
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.backups import BACKUP_PARTS
from pbx.control.messages import ControlError
from storage.memory import MemoryStorage
from storage.ports import AuditQuery, HappeningQuery, HistoryQuery, RecordingQuery, Storage
from storage.records import (
    AuditEntry,
    CdrRow,
    Happening,
    Mailbox,
    MissedCall,
    Office,
    Sound,
    StoredRecording,
    StoredState,
    User,
    VoiceMessage,
)
from storage.sql import open_storage
from tests.support.builders import terminal

T = 1_700_000_000.0
ROWS = [CdrRow(str(n), f"zvon-{n}", T + n // 3, T + n, "201", "202", "ANSWERED") for n in range(7)]
RECORDING = StoredRecording("2023/11/14/22/a", "a", "zvon-1", T, "201", "202", state="done", suffix=".opus")
MESSAGE = VoiceMessage(RECORDING.id, "201", T, 3.0, "202")
MISSED = MissedCall("zvon-2", "79161234567", "", "74950000000", "telco", T, 9.0, "queue", "500")
HAPPENING = Happening("h", T, "provider_down", "telco", "the provider does not answer")
STATE = StoredState("web accounts/admin", "web accounts", "admin", "{}")


def office_in(data: Path) -> Office:
    return Office(
        "Рога",
        users=(User("anna", "Анна"),),
        terminals=(terminal("201", owner="anna"), terminal("202")),
        sounds=(Sound("welcome", str(data / "elsewhere" / "hello.wav")),),
    )


async def fill(storage: Storage, data: Path) -> None:
    for name in ("elsewhere/hello.wav", "greetings/201.wav", f"recordings/{RECORDING.id}.opus", "keys.json"):
        file = data / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"octets of {name}".encode())
    for row in ROWS:
        storage.cdrs.append(row)
    storage.recordings.put(RECORDING.id, RECORDING)
    storage.voice_messages.put(MESSAGE.id, MESSAGE)
    storage.states.put(STATE.id, STATE)
    storage.missed.put(MISSED.id, MISSED)
    storage.happenings.put(HAPPENING.id, HAPPENING)
    storage.mailboxes.put("201", Mailbox("201", "greetings/201.wav"))
    for n in range(3):
        await storage.audit.add(AuditEntry(T + n, "anna", "10.0.0.1", "change", f"terminals/{n}"))


async def made(folder: Path, parts: tuple[str, ...] = BACKUP_PARTS) -> Path:
    """A backup of a machine that is full."""
    data = folder / "one"
    storage = open_storage("sqlite:///zvon.db", data)
    try:
        await fill(storage, data)
        settings = folder / "settings.toml"
        settings.write_text('[sip]\nrealm = "one"\n')
        await Backup(storage, data, office_in(data), parts, settings).make(folder / "backup.tar", T)
    finally:
        await storage.close()
    return folder / "backup.tar"


@pytest.mark.real_loop
async def test_everything_is_there_again_on_another_machine(tmp_path: Path) -> None:
    file, other = await made(tmp_path), tmp_path / "other"
    assert file.stat().st_mode & 0o777 == 0o600
    said: list[str] = []
    storage = open_storage("sqlite:///else.db", other)
    try:
        await Restorer(storage, other, file, (), said.append).restore()
        office = await storage.offices.load()
        assert replace(office, sounds=()) == replace(office_in(other), sounds=())
        assert office.sounds[0].file == str(other / "sounds/welcome.wav")
        assert (other / "sounds/welcome.wav").read_bytes() == b"octets of elsewhere/hello.wav"
        rows = await storage.cdrs.query(HistoryQuery())
        assert sorted(rows, key=lambda row: int(row.id)) == ROWS
        assert list(await storage.recordings.query(RecordingQuery())) == [RECORDING]
        assert (other / f"recordings/{RECORDING.id}.opus").read_bytes().startswith(b"octets of recordings/")
        assert list(await storage.voice_messages.load()) == [MESSAGE]
        assert list(await storage.states.load()) == [STATE]
        assert list(await storage.mailboxes.load()) == [Mailbox("201", "greetings/201.wav")]
        assert (other / "greetings/201.wav").exists()
        assert (other / "keys.json").read_bytes() == b"octets of keys.json"
        assert (other / "zvon.toml").read_text() == '[sip]\nrealm = "one"\n'
        assert (other / "zvon.toml").stat().st_mode & 0o777 == 0o600
        assert list(await storage.missed.load()) == [MISSED]
        assert list(await storage.happenings.query(HappeningQuery())) == [HAPPENING]
        audit = await storage.audit.query(AuditQuery())
        assert [each.object for each in audit] == ["terminals/2", "terminals/1", "terminals/0"]
        assert "office Рога: 1 people, 2 terminals" in said
        assert "7 of history" in said
    finally:
        await storage.close()


@pytest.mark.real_loop
async def test_a_part_alone_is_written_and_a_part_alone_is_put_back(tmp_path: Path) -> None:
    file = await made(tmp_path, ("history",))
    assert head_of(file).parts == ("history",)
    with tarfile.open(file) as tar:
        kinds = ("audit", "happenings", "history", "missed")
        assert tar.getnames() == ["backup.json", *(f"{kind}.jsonl.gz" for kind in kinds)]
    with pytest.raises(ControlError, match="has no settings"):
        Restorer(MemoryStorage(), tmp_path, file, ("settings",), print)
    whole, storage = await made(tmp_path / "again"), MemoryStorage()
    await Restorer(storage, tmp_path / "x", whole, ("history",), lambda _: None).restore()
    assert len(await storage.cdrs.query(HistoryQuery())) == len(ROWS)
    assert await storage.offices.load() == Office()
    assert not (tmp_path / "x").exists()


def rewritten(file: Path, changes: dict[str, bytes]) -> Path:
    """The same backup with other members in it."""
    other = file.with_name("other.tar")
    with tarfile.open(file) as old, tarfile.open(other, "w:") as new:
        for member in old:
            inside = old.extractfile(member)
            assert inside is not None
            content = changes.get(member.name, inside.read())
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
        for name in changes.keys() - set(old.getnames()):
            extra = tarfile.TarInfo(name)
            extra.size = len(changes[name])
            new.addfile(extra, io.BytesIO(changes[name]))
    return other


@pytest.mark.real_loop
async def test_records_of_an_older_version_are_read_and_a_newer_format_is_refused(tmp_path: Path) -> None:
    file = await made(tmp_path)
    row = msgspec.to_builtins(ROWS[0])
    del row["digits"]  # a field that the older version did not have
    older = rewritten(file, {"history.jsonl.gz": gzip.compress(msgspec.json.encode({**row, "gone": 1}) + b"\n")})
    storage = MemoryStorage()
    await Restorer(storage, tmp_path / "x", older, (), lambda _: None).restore()
    assert list(await storage.cdrs.query(HistoryQuery())) == [ROWS[0]]
    head = msgspec.to_builtins(head_of(file)) | {"format": FORMAT + 1, "zvon": "9.0"}
    newer = rewritten(file, {"backup.json": msgspec.json.encode(head)})
    with pytest.raises(ControlError, match=r"newer Zvon \(9\.0\)"):
        head_of(newer)


def files_below(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


@pytest.mark.real_loop
async def test_nothing_is_written_outside_the_data_folder(tmp_path: Path) -> None:
    names = ("recordings/../../evil", "/etc/evil", "zvon.db", "sounds/../keys.json")
    evil = rewritten(await made(tmp_path), dict.fromkeys(names, b"evil"))
    data = tmp_path / "x" / "data"
    await Restorer(MemoryStorage(), data, evil, (), lambda _: None).restore()
    assert [each for each in files_below(tmp_path) if each.read_bytes() == b"evil"] == []


def test_what_is_no_backup_is_said(tmp_path: Path) -> None:
    other = tmp_path / "x.tar"
    for content in (b"", b"hello" * 1000):
        other.write_bytes(content)
        with pytest.raises(ControlError, match=r"x\.tar (?:cannot be read as a backup|is no backup)"):
            head_of(other)
    with pytest.raises(ControlError, match="No such file"):
        head_of(tmp_path / "missing.tar")


@pytest.mark.virtual_limit(4 * 86400)
async def test_each_night_one_is_made_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(function: object, *arguments: object, **more: object) -> object:
        return function(*arguments, **more)  # type: ignore[operator]

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    settings = BackupSettings(at="03:30", parts=("settings",), keep=2)
    loop = asyncio.get_running_loop()
    clock = Clock(loop, lambda: T + loop.time())
    zone = dt.timezone(dt.timedelta(hours=3))
    office = Office("Test", timezone="Europe/Moscow")
    backups = Backups(settings, MemoryStorage(), tmp_path, clock, Bus(), lambda: office, lambda: None)
    by_hand = await backups.make(BACKUP_PARTS)
    backups.start()
    await asyncio.sleep(3.5 * 86400)
    backups.close()
    found = backups.all()
    assert len(found) == 3
    assert found[-1] == by_hand
    for each in found[:2]:
        assert dt.datetime.fromtimestamp(each.made_at, zone).strftime("%H:%M") == "03:30"
    assert backups.remove(found[0].name)
    assert not backups.remove("../zvon.db")
