"""From a file to typed settings or a typed office: all mistakes at once, each with key path and line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from conf.errors import ConfError, ConfInvalid, Problem
from conf.model import Section, validated
from conf.office import OfficeDocument
from conf.office_rules import problems_between
from conf.office_scripts import problems_of_scripts
from conf.read import Document, parse_document, read_text
from conf.schema import Settings
from storage.records import (
    OFFICE_LISTS,
    OFFICE_SECTIONS,
    Entry,
    Office,
    OfficeList,
    office_of,
    record_of,
    secret_of,
)

__all__ = ["ConfError", "ConfInvalid", "check_office", "load_office", "load_settings", "parse_office", "parse_settings"]

NO_OFFICE = Office()


def load_settings(path: Path) -> Settings:
    """The settings of a `zvon.toml`; raises `ConfInvalid`."""
    return parse_settings(read_text(path), str(path))


def parse_settings(text: str, file: str = "zvon.toml") -> Settings:
    """The same from text; `file` is the name that errors carry."""
    document = parse_document(text, file)
    found = validated(Settings, document.values)
    if isinstance(found, list):
        raise document.invalid(found)
    return found


def load_office(path: Path, stored: Office | None = NO_OFFICE) -> Office:
    """The office of an `office.toml`; raises `ConfInvalid`.

    `stored` is the office in force: a terminal or provider without `password` keeps the one stored for it, and a
    password that is already stored is not measured by the policy again. None: not known, so no password is asked for.
    """
    return parse_office(read_text(path), str(path), stored)


def parse_office(text: str, file: str = "office.toml", stored: Office | None = NO_OFFICE) -> Office:
    """The same from text; `file` is the name that errors carry."""
    document = parse_document(text, file)
    whole = _with_whole_paths(_checked(document, stored), Path(file))
    if problems := problems_of_scripts(each.file for each in whole.applications):
        raise document.invalid(problems)
    return _office(whole, stored or NO_OFFICE)


def check_office(values: dict[str, object], stored: Office, folder: Path) -> Office | list[Problem]:
    """The office of a document that never was text, or everything that is wrong with it. Files are relative to
    `folder`, passwords that are not given are those of `stored`."""
    found = _found(values, stored)
    if isinstance(found, list):
        return found
    whole = _with_whole_paths(found, folder / "office.toml")
    return list(problems_of_scripts(each.file for each in whole.applications)) or _office(whole, stored)


def _checked(document: Document, stored: Office | None) -> OfficeDocument:
    found = _found(document.values, stored)
    if isinstance(found, list):
        raise document.invalid(found)
    return found


def _found(values: dict[str, object], stored: Office | None) -> OfficeDocument | list[Problem]:
    passwords = None if stored is None else {terminal.number: terminal.password for terminal in stored.terminals}
    found = validated(OfficeDocument, values)
    problems = found if isinstance(found, list) else []
    problems += problems_between(values, passwords)
    return problems if problems or isinstance(found, list) else found


def _with_whole_paths(document: OfficeDocument, file: Path) -> OfficeDocument:
    """Sound files and scripts are named relative to the document, but used from anywhere."""
    folder = file.absolute().parent

    def whole(sections: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(each.model_copy(update={"file": str(folder / each.file)}) for each in sections)

    return document.model_copy(update={"sounds": whole(document.sounds), "applications": whole(document.applications)})


def _office(document: OfficeDocument, stored: Office) -> Office:
    sections = {name: record_of(of, getattr(document, name).model_dump()) for name, of in OFFICE_SECTIONS.items()}
    lists = {of.name: _entries(document, of, stored) for of in OFFICE_LISTS}
    return office_of(document.office.model_dump(), sections, lists)


def _entries(document: OfficeDocument, of: OfficeList, stored: Office) -> tuple[Entry, ...]:
    """The records of one list; an absent password or PIN is the one that is stored."""
    secret = secret_of(of.record)
    known = {of.key_of(entry): getattr(entry, secret) for entry in of.of(stored)} if secret else {}
    sections: tuple[Section, ...] = getattr(document, of.name)
    record: Callable[..., Entry] = of.record
    found = []
    for values in (section.model_dump() for section in sections):
        if secret and values[secret] is None:
            values[secret] = known.get(values[of.key], "")
        found.append(record_of(record, values))
    return tuple(found)
