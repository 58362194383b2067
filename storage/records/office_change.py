"""The way from one office to the next: what is new, different, gone or moved, and nothing of all the rest.

One object of an office of thousands is changed at the price of that object: what stays is not sent, not written and not
printed again, because the next office holds the very same entries.
"""

from collections.abc import Sequence
from dataclasses import field

from frozen import dataclass
from storage.records.office import OFFICE_LISTS, OFFICE_SECTIONS, OFFICE_VALUES, Entry, Office, OfficeList, office_of


@dataclass(frozen=True, slots=True)
class OfficeChange:
    """`put`: the values and sections of the next office, with those entries alone that are new or different. `removed`
    and `order`: keys by the name of a list; `order` only of lists where what is new does not simply come last."""

    put: Office
    removed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    order: dict[str, tuple[str, ...]] = field(default_factory=dict)


def change_between(old: Office, new: Office) -> OfficeChange:
    """What makes `new` of `old`."""
    put: dict[str, tuple[Entry, ...]] = {}
    removed: dict[str, tuple[str, ...]] = {}
    order: dict[str, tuple[str, ...]] = {}
    for of in OFFICE_LISTS:
        if of.of(old) is of.of(new):
            put[of.name] = ()
            continue
        before, after = of.by_key(old), of.by_key(new)
        put[of.name] = tuple(entry for key, entry in after.items() if not _is_same(before.get(key), entry))
        if gone := tuple(key for key in before if key not in after):
            removed[of.name] = gone
        if [*(key for key in before if key in after), *(key for key in after if key not in before)] != [*after]:
            order[of.name] = tuple(after)
    return OfficeChange(_with_lists(new, put), removed, order)


def changed(office: Office, change: OfficeChange) -> Office:
    """The next office; entries that stay are the same objects."""
    return _with_lists(change.put, {of.name: _changed_list(of, office, change) for of in OFFICE_LISTS})


def _changed_list(of: OfficeList, office: Office, change: OfficeChange) -> tuple[Entry, ...]:
    put, removed = of.of(change.put), change.removed.get(of.name, ())
    order: Sequence[str] = change.order.get(of.name, ())
    if not (put or removed or order):
        return of.of(office)
    entries = of.by_key(office)
    for key in removed:
        del entries[key]
    entries.update((of.key_of(entry), entry) for entry in put)
    return tuple(entries[key] for key in order) if order else tuple(entries.values())


def _is_same(before: Entry | None, after: Entry) -> bool:
    return before is after or before == after


def _with_lists(office: Office, lists: dict[str, tuple[Entry, ...]]) -> Office:
    values = {name: getattr(office, name) for name in OFFICE_VALUES}
    return office_of(values, {name: getattr(office, name) for name in OFFICE_SECTIONS}, lists)
