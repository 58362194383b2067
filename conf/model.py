"""The base of every section of the two files, and pydantic's findings put into words for people."""

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from conf.errors import KeyPath, Problem

NOT_AVAILABLE = "not available in this version"

M = TypeVar("M", bound="Section")


class Section(BaseModel):
    """One section: immutable, exact types, no unknown keys. `later`: keys of the public contract without function."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)
    later: ClassVar[frozenset[str]] = frozenset()


def validated(model: type[M], values: Mapping[str, object]) -> M | list[Problem]:
    """The section, or every mistake in it."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        return [_problem(model, details) for details in error.errors(include_url=False)]


def kind_of(value: object) -> str:
    """What a TOML value is, in words."""
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "true or false"), (int, "a number"), (float, "a number"), (str, "text"),
        (list, "a list"), (dict, "a section"),
    )  # fmt: skip
    return next((word for kind, word in kinds if isinstance(value, kind)), "a date or time")


def did_you_mean(word: str, known: list[str]) -> str:
    """`; did you mean "number"?` when something known is near, else nothing."""
    near = difflib.get_close_matches(word, known, n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _problem(model: type[Section], details: ErrorDetails) -> Problem:
    path: KeyPath = tuple(part for part in details["loc"] if part != "[key]")  # the key of a map, not its value
    if details["type"] == "extra_forbidden":
        return Problem(path, _unknown_key(_section_at(model, path[:-1]), str(path[-1])))
    if details["type"] == "missing":
        return Problem(path[:-1], f'"{path[-1]}" is missing')
    return Problem(path, _sentence(details))


def _sentence(details: ErrorDetails) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    found = kind_of(details.get("input"))
    expected = {
        "tuple_type": "a list",
        "model_type": "a section",
        "model_attributes_type": "a section",
        "dict_type": "a section",
        "bool_type": "true or false",
    }.get(details["type"])
    return f"must be {expected}, not {found}" if expected else details["msg"]


def _unknown_key(section: type[Section], key: str) -> str:
    if key in section.later:
        return NOT_AVAILABLE
    return f'unknown key "{key}"' + did_you_mean(key, [*section.model_fields, *section.later])


def _section_at(model: type[Section], path: KeyPath) -> type[Section]:
    """The section class that describes `path`."""
    for name in (part for part in path if isinstance(part, str)):
        model = _section_in(model.model_fields[name].annotation)
    return model


def _section_in(annotation: Any) -> type[Section]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(_section_in(part) for part in get_args(annotation) if part is not Ellipsis)
