"""History, recordings, what happens now and what can be done with it: each sees and does the own part."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pbx.cli_output import print_queues
from pbx.control.desk import EventView
from pbx.control.messages import AgentView, CallView, Intercept, LineView, Originate, QueueView, RecordingFileView
from sipcore.register.binding import Binding, RegisterResult
from sipcore.uri import SipUri
from storage.memory import MemoryStorage
from storage.records import CdrRow, EmployeeGroup, Office, Queue, StoredRecording, User
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal
from tests.support.office import open_office
from web import door
from web.api.events import is_seen
from web.rights import Principal

OFFICE = Office(
    "Test",
    users=(User("anna", "Anna"), User("boris", "Boris", role="supervisor", scope=("group:sales",))),
    terminals=(terminal("201", owner="anna"), terminal("202", owner="boris"), terminal("203")),
    employee_groups=(EmployeeGroup("sales", members=("anna",)),),
)
T = 1_700_000_000.0  # 2023-11-14T22:13:20Z
DAY = "from=2023-11-14&to=2023-11-15"


def row(id: str, start: float, caller: str, callee: str, **more: Any) -> CdrRow:
    return CdrRow(id, f"zvon-{id}", start, start + 10, caller, callee, "ANSWERED", **more)


def recording(id: str, caller: str, callee: str) -> StoredRecording:
    return StoredRecording(f"2023/11/14/{id}", id, f"zvon-{id}", T, caller, callee, state="done")


def filled() -> MemoryStorage:
    storage = MemoryStorage()
    for each in (
        row("1", T, "201", "202", talk_seconds=5.0, recording="2023/11/14/1"),
        row("2", T + 60, "203", "202"),
        row("3", T + 120, "203", "79161234567"),
        row("4", T + 180, "79161234567", "201"),
    ):
        storage.cdrs.append(each)
    for kept in (recording("1", "201", "202"), recording("2", "203", "202")):
        storage.recordings.put(kept.id, kept)
    return storage


def ids(response: httpx.Response) -> list[str]:
    return [each["id"] for each in data_of(response)]


async def test_history_is_filtered_by_number_conversation_and_time(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE, filled()) as found:
        get = found.client.get
        assert ids(await get(f"/history?{DAY}")) == ["4", "3", "2", "1"]
        assert ids(await get("/history")) == [], "the last 30 days"
        assert ids(await get(f"/history?{DAY}&limit=2&offset=1")) == ["3", "2"]
        assert ids(await get("/history?number=202")) == ["2", "1"]
        assert ids(await get("/history?number=202&number2=201")) == ["1"]
        assert ids(await get("/history?linkedid=zvon-3")) == ["3"]
        assert ids(await get("/history?from=2023-11-14T22:14:20Z&to=2023-11-14T22:16:20Z")) == ["3", "2"]
        assert "must be a time" in errors_of(await get("/history?from=yesterday"), 422)["from"]
        (shown,) = data_of(await get("/history?linkedid=zvon-1"))
        assert (shown["started_at"], shown["duration"]) == ("2023-11-14T22:13:20.000Z", 10.0)
        assert shown["recording"] == ["2023~11~14~1"]


async def test_everybody_sees_the_history_and_the_recordings_of_the_own_numbers(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE, filled()) as found:
        await found.account_of("anna")
        assert ids(await found.client.get(f"/history?{DAY}")) == ["4", "1"]
        assert ids(await found.client.get(f"/history?{DAY}&offset=1&limit=1")) == ["1"]
        assert ids(await found.client.get("/history?number=79161234567")) == ["4"]
        assert ids(await found.client.get("/history?linkedid=zvon-2")) == []
        assert ids(await found.client.get("/recordings")) == ["2023~11~14~1"]
        errors_of(await found.client.get("/recordings/2023~11~14~2"), 404)
        errors_of(await found.client.get("/recordings/2023~11~14~2/audio"), 404)
        await found.become()
        await found.account_of("boris")
        assert ids(await found.client.get(f"/history?{DAY}")) == ["4", "2", "1"]
        assert ids(await found.client.get("/recordings?offset=1")) == ["2023~11~14~1"]


@pytest.mark.row("REC-13")
@pytest.mark.real_loop
async def test_audio_comes_whole_by_parts_and_by_a_link_without_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = tmp_path / "1.mp3"
    sound.write_bytes(bytes(range(100)))

    async def export(id: str) -> RecordingFileView:
        return RecordingFileView(str(sound), "2023-11-14_201_202.mp3")

    async with api(tmp_path, OFFICE, filled()) as found:
        found.server.export_recording = export  # type: ignore[method-assign]
        path = "/recordings/2023~11~14~1/audio"
        whole = await found.client.get(path)
        assert (whole.status_code, whole.content) == (200, sound.read_bytes())
        assert "2023-11-14_201_202.mp3" in whole.headers["content-disposition"]
        part = await found.client.get(path, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
        assert part.headers["content-range"] == "bytes 10-19/100"
        assert (await found.client.get(path, headers={"Range": "bytes=200-"})).status_code == 416
        head = await found.client.head(path)
        assert (head.status_code, head.headers["content-length"], head.content) == (200, "100", b"")
        for age_s, status in ((3610, 401), (3590, 200)):
            made_at = time.time() - age_s
            with monkeypatch.context() as patch:
                patch.setattr(door, "time", SimpleNamespace(time=lambda at=made_at: at))
                url = data_of(await found.client.post("/recordings/2023~11~14~1:link"))["url"]
            assert (await found.client.get(f"http://pbx{url}")).status_code == status, "it counts for an hour"
        del found.client.headers["Authorization"]
        linked = await found.client.get(f"http://pbx{url}")
        assert linked.content == sound.read_bytes()
        errors_of(await found.client.get(f"http://pbx{url.replace('~1/', '~2/')}"), 401)
        errors_of(await found.client.get(path), 401)


@pytest.mark.row("EXT-23")
async def test_failed_sign_ins_are_seen_by_account_and_cleared(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        book = found.server.admission.failures
        for number in ("201", "201", "202"):
            book.failed(number, "203.0.113.7", "wrong password", 1.0)
        (one,) = data_of(await found.client.get("/registrations/failures?number=201"))
        assert (one["source"], one["count"], one["reason"]) == ("203.0.113.7", 2, "wrong password")
        assert len(data_of(await found.client.get("/registrations/failures"))) == 2
        assert (await found.client.delete("/registrations/failures/201")).status_code == 200
        assert [each.number for each in book.table()] == ["202"]
        errors_of(await found.client.delete("/registrations/failures/201"), 404)


async def test_the_devices_of_the_last_day_are_seen_by_who_may_see_the_account(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        now, contact = found.server.clock.now(), SipUri("sip", "201", "10.0.0.5")
        device = Binding(
            contact, "c", 1, now + 60, received=("203.0.113.9", 1024), user_agent="Desk", registered_at=now
        )
        location = found.server.location
        location.update("201", RegisterResult((device,), added=(device,)))
        location.update("202", RegisterResult((device,), added=(device,)))
        location.forget("201")
        (over,) = data_of(await found.client.get("/registrations/devices?number=201"))
        assert (over["address"], over["port"], over["user_agent"]) == ("203.0.113.9", 1024, "Desk")
        assert over["since_at"] <= over["until_at"]
        first, _ = data_of(await found.client.get("/registrations/devices"))
        assert (first["number"], first["until_at"]) == ("202", None)
        await found.account_of("anna")
        assert [each["number"] for each in data_of(await found.client.get("/registrations/devices"))] == ["201"]


class Operated:
    """What the server was asked to do, and calls that it has."""

    def __init__(self, found: Api) -> None:
        self.done: list[tuple[str, ...]] = []
        self.originated: list[Originate] = []
        server: Any = found.server
        server.calls, server.queues, server.lines = self.calls, self.queues, self.lines
        server.hangup, server.originate, server.transfer = self.hangup, self.originate, self.transfer
        server.intercept = self.intercept

    async def calls(self) -> Sequence[CallView]:
        own = CallView("c1", "zvon-1", "201", "Anna", "203", "", "talking", T, T + 5, 12.5)
        return [own, replace(own, id="c2", from_number="203", to_number="204")]

    async def queues(self) -> Sequence[QueueView]:
        return [
            QueueView("500", "Sales", "ringall", agents=(AgentView("201", "Anna", "idle"),)),
            QueueView("501", "Support", "ringall", agents=(AgentView("203", "", "busy"),)),
        ]

    async def lines(self) -> Sequence[LineView]:
        return [LineView("telco", "", "register", "sip.example.net", "registered", T)]

    async def hangup(self, call_id: str) -> bool:
        self.done.append(("hangup", call_id))
        return True

    async def originate(self, wanted: Originate) -> str:
        self.done.append(("originate", wanted.from_number, wanted.to_number))
        self.originated.append(wanted)
        return "c9"

    async def intercept(self, wanted: Intercept) -> str:
        self.done.append(("intercept", wanted.number or wanted.call_id, wanted.to_number))
        return "c11"

    async def transfer(self, call_id: str, to_number: str) -> str:
        self.done.append(("transfer", call_id, to_number))
        return "c10"


async def test_calls_queues_and_lines_are_shown_and_acted_on(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        operated, client = Operated(found), found.client
        assert ids(await client.get("/calls")) == ["c1", "c2"]
        assert data_of(await client.get("/calls/c1"))["started_at"] == "2023-11-14T22:13:20.000Z"
        assert [each["number"] for each in data_of(await client.get("/queues:live"))] == ["500", "501"]
        assert ids(await client.get("/lines")) == ["telco"]
        assert data_of(await client.get("/status"))["office"]["name"] == "Test"
        started = await client.post("/calls", json={"from_number": "201", "to_number": "202"})
        assert data_of(started, 201) == {"call": "c9"}
        assert data_of(await client.post("/calls/c1:transfer", json={"to": "202"})) == {"call": "c10"}
        data_of(await client.post("/calls/c2:park"))
        data_of(await client.post("/calls:listen", json={"number": "201", "to": "202", "mode": "whisper"}), 201)
        data_of(await client.post("/calls:intercept", json={"number": "201", "to": "203"}), 201)
        data_of(await client.post("/calls:intercept", json={"call": "c1", "to": "203"}), 201)
        for given in ({"to": "203"}, {"call": "c1", "number": "201", "to": "203"}):
            assert "call" in errors_of(await client.post("/calls:intercept", json=given), 422)
        errors_of(await client.post("/calls:intercept", json={"call": "c3", "to": "203"}), 404)
        shown = {"shown_name": "Client", "shown_number": "+7916", "every_phone": True}
        data_of(await client.post("/calls", json={"from_number": "201", "to_number": "202", **shown}), 201)
        assert operated.originated[-1] == Originate("201", "202", True, True, "Client", "+7916")
        operated.done.pop()
        data_of(await client.delete("/calls/c2"))
        errors_of(await client.delete("/calls/c3"), 404)
        assert operated.done == [
            ("originate", "201", "202"),
            ("transfer", "c1", "202"),
            ("transfer", "c2", "890"),
            ("originate", "202", "*56201"),
            ("intercept", "201", "203"),
            ("intercept", "c1", "203"),
            ("hangup", "c2"),
        ]
        audit = data_of(await client.get("/audit?object=calls"))
        assert [each["action"] for each in audit] == [
            "hang up",
            "originate",
            "intercept",
            "intercept",
            "whisper",
            "park",
            "transfer",
            "originate",
        ]


@pytest.mark.row("QUE-2")
async def test_the_note_of_a_queue_is_in_the_list_of_queues(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = "n" * 500
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        data_of(await client.post("/queues", json={"number": "500", "note": note}), 201)
        data_of(await client.post("/queues", json={"number": "501"}), 201)
        assert [each["note"] for each in data_of(await client.get("/queues"))] == [note, ""]
        too_long = errors_of(await client.patch("/queues/500", json={"note": note + "n"}), 422)
        assert "at most 500 characters" in too_long["note"]
    queues = (Queue("500", note=note, agents=("201",)), Queue("501"))
    async with open_office(terminal("201"), office=Office("Test", queues=queues)) as office:
        print_queues(office.pbx.queues())
        assert [each.note for each in office.pbx.queues()] == [note, ""]
    assert note in capsys.readouterr().out


@pytest.mark.row("USR-21")
async def test_people_see_and_do_what_role_and_scope_let_them(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        operated, client = Operated(found), found.client
        listen = {"number": "201", "to": "202"}
        await found.account_of("anna")
        assert ids(await client.get("/calls")) == ["c1"]
        assert [each["number"] for each in data_of(await client.get("/queues:live"))] == ["500"]
        errors_of(await client.get("/lines"), 403)
        errors_of(await client.get("/status"), 403)
        errors_of(await client.delete("/calls/c2"), 404)
        errors_of(await client.post("/calls", json={"from_number": "202", "to_number": "201"}), 403)
        data_of(await client.post("/calls", json={"from_number": "201", "to_number": "203"}), 201)
        errors_of(await client.post("/calls:listen", json={"number": "201", "to": "201"}), 403)
        errors_of(await client.post("/calls:intercept", json={"number": "203", "to": "201"}), 403)
        data_of(await client.delete("/calls/c1"))
        await _services(found, own="201", other="202")
        await found.become()
        await found.account_of("boris")
        data_of(await client.post("/calls:listen", json=listen), 201)
        errors_of(await client.post("/calls:listen", json={"number": "203", "to": "202"}), 403)
        errors_of(await client.get("/terminals"), 403)
        await _services(found, own="201", other="203")
        assert operated.done == [("originate", "201", "203"), ("hangup", "c1"), ("originate", "202", "*55201")]


async def _services(found: Api, own: str, other: str) -> None:
    """Forwarding of the numbers that are seen may be changed, nothing else of them."""
    changed = await found.client.patch(f"/services/{own}", json={"forward": {"busy": "203", "ring_time": 20}})
    assert data_of(changed)["forward"]["busy"] == "203"
    errors_of(await found.client.patch(f"/services/{other}", json={"forward": {"busy": "203"}}), 403)
    errors_of(await found.client.patch(f"/services/{own}", json={"max_calls": 9}), 422)
    dangling = await found.client.patch(f"/services/{own}", json={"forward": {"busy": "299"}})
    assert errors_of(dangling, 422) == {"forward.busy": 'there is no number "299"'}
    errors_of(await found.client.get(f"/services/{other}"), 403)


def test_events_of_numbers_are_for_those_who_see_one_of_them() -> None:
    administrator = Principal("admin", "administrator")
    everything = Principal("boss", "supervisor")
    anna = Principal("anna", "user", "anna", frozenset(("201",)))
    own, other, general = (EventView(1, T, "call_started", numbers) for numbers in (("201", "203"), ("203",), ()))
    assert [is_seen(administrator, each) for each in (own, other, general)] == [True, True, True]
    assert [is_seen(everything, each) for each in (own, other, general)] == [True, True, False]
    assert [is_seen(anna, each) for each in (own, other, general)] == [True, False, False]


async def test_figures_are_there_for_prometheus(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        Operated(found)
        key = await found.create("api_keys", name="prometheus", rights={"metrics": "read"})
        found.client.headers["Authorization"] = f"Bearer {key['key']}"
        response = await found.client.get("/metrics")
        lines = response.text.splitlines()
        assert response.headers["content-type"].startswith("text/plain")
        assert "zvon_office_terminals 3.0" in lines
        assert 'zvon_line_up{line="telco",state="registered"} 1.0' in lines
        assert 'zvon_queue_agents{queue="501",state="busy"} 1.0' in lines
        errors_of(await found.client.get("/calls"), 403)
