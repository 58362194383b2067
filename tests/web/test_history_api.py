"""The history through the API: every filter, whole conversations, files, what is deleted, filters that are kept."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from pypdf import PdfReader

from pbx.control.messages import RecordingFileView
from storage.memory import MemoryStorage
from storage.ports import HistoryQuery
from storage.records import CdrRow, EmployeeGroup, Office, StoredRecording, User
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal

OFFICE = Office(
    "Test",
    users=(User("anna", "Анна Белкина"), User("boris", "Boris", mobile="79990000000")),
    terminals=(terminal("201", owner="anna"), terminal("202", owner="boris"), terminal("203")),
    employee_groups=(EmployeeGroup("sales", members=("boris",)),),
)
T = 1_700_000_000.0  # 2023-11-14T22:13:20Z
DAY = "from=2023-11-14&to=2023-11-15"
CLIENT, LINE = "+79161234567", "74950000000"
IN: dict[str, Any] = {"provider_in": "telco", "external_number": LINE}
OUT: dict[str, Any] = {"provider_out": "other", "external_number": LINE}


def row(id: str, at: float, caller: str, callee: str, talk: float = 0.0, **more: Any) -> CdrRow:
    call, end = id.rpartition("-")[0], T + at + 5 + talk
    answered: dict[str, Any] = {"answered_at": T + at + 5, "talk_seconds": talk} if talk else {}
    values = {"disposition": "ANSWERED" if talk else "NOANSWER", **answered, **more}
    return CdrRow(id, call, T + at, end, caller, callee, **values)


ROWS = (
    row("a-1", 0, CLIENT, "500", stage="queue", **IN),
    row("a-2", 1, CLIENT, "203", **IN),
    row("a-3", 9, CLIENT, "202", 30.0, to_name="Boris", recording="2023/11/14/a", **IN),
    row("b-1", 60, CLIENT, "202", **IN),
    row("c-1", 120, "201", CLIENT, 7.0, from_name="Анна Белкина", **OUT),
    row("d-1", 180, "201", "202", from_name="Анна Белкина", disposition="BUSY", cause="busy"),
)
RECORDING = StoredRecording("2023/11/14/a", "a", "a", T, CLIENT, "202", state="done", suffix=".mp3")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Api]:
    storage = MemoryStorage()
    for each in ROWS:
        storage.cdrs.append(each)
    storage.recordings.put(RECORDING.id, RECORDING)
    async with api(folder, OFFICE, storage) as found:
        yield found


def ids(response: httpx.Response) -> str:
    return " ".join(sorted(each["id"] for each in data_of(response)))


@pytest.mark.row("CDR-12")
@pytest.mark.row("CDR-13")
@pytest.mark.row("AMB-21")
async def test_every_filter_finds_its_rows_and_no_others(tmp_path: Path) -> None:
    wanted = {
        "search=src:201": "c-1 d-1",
        "search=dst:202": "a-3 b-1 d-1",
        "search=did:74950000000": "a-1 a-2 a-3 b-1 c-1",
        "search=linkedid:a": "a-1 a-2 a-3",
        "search=белкина": "c-1 d-1",
        "search=boris 9161234567": "a-3",
        "search=201 202": "",
        "search=201 202&all=true": "d-1",
        "name=ИРИНА": "",
        "source=201&target=202": "d-1",
        "line=74950000000&kind=outgoing": "c-1",
        "kind=incoming": "a-1 a-2 a-3",
        "kind=missed": "b-1",
        "kind=outgoing": "c-1",
        "kind=internal": "d-1",
        "employee=anna": "c-1 d-1",
        "employee=anna&employee=boris": "a-3 b-1 c-1 d-1",
        "employee=anna&group=sales": "d-1",
        "group=sales": "a-3 b-1 d-1",
        "min_talk=8": "a-3",
        "provider=telco": "a-1 a-2 a-3 b-1",
        "provider=other": "c-1",
        "disposition=BUSY": "d-1",
        "disposition=ANSWERED&kind=incoming": "a-3",
    }
    async with opened(tmp_path) as found:
        for query, expected in wanted.items():
            assert ids(await found.client.get(f"/history?{query}")) == expected, query
        for query, field in {"employee=nobody": "there is no employee", "search=1 2 3": "at most two numbers"}.items():
            assert field in str(errors_of(await found.client.get(f"/history?{query}"), 422))
        errors_of(await found.client.get("/history?kind=odd"), 422)


@pytest.mark.row("CDR-13")
async def test_filters_are_kept_by_name_for_each_person(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        client, mine = found.client, "/me/history_filters"
        given = {"kind": "missed", "line": LINE}
        assert data_of(await client.put(f"{mine}/lost", json=given)) == {"name": "lost", "filter": given}
        data_of(await client.put(f"{mine}/big", json={"min_talk": 60.0}))
        assert [each["name"] for each in data_of(await client.get(mine))] == ["big", "lost"]
        data_of(await client.delete(f"{mine}/big"))
        errors_of(await client.delete(f"{mine}/big"), 404)
        errors_of(await client.put(f"{mine}/odd", json={"kind": "odd"}), 422)
        await found.account_of("anna")
        assert data_of(await client.get(mine)) == []


async def test_conversations_are_shown_whole_by_pages_with_their_story(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        get = found.client.get
        lines = data_of(await get(f"/history?grouped=true&{DAY}"))
        told = [(each["linkedid"], each["kind"], each["status"], each["rows"]) for each in lines]
        assert told == [
            ("d", "internal", "missed", 1), ("c", "outgoing", "ok", 1),
            ("b", "missed", "missed", 1), ("a", "incoming", "ok", 3),
        ]  # fmt: skip
        page = data_of(await get(f"/history?grouped=true&{DAY}&limit=2&offset=1"))
        assert [each["linkedid"] for each in page] == ["c", "b"]
        (busy,) = data_of(await get(f"/history?grouped=true&search=203&{DAY}"))
        assert (busy["linkedid"], busy["rows"]) == ("a", 3)
        story = data_of(await get("/conversations/a"))
        assert [each["id"] for each in story["story"]] == ["a-1", "a-2", "a-3"]
        assert (story["answered_by"], story["waited_s"], story["talk_seconds"]) == (["202"], 14.0, 30.0)
        errors_of(await get("/conversations/x"), 404)
        assert data_of(await get("/history/a-2"))["call"] == "a"
        await found.account_of("anna")
        errors_of(await get("/history/a-2"), 404)
        errors_of(await get("/conversations/a"), 404)


@pytest.mark.row("CDR-21")
async def test_a_period_has_365_days_a_page_a_thousand_and_no_filter_means_30_days(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        get = found.client.get
        now = found.server.clock.wall()
        found.server._storage.cdrs.append(row("n-1", now - T - 29 * 86_400, "201", "202"))
        found.server._storage.cdrs.append(row("o-1", now - T - 31 * 86_400, "201", "202"))
        for number in range(51):
            found.server._storage.cdrs.append(row(f"p{number}-1", number - 1_000_000.0, "301", "302"))
        assert ids(await get("/history")) == "n-1"
        assert ids(await get("/history?number=201&kind=internal")) == "d-1 n-1 o-1"
        assert len(data_of(await get("/history?number=301"))) == 50
        assert len(data_of(await get("/history?number=301&limit=1000"))) == 51
        assert "365 days" in errors_of(await get("/history?from=2023-01-01&to=2024-01-02"), 422)["from"]
        data_of(await get("/history?from=2023-01-01&to=2024-01-01"))
        for wrong in ("limit=0", "limit=1001", "offset=-1"):
            assert (await get(f"/history?{wrong}")).status_code == 422


@pytest.mark.real_loop
@pytest.mark.row("CDR-22")
async def test_a_row_or_a_conversation_is_deleted_with_its_recordings_and_audited(tmp_path: Path) -> None:
    async with opened(tmp_path) as found:
        client, storage = found.client, found.server._storage
        file = tmp_path / "recordings/2023/11/14/a.mp3"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sound")
        assert data_of(await client.delete("/history/a-2")) == {"rows": 1, "recordings": 0}
        assert [each.id for each in await storage.cdrs.of_conversations(["a"])] == ["a-1", "a-3"]
        assert file.exists()
        assert data_of(await client.delete("/conversations/a?recordings=true")) == {"rows": 2, "recordings": 1}
        assert not file.exists()
        assert await storage.recordings.get(RECORDING.id) is None
        errors_of(await client.delete("/conversations/a"), 404)
        errors_of(await client.delete("/history/a-1"), 404)
        assert len(await storage.cdrs.query(HistoryQuery())) == 3
        audit = data_of(await client.get("/audit"))
        assert [(each["action"], each["object"]) for each in audit[:2]] == [
            ("delete", "conversations/a"), ("delete", "history/a-2"),
        ]  # fmt: skip
        assert [each["id"] for each in audit[0]["before"]] == ["a-1", "a-3"]
        await found.account_of("anna")
        errors_of(await client.delete("/history/c-1"), 403)


@pytest.mark.real_loop
@pytest.mark.row("CDR-14")
async def test_what_is_found_is_exported_as_a_table_or_as_its_recordings(tmp_path: Path) -> None:
    sound = tmp_path / "1.mp3"
    sound.write_bytes(b"sound")

    async def exported(id: str) -> RecordingFileView:
        return RecordingFileView(str(sound), "2023-11-14_201_202.mp3")

    async with opened(tmp_path) as found:
        found.server.export_recording = exported  # type: ignore[method-assign]
        path = f"/history:export?kind=incoming&{DAY}&format="
        lines = list(csv.DictReader((await found.client.get(f"{path}csv")).text.splitlines()))
        assert [(each["started_at"], each["to_number"], each["talk_seconds"]) for each in lines] == [
            ("2023-11-14T22:13:29.000Z", "202", "30.0"),
            ("2023-11-14T22:13:21.000Z", "203", "0.0"),
            ("2023-11-14T22:13:20.000Z", "500", "0.0"),
        ]
        grouped = (await found.client.get(f"{path}csv&grouped=true")).text.splitlines()
        assert len(grouped) == 2
        book = await found.client.get(f"{path}xlsx")
        assert b"a-3" not in book.content
        assert ZipFile(BytesIO(book.content)).testzip() is None
        paper = await found.client.get(f"/history:export?employee=anna&{DAY}&format=pdf")
        assert "Анна Белкина" in PdfReader(BytesIO(paper.content)).pages[0].extract_text()
        zipped = await found.client.get(f"{path}zip")
        assert ZipFile(BytesIO(zipped.content)).namelist() == ["2023-11-14_201_202.mp3"]
