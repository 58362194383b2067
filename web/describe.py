"""The OpenAPI document (API-6): what endpoints take and give, with the schemas that the files have."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from conf.json_schema import schema_of
from web.answers import JSON, ErrorAnswer

Schema = dict[str, Any]
OFFICE = schema_of("office.toml")
REF = "#/components/schemas/"
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {JSON: {"schema": {"$ref": f"{REF}ErrorAnswer"}}}}
    for status, text in (
        (400, "The body or a parameter cannot be read."),
        (401, "Nobody is signed in."),
        (403, "Not allowed."),
        (404, "There is no such thing."),
        (409, "It does not fit to what there is now."),
        (412, "It was changed meanwhile."),
        (413, "Too large."),
        (422, "Something in it is wrong: each message names the field."),
        (429, "Too many attempts."),
        (503, "The server is too busy, or not there."),
    )
}
_COUNT = {"type": "integer", "minimum": 0}
PAGINATION = {
    "anyOf": [
        {"type": "null"},
        {
            "type": "object",
            "properties": {"total": _COUNT, "limit": _COUNT, "offset": _COUNT},
            "required": ["total", "limit", "offset"],
        },
    ]
}
ENVELOPE: Schema = {
    "messages": {"$ref": f"{REF}Messages"},
    "pagination": PAGINATION,
    "meta": {"$ref": f"{REF}Meta"},
}


def entry_schema(name: str) -> Schema:
    """The schema of one entry of a list of the office, or of a section."""
    section: Schema = OFFICE["properties"][name]
    found: Schema = _moved(section.get("items", section))
    return found


def patch_schema(name: str) -> Schema:
    """The same for a part of it (RFC 7396): nothing is needed, null is the default again."""
    whole = _resolved(OFFICE["properties"][name])
    parts = {key: {"anyOf": [_moved(value), {"type": "null"}]} for key, value in whole["properties"].items()}
    return {"type": "object", "properties": parts, "additionalProperties": False}


def card_schema(*, part: bool = False) -> Schema:
    """A person with the main terminal; for a `part` of it null is the default again."""
    offered = patch_schema("terminals")["properties"] | patch_schema("users")["properties"]
    known = {name: schema for name, schema in offered.items() if name not in ("owner", "main")}
    known["group"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    if part:
        return {"type": "object", "properties": known}
    return {"type": "object", "properties": known, "required": ["id", "name", "number", "numbers", "is_registered"]}


def takes(schema: Schema, kind: str = JSON) -> Schema:
    """The request body of an operation that reads it by itself."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def gives(data: Schema, status: int = 200, text: str = "Done.") -> dict[int | str, dict[str, Any]]:
    """The answer of an operation, with its `data`."""
    shown = {
        "type": "object",
        "properties": {"result": {"const": True}, "data": data, **ENVELOPE},
        "required": ["result", "data", *ENVELOPE],
    }
    return {status: {"description": text, "content": {JSON: {"schema": shown}}}}


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def thing(**properties: Schema | str) -> Schema:
    """An object whose properties are all there."""
    known = {name: {"type": each} if isinstance(each, str) else each for name, each in properties.items()}
    return {"type": "object", "properties": known, "required": list(known)}


def openapi(app: FastAPI) -> Schema:
    """The document of all routes; made once."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        errors = ErrorAnswer.model_json_schema(ref_template=REF + "{model}")
        schemas.update(errors.pop("$defs"), ErrorAnswer=errors)
        schemas.update({name: _moved(schema) for name, schema in OFFICE["$defs"].items()})
        bearer = {"type": "http", "scheme": "bearer", "description": "An access token or an API key."}
        found["components"]["securitySchemes"] = {"bearer": bearer}
        found["security"] = [{"bearer": []}]
        app.openapi_schema = found
    return app.openapi_schema


def _moved(schema: Any) -> Any:
    """References as they are within an OpenAPI document."""
    if isinstance(schema, Mapping):
        return {
            key: value.replace("#/$defs/", REF) if key == "$ref" and isinstance(value, str) else _moved(value)
            for key, value in schema.items()
        }
    return [_moved(each) for each in schema] if isinstance(schema, list) else schema


def _resolved(schema: Schema) -> Schema:
    schema = schema.get("items", schema)
    found: Schema = OFFICE["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found
