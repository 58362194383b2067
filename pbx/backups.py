"""The backups of a server: a folder of files, made by hand and by the clock, the oldest removed (CFG-6)."""

import asyncio
import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import structlog

from conf.schema import BackupSettings
from pbx.backup import Backup, head_of
from pbx.clock import Clock
from pbx.control.messages import BackupView, ControlError
from storage.ports import Storage, StorageUnavailable
from storage.records import Office

FOLDER = "backups"
NAME = re.compile(r"zvon-[0-9-]+(?:-auto)?\.tar")

log = structlog.get_logger("backup")


class Backups:
    """`data` is the data folder; the files lie below it. `settings_file` is the server's zvon.toml, if it has one."""

    def __init__(
        self,
        settings: BackupSettings,
        storage: Storage,
        data: Path,
        clock: Clock,
        office: Callable[[], Office],
        settings_file: Path | None = None,
    ) -> None:
        self._settings, self._storage, self._data, self._file = settings, storage, data, settings_file
        self._clock, self._office = clock, office
        self._making = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.last_error = ""

    def start(self) -> None:
        if self._settings.at:
            self._task = asyncio.ensure_future(self._by_the_clock())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def make(self, parts: Iterable[str], *, mark: str = "") -> BackupView:
        """One more file; raises `ControlError` with a sentence."""
        async with self._making:
            now_at = self._clock.wall()
            stamp = dt.datetime.fromtimestamp(now_at, dt.UTC).strftime("%Y%m%d-%H%M%S-%f")
            file = self._data / FOLDER / f"zvon-{stamp}{mark}.tar"
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
        return {"scheduled": self._settings.at, "last_error": self.last_error}

    async def _by_the_clock(self) -> None:
        """Once a day at the time of the office; a failure is told, and the next day comes."""
        while True:
            await asyncio.sleep(self._seconds_until_next())
            try:
                await self.make(self._settings.parts, mark="-auto")
                self.last_error = ""
            except ControlError as error:
                self.last_error = str(error)
                log.error(self.last_error)
            for old in [each for each in self.all() if each.name.endswith("-auto.tar")][self._settings.keep :]:
                self.remove(old.name)

    def _seconds_until_next(self) -> float:
        zone = zoneinfo.ZoneInfo(self._office().timezone)
        now = dt.datetime.fromtimestamp(self._clock.wall(), zone)
        hour, _, minute = self._settings.at.partition(":")
        due = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        due = due if due > now else due + dt.timedelta(days=1)
        return max(1.0, due.timestamp() - self._clock.wall())


def _view(file: Path) -> BackupView:
    head = head_of(file)
    return BackupView(file.name, str(file), head.made_at, file.stat().st_size, head.zvon, head.parts, head.counts)
