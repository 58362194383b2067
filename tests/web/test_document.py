"""The whole office as one document through the API, its versions, and a server that has too much to do."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from conf.load import parse_office
from storage.records import Office, User
from tests.support.api import api, data_of, errors_of
from tests.support.builders import terminal
from web.limits import OverloadGuard

OFFICE = Office("Test", users=(User("anna", "Anna"),), terminals=(terminal("201", owner="anna", max_calls=3),))


@pytest.mark.row("CFG-5")
async def test_the_office_is_one_document_out_and_in_with_diff_and_dry_run(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        text = (await client.get("/document")).text
        assert "Secret-201" not in text
        whole = (await client.get("/document?secrets=true")).text
        assert parse_office(whole) == OFFICE
        assert data_of(await client.put("/document", content=text)) == []  # passwords stay
        changed = text.replace("max_calls = 3", "max_calls = 4") + '[[users]]\nid = "olga"\nname = "Olga"\n'
        lines = ["+ user olga", "~ terminal 201: max_calls 3 -> 4"]
        assert data_of(await client.put("/document?dry_run=true", content=changed)) == lines
        assert found.server.office == OFFICE
        assert data_of(await client.put("/document", content=changed)) == lines
        assert found.server.office.terminals[0].max_calls == 4
        wrong = text + '[[terminals]]\nnumber = "201"\ncolour = "red"\n'
        said = errors_of(await client.put("/document", content=wrong), 422)
        assert said["terminals[1].colour"].endswith('unknown key "colour"')
        assert "is already used" in said["terminals[1].number"]
        assert "line 1: " in str(errors_of(await client.put("/document", content=b"= 1"), 422))
        assert found.server.office.terminals[0].max_calls == 4


@pytest.mark.row("CFG-2")
@pytest.mark.row("CFG-8")
async def test_nothing_is_in_force_before_it_is_applied_and_every_version_comes_back(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        text = (await client.get("/document")).text
        for name in ("One", "Two"):  # looked at and corrected as often as one likes
            draft = text.replace('name = "Test"', f'name = "{name}"')
            data_of(await client.put("/document?dry_run=true", content=draft))
        assert found.server.office.name == "Test"
        for name in ("One", "Two", "Three", "Four", "Five"):
            data_of(await client.put("/document", content=text.replace('name = "Test"', f'name = "{name}"')))
        versions = data_of(await client.get("/versions"))
        assert [(each["by"], each["source"]) for each in versions[:5]] == [("admin", "document")] * 5
        assert versions[0]["summary"] == '~ office: name "Four" -> "Five"'
        assert len(versions) == 6
        one, start = versions[4]["id"], versions[5]["id"]
        compared = data_of(await client.get(f"/versions/{start}:compare?to={one}"))
        assert compared == ['~ office: name "Test" -> "One"']
        assert data_of(await client.get(f"/versions/{one}:compare")) == ['~ office: name "One" -> "Five"']
        assert data_of(await client.post(f"/versions/{start}:restore")) == ['~ office: name "Five" -> "Test"']
        assert found.server.office == OFFICE
        assert data_of(await client.get("/versions"))[0]["source"] == f"version {start}"
        errors_of(await client.post("/versions/999:restore"), 404)


@pytest.mark.row("API-12")
async def test_fifty_requests_at_a_time_of_35_seconds_each_are_the_most(tmp_path: Path) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(float(request.query_params["s"]))
        return PlainTextResponse("done")

    app = OverloadGuard(Starlette(routes=[Route("/", slow)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pbx") as client:
        waiting = [asyncio.ensure_future(client.get("/?s=34")) for _ in range(50)]
        await asyncio.sleep(1)
        refused = await client.get("/?s=0")
        answered = [(await each).status_code for each in waiting]
        assert (refused.status_code, refused.headers.get("Retry-After")) == (503, "5")
        assert "too busy" in errors_of(refused, 503)[""]
        assert answered == [200] * 50
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await client.get("/?s=60")).status_code == 503
        assert loop.time() - began == pytest.approx(35, abs=1)
        assert (await client.get("/?s=0")).text == "done"
