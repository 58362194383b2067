"""The office as one `office.toml` document that `apply` takes back unchanged."""

import re
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from storage.records import OFFICE_LISTS, OFFICE_SECTIONS, OFFICE_VALUES, SECRETS, Office

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def export_office(office: Office, *, with_secrets: bool = False) -> str:
    """The document. Without secrets passwords are left out, and `apply` keeps the stored ones."""
    blocks = [
        _block("[office]", _office_values(office)),
        *(_block(f"[[{of.name}]]", _values(entry, with_secrets)) for of in OFFICE_LISTS for entry in of.of(office)),
        *(
            _block(f"[{name}]", _values(getattr(office, name), with_secrets))
            for name, section in OFFICE_SECTIONS.items()
            if getattr(office, name) != section()
        ),
    ]
    return "\n".join(blocks)


def document_values(office: Office) -> dict[str, Any]:
    """The same document as plain values: every key of every section, secrets where there are some."""
    return {
        "office": {name: getattr(office, name) for name in OFFICE_VALUES},
        **{of.name: [entry_values(entry) for entry in of.of(office)] for of in OFFICE_LISTS},
        **{name: entry_values(getattr(office, name)) for name in OFFICE_SECTIONS},
    }


def entry_values(record: Any) -> dict[str, Any]:
    """One entry or section as it stands in a document; a secret that it does not have is left out."""
    found = {each.name: _plain(getattr(record, each.name)) for each in fields(record)}
    return {name: value for name, value in found.items() if value or name not in SECRETS}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return entry_values(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, dict) else value


def toml_value(value: object) -> str:
    """A value of a record in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, dict):
        return _inline(value.items())
    if is_dataclass(value):
        return _inline(_values(value, with_secrets=False))
    return str(value)


def _inline(values: Iterable[tuple[str, object]]) -> str:
    inside = ", ".join(f"{_key(name)} = {toml_value(value)}" for name, value in values)
    return f"{{ {inside} }}" if inside else "{}"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)


def _office_values(office: Office) -> Iterable[tuple[str, object]]:
    return ((name, getattr(office, name)) for name in OFFICE_VALUES)


def _values(record: Any, with_secrets: bool) -> Iterable[tuple[str, object]]:
    """Keys and values that are not defaults, in the order of the record; with secrets the password in any case, for an
    absent one would keep what is stored."""
    for each in fields(record):
        value, is_secret = getattr(record, each.name), each.name in SECRETS
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
