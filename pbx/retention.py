"""What is too old or too much: recordings and call history after so many days (REC-10), whole days of recordings while
the disk is nearly full, the oldest first (REC-11). Every file that goes has a line in the log that says why (REC-13).

What is still needed stays: recordings that run, and messages that wait in a mailbox.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import DiskShort
from pbx.recordings import Recordings
from storage.ports import CdrStore, RecordingQuery, StorageUnavailable
from storage.records import RecordingPolicy, StoredRecording

DAY_S = 86400.0
CLEAN_S, LOOK_S = 1800.0, 60.0  # between two rounds of old things, two looks at the disk
AT_ONCE = 500  # entries of the index; deleting many must not keep anybody waiting
EXPORTS_S = 3600.0

log = structlog.get_logger("retention")


class Retention:
    """One per server. `policy` is that of the office in force; `needed` are ids of recordings that somebody still waits
    for."""

    def __init__(
        self,
        recordings: Recordings,
        history: CdrStore,
        folder: Path,
        exports: Path,
        clock: Clock,
        policy: Callable[[], RecordingPolicy],
        needed: Callable[[], Collection[str]],
        bus: Bus,
    ) -> None:
        self._recordings, self._history, self._clock = recordings, history, clock
        self._folder, self._exports, self._policy, self._needed, self._bus = folder, exports, policy, needed, bus
        self.free_mb: Callable[[], int] = lambda: _free_mb(folder)
        self._deleted, self._is_short = 0, False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        rounds = ((CLEAN_S, self.clean), (LOOK_S, self.make_room))
        self._tasks = [asyncio.ensure_future(self._every(pause_s, job)) for pause_s, job in rounds]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def describe(self) -> dict[str, object]:
        return {"deleted": self._deleted, "disk_is_short": self._is_short}

    # --- too old ----------------------------------------------------------------------------------------------------

    async def clean(self) -> None:
        """One round of what is too old."""
        await asyncio.to_thread(_remove_exports, self._exports)
        days = self._policy().keep_days
        if not days:
            return
        before, why = self._clock.wall() - days * DAY_S, f"older than {days} days"
        await self._delete(RecordingQuery(to_at=before), why)
        if gone := await self._history.remove_before(before):
            log.info("history deleted", rows=gone, why=why)
        await asyncio.to_thread(_remove_leftovers, self._folder, before, set(self._needed()))

    # --- too much ---------------------------------------------------------------------------------------------------

    async def make_room(self) -> None:
        """One look at the disk: whole days go, today's never, until there is room."""
        wanted = self._policy().min_free_mb
        while (free := await asyncio.to_thread(self.free_mb)) < wanted:
            oldest = await self._oldest()
            if oldest is None or oldest.started_at >= self._today():
                self._short(free)
                return
            end = (oldest.started_at // DAY_S + 1) * DAY_S
            why = f"less than {wanted} MB free ({free} MB)"
            if not await self._delete(RecordingQuery(from_at=oldest.started_at, to_at=end), why):
                self._short(free)
                return
        if self._is_short:
            log.info("the disk has room again", free_mb=free)
        self._is_short = False

    async def _oldest(self) -> StoredRecording | None:
        """The oldest recording that may go."""
        needed, offset = set(self._needed()), 0
        while found := await self._recordings.query(RecordingQuery(limit=AT_ONCE, offset=offset, is_oldest_first=True)):
            if (first := next((each for each in found if _may_go(each, needed)), None)) is not None:
                return first
            offset += AT_ONCE
        return None

    def _today(self) -> float:
        return self._clock.wall() // DAY_S * DAY_S

    def _short(self, free_mb: int) -> None:
        if not self._is_short:
            log.error("the disk is nearly full and there is nothing left to delete", free_mb=free_mb)
            self._bus.publish(DiskShort(self._clock.wall(), free_mb))
        self._is_short = True

    # --- both -------------------------------------------------------------------------------------------------------

    async def _delete(self, query: RecordingQuery, why: str) -> int:
        """Everything that the query means and that may go; how many."""
        needed, count, passed = set(self._needed()), 0, 0
        while found := await self._recordings.query(replace(query, limit=AT_ONCE, offset=passed, is_oldest_first=True)):
            going = [each for each in found if _may_go(each, needed)]
            passed += len(found) - len(going)
            await asyncio.to_thread(_unlink, [self._recordings.file(each) for each in going])
            for recording in going:
                self._recordings.remove(recording)
                needed.add(recording.id)  # a database that cannot be written shows it again
                log.info("recording deleted", file=recording.id + recording.suffix, call=recording.call, why=why)
            count += len(going)
        self._deleted += count
        return count

    async def _every(self, pause_s: float, job: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                await job()
            except StorageUnavailable as error:
                log.warning("what is too old could not be deleted", why=str(error))
            except Exception:  # the next round comes
                log.exception("what is too old could not be deleted")


def _may_go(recording: StoredRecording, needed: Collection[str]) -> bool:
    return recording.state != "running" and recording.id not in needed


# --- on the disk ----------------------------------------------------------------------------------------------------


def _free_mb(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free >> 20


def _unlink(files: list[Path]) -> None:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            log.error("a recording could not be deleted", file=str(file), why=error.strerror)


def _remove_exports(folder: Path) -> None:
    for file in _files(folder):
        if file.stat().st_mtime < time.time() - EXPORTS_S:
            file.unlink(missing_ok=True)


def _remove_leftovers(folder: Path, before: float, needed: Collection[str]) -> None:
    """Old files that are in no index, and folders of which nothing is left."""
    for place, _, names in os.walk(folder, topdown=False):
        for file in (Path(place, name) for name in names):
            is_needed = file.relative_to(folder).with_suffix("").as_posix() in needed
            if not is_needed and file.stat().st_mtime < before:
                file.unlink(missing_ok=True)
                log.info("recording deleted", file=str(file.relative_to(folder)), why="old and in no index")
        if Path(place) != folder and not os.listdir(place):
            os.rmdir(place)


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else iter(())
