"""Rooms and departments as a tree (GRP-3): what is within them, how people write where one is."""

from collections.abc import Iterable, Sequence

from storage.records import LocationGroup, Office

BETWEEN = " / "


def within(places: Sequence[LocationGroup], wanted: Iterable[str]) -> frozenset[str]:
    """The ids of the places, and of all that are in them."""
    found = set(wanted)
    for _ in places:  # a tree is at most as deep as it has places
        found |= {each.id for each in places if each.parent in found}
    return frozenset(found)


def place_text(places: Sequence[LocationGroup], id: str) -> str:
    """`Head office / First floor / Room 12`; what is no location group stays as it is."""
    known, names = {each.id: each for each in places}, list[str]()
    while (place := known.pop(id, None)) is not None:
        names.insert(0, place.name or place.id)
        id = place.parent
    return BETWEEN.join(names) or id


def people_at(office: Office, wanted: Iterable[str]) -> frozenset[str]:
    """The ids of those who are in the places, or in one within them."""
    ids = within(office.location_groups, wanted)
    return frozenset(each.id for each in office.users if each.location in ids)


def numbers_at(office: Office, wanted: Iterable[str]) -> frozenset[str]:
    """The terminals of those people."""
    people = people_at(office, wanted)
    return frozenset(each.number for each in office.terminals if each.owner in people)
