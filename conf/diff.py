"""What an office document would change: added, changed and removed entries. Secrets are never shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from storage.records import OFFICE_LISTS, OFFICE_VALUES, SECRET, Entry, Office


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
    lists: Mapping[str, Changes] = field(default_factory=dict)  # by what one entry is called: "user", "terminal", …

    def __bool__(self) -> bool:
        return bool(self.office or any(self.lists.values()))

    def __str__(self) -> str:
        lines = [f"~ office: {', '.join(self.office)}"] if self.office else []
        lines += [line for kind, changes in self.lists.items() for line in _lines(kind, changes)]
        return "\n".join(lines) or "nothing to change"


def plan(old: Office, new: Office) -> Plan:
    """What has to change so that `old` becomes `new`; the order of entries has no meaning."""
    return Plan(
        office=tuple(_value_changes(old, new, OFFICE_VALUES)),
        lists={
            of.kind: _changes(*({of.key_of(entry): entry for entry in of.of(office)} for office in (old, new)))
            for of in OFFICE_LISTS
        },
    )


def _changes(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Changes:
    both = [key for key in new if key in old]
    return Changes(
        added=tuple(key for key in new if key not in old),
        changed={
            key: tuple(_value_changes(old[key], new[key], [each.name for each in fields(new[key])]))
            for key in both
            if old[key] != new[key]
        },
        removed=tuple(key for key in old if key not in new),
    )


def _value_changes(old: Office | Entry, new: Office | Entry, names: Sequence[str]) -> list[str]:
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in names]
    return [_change(name, before, after) for name, before, after in pairs if before != after]


def _change(name: str, before: object, after: object) -> str:
    if name != SECRET:
        return f"{name} {_shown(before)} -> {_shown(after)}"
    if not before:
        return "password set"
    return "password changed" if after else "password removed"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _lines(kind: str, changes: Changes) -> list[str]:
    return [
        *(f"+ {kind} {key}" for key in changes.added),
        *(f"~ {kind} {key}: {', '.join(said)}" for key, said in changes.changed.items()),
        *(f"- {kind} {key}" for key in changes.removed),
    ]
