"""What is deleted by its age or for want of room, and what stays."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pbx.bus import Bus
from pbx.clock import Clock
from pbx.conversion import Converter
from pbx.events import BusEvent, DiskShort, RecordingFailed
from pbx.recordings import Recordings
from pbx.retention import DAY_S, Retention
from storage.memory import MemoryStorage
from storage.ports import AuditQuery, HistoryQuery, RecordingQuery
from storage.records import RecordingPolicy, StoredRecording
from tests.storage.examples import cdr, recording
from tests.support.polling import eventually

pytestmark = pytest.mark.real_loop

NOW = 1_700_000_000.0
TODAY = NOW // DAY_S * DAY_S


class Rig:
    """A folder with recordings, and a disk that says how full it is; each file is a megabyte."""

    def __init__(self, folder: Path, policy: RecordingPolicy, needed: Sequence[str] = ()) -> None:
        self.folder, self.exports = folder / "recordings", folder / "exports"
        self.storage = MemoryStorage()
        self.bus = Bus()
        self.recordings = Recordings(self.storage.recordings, self.folder, self.exports, self.bus, Converter())
        clock = Clock(asyncio.get_running_loop(), lambda: NOW)
        self.retention = Retention(
            self.recordings,
            self.storage.cdrs,
            self.folder,
            self.exports,
            clock,
            lambda: policy,
            lambda: needed,
            self.bus,
            self.storage.audit,
        )

    def add(self, id: str, at: float, state: str = "done") -> Path:
        found = recording(id, at, state=state)
        self.storage.recordings.put(found.id, found)
        return self.file(found, at)

    def file(self, found: StoredRecording, at: float) -> Path:
        file = self.recordings.file(found)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (at, at))
        return file

    def disk_of(self, megabytes: int) -> None:
        """Room for so many files."""
        self.retention.free_mb = lambda: megabytes - sum(each.is_file() for each in self.folder.rglob("*"))

    async def kept(self) -> list[str]:
        """Ids in the index, and that their files are all there are."""
        found = await self.storage.recordings.query(RecordingQuery(limit=100, is_oldest_first=True))
        assert {self.recordings.file(each) for each in found} == {
            each for each in self.folder.rglob("*") if each.is_file()
        }
        return [each.id for each in found]


@pytest.mark.row("REC-13")
async def test_every_file_that_goes_is_in_the_audit_with_the_reason(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(keep_days=30, min_free_mb=500))
    limit = NOW - 30 * DAY_S
    rig.add("2023/10/01/09/old", limit - 1)
    rig.file(recording("2023/10/01/09/of-nobody"), limit - 1)
    await rig.retention.clean()
    rig.add("2023/11/01/09/young", NOW - 10 * DAY_S)
    rig.disk_of(500)
    await rig.retention.make_room()
    young, nobody, old = await rig.storage.audit.query(AuditQuery())
    assert {(each.user, each.action, each.at) for each in (young, nobody, old)} == {("", "delete", NOW)}
    assert (old.object, json.loads(old.before)["file"], json.loads(old.after)) == (
        "recordings/2023~10~01~09~old", "2023/10/01/09/old.opus", {"why": "older than 30 days"}
    )  # fmt: skip
    assert (nobody.object, json.loads(nobody.after)["why"]) == (
        "recordings/2023~10~01~09~of-nobody", "old and in no index"
    )  # fmt: skip
    assert (young.object, json.loads(young.after)["why"]) == (
        "recordings/2023~11~01~09~young", "less than 500 MB free (499 MB)"
    )  # fmt: skip


async def test_a_file_that_cannot_be_deleted_stays_in_the_index_and_nobody_claims_otherwise(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(keep_days=30))
    stubborn = rig.recordings.file(recording("2023/10/01/09/old", 0.0))
    stubborn.mkdir(parents=True)
    rig.storage.recordings.put("2023/10/01/09/old", recording("2023/10/01/09/old", NOW - 40 * DAY_S))
    await rig.retention.clean()
    assert [each.id for each in await rig.storage.recordings.query(RecordingQuery())] == ["2023/10/01/09/old"]
    assert (await rig.storage.audit.query(AuditQuery()), rig.retention.describe()["deleted"]) == ([], 0)


async def test_a_recording_that_fails_has_the_disk_looked_at_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(min_free_mb=500))
    rig.add("2023/11/01/09/young", NOW - 10 * DAY_S)
    rig.disk_of(500)
    rig.retention.start()
    await asyncio.sleep(0.05)
    assert rig.retention.describe()["deleted"] == 0
    rig.bus.publish(RecordingFailed(NOW, "c1", "/rec/a.wav cannot be written: the disk is full."))
    await eventually(lambda: rig.retention.describe()["deleted"] == 1)
    await rig.retention.close()


@pytest.mark.row("REC-10")
async def test_recordings_and_history_go_when_they_are_too_old(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(keep_days=30), needed=["2023/10/01/09/saved"])
    limit = NOW - 30 * DAY_S
    for id, at, state in (
        ("2023/10/01/09/old", limit - 1, "done"),
        ("2023/10/01/09/saved", limit - 1, "done"),
        ("2023/10/01/09/running", limit - 1, "running"),
        ("2023/10/15/09/young", limit, "done"),
    ):
        file = rig.add(id, at, state)
        os.utime(file, (NOW, NOW) if state == "running" else (at, at))
    for id, at in (("1", limit - 1), ("2", limit)):
        rig.storage.cdrs.append(cdr(id, at))
    empty = rig.folder / "2023/09/01/08"
    empty.mkdir(parents=True)
    with capture_logs() as logs:
        await rig.retention.clean()
    assert await rig.kept() == ["2023/10/01/09/running", "2023/10/01/09/saved", "2023/10/15/09/young"]
    assert [row.id for row in await rig.storage.cdrs.query(HistoryQuery())] == ["2"]
    assert not (rig.folder / "2023/09").exists()
    deleted, history = logs
    assert deleted == {
        "event": "recording deleted", "log_level": "info", "file": "2023/10/01/09/old.opus",
        "call": "call-2023/10/01/09/old", "why": "older than 30 days",
    }  # fmt: skip
    assert (history["rows"], history["why"]) == (1, "older than 30 days")
    assert rig.retention.describe()["deleted"] == 1


async def test_files_that_are_in_no_index_go_with_their_age(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(keep_days=1))
    old = rig.file(recording("2023/11/01/09/of-nobody"), NOW - 2 * DAY_S)
    young = rig.file(recording("2023/11/14/09/of-nobody"), NOW - 3600)
    with capture_logs() as logs:
        await rig.retention.clean()
    assert not old.exists()
    assert young.exists()
    assert [each["why"] for each in logs] == ["old and in no index"]


async def test_nothing_goes_by_age_where_it_is_kept_for_ever(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(keep_days=0))
    rig.add("2001/01/01/00/old", 978_307_200.0)
    rig.storage.cdrs.append(cdr("1", 978_307_200.0))
    await rig.retention.clean()
    assert await rig.kept() == ["2001/01/01/00/old"]
    assert len(await rig.storage.cdrs.query(HistoryQuery())) == 1


async def test_files_that_were_asked_for_go_after_an_hour(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy())
    rig.exports.mkdir()
    old, young = rig.exports / "old.mp3", rig.exports / "young.mp3"
    for file in (old, young):
        file.touch()
    os.utime(old, (young.stat().st_mtime - 3700,) * 2)
    await rig.retention.clean()
    assert not old.exists()
    assert young.exists()


@pytest.mark.row("REC-11")
async def test_a_full_disk_loses_its_oldest_days_of_recordings_until_there_is_room(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(keep_days=0, min_free_mb=500), needed=["d1/saved"])
    for day in (1, 2, 3):
        for number in range(3):
            rig.add(f"d{day}/{number}", TODAY - (5 - day) * DAY_S + number)
    rig.add("d1/saved", TODAY - 4 * DAY_S)
    rig.disk_of(506)
    with capture_logs() as logs:
        await rig.retention.make_room()
    assert await rig.kept() == ["d1/saved", "d3/0", "d3/1", "d3/2"]
    assert {each["why"] for each in logs} == {"less than 500 MB free (496 MB)", "less than 500 MB free (499 MB)"}
    rig.disk_of(1000)
    await rig.retention.make_room()
    assert len(await rig.kept()) == 4


async def test_what_is_of_today_stays_and_the_operator_is_told_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RecordingPolicy(min_free_mb=500))
    rig.add("today", TODAY + 1)
    rig.add("running", TODAY - 2 * DAY_S, "running")
    rig.disk_of(100)
    told: list[BusEvent] = []
    rig.bus.subscribe([DiskShort], told.append)
    with capture_logs() as logs:
        await rig.retention.make_room()
        await rig.retention.make_room()
        assert rig.retention.describe()["disk_is_short"]
        rig.disk_of(1000)
        await rig.retention.make_room()
    assert await rig.kept() == ["running", "today"]
    assert [each["event"] for each in logs] == [
        "the disk is nearly full and there is nothing left to delete",
        "the disk has room again",
    ]
    assert not rig.retention.describe()["disk_is_short"]
    assert told == [DiskShort(NOW, 98)]


async def test_the_jobs_run_by_themselves_and_go_on_after_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx.retention.LOOK_S", 0.01)
    rig = Rig(tmp_path, RecordingPolicy(min_free_mb=500))
    rig.add("old", TODAY - DAY_S)
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        if len(looks) == 1:
            raise OSError("no such disk")
        return 100

    rig.retention.free_mb = look
    with capture_logs():
        rig.retention.start()
        await eventually(lambda: rig.retention.describe()["deleted"] == 1)
        await rig.retention.close()
    assert len(looks) >= 2
