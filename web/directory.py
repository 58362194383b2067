"""The directory: people and the numbers that they are called at (USR-15)."""

from dataclasses import asdict, dataclass
from typing import Any

from storage.records import Office


@dataclass(frozen=True, slots=True)
class Listed:
    """A person; `numbers` without those that are not for the phone book."""

    name: str
    numbers: tuple[str, ...]
    mobile: str
    email: str
    position: str
    location: str

    def shown(self) -> dict[str, Any]:
        return asdict(self)


def listed(office: Office, search: str = "") -> list[Listed]:
    """By name; who has no number to be called at is not among them. `search`: in any of what is shown."""
    numbers: dict[str, list[str]] = {}
    for terminal in office.terminals:
        if terminal.show_in_phonebook:
            numbers.setdefault(terminal.owner, []).append(terminal.number)
    people = [
        Listed(each.name, tuple(numbers.get(each.id, ())), each.mobile, each.email, each.position, each.location)
        for each in sorted(office.users, key=lambda each: each.name.casefold())
        if each.mobile or each.id in numbers
    ]
    wanted = search.casefold()
    return [each for each in people if any(wanted in str(value).casefold() for value in each.shown().values())]
