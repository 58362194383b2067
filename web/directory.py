"""The directory: people and the numbers that they are called at (USR-15)."""

from dataclasses import asdict, dataclass
from typing import Any

from conf.places import place_text, within
from storage.records import Office


@dataclass(frozen=True, slots=True)
class Listed:
    """A person; `numbers` without those that are not for the phone book, `place` is the location in words."""

    name: str
    numbers: tuple[str, ...]
    mobile: str
    email: str
    position: str
    location: str
    place: str

    def shown(self) -> dict[str, Any]:
        return asdict(self)


def listed(office: Office, search: str = "", location: str = "") -> list[Listed]:
    """By name; who has no number to be called at is not among them. `search`: in any of what is shown; `location`:
    those in this room or department, or in one within it."""
    numbers: dict[str, list[str]] = {}
    for terminal in office.terminals:
        if terminal.show_in_phonebook:
            numbers.setdefault(terminal.owner, []).append(terminal.number)
    places = within(office.location_groups, [location])
    people = [
        Listed(
            each.name,
            tuple(numbers.get(each.id, ())),
            each.mobile,
            each.email,
            each.position,
            each.location,
            place_text(office.location_groups, each.location),
        )
        for each in sorted(office.users, key=lambda each: each.name.casefold())
        if (each.mobile or each.id in numbers) and (not location or each.location in places)
    ]
    wanted = search.casefold()
    return [each for each in people if any(wanted in str(value).casefold() for value in each.shown().values())]
