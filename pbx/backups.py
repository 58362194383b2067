"""The backups of a server: a folder of files, made by hand and by the clock, the oldest removed; put back,
and copied elsewhere (CFG-6, CFG-7)."""

import asyncio
import datetime as dt
import os
import re
import shutil
import zoneinfo
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import structlog

from conf.calendar_values import days_of
from conf.schema import BackupSettings
from pbx.backup import Backup, head_of
from pbx.backups_away import BackupsAway
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.control.backups import (
    BackupRequest,
    BackupView,
    GetBackups,
    GetRestore,
    MakeBackup,
    RemoveBackup,
    RestoreBackup,
    SendBackup,
    TakeBackup,
)
from pbx.control.messages import ControlError
from pbx.events import BackupFailed
from pbx.restoring import Restoring
from storage.ports import Storage, StorageUnavailable
from storage.records import Office

FOLDER = "backups"
AUTO, TAKEN = "-auto", "-taken"  # in names: made by the clock, came from elsewhere
NAME = re.compile(r"zvon-[0-9-]+(?:-auto|-away|-taken)?\.tar")

log = structlog.get_logger("backup")


class Backups:
    """`data` is the data folder; the files lie below it. `settings_file` is the server's zvon.toml, if it has one;
    `restart` lets the server start again."""

    def __init__(
        self,
        settings: BackupSettings,
        storage: Storage,
        data: Path,
        clock: Clock,
        bus: Bus,
        office: Callable[[], Office],
        restart: Callable[[], None],
        settings_file: Path | None = None,
    ) -> None:
        self._settings, self._storage, self._data, self._file = settings, storage, data, settings_file
        self._clock, self._bus, self._office = clock, bus, office
        self._making = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._away = BackupsAway(settings.away, data, self._make, self.remove)
        self._restoring = Restoring(storage, data, restart)
        self.last_error = ""

    def start(self) -> None:
        away = self._settings.away
        if self._settings.at:
            self._tasks.append(asyncio.ensure_future(self._by_the_clock(self._settings.at, "mon-sun", self._keep_one)))
        if away.protocol:
            self._tasks.append(asyncio.ensure_future(self._by_the_clock(away.at, away.days, self._away.make_and_send)))

    def close(self) -> None:
        self._restoring.close()
        for task in self._tasks:
            task.cancel()

    async def answer(self, request: BackupRequest) -> object:
        """Raises `ControlError` with a sentence."""
        match request:
            case MakeBackup(parts):
                return await self.make(parts)
            case GetBackups():
                return self.all()
            case TakeBackup(path):
                return await asyncio.to_thread(self._take, Path(path))
            case RemoveBackup(name):
                return self.remove(name)
            case SendBackup(name):
                return await self._away.send(self._one(name))
            case RestoreBackup(name, parts):
                return self._restoring.begin(name, Path(self._one(name).path), parts)
            case GetRestore():
                return self._restoring.view()

    async def make(self, parts: Iterable[str], *, mark: str = "") -> BackupView:
        """One more file; raises `ControlError` with a sentence."""
        async with self._making:
            now_at = self._clock.wall()
            file = self._file_of(now_at, mark)
            try:
                await Backup(self._storage, self._data, self._office(), parts, self._file).make(file, now_at)
            except OSError as error:
                raise ControlError(f"the backup {file} cannot be written: {error.strerror}") from None
            except StorageUnavailable as error:
                raise ControlError(f"there is no backup: {error}") from None
            log.info("a backup was made", file=str(file))
            return _view(file)

    def all(self) -> Sequence[BackupView]:
        """The newest first."""
        found = []
        for file in sorted((self._data / FOLDER).glob("zvon-*.tar"), reverse=True):
            try:
                found.append(_view(file))
            except ControlError as error:
                log.warning("a file is no backup", why=str(error))
        return found

    def remove(self, name: str) -> bool:
        """Whether there was such a file."""
        file = self._data / FOLDER / name
        if not NAME.fullmatch(name) or not file.is_file():
            return False
        file.unlink()
        return True

    def describe(self) -> dict[str, object]:
        away = self._settings.away
        where = f"{away.protocol} {away.host} {away.days} {away.at}" if away.protocol else ""
        return {"scheduled": self._settings.at, "away": where, "last_error": self.last_error}

    def _one(self, name: str) -> BackupView:
        file = self._data / FOLDER / name
        if not NAME.fullmatch(name) or not file.is_file():
            raise ControlError(f'there is no backup "{name}"; `zvon backups list` shows them')
        return _view(file)

    def _file_of(self, at: float, mark: str) -> Path:
        stamp = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y%m%d-%H%M%S-%f")
        return self._data / FOLDER / f"zvon-{stamp}{mark}.tar"

    def _take(self, source: Path) -> BackupView:
        """A copy of a file from elsewhere, once."""
        file = self._file_of(head_of(source).made_at, TAKEN)
        fresh = file.with_name(f".{file.name}.new")
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with source.open("rb") as content, open(fresh, "wb", opener=_private) as copy:
                shutil.copyfileobj(content, copy)
            fresh.rename(file)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise ControlError(f"the backup {source} cannot be copied: {error.strerror}") from None
        return _view(file)

    async def _make(self, parts: Sequence[str], mark: str) -> BackupView:
        return await self.make(parts, mark=mark)

    async def _keep_one(self) -> None:
        """One more here, the oldest that the clock made removed."""
        await self.make(self._settings.parts, mark=AUTO)
        for old in [each for each in self.all() if each.name.endswith(f"{AUTO}.tar")][self._settings.keep :]:
            self.remove(old.name)

    async def _by_the_clock(self, at: str, days: str, step: Callable[[], Awaitable[None]]) -> None:
        """At that time of the office on these days of the week; a failure is an alarm, and the next day comes."""
        while True:
            await asyncio.sleep(self._seconds_until(at, days_of(days)))
            try:
                await step()
                self.last_error = ""
            except ControlError as error:
                self.last_error = str(error)
                log.error(self.last_error)
                self._bus.publish(BackupFailed(self._clock.wall(), self.last_error))

    def _seconds_until(self, at: str, days: Sequence[int]) -> float:
        zone = zoneinfo.ZoneInfo(self._office().timezone)
        now = dt.datetime.fromtimestamp(self._clock.wall(), zone)
        hour, _, minute = at.partition(":")
        due = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        while due <= now or due.weekday() not in days:
            due += dt.timedelta(days=1)
        return max(1.0, due.timestamp() - self._clock.wall())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _view(file: Path) -> BackupView:
    head = head_of(file)
    return BackupView(file.name, str(file), head.made_at, file.stat().st_size, head.zvon, head.parts, head.counts)
