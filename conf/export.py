"""The office as one `office.toml` document that `apply` takes back unchanged."""

import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Generic, TypeVar

from storage.records import OFFICE_LISTS, OFFICE_SECTIONS, OFFICE_VALUES, SECRETS, Entry, Office, OfficeList

T = TypeVar("T")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def export_office(office: Office, *, with_secrets: bool = False) -> str:
    """The document. Without secrets passwords are left out, and `apply` keeps the stored ones."""
    return _document(office, with_secrets, lambda of, entry: _block(f"[[{of.name}]]", _values(entry, with_secrets)))


def document_values(office: Office) -> dict[str, Any]:
    """The same document as plain values: every key of every section, secrets where there are some."""
    return _document_values(office, lambda _, entry: entry_values(entry))


class _Kept(Generic[T]):
    """What is made of the entries of offices that follow one another, once of each object. Entries that have gone with
    the office before are forgotten; an entry is kept with what was made of it, so that its identity stays its own."""

    def __init__(self, make: Callable[[OfficeList, Entry], T]) -> None:
        self._make = make
        self._known: dict[int, tuple[Entry, T]] = {}
        self._before: dict[int, tuple[Entry, T]] = {}

    def begin(self) -> None:
        """The next office follows."""
        self._before, self._known = self._known, {}

    def made_of(self, of: OfficeList, entry: Entry) -> T:
        kept = self._before.get(id(entry)) or (entry, self._make(of, entry))
        self._known[id(entry)] = kept
        return kept[1]


class KeptExport:
    """`export_office` with secrets, of offices that follow one another and share most of their entries."""

    def __init__(self) -> None:
        self._texts = _Kept(lambda of, entry: _block(f"[[{of.name}]]", _values(entry, with_secrets=True)))

    def of(self, office: Office) -> str:
        self._texts.begin()
        return _document(office, True, self._texts.made_of)


class KeptValues:
    """`document_values` of such offices; the values are not to be changed."""

    def __init__(self) -> None:
        self._values = _Kept(lambda _, entry: entry_values(entry))

    def of(self, office: Office) -> dict[str, Any]:
        self._values.begin()
        return _document_values(office, self._values.made_of)


def _document(office: Office, with_secrets: bool, text_of: Callable[[OfficeList, Entry], str]) -> str:
    blocks = [
        _block("[office]", _office_values(office)),
        *(text_of(of, entry) for of in OFFICE_LISTS for entry in of.of(office)),
        *(
            _block(f"[{name}]", _values(getattr(office, name), with_secrets))
            for name, section in OFFICE_SECTIONS.items()
            if getattr(office, name) != section()
        ),
    ]
    return "\n".join(blocks)


def _document_values(office: Office, values_of: Callable[[OfficeList, Entry], dict[str, Any]]) -> dict[str, Any]:
    return {
        "office": dict(_office_values(office)),
        **{of.name: [values_of(of, entry) for entry in of.of(office)] for of in OFFICE_LISTS},
        **{name: entry_values(getattr(office, name)) for name in OFFICE_SECTIONS},
    }


def section_values(office: Office, name: str) -> dict[str, Any]:
    """One section of them, `office` among these."""
    return dict(_office_values(office)) if name == "office" else entry_values(getattr(office, name))


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
