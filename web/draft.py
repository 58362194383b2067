"""The document of the office while it is edited: entries are found by key, put, merged, moved and removed.

A draft is plain values, as a document has them; whether they are right is said by the same check that a file passes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from storage.records import OFFICE_LISTS, SECRETS, OfficeList, secret_of
from web.answers import Refused, refused

Values = dict[str, Any]
LISTS: Mapping[str, OfficeList] = {of.name: of for of in OFFICE_LISTS}
# Keys that hold members of something: who leaves the office leaves them too. Targets are not among them.
MEMBERS = ("members", "agents", "penalties", "call_out")


class Draft:
    """Changes of one revision; the values that it was made of stay as they are."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values: Values = dict(values)

    def entries(self, of: OfficeList) -> list[Values]:
        found: list[Values] = self.values[of.name]
        return found

    def entry(self, of: OfficeList, key: str) -> Values:
        return self.entries(of)[self.place(of, key)]

    def place(self, of: OfficeList, key: str) -> int:
        """Where an entry stands; raises `Refused` (404)."""
        for index, entry in enumerate(self.entries(of)):
            if entry[of.key] == key:
                return index
        raise refused(404, f'there is no {of.kind} "{key}"')

    def add(self, of: OfficeList, entry: Values) -> int:
        key = entry.get(of.key)
        if any(each[of.key] == key for each in self.entries(of)):
            raise refused(409, f'the {of.kind} "{key}" is there already', of.key)
        self.values[of.name] = [*self.entries(of), entry]
        return len(self.entries(of)) - 1

    def put(self, of: OfficeList, index: int, entry: Values) -> None:
        """Replace an entry; a secret that is not given stays."""
        before, secret = self.entries(of)[index], secret_of(of.record)
        if secret and secret not in entry and secret in before:
            entry = {**entry, secret: before[secret]}
        self.values[of.name] = [*self.entries(of)[:index], entry, *self.entries(of)[index + 1 :]]

    def remove(self, of: OfficeList, index: int) -> None:
        self.values[of.name] = [*self.entries(of)[:index], *self.entries(of)[index + 1 :]]

    def move(self, of: OfficeList, index: int, to: int) -> None:
        entries = list(self.entries(of))
        entries.insert(to, entries.pop(index))
        self.values[of.name] = entries

    def forget_members(self, gone: Iterable[str]) -> None:
        """Take numbers or people out of everything that they are members of."""
        names = set(gone)
        for of in OFFICE_LISTS:
            self.values[of.name] = [_without(entry, names) for entry in self.entries(of)]


def merged(before: Values, patch: Values) -> Values:
    """RFC 7396: what the patch names is changed, None is the default again, all else stays."""
    found = dict(before)
    for name, value in patch.items():
        if value is None and name in SECRETS:
            found[name] = ""  # an absent one would stay
        elif value is None:
            found.pop(name, None)
        elif isinstance(value, dict) and isinstance(before.get(name), dict):
            found[name] = merged(before[name], value)
        else:
            found[name] = value
    return found


def without_secrets(values: Any) -> Any:
    """For everybody who has not asked for them, and for the audit."""
    if isinstance(values, dict):
        return {name: without_secrets(value) for name, value in values.items() if name not in SECRETS}
    return [without_secrets(each) for each in values] if isinstance(values, list) else values


def of_entry(error: Refused, of: str, index: int | None = None) -> Refused:
    """The mistakes as they look from one entry: key paths begin there where they lie within."""
    prefix = of if index is None else f"{of}.{index}"
    return Refused(error.status, *((_within(field, prefix), text) for field, text in error.problems))


def searched(entries: Sequence[Values], text: str) -> Iterator[Values]:
    """The entries with that text in one of their values, small and capital letters alike (USR-8)."""
    wanted = text.casefold()
    for entry in entries:
        if any(wanted in str(value).casefold() for value in without_secrets(entry).values()):
            yield entry


def copy_of(values: Values) -> Values:
    return deepcopy(values)


def _without(entry: Values, gone: set[str]) -> Values:
    found = dict(entry)
    for name in MEMBERS:
        members = entry.get(name)
        if isinstance(members, list):
            found[name] = [each for each in members if each not in gone]
        elif isinstance(members, dict):
            found[name] = {each: value for each, value in members.items() if each not in gone}
    return found


def _within(field: str, prefix: str) -> str:
    return "" if field == prefix else field.removeprefix(f"{prefix}.")
