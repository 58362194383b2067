"""A backup: one tar file with what a server keeps, by parts, whatever its machine, database and version.

`settings`: the office as its document, zvon.toml, what features and the web remember, mailboxes, keys; `sounds`: the
files that the document names; `history`: call history, missed calls, the journal of events and the audit;
`recordings`: the files and their index, with messages that wait. Records are lines of JSON: a newer program reads those
of an older one, whose fields it may have more of.
"""

import asyncio
import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import inf, nextafter
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec

from conf.export import export_office
from conf.load import ConfInvalid, parse_office
from pbx.control.backups import BACKUP_PARTS
from pbx.control.messages import ControlError
from storage.ports import AuditQuery, HappeningQuery, HistoryQuery, RecordingQuery, Storage
from storage.records import (
    AuditEntry,
    CdrRow,
    Happening,
    Mailbox,
    MissedCall,
    Office,
    StoredRecording,
    StoredState,
    VoiceMessage,
)

FORMAT = 1
HEAD = "backup.json"
OFFICE = "office.toml"
KEPT_FILES = ("keys.json", "certificate.pem", "key.pem")
SETTINGS = "zvon.toml"  # beside the data after a restore: whether it fits to the other machine, a person decides
FOLDERS = {"greetings": "settings", "sounds": "sounds", "recordings": "recordings"}
LINES = ".jsonl.gz"
PAGE = 2000
AT_ONCE = 100  # records between two looks at everything else

T = TypeVar("T")
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Head:
    """The first thing in a backup: what it is, and how many records of each kind it has."""

    format: int
    zvon: str
    made_at: float
    parts: tuple[str, ...]
    counts: dict[str, int]


def head_of(file: Path) -> Head:
    """Raises `ControlError` where the file is no backup that this program can read."""
    try:
        with tarfile.open(file, "r:") as tar:
            member = tar.next()
            inside = tar.extractfile(member) if member is not None and member.name == HEAD else None
            found = msgspec.json.decode(inside.read(), type=Head) if inside is not None else None
    except (OSError, tarfile.TarError, msgspec.MsgspecError) as error:
        raise ControlError(f"{file} cannot be read as a backup: {getattr(error, 'strerror', None) or error}") from None
    if found is None:
        raise ControlError(f"{file} is no backup of Zvon")
    if found.format > FORMAT:
        raise ControlError(f"{file} was made by a newer Zvon ({found.zvon}): restore it with that version")
    return found


class Backup:
    """What is written; `make` is one file with all of it."""

    def __init__(
        self, storage: Storage, data: Path, office: Office, parts: Iterable[str], settings_file: Path | None = None
    ) -> None:
        self._storage, self._data, self._office, self._settings_file = storage, data, office, settings_file
        self._parts = tuple(each for each in BACKUP_PARTS if each in set(parts))

    async def make(self, file: Path, now_at: float) -> Head:
        """Write the file, readable by its owner only; all or nothing. Raises OSError or `StorageUnavailable`."""
        await asyncio.to_thread(file.parent.mkdir, 0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as name:
            folder = Path(name)
            counts = {
                kind: await _write_lines(folder / f"{kind}{LINES}", records)
                for part, kind, records in self._records()
                if part in self._parts
            }
            head = Head(FORMAT, version("zvon"), now_at, self._parts, counts)
            await asyncio.to_thread(self._pack, folder, head)
            (folder / "whole").rename(file)
        return head

    def _records(self) -> Iterator[tuple[str, str, AsyncIterator[Sequence[Any]]]]:
        storage = self._storage
        yield "settings", "states", _all(storage.states.load)
        yield "settings", "mailboxes", _all(storage.mailboxes.load)
        yield "history", "history", _history(storage)
        yield "history", "audit", _audit(storage)
        yield "history", "missed", _all(storage.missed.load)
        yield "history", "happenings", _all(lambda: storage.happenings.query(HappeningQuery()))
        yield "recordings", "recordings", _recordings(storage)
        yield "recordings", "voice_messages", _all(storage.voice_messages.load)

    def _pack(self, folder: Path, head: Head) -> None:
        whole = folder / "whole"
        descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:") as tar:
            _add_bytes(tar, HEAD, msgspec.json.encode(head), head.made_at)
            if "settings" in self._parts:
                document = export_office(self._with_near_files(), with_secrets=True)
                _add_bytes(tar, OFFICE, document.encode(), head.made_at)
            for lines in sorted(folder.glob("*.gz")):
                tar.add(lines, lines.name)
            for path, name in self._files():
                if path.is_file():
                    tar.add(path, name, recursive=False)
            file.flush()
            os.fsync(file.fileno())

    def _with_near_files(self) -> Office:
        """The office with its files as they stand in the backup."""
        names = dict(self._named())
        return replace(
            self._office,
            sounds=tuple(replace(each, file=names[Path(each.file)]) for each in self._office.sounds),
            applications=tuple(replace(each, file=names[Path(each.file)]) for each in self._office.applications),
        )

    def _named(self) -> Iterator[tuple[Path, str]]:
        """The files that the office names, and how they are called in a backup."""
        for sound in self._office.sounds:
            yield Path(sound.file), f"sounds/{sound.id}{Path(sound.file).suffix}"
        for app in self._office.applications:
            yield Path(app.file), f"sounds/scripts/{app.number}{Path(app.file).suffix}"

    def _files(self) -> Iterator[tuple[Path, str]]:
        if "settings" in self._parts:
            yield from ((self._data / name, name) for name in KEPT_FILES)
            if self._settings_file is not None:
                yield self._settings_file, SETTINGS
            yield from _below(self._data, "greetings")
        if "sounds" in self._parts:
            yield from self._named()
        if "recordings" in self._parts:
            yield from _below(self._data, "recordings")


class Restorer:
    """Puts the parts of a backup back into a data folder, whose server has to start again then, if it runs. What is
    there already and not in the backup stays; the office is replaced. `percent` says how far it is."""

    def __init__(self, storage: Storage, data: Path, file: Path, parts: Iterable[str], told: Told) -> None:
        self._storage, self._data, self._file, self._told = storage, data, file, told
        self._head = head_of(file)
        wanted = set(parts) or set(self._head.parts)
        if missing := sorted(wanted - set(self._head.parts)):
            raise ControlError(f"{file} has no {', '.join(missing)}: it has {', '.join(self._head.parts)}")
        self._parts = wanted
        self._done, self._steps = 0, 1

    @property
    def percent(self) -> int:
        return min(100, 100 * self._done // self._steps)

    async def restore(self) -> None:
        """Raises `ControlError` or `StorageUnavailable` with a sentence."""
        try:
            with await asyncio.to_thread(tarfile.open, self._file, "r:") as tar:
                members = await asyncio.to_thread(tar.getmembers)
                self._steps = len(members)
                files = await asyncio.to_thread(lambda: sum(self._put_file(tar, member) for member in members))
                self._told(f"{files} files")
                if "settings" in self._parts:
                    await self._restore_office(tar)
                for kind, record, put in self._kinds():
                    await self._restore_lines(tar, kind, record, put)
        except (OSError, tarfile.TarError, EOFError, msgspec.MsgspecError) as error:
            raise ControlError(f"{self._file} cannot be restored whole: {error}") from None
        await self._storage.flush()

    def _kinds(self) -> Iterator[tuple[str, type[Any], Callable[[Any], Any]]]:
        storage = self._storage
        if "settings" in self._parts:
            yield "states", StoredState, lambda each: storage.states.put(each.id, each)
            yield "mailboxes", Mailbox, lambda each: storage.mailboxes.put(each.id, each)
        if "history" in self._parts:
            yield "history", CdrRow, storage.cdrs.append
            yield "audit", AuditEntry, storage.audit.add
            yield "missed", MissedCall, lambda each: storage.missed.put(each.id, each)
            yield "happenings", Happening, lambda each: storage.happenings.put(each.id, each)
        if "recordings" in self._parts:
            yield "recordings", StoredRecording, lambda each: storage.recordings.put(each.id, each)
            yield "voice_messages", VoiceMessage, lambda each: storage.voice_messages.put(each.id, each)

    async def _restore_office(self, tar: tarfile.TarFile) -> None:
        inside = tar.extractfile(OFFICE)
        text = inside.read().decode() if inside is not None else ""
        try:
            office = parse_office(text, str(self._data / OFFICE), Office())
        except ConfInvalid as error:
            raise ControlError(f"this program does not take the office of the backup: {error}") from None
        await self._storage.offices.save(office)
        self._told(f"office {office.name}: {len(office.users)} people, {len(office.terminals)} terminals")

    async def _restore_lines(
        self, tar: tarfile.TarFile, kind: str, record: type[Any], put: Callable[[Any], Any]
    ) -> None:
        name, count = f"{kind}{LINES}", 0
        inside = tar.extractfile(name) if name in tar.getnames() else None
        if inside is None:
            return
        with gzip.open(inside) as lines:
            for line in lines:
                done = put(msgspec.json.decode(line, type=record))
                if done is not None:
                    await done
                count += 1
                if count % PAGE == 0:
                    await self._storage.flush()
                elif count % AT_ONCE == 0:
                    await asyncio.sleep(0)  # calls go on meanwhile
        self._done += 1
        self._told(f"{count} of {kind}")

    def _put_file(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
        """One file of a wanted part to its place below the data folder."""
        path = PurePosixPath(member.name)
        part = (
            "settings"
            if member.name in (*KEPT_FILES, SETTINGS)
            else FOLDERS.get(path.parts[0])
            if len(path.parts) > 1
            else None
        )
        inside = tar.extractfile(member) if member.isreg() and part in self._parts else None
        self._done += not member.name.endswith(LINES)
        if inside is None or ".." in path.parts or path.is_absolute():
            return False
        target = self._data / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            while chunk := inside.read(1 << 20):
                file.write(chunk)
        os.utime(fresh, (member.mtime, member.mtime))
        fresh.rename(target)
        return True


def _below(data: Path, folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((data / folder).rglob("*")):
        yield path, path.relative_to(data).as_posix()


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes, at: float) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), int(at), 0o600
    tar.addfile(member, io.BytesIO(content))


async def _write_lines(file: Path, pages: AsyncIterator[Sequence[Any]]) -> int:
    """Records as lines of JSON, compressed; how many there are."""
    count = 0
    with gzip.open(file, "wb", compresslevel=6) as lines:
        async for page in pages:
            text = b"".join(msgspec.json.encode(each) + b"\n" for each in page)
            await asyncio.to_thread(lines.write, text)
            count += len(page)
    return count


async def _all(load: Callable[[], Any]) -> AsyncIterator[Sequence[Any]]:
    yield await load()


async def _history(storage: Storage) -> AsyncIterator[Sequence[CdrRow]]:
    """From the newest on, in pages by time: rows that come meanwhile move nothing."""
    before, last = inf, set[str]()
    while True:
        limit = PAGE + len(last)
        page = await storage.cdrs.query(HistoryQuery(to_at=None if before == inf else before, limit=limit))
        fresh = [row for row in page if row.id not in last]
        if fresh:
            yield fresh
        if len(page) < limit:
            return
        oldest = page[-1].started_at
        before = nextafter(oldest, inf)
        last = {row.id for row in page if row.started_at == oldest}


async def _recordings(storage: Storage) -> AsyncIterator[Sequence[StoredRecording]]:
    """The finished ones, the oldest first: what begins meanwhile moves nothing."""
    for offset in range(0, 10**9, PAGE):
        page = await storage.recordings.query(RecordingQuery(limit=PAGE, offset=offset, is_oldest_first=True))
        yield [each for each in page if each.state == "done"]
        if len(page) < PAGE:
            return


async def _audit(storage: Storage) -> AsyncIterator[Sequence[AuditEntry]]:
    """Oldest first, as they are stored again."""
    found: list[AuditEntry] = []
    while page := await storage.audit.query(AuditQuery(before_id=found[-1].id if found else 0, limit=PAGE)):
        found += page
    yield found[::-1]
