"""Who asks, and what that one may see and do (USR-21).

An administrator may do everything. A supervisor sees the calls, recordings and numbers of the people in the scope of
the person's card and acts on them; everybody else sees and does the same for the own numbers only.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from storage.records import Office, User, fits
from web.answers import refused

Way = Literal["read", "write"]
# What everybody has a part of: the own.
SHARED = frozenset(
    ("calls", "directory", "events", "history", "me", "queues", "recordings", "registrations", "services", "statistics")
)
OF_CLIENTS = frozenset(("calls", "events", "history", "queues", "recordings"))  # what tells numbers of clients
SEEN = SHARED | {"employees", "passwords"}  # and what everybody sees a part of, which administrators change


@dataclass(frozen=True, slots=True)
class Principal:
    """`numbers` and `users`: those that are seen, None: all. `rights` of an API key: resource → "read" or "write",
    empty: no limit of its own. `session` "": none."""

    name: str
    role: str
    user: str = ""
    numbers: frozenset[str] | None = None
    users: frozenset[str] | None = None
    rights: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    session: str = ""
    must_change: bool = False
    sees_clients: bool = True

    def check(self, resource: str, way: Way) -> None:
        """Raises `Refused` (403) with a sentence."""
        if self.must_change and resource != "me":
            raise refused(403, "the password was given by somebody else: change it first (POST /auth:changePassword)")
        if self.rights and self.rights.get(resource) not in (("read", "write") if way == "read" else ("write",)):
            raise refused(403, f'this key may not {way} "{resource}"')
        if not self.sees_clients and resource in OF_CLIENTS:
            raise refused(403, f'"{resource}" has numbers of clients, which you are not shown (masked of [features])')
        if self.role != "administrator" and resource not in (SEEN if way == "read" else SHARED):
            raise refused(403, f'only an administrator may {way} "{resource}"')

    def sees(self, *numbers: str) -> bool:
        """Whether one of the numbers is seen."""
        return self.numbers is None or not self.numbers.isdisjoint(numbers)

    def sees_user(self, user: str) -> bool:
        return self.users is None or user in self.users

    def narrowed(self, user: str, office: Office) -> "Principal":
        """The same who looks at one person alone (USR-1); raises `Refused` where that one is not seen."""
        if all(each.id != user for each in office.users):
            raise refused(422, f'there is no user "{user}"', "employee")
        if not self.sees_user(user):
            raise refused(403, f'"{user}" is not among those whom you may see')
        return replace(self, numbers=frozenset(numbers_of({user}, office)), users=frozenset({user}))

    def check_number(self, number: str) -> None:
        if not self.sees(number):
            raise refused(403, f"{number} is not among your numbers")


def principal_of(name: str, user: User | None, office: Office, **more: object) -> Principal:
    """With the role and the scope of a person of the office; None: nobody of the office, an administrator."""
    if user is None or user.role == "administrator":
        return Principal(name, "administrator", user.id if user is not None else "", **more)  # type: ignore[arg-type]
    if user.role == "supervisor" and "all" in user.scope:
        return Principal(name, user.role, user.id, **more)  # type: ignore[arg-type]
    seen = {user.id, *_in_scope(user.scope, office)} if user.role == "supervisor" else {user.id}
    numbers = frozenset(numbers_of(seen, office))
    masked = any(fits(number, each) for number in numbers_of({user.id}, office) for each in office.features.masked)
    found = Principal(name, user.role, user.id, numbers, frozenset(seen), **more)  # type: ignore[arg-type]
    return replace(found, sees_clients=not masked)


def numbers_of(users: Collection[str], office: Office) -> Iterable[str]:
    """The numbers of people: their terminals and mobiles."""
    yield from (each.number for each in office.terminals if each.owner in users)
    yield from (each.mobile for each in office.users if each.id in users and each.mobile)


def _in_scope(scope: Iterable[str], office: Office) -> Iterable[str]:
    groups = {group.id: group.members for group in office.employee_groups}
    for entry in scope:
        kind, _, name = entry.partition(":")
        yield from (groups.get(name, ()) if kind == "group" else (name,))
