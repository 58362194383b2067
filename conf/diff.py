"""What an office document would change: added, changed and removed entries. Secrets are never shown."""

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, is_dataclass
from typing import Any

from conf.export import toml_value
from frozen import dataclass
from storage.records import OFFICE_LISTS, OFFICE_SECTIONS, OFFICE_VALUES, SECRETS, Entry, Office


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of one list, by the key of its entries: `changed` maps it to sentences such as `max_calls 1 -> 2`."""

    added: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that `apply` would change; false when that is nothing."""

    office: tuple[str, ...] = ()
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by name: "features", …
    lists: Mapping[str, Changes] = field(default_factory=dict)  # by what one entry is called: "user", "terminal", …

    def __bool__(self) -> bool:
        return bool(self.office or any(self.sections.values()) or any(self.lists.values()))

    def __str__(self) -> str:
        said = {"office": self.office, **self.sections}
        lines = [f"~ {name}: {', '.join(changes)}" for name, changes in said.items() if changes]
        lines += [line for kind, changes in self.lists.items() for line in _lines(kind, changes)]
        return "\n".join(lines) or "nothing to change"


def plan(old: Office, new: Office) -> Plan:
    """What has to change so that `old` becomes `new`; the order of entries has no meaning."""
    return Plan(
        office=tuple(_value_changes(old, new, OFFICE_VALUES)),
        sections={name: _record_changes(getattr(old, name), getattr(new, name)) for name in OFFICE_SECTIONS},
        lists={
            of.kind: Changes() if of.of(old) is of.of(new) else _changes(of.by_key(old), of.by_key(new))
            for of in OFFICE_LISTS
        },
    )


def _changes(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Changes:
    both = [key for key in new if key in old]
    return Changes(
        added=tuple(key for key in new if key not in old),
        changed={
            key: _record_changes(before, after)
            for key in both
            if (before := old[key]) is not (after := new[key]) and before != after
        },
        removed=tuple(key for key in old if key not in new),
    )


def _record_changes(old: Any, new: Any) -> tuple[str, ...]:
    return tuple(_value_changes(old, new, [each.name for each in fields(new)]))


def _value_changes(old: Any, new: Any, names: Sequence[str]) -> list[str]:
    said = []
    for name in names:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            said += (
                [f"{name}.{each}" for each in _record_changes(before, after)]
                if is_dataclass(after)
                else [_change(name, before, after)]
            )
    return said


def _change(name: str, before: object, after: object) -> str:
    if name not in SECRETS:
        return f"{name} {toml_value(before)} -> {toml_value(after)}"
    if not before:
        return f"{name} set"
    return f"{name} changed" if after else f"{name} removed"


def _lines(kind: str, changes: Changes) -> list[str]:
    return [
        *(f"+ {kind} {key}" for key in changes.added),
        *(f"~ {kind} {key}: {', '.join(said)}" for key, said in changes.changed.items()),
        *(f"- {kind} {key}" for key in changes.removed),
    ]
