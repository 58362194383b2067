"""What is too old or too much: recordings and call history after so many days (REC-10), whole days of recordings while
the disk is nearly full, the oldest first (REC-11). Every file that goes has a line in the log and one in the audit that
say why (REC-13).

What is still needed stays: recordings that run, and messages that wait in a mailbox.
"""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, DiskShort, RecordingFailed
from pbx.recordings import Recordings
from storage.ports import AuditStore, CdrStore, RecordingQuery, StorageUnavailable
from storage.records import AuditEntry, RecordingPolicy, StoredRecording

DAY_S = 86400.0
CLEAN_S, LOOK_S = 1800.0, 60.0  # between two rounds of old things, two looks at the disk
AT_ONCE = 500  # entries of the index; deleting many must not keep anybody waiting
EXPORTS_S = 3600.0
LEFT_OVER = "old and in no index"

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
        audit: AuditStore,
    ) -> None:
        self._recordings, self._history, self._clock = recordings, history, clock
        self._audit = audit
        self._folder, self._exports, self._policy, self._needed, self._bus = folder, exports, policy, needed, bus
        self.free_mb: Callable[[], int] = lambda: _free_mb(folder)
        self._deleted, self._is_short = 0, False
        self._look = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._bus.subscribe((RecordingFailed,), self._failed)
        rounds = ((CLEAN_S, self.clean, asyncio.Event()), (LOOK_S, self.make_room, self._look))
        self._tasks = [asyncio.ensure_future(self._every(*round)) for round in rounds]

    def _failed(self, _: BusEvent) -> None:
        """Perhaps the disk is full: look now."""
        self._look.set()

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
        left = await asyncio.to_thread(_remove_leftovers, self._folder, before, set(self._needed()))
        await asyncio.gather(*(self._audit.add(self._deletion(file, {}, LEFT_OVER)) for file in left))

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
            files = {each.id: self._recordings.file(each) for each in found if _may_go(each, needed)}
            stay = await asyncio.to_thread(_unlink, files.values())
            gone = [each for each in found if each.id in files and files[each.id] not in stay]
            passed += len(found) - len(gone)
            for recording in gone:
                self._recordings.remove(recording)
                needed.add(recording.id)  # a database that cannot be written shows it again
                log.info("recording deleted", file=_name(recording), call=recording.call, why=why)
            await asyncio.gather(*(self._audit.add(self._deletion(_name(each), _call_of(each), why)) for each in gone))
            count += len(gone)
        self._deleted += count
        return count

    def _deletion(self, file: str, of: Mapping[str, str], why: str) -> AuditEntry:
        """By nobody: the server itself (REC-13)."""
        id = Path(file).with_suffix("").as_posix().replace("/", "~")  # as the API names it
        before, after = json.dumps({"file": file, **of}), json.dumps({"why": why})
        return AuditEntry(self._clock.wall(), "", "", "delete", f"recordings/{id}", before, after)

    async def _every(self, pause_s: float, job: Callable[[], Awaitable[None]], sooner: asyncio.Event) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await sooner.wait()
            sooner.clear()
            try:
                await job()
            except StorageUnavailable as error:
                log.warning("what is too old could not be deleted", why=str(error))
            except Exception:  # the next round comes
                log.exception("what is too old could not be deleted")


def _may_go(recording: StoredRecording, needed: Collection[str]) -> bool:
    return recording.state != "running" and recording.id not in needed


def _name(recording: StoredRecording) -> str:
    return recording.id + recording.suffix


def _call_of(recording: StoredRecording) -> Mapping[str, str]:
    return {"call": recording.call, "linkedid": recording.linkedid}


# --- on the disk ----------------------------------------------------------------------------------------------------


def _free_mb(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free >> 20


def _unlink(files: Iterable[Path]) -> list[Path]:
    """Those that could not be deleted."""
    stay = []
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            log.error("a recording could not be deleted", file=str(file), why=error.strerror)
            stay.append(file)
    return stay


def _remove_exports(folder: Path) -> None:
    for file in _files(folder):
        if file.stat().st_mtime < time.time() - EXPORTS_S:
            file.unlink(missing_ok=True)


def _remove_leftovers(folder: Path, before: float, needed: Collection[str]) -> list[str]:
    """Old files that are in no index, which are told, and folders of which nothing is left."""
    gone = []
    for place, _, names in os.walk(folder, topdown=False):
        for file in (Path(place, name) for name in names):
            name = file.relative_to(folder)
            if name.with_suffix("").as_posix() not in needed and file.stat().st_mtime < before:
                file.unlink(missing_ok=True)
                gone.append(str(name))
                log.info("recording deleted", file=str(name), why=LEFT_OVER)
        if Path(place) != folder and not os.listdir(place):
            os.rmdir(place)
    return gone


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else iter(())
