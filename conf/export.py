"""The office as one `office.toml` document that `apply` takes back unchanged."""

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import Any

from storage.records import OFFICE_LISTS, OFFICE_VALUES, SECRET, Entry, Office

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def export_office(office: Office, *, with_secrets: bool = False) -> str:
    """The document. Without secrets passwords are left out, and `apply` keeps the stored ones."""
    blocks = [
        _block("[office]", _office_values(office)),
        *(_block(f"[[{of.name}]]", _values(entry, with_secrets)) for of in OFFICE_LISTS for entry in of.of(office)),
    ]
    return "\n".join(blocks)


def toml_value(value: object) -> str:
    """A value of a record in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)


def _office_values(office: Office) -> Iterable[tuple[str, object]]:
    return ((name, getattr(office, name)) for name in OFFICE_VALUES)


def _values(entry: Entry, with_secrets: bool) -> Iterable[tuple[str, object]]:
    """Keys and values that are not defaults, in the order of the record; with secrets the password in any case, for an
    absent one would keep what is stored."""
    for each in fields(entry):
        value, is_secret = getattr(entry, each.name), each.name == SECRET
        if with_secrets if is_secret else value != _default(each):
            yield each.name, value


def _default(of: Field[Any]) -> object:
    return of.default if of.default_factory is MISSING else of.default_factory()


def _block(header: str, values: Iterable[tuple[str, object]]) -> str:
    return "\n".join([header, *(f"{name} = {toml_value(value)}" for name, value in values), ""])


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character >= " " and character != "\x7f" else f"\\u{ord(character):04X}"
