"""Lists and sections of the office as resources: shape, validation, concurrent changes, audit."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from conf.export import export_office
from pbx.cli_check import check_files
from pbx.cli_output import plan_lines
from pbx.control.messages import ApplyOffice, PlanView
from storage.records import OFFICE_LISTS, OFFICE_SECTIONS, Conference, Office, Queue, User
from tests.support.api import Api, api, bare_api, data_of, errors_of
from tests.support.builders import terminal

OFFICE = Office(
    "Test",
    users=(User("anna", "Анна Белкина", email="anna@example.com"), User("boris", "Boris")),
    terminals=(terminal("201", owner="anna", max_calls=3), terminal("203", owner="boris")),
    queues=(Queue("500", agents=("201",)),),
    conferences=(Conference("800", pin="1234"),),
)


@pytest.mark.row("API-1")
async def test_a_list_is_read_created_replaced_patched_copied_moved_and_deleted(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        blank = data_of(await client.get("/terminals:getDefault"))
        assert (blank["number"], blank["forward"]["ring_time"], blank["dtmf"]) == ("202", 45, "auto")
        made = await client.post("/terminals", json={**blank, "max_calls": 2})
        assert made.headers["Location"] == "/api/v3/terminals/202"
        assert data_of(made, 201)["max_calls"] == 2
        assert data_of(await client.put("/terminals/202", json={"number": "202"}))["max_calls"] == 1
        patched = data_of(await client.patch("/terminals/202", json={"forward": {"busy": "201"}}))
        assert (patched["forward"]["busy"], patched["forward"]["ring_time"]) == ("201", 45)
        copied = await client.post("/terminals/202:copy", json={"number": "204", "password": blank["password"]})
        assert data_of(copied, 201)["forward"]["busy"] == "201"
        data_of(await client.post("/terminals/204:changePriority", json={"position": 0}))
        listed = data_of(await client.get("/terminals"))
        assert [each["number"] for each in listed] == ["204", "201", "203", "202"]
        data_of(await client.delete("/terminals/204"))
        assert errors_of(await client.get("/terminals/204"), 404) == {"": 'there is no terminal "204"'}
        assert [each.number for each in found.server.office.terminals] == ["201", "203", "202"]
        assert found.server.office.terminals[2].password == blank["password"]


async def test_every_list_and_section_of_the_office_is_a_resource(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        paths = (await found.client.get("/openapi.json")).json()["paths"]
        for of in OFFICE_LISTS:
            assert isinstance(data_of(await found.client.get(f"/{of.name}")), list)
            assert set(paths[f"/api/v3/{of.name}/{{key}}"]) == {"get", "put", "patch", "delete"}
        for name in ("office", *OFFICE_SECTIONS):
            before = data_of(await found.client.get(f"/{name}"))
            assert data_of(await found.client.put(f"/{name}", json=before)) == before
            assert set(paths[f"/api/v3/{name}"]) == {"get", "put", "patch"}


async def test_a_patch_loses_nothing_and_null_is_the_default_again(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        before = data_of(await found.client.get("/terminals/201?secrets=true"))
        data_of(await found.client.patch("/terminals/201", json={"record": False}))
        assert data_of(await found.client.get("/terminals/201?secrets=true")) == {**before, "record": False}
        after = data_of(await found.client.patch("/terminals/201", json={"record": None, "max_calls": None}))
        assert (after["record"], after["max_calls"]) == (True, 1)
        data_of(await found.client.patch("/features", json={"parking": {"timeout": 99}}))
        parking = found.server.office.features.parking
        assert (parking.timeout, parking.number) == (99, "890")


async def test_secrets_are_shown_on_request_only_and_go_when_they_are_taken_away(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        assert "password" not in data_of(await found.client.get("/terminals/201"))
        assert data_of(await found.client.get("/terminals/201?secrets=true"))["password"] == "Secret-201"
        data_of(await found.client.put("/conferences/800", json={"number": "800", "name": "Daily"}))
        assert found.server.office.conferences[0].pin == "1234"
        data_of(await found.client.patch("/conferences/800", json={"pin": None}))
        assert found.server.office.conferences[0].pin == ""


@pytest.mark.row("API-11")
async def test_every_mistake_is_told_by_field_in_the_words_of_the_file_and_nothing_is_changed(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {"number": "204", "password": "short", "owner": "nobody", "max_calls": 0, "colour": "red"}
    async with api(tmp_path, OFFICE) as found:
        before = found.server.office
        assert errors_of(await found.client.post("/terminals", json=wrong), 422) == {
            "colour": 'unknown key "colour"',
            "max_calls": "must be at least 1, not 0",
            "owner": 'there is no user "nobody"',
            "password": "the password is too short: at least 9 characters, not 5",
        }
        unknown = await found.client.patch("/queues/500", json={"timeout_target": "799"})
        assert errors_of(unknown, 422) == {"timeout_target": 'there is no number "799"'}
        outside = await found.client.patch("/office", json={"timezone": "Mars/Base"})
        assert "unknown time zone" in errors_of(outside, 422)["timezone"]
        schema = (await found.client.get("/openapi.json")).json()["components"]["schemas"]["TerminalSection"]
        assert schema["properties"]["max_calls"]["minimum"] == 1
        assert found.server.office is before


async def test_deleting_what_is_still_named_is_refused_with_the_places(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        refusal = errors_of(await found.client.delete("/terminals/201"), 409)
        assert refusal == {"queues.0.agents.0": "terminal 201 is still named by queue 500 (agents.0)"}


async def test_who_changes_what_others_have_changed_meanwhile_is_told_so(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        tag = (await found.client.get("/terminals/201")).headers["ETag"]
        mine = {"If-Match": tag}
        assert (await found.client.patch("/terminals/201", json={"max_calls": 5})).headers["ETag"] != tag
        errors_of(await found.client.patch("/terminals/201", json={"max_calls": 6}, headers=mine), 412)
        errors_of(await found.client.delete("/terminals/201", headers=mine), 412)
        fresh = {"If-Match": (await found.client.get("/terminals/201")).headers["ETag"]}
        data_of(await found.client.patch("/terminals/203", json={"max_calls": 2}))  # of another one
        assert data_of(await found.client.patch("/terminals/201", json={"max_calls": 6}, headers=fresh))


async def test_changes_at_the_same_time_all_come_through(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        apply = ApplyOffice(export_office(replace(OFFICE, name="Applied"), with_secrets=True), "office.toml")
        await asyncio.gather(
            found.client.patch("/terminals/201", json={"max_calls": 7}),
            found.client.patch("/terminals/203", json={"max_calls": 8}),
            found.client.patch("/terminals/201", json={"record": False}),
        )
        one, other = found.server.office.terminals
        assert (one.max_calls, one.record, other.max_calls) == (7, False, 8)
        await found.core.ask(apply, PlanView)
        assert data_of(await found.client.get("/office"))["name"] == "Applied"


async def test_lists_are_searched_sorted_and_paged(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        assert [each["id"] for each in data_of(await found.client.get("/users?search=БЕЛК"))] == ["anna"]
        assert [each["id"] for each in data_of(await found.client.get("/users?sort=-id"))] == ["boris", "anna"]
        page = await found.client.get("/users?limit=1&offset=1")
        assert [each["id"] for each in data_of(page)] == ["boris"]
        assert page.json()["pagination"] == {"total": 2, "limit": 1, "offset": 1}
        assert data_of(await found.client.get("/terminals?search=Secret")) == []


@pytest.mark.row("API-2")
async def test_every_answer_has_the_same_shape(tmp_path: Path) -> None:
    async def status(found: Api, method: str, path: str, **more: Any) -> int:
        response = await found.client.request(method, path, **more)
        body = response.json()
        assert set(body) == {"result", "data", "messages", "pagination", "meta"}
        assert set(body["messages"]) == {"error", "warning", "info"}
        assert body["result"] == (response.status_code < 400) == (not body["messages"]["error"])
        assert body["meta"]["took_ms"] >= 0
        return response.status_code

    async with bare_api(tmp_path, OFFICE) as found:
        assert await status(found, "GET", "/terminals") == 401
        await found.become(password=found.one_time_password)
        assert await status(found, "GET", "/terminals") == 403
        await found.take_office()
        assert await status(found, "GET", "/terminals") == 200
        assert await status(found, "POST", "/users", json={"id": "x", "name": "X"}) == 201
        assert await status(found, "POST", "/users", json={"id": "x", "name": "X"}) == 409
        assert await status(found, "POST", "/users", json={"id": "y"}) == 422
        assert await status(found, "POST", "/users", content=b"{") == 400
        assert await status(found, "GET", "/terminals?limit=nothing") == 422
        assert await status(found, "GET", "/nowhere") == 404
        assert await status(found, "DELETE", "/office") == 405
        assert await status(found, "POST", "/users", headers={"Content-Length": "99999999"}) == 413
        found.core.snapshot = None  # type: ignore[method-assign, assignment]  # a bug
        assert await status(found, "GET", "/terminals") == 500


@pytest.mark.row("API-13")
async def test_every_write_is_audited_with_who_from_where_before_and_after(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.create("users", id="olga", name="Olga")
        await found.client.patch("/terminals/201", json={"max_calls": 9, "password": "Other-Pass_1"})
        await found.client.delete("/users/olga")
        await found.client.patch("/features", json={"park": "*3"})
        await found.client.patch("/terminals/201", json={"max_calls": -1})  # not carried out
        audit = data_of(await found.client.get("/audit?limit=4"))
        said = [(each["user"], each["address"], each["action"], each["object"]) for each in audit]
        assert said == [
            ("admin", "127.0.0.1", "change", "features"),
            ("admin", "127.0.0.1", "delete", "users/olga"),
            ("admin", "127.0.0.1", "change", "terminals/201"),
            ("admin", "127.0.0.1", "create", "users/olga"),
        ]
        assert (audit[0]["before"]["park"], audit[0]["after"]["park"]) == ("*2", "*3")
        assert (audit[1]["before"]["name"], audit[1]["after"]) == ("Olga", None)
        assert (audit[2]["before"]["max_calls"], audit[2]["after"]["max_calls"]) == (3, 9)
        assert audit[3]["before"] is None
        assert "Other-Pass_1" not in str(audit)
        of_one = data_of(await found.client.get("/audit?object=terminals/201"))
        assert [each["action"] for each in of_one] == ["change"]


@pytest.mark.real_loop
@pytest.mark.row("AMB-5")
async def test_a_queue_whose_callers_are_hung_up_after_a_time_is_saved_with_a_warning(tmp_path: Path) -> None:
    said = ["callers of queue 500 are hung up after 300 s: it has no timeout_target"]
    async with api(tmp_path, replace(OFFICE, queues=())) as found:
        client, server = found.client, found.server

        def warned(response: httpx.Response) -> list[str]:
            assert response.is_success, response.text
            return [each["text"] for each in response.json()["messages"]["warning"]]

        assert warned(await client.post("/queues", json={"number": "500", "agents": ["201"]})) == said
        assert warned(await client.patch("/queues/500", json={"max_wait": 0})) == []
        without = export_office(server.office)
        assert warned(await client.patch("/queues/500", json={"max_wait": 60})) == [said[0].replace("300", "60")]
        assert warned(await client.patch("/queues/500", json={"timeout_target": "201"})) == []
        timed = without.replace("max_wait = 0", "max_wait = 300")
        assert warned(await client.put("/document?dry_run=true", content=timed)) == said
        assert plan_lines(await server.plan(timed, "office.toml"))[-2] == f"note: {said[0]}"
        assert warned(await client.put("/document", content=timed)) == said
        assert (
            warned(await client.put("/document", content=timed + '[[users]]\nid = "olga"\nname = "Olga"\n')) == []
        )  # said once
    (tmp_path / "office.toml").write_text('[[queues]]\nnumber = "500"\n')
    (checked,) = await asyncio.to_thread(check_files, [tmp_path / "office.toml"])
    assert checked.notes == tuple(said)
