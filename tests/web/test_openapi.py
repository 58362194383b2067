"""The OpenAPI document: what it says is what the API does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.json_schema import schema_of
from storage.records import OFFICE_LISTS, OFFICE_SECTIONS
from tests.support.api import Api, api
from tests.web.test_auth import OFFICE

# Operations that whoever is signed in may ask for, or who is about to sign in.
FREE = re.compile(r"/api/v3/(auth|me$)")


async def document_of(found: Api) -> Any:
    return (await found.client.get("/openapi.json")).json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


@pytest.mark.row("API-6")
async def test_the_document_has_every_operation_with_its_schemas_and_the_right_that_it_wants(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        document = await document_of(found)
        for name in (*(of.name for of in OFFICE_LISTS), *OFFICE_SECTIONS, "office"):
            assert f"/api/v3/{name}" in document["paths"]
        for name, schema in schema_of("office.toml")["$defs"].items():
            assert document["components"]["schemas"][name]["properties"].keys() == schema["properties"].keys()
        assert set(re.findall(r"#/components/schemas/(\w+)", str(document))) <= document["components"]["schemas"].keys()
        for method, path, operation in operations(document):
            place = f"{method} {path}"
            assert any(code.startswith("2") for code in operation["responses"]), place
            told = operation.get("x-permission")
            assert (told is None) == bool(FREE.match(path)), place
            assert told is None or told["way"] in ("read", "write"), place


@pytest.mark.row("API-6")
async def test_the_right_that_the_document_tells_is_the_one_that_is_checked(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        document = await document_of(found)
        key = (await found.create("api_keys", name="little", rights={"nothing": "write"}))["key"]
        found.client.headers["Authorization"] = f"Bearer {key}"
        wrong = []
        for method, path, operation in operations(document):
            if told := operation.get("x-permission"):
                given = operation.get("parameters", ())
                kinds = {each["name"]: each["schema"].get("type") for each in given if each["required"]}
                values = {name: 1 if kind == "integer" else "terminals" for name, kind in kinds.items()}
                asked = path.removeprefix("/api/v3").format(**values)
                answered = await found.client.request(method, asked, params=values, json={})
                wanted = f'"this key may not {told["way"]} \\"{told["resource"]}\\""'.replace("{name}", "terminals")
                if answered.status_code != 403 or wanted not in answered.text:
                    wrong.append((method, path, told, answered.status_code, answered.text[:200]))
        assert not wrong, "\n".join(map(str, wrong))
