"""Backups through the API: up and down, and put back by parts while the server runs (CFG-6)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from storage.records import Office, Sound
from tests.support.api import Api, api, data_of, errors_of
from tests.support.builders import terminal

OFFICE = Office("Before", terminals=(terminal("201"),))


async def restored(found: Api, name: str, *parts: str) -> dict[str, object]:
    """The view of a restore when it is over."""
    begun = data_of(await found.client.post(f"/backups/{name}:restore", json={"parts": parts} if parts else {}), 202)
    assert (begun["name"], begun["state"]) == (name, "running")
    task = found.server.backups._restoring._task
    assert task is not None
    await task
    view: dict[str, object] = data_of(await found.client.get("/restore"))
    return view


@pytest.mark.real_loop
@pytest.mark.row("CFG-6")
async def test_a_backup_goes_down_and_up_and_is_put_back_by_parts_before_the_server_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx.restoring.SEEN_S", 0.05)
    sound = tmp_path / "hello.wav"
    sound.write_bytes(b"hello")
    office = replace(OFFICE, sounds=(Sound("hello", str(sound)),))
    async with api(tmp_path / "first", office) as found:
        made = await found.create("backups", parts=["settings", "sounds"])
        assert made["parts"] == ["settings", "sounds"]
        content = (await found.client.get(f"/backups/{made['name']}/file")).content
    async with api(tmp_path / "second", Office("Other")) as found:
        client, restarts = found.client, list[str]()
        monkeypatch.setattr(found.server.backups._restoring, "_restart", lambda: restarts.append("again"))
        assert data_of(await client.get("/restore"))["state"] == "none"
        assert "cannot be read as a backup" in str(
            errors_of(await client.post("/backups:upload", content=b"x" * 2048), 422)
        )
        taken = data_of(await client.post("/backups:upload", content=content), 201)
        assert (taken["made_at"], taken["parts"]) == (made["made_at"], made["parts"])
        assert [each["name"] for each in data_of(await client.get("/backups"))] == [taken["name"]]
        assert not list((tmp_path / "second" / "uploads").iterdir())
        assert "has no history" in str(
            errors_of(await client.post(f"/backups/{taken['name']}:restore", json={"parts": ["history"]}), 409)
        )
        view = await restored(found, taken["name"], "sounds")
        assert (view["state"], view["percent"], view["error"]) == ("done", 100, "")
        assert (tmp_path / "second" / "sounds" / "hello.wav").read_bytes() == b"hello"
        assert (await found.server._storage.offices.load()).name != "Before"  # that is of another part
        view = await restored(found, taken["name"])
        assert "office Before: 0 people, 1 terminals" in str(view["told"])
        assert (await found.server._storage.offices.load()).name == "Before"
        await asyncio.sleep(0.2)
        assert restarts == ["again", "again"]
        audited = [(each["action"], each["object"]) for each in data_of(await client.get("/audit"))][:2]
        assert audited == [("restore", f"backups/{taken['name']}")] * 2
        for path in (f"/backups/{taken['name']}:send", "/backups/zvon-1.tar:restore", "/backups/zvon-1.tar:send"):
            assert (await client.post(path, json={})).status_code == 409
        data_of(await client.delete(f"/backups/{taken['name']}"))
        assert data_of(await client.get("/backups")) == []


def test_arguments_of_the_next_start_name_no_office_document() -> None:
    from zvon import again

    given = ["zvon", "run", "--config", "zvon.toml", "--office", "office.toml", "--data", "var", "--office=x"]
    assert again(given) == ["zvon", "run", "--config", "zvon.toml", "--data", "var"]
