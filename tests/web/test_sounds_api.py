"""The sound library through the API."""

from pathlib import Path

import pytest

from tests.media.sounds import sine, wav
from tests.support.api import api, data_of, errors_of
from tests.support.conversions import converted_here
from tests.web.test_office_api import OFFICE

pytestmark = pytest.mark.real_loop
__all__ = ["converted_here"]
WAV = wav(sine(600, 0.5).tobytes())


async def test_a_file_is_taken_heard_by_parts_used_and_deleted(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        made = data_of(await client.post("/sounds:upload?id=hello&name=Hello", content=WAV), 201)
        assert (made["id"], made["name"], made["seconds"], made["used_by"]) == ("hello", "Hello", 0.5, [])
        assert "path" not in made
        part = await client.get("/sounds/hello/audio", headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"RIFF")
        link = data_of(await client.post("/sounds/hello:link"))["url"]
        client.headers.pop("Authorization")
        assert len((await client.get(link.removeprefix("/api/v3"))).content) == made["size"]
        assert (await client.get("/sounds/hello/audio")).status_code == 401
        await found.become()
        data_of(await client.patch("/sounds/hello", json={"name": "Hi"}))
        await found.create("ivrs", number="700", default="201", greeting="hello")
        (listed,) = data_of(await client.get("/sounds:library"))
        assert (listed["name"], listed["used_by"]) == ("Hi", ["IVR 700 (greeting)"])
        assert "ivrs.0.greeting" in errors_of(await client.delete("/sounds/hello"), 409)
        data_of(await client.delete("/ivrs/700"))
        data_of(await client.delete("/sounds/hello"))
        assert errors_of(await client.get("/sounds/hello/audio"), 404) == {"": 'there is no sound "hello"'}
        assert not [*(tmp_path / "uploads").iterdir()]
        actions = {each["action"] for each in data_of(await client.get("/audit?object=sounds/hello"))}
        assert actions == {"upload", "change", "delete"}


async def test_what_is_no_sound_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        client = found.client
        refusal = errors_of(await client.post("/sounds:upload?id=a", content=b"Dear Sir"), 409)
        assert refusal[""].startswith("the file is not a sound that can be played")
        assert (await client.post("/sounds:upload", content=WAV)).status_code == 422
        assert (await client.post("/sounds:say", json={"id": "a", "text": " "})).status_code == 422
        large = {"Content-Length": str(129 * 1024 * 1024)}
        assert (await client.post("/sounds:upload?id=a", headers=large, content=b"")).status_code == 413
        assert data_of(await client.get("/sounds:library")) == []
        assert not [*(tmp_path / "uploads").iterdir()]


async def test_only_administrators_change_the_library(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        await found.account_of("anna")
        assert (await found.client.post("/sounds:upload?id=a", content=WAV)).status_code == 403
        assert (await found.client.get("/sounds:library")).status_code == 403
