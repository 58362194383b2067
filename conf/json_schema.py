"""JSON Schema of the two files, for editors that complete and check TOML, and for scripts that write it.

A schema says what one value may be; what needs several values (a number used twice, a target that dangles) is said by
`zvon check`.
"""

import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from conf.fields import Check
from conf.model import Section
from conf.office import OfficeDocument
from conf.schema import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: Mapping[str, type[Section]] = {"zvon.toml": Settings, "office.toml": OfficeDocument}


def schema_of(file: str) -> dict[str, Any]:
    """The schema of one of `DOCUMENTS`; keys without a function in this version are not in it."""
    return {"$schema": DIALECT, **DOCUMENTS[file].model_json_schema(schema_generator=_Generator)}


class _Generator(GenerateJsonSchema):
    """Our checks are functions: they tell what they take, or take text as it stands in the file."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        return _taken_by(schema["function"]["function"])

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        return {"type": "array", "items": self.generate_inner(schema["items_schema"][0])}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """An absent key that means "as it was" has no default."""
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        """As it would stand in the file."""
        if isinstance(dft, Section):
            return {name: self.encode_default(value) for name, value in dft}
        if isinstance(dft, dict):
            return {name: self.encode_default(value) for name, value in dft.items()}
        if isinstance(dft, tuple):
            return [self.encode_default(each) for each in dft]
        return "" if dft is None else dft if isinstance(dft, bool | int | str) else str(dft)


def _taken_by(check: Callable[..., object]) -> JsonSchemaValue:
    if isinstance(check, Check):
        return dict(check.schema)
    return {"type": "integer" if typing.get_type_hints(check).get("return") is int else "string"}
